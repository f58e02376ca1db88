"""Rules on lists in the API and on pages: the lists are those of Python."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("fastapi", reason="the extra 'serve' is not installed")

from starlette.testclient import TestClient

import alsolike as al
from alsolike.data.catalogue import Catalogue
from alsolike.data.interactions import Interactions
from alsolike.data.string_array import StringArray
from serving import client_of, settings_of

N = 24
KINDS = ("shoes", "boots", "gift")
RULES = al.Rules(only={"kind": ["shoes", "boots"]}, at_most={"artist": 1})
QUERY = "only=kind%3Dshoes%7Cboots&at_most=1%3Aartist"
BODY = {"only": {"kind": ["shoes", "boots"]}, "at_most": {"artist": 1}}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = np.random.default_rng(3)
    rows, columns = np.nonzero(rng.random((30, N)) < 0.3)
    likes = Interactions.from_columns(
        [f"u{row}" for row in rows], [f"i{column:02d}" for column in columns]
    )
    texts = {
        "kind": [KINDS[row % 3] for row in range(N)],
        "artist": [f"A{row % 5}" for row in range(N)],
        "serial": [f"{row}" for row in range(N)],
    }
    packed = {label: StringArray.pack(column) for label, column in texts.items()}
    catalogue = Catalogue.from_columns(packed, n_items=N)
    likes = Interactions(likes.user_items, likes.users, likes.items, None, catalogue)
    folder = tmp_path_factory.mktemp("rules")
    al.save(al.fit(likes, factors=4, iterations=3), folder / "model")
    return folder


@pytest.fixture(scope="module")
def client(folder: Path) -> Iterator[TestClient]:
    with client_of(settings_of(folder / "state", folder / "model")) as found:
        yield found


def test_the_api_lists_what_python_lists(client: TestClient, folder: Path) -> None:
    model = al.load(folder / "model")
    for address, key, expected in (
        (f"/api/v1/items/i01/similar?k=7&{QUERY}", "similar",
         al.similar(model, "i01", k=7, rules=RULES)["similar_item"]),
        (f"/api/v1/users/u1/recommendations?k=7&{QUERY}", "recommendations",
         al.recommend(model, "u1", k=7, rules=RULES)["item"]),
    ):  # fmt: skip
        found = client.get(address).json()
        assert [one["item"] for one in found[key]] == expected.tolist()
        assert found["note"] == "5 of 7 asked: only 5 items are allowed, at most 1 per artist."
    found = client.post("/api/v1/similar", json={"items": ["i01", "i02"], "k": 3, **BODY}).json()
    expected = al.similar_to_set(model, ["i01", "i02"], k=3, rules=RULES)["similar_item"]
    assert [one["item"] for one in found["similar"]] == expected.tolist()
    assert found["note"] is None
    likes = {"likes": [{"item": "i01"}], "k": 3, **BODY}
    found = client.post("/api/v1/recommendations", json=likes).json()
    expected = al.recommend_for_likes(model, {"i01": 1}, k=3, rules=RULES)["item"]
    assert [one["item"] for one in found["recommendations"]] == expected.tolist()


def test_popular_items_keep_the_rules_too(client: TestClient) -> None:
    found = client.get(f"/api/v1/items/i01/similar?model=popularity&k=9&{QUERY}").json()
    rows = [int(one["item"][1:]) for one in found["similar"]]
    assert len(rows) == len({row % 5 for row in rows}) == 5
    assert all(row % 3 < 2 for row in rows)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("only=knd%3Dx", "column 'knd'"),
        ("exclude=kind%3Dx", "'x'"),
        ("at_most=artist", "NUMBER:COLUMN"),
    ],
)
def test_rules_that_do_not_fit_are_errors(client: TestClient, query: str, said: str) -> None:
    for address in ("/api/v1/items/i01/similar", "/api/v1/users/u1/recommendations"):
        found = client.get(f"{address}?{query}")
        assert found.status_code == 422
        assert said in found.json()["error"]["message"]


def test_pages_have_a_form_of_the_columns_with_few_values(client: TestClient) -> None:
    for address in ("/items/i01?popularity_bias=0.3", "/users/u1", "/try?item=i01&item=i02"):
        text = client.get(address).text
        assert '<option value="kind=shoes">shoes</option>' in text
        assert '<option value="2:artist">at most 2</option>' in text
        assert 'value="serial=' not in text
        assert "<details" in text
        sign = "&" if "?" in address else "?"
        # As the form sends it: fields that were not filled in are empty.
        ruled = client.get(f"{address}{sign}only=&only=kind%3Dshoes&at_most=1%3Aartist&at_most=")
        assert ruled.status_code == 200
        assert "Rules: <bdi>only kind=shoes; at most 1 per artist" in ruled.text
        assert '<option value="kind=shoes" selected>' in ruled.text
    assert 'name="popularity_bias" value="0.3"' in client.get("/items/i01?popularity_bias=0.3").text


def test_pages_list_only_what_fits_and_their_links_keep_the_rules(client: TestClient) -> None:
    text = client.get("/items/i01?exclude=kind%3Dgift&exclude=kind%3Dboots").text
    assert "/items/i03?exclude=kind%3Dgift" in text
    assert not any(f"/items/i{row:02d}?exclude" in text for row in range(2, N) if row % 3)
    assert 'type="hidden" name="exclude" value="kind=gift"' in text
    short = client.get("/users/u1?at_most=1%3Akind").text
    assert "3 of 10 asked: only 3 items are allowed, at most 1 per kind." in short
    picked = client.get("/try?item=i01&at_most=1%3Akind").text
    assert "/try?item=i01&amp;item=" in picked
    assert "&amp;at_most=1%3Akind" in picked


def test_a_rule_that_does_not_fit_is_said_on_pages(client: TestClient) -> None:
    for address in ("/items/i01", "/users/u1", "/try?item=i01"):
        sign = "&" if "?" in address else "?"
        found = client.get(f"{address}{sign}only=knd%3Dx")
        assert found.status_code == 200
        assert "column &#39;knd&#39;" in found.text
        assert client.get(f"{address}{sign}only=knd").status_code == 422
