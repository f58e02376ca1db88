"""Every page and every route, with a model of each family; what one cannot do, it says."""

import html
import json
import re
import subprocess
import sys
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
import pytest

pytest.importorskip("fastapi", reason="the extra 'serve' is not installed")

from alsolike.models.base import FittedModel, Floats, Rows
from alsolike.models.bundle.io import load, save
from alsolike.models.family import Family
from alsolike.models.registry import FAMILIES, names
from alsolike.recommending.ranking.nearest import Neighbours
from alsolike.recommending.single import recommend_for_likes, recommend_one
from alsolike.testing import tiny_likes
from alsolike.web.serving.deploy import swap
from alsolike.web.serving.neighbour_cache import LENGTH, NeighbourCache, build
from alsolike.web.serving.state_store import Store
from serving import bundle, client_of, settings_of
from toy_family import CoCountsFamily
from toy_pair import PairFamily

API = "/api/v1"
OURS = [*names(), "factors"]
FOLD_IN = [name for name in OURS if name != "factors"]
EXPLAIN = [
    "als",
    "feature-als",
    "explicit-als",
    "item-knn",
    "ease",
    "sparse-linear",
    "item-profile",
    "bpr",
    "warp",
    "blend",
    "co-counts",
]
PAIRWISE = ["bpr", "warp"]
FACTORS = ["als", "feature-als", "explicit-als", "lmf", *PAIRWISE, "factors"]
MAPPED = [*FACTORS, "blend"]  # which has a member with factors
WITH_DIAL = [*FACTORS, "item-knn", "blend"]
PAGES = (
    "/", "/?q=Bj%C3%B6rk", "/random", "/items/i1", "/user", "/users/u1", "/try",
    "/try?item=i1&item=i2", "/map", "/map?item=i1", "/compare", "/compare/result", "/about",
    "/docs",
)  # fmt: skip


@pytest.fixture(scope="module", params=[*OURS, "co-counts", "pair"])
def served(request, tmp_path_factory):
    """Give a family's name, a client of a service that serves a model of it, and the model."""
    brought = {"co-counts": CoCountsFamily, "pair": PairFamily}.get(request.param)
    more = [brought()] if brought else []
    FAMILIES.extend(more)
    folder = tmp_path_factory.mktemp("served")
    path = bundle(folder / "model", family=request.param)
    with client_of(settings_of(folder / "state", path)) as client:
        yield request.param, client, load(path)
    for one in more:
        FAMILIES.remove(one)


def same_scores(name, found, expected):
    """Hold scores to each other: to the last bit, but of a blend, whose model adds up blocks."""
    np.testing.assert_allclose(found, expected, rtol=1e-6 if name == "pair" else 0, atol=0)


def test_every_page_is_shown(served):
    _, client, _ = served
    for page in PAGES:
        answer = client.get(page, headers={"Accept": "text/html"})
        assert answer.status_code == 200, (page, answer.text[-500:])
        said = re.sub(r"<[^>]*>", "", answer.text)
        assert not re.search(r"\bNone\b(?! of (?:its|the))", said), page


def test_similar_items_are_those_of_the_library(served):
    name, client, model = served
    for k in (5, LENGTH + 5):
        found = client.get(f"{API}/items/i1/similar?k={k}").json()["similar"]
        rows, scores = Neighbours(model).similar(model.items.index_of("i1"), k)
        assert [one["item"] for one in found] == model.items.ids_of(rows).tolist()
        same_scores(name, [one["score"] for one in found], scores)
    other = found[0]["item"]
    why = client.get(f"{API}/items/i1/explanations?other={other}").json()
    same_scores(name, why["similarity"], found[0]["score"])
    assert (why["similarity"] == why["cosine"]) == (name not in FACTORS)
    assert why["scale"] == model.similarity.words
    with_expected = name in MAPPED and name not in ("explicit-als", "lmf", *PAIRWISE)
    assert (why["expected"] is not None) == with_expected
    strip = html.unescape(client.get("/items/i1").text)
    assert f"The bar shows {model.similarity.words}, " in strip


def test_the_dial_is_turned_or_said_not_to_be_there(served):
    name, client, model = served
    row = model.items.index_of("i1")
    for path in ("items/i1/similar?k=7", "items/i1/explanations?other=i2"):
        answer = client.get(f"{API}/{path}&popularity_bias=0.1")
        if name not in WITH_DIAL:
            assert_unable(answer)
    answer = client.get(f"{API}/items/i1/similar?k=7&popularity_bias=0.1")
    basket = client.post(f"{API}/similar", json={"items": ["i1", "i2"], "k": 7})
    plain, turned = (
        html.unescape(client.get(f"/items/i1{query}").text)
        for query in ("", "?popularity_bias=0.1")
    )
    picked = client.get("/try?item=i1&item=i2").text
    assert "Similar to your picks, taken together" in picked
    assert "taken together" not in client.get("/try?item=i1").text
    (facts,) = client.get(f"{API}/model").json()["models"]
    if name not in WITH_DIAL:
        assert_unable(basket)
        assert basket.json()["error"]["message"] in html.unescape(picked)
        assert "From specific to popular" not in plain
        assert "This model has no dial: its list is the same at every mark." in turned
        assert (facts["similarity"], facts["affinities"]) == ({}, [])
        assert client.get(f"{API}/items/i1/similar").json()["affinity"] is None
        return
    changed = model.with_similarity(replace(model.similarity_config, popularity_bias=0.1))
    rows, scores = Neighbours(changed).similar(row, 7)
    told = answer.json()["similar"]
    assert [one["item"] for one in told] == model.items.ids_of(rows).tolist()
    assert [one["score"] for one in told] == scores.tolist()
    ids = [one["item"] for one in basket.json()["similar"]]
    assert all(f"/try?item=i1&amp;item=i2&amp;item={one}" in picked for one in ids)
    assert "From specific to popular" in plain
    assert "All lists are at 0.1" in turned
    assert "at mark 0.1. The bar shows" in turned
    assert facts["similarity"]["popularity_bias"] == 0.8
    assert facts["affinities"] == list(model.affinities)


def test_users_are_recommended_to_as_by_the_library(served):
    _, client, model = served
    answer = client.get(f"{API}/users/u1/recommendations?k=6").json()
    table = recommend_one(model, "u1", k=6)
    assert [one["item"] for one in answer["recommendations"]] == table["item"].tolist()
    assert [one["score"] for one in answer["recommendations"]] == table["score"].tolist()
    assert [one["basis"] for one in answer["recommendations"]] == table["basis"].tolist()


def test_likes_of_anybody_are_folded_in_or_refused(served):
    name, client, model = served
    wish = {"likes": [{"item": "i9"}, {"item": "i3", "value": 2}], "k": 6}
    answer = client.post(f"{API}/recommendations", json=wish)
    if name not in [*FOLD_IN, "co-counts", "pair"]:
        assert_unable(answer)
        assert "folds in users" in client.get("/try?item=i3").text
        return
    table = recommend_for_likes(model, {"i9": 1, "i3": 2}, k=6)
    told = answer.json()["recommendations"]
    assert [one["item"] for one in told] == table["item"].tolist()
    assert [one["score"] for one in told] == table["score"].tolist()


def test_live_likes_count_at_once_or_are_said_not_to(served):
    name, client, _ = served
    folds_in = name != "factors"
    before = client.get(f"{API}/users/u2/recommendations?k=6").json()
    liked = before["recommendations"][0]["item"]
    path = f"{API}/users/u2/likes"
    told = client.post(path, json={"likes": [{"item": liked}]}).json()
    assert (told["live_likes"], told["ignored_likes"]) == ((1, 0) if folds_in else (0, 1))
    after = client.get(f"{API}/users/u2/recommendations?k=6").json()
    assert liked not in [one["item"] for one in after["recommendations"]]
    assert after["live_likes"] == int(folds_in)
    page = client.get("/users/u2").text
    assert ("cannot use likes after its training" in page) == (not folds_in)
    client.delete(f"{path}/{liked}")
    assert client.get(f"{API}/users/u2/recommendations?k=6").json() == before


def test_a_user_known_by_live_likes_alone(served):
    name, client, _ = served
    client.post(f"{API}/users/visitor/likes", json={"likes": [{"item": "i4"}]})
    answer = client.get(f"{API}/users/visitor/recommendations")
    page = client.get("/users/visitor")
    assert page.status_code == 200
    if name == "factors":
        assert_unable(answer)
        assert "folds in users" in page.text
    else:
        assert len(answer.json()["recommendations"]) == 10
        assert "i4" not in [one["item"] for one in answer.json()["recommendations"]]


def test_scores_are_explained_by_parts_that_add_up(served):
    name, client, _ = served
    (first, *_) = client.get(f"{API}/users/u1/recommendations").json()["recommendations"]
    answer = client.get(f"{API}/users/u1/explanations?item={first['item']}")
    page = client.get("/users/u1").text
    if name not in [*EXPLAIN, "pair"]:
        assert_unable(answer)
        assert "Because of" not in page
        return
    why = answer.json()
    if name not in PAIRWISE:  # which explain a folded-in user
        assert why["score"] == pytest.approx(first["score"], rel=1e-4)
    added = sum(one["contribution"] for one in why["parts"])
    assert added + why["by_item"] == pytest.approx(why["score"])
    assert "Because of" in page
    for part in why["parts"]:
        if name == "blend":
            assert set(part["members"]) == {"als", "item-knn"}
            assert sum(part["members"].values()) == pytest.approx(part["contribution"])
        else:
            assert part["members"] is None
    of_each = re.findall(r"(\S+) \(als (\S+), item-knn (\S+)\)", page)
    assert bool(of_each) == (name == "blend")
    for printed in of_each:
        whole, *parts = (float(one.replace("\N{MINUS SIGN}", "-")) for one in printed)
        assert sum(parts) == pytest.approx(whole, abs=1e-9)


def test_the_map_is_there_for_factors_alone(served):
    name, client, _ = served
    start, page = client.get("/").text, client.get("/map")
    mapped = name in MAPPED
    assert (">Map</a>" in start) == mapped
    assert ("Show on the map" in client.get("/items/i1").text) == mapped
    assert ("model with factors is needed" in page.text) == (not mapped)
    ((slot, version),) = client.get("/readyz").json()["models"].items()
    points = client.get(f"/map/points/{slot}/{version[:16]}")
    assert points.status_code == (200 if mapped else 422)


def test_what_lists_for_everybody_is_said_to(served):
    name, client, _ = served
    said = "Most liked (this model lists the same for everybody)"
    for page in ("/users/u1", "/try?item=i1&item=i2"):
        assert (said in client.get(page).text) == (name == "popularity")


def test_the_model_is_told_of(served):
    name, client, model = served
    (facts,) = client.get(f"{API}/model").json()["models"]
    assert facts["family"] == name
    assert facts["factors"] == getattr(model, "factors", 0)
    about = client.get("/about").text
    assert "0 factors" not in about
    assert (name in about) or facts["factors"]


def test_the_stock_is_what_would_be_found(served, tmp_path):
    name, _, model = served
    build(tmp_path / "stock", model)
    stock, neighbours = NeighbourCache(tmp_path / "stock", model), Neighbours(model)
    assert stock.is_ready
    for row in range(len(model.items)):
        (items, scores), (expected, exact) = stock.similar(row, 7), neighbours.similar(row, 7)
        np.testing.assert_array_equal(items, expected)
        same_scores(name, scores, exact)


def assert_unable(answer):
    assert answer.status_code == 422
    error = answer.json()["error"]
    assert error["code"] == "model_unable"
    assert error["message"].startswith("A model ")
    assert error["message"].count(".") == 1


@pytest.mark.parametrize(
    "pair", [("als", "item-knn"), ("ease", "factors"), ("popularity", "random")]
)
def test_two_families_stand_side_by_side(tmp_path, pair):
    paths = [bundle(tmp_path / name, family=name) for name in pair]
    settings = settings_of(tmp_path / "state", *paths)
    with client_of(settings) as client:
        slots = list(client.get("/readyz").json()["models"])
        for page in PAGES:
            assert client.get(page, headers={"Accept": "text/html"}).status_code == 200, page
        for slot in slots:
            for page in ("/users/u1", "/try", "/map", "/random"):
                assert client.get(f"{page}?model={slot}").status_code == 200, page
        page = client.get("/compare").text
        given = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page))
        voted = client.post("/compare", data={**given, "choice": "left"}, follow_redirects=False)
        assert voted.status_code == 303
        assert "1 vote" in client.get("/compare/result").text
        mapped = [slot for slot, name in zip(slots, pair, strict=True) if name in MAPPED]
        shown = re.search(r'<a href="([^"]*)"[^>]*>Map</a>', client.get("/").text)
        assert (shown is not None) == bool(mapped)
        if mapped and mapped[0] != slots[0]:
            assert shown[1] == f"/map?model={mapped[0]}"


def test_a_slot_is_swapped_from_family_to_family(tmp_path):
    paths = {name: bundle(tmp_path / name, family=name) for name in OURS}
    settings = settings_of(tmp_path / "state", paths["als"])
    with client_of(settings) as client, Store(settings.state) as state:
        for name in [*OURS[1:], OURS[0]]:
            done = swap(settings, state, "als", paths[name])
            client.app.state.service.registry.follow()
            (facts,) = client.get(f"{API}/model").json()["models"]
            assert (facts["family"], facts["version"]) == (name, done.version)
            assert client.get(f"{API}/items/i1/similar").json()["model"]["version"] == done.version
            page = client.get("/items/i1").text
            assert (f"{name.capitalize()}" in page) == (name != "als")
            assert "The bar shows " in page


@dataclass(frozen=True, eq=False)
class MuteModel(FittedModel):
    """Scores users and does nothing else: neither compares items nor takes anybody in."""

    users: Any
    items: Any
    item_counts: Any
    catalogue: Any = None
    history: Any = None
    settings: Any = field(default_factory=lambda: {"model": "mute"})
    sweeps: int = 0
    name: ClassVar[str] = "mute"

    def scores(self, user_indices: Rows, item_indices: slice) -> Floats:
        rows = np.arange(len(self.users), dtype=np.float32)[user_indices]
        columns = np.arange(len(self.items), dtype=np.float32)[item_indices]
        return np.sin(rows[:, None] + columns).astype(np.float32)


class MuteFamily(Family):
    name: ClassVar[str] = "mute"
    config: ClassVar[type[Any]] = dict
    model: ClassVar[type[FittedModel]] = MuteModel

    def iterate(self, data, config, **_):
        raise NotImplementedError

    def pack(self, model):
        return {}

    def unpack(self, arrays, known):
        return MuteModel(
            known.users, known.items, known.item_counts, known.catalogue, known.history
        )


def test_what_a_model_cannot_do_is_one_sentence_everywhere(tmp_path):
    likes = tiny_likes(30, 20)
    FAMILIES.append(MuteFamily())
    try:
        model = MuteModel(likes.users, likes.items, likes.like_counts, likes.catalogue, likes)
        save(model, tmp_path / "mute")
        with client_of(settings_of(tmp_path / "state", tmp_path / "mute")) as client:
            item, user = likes.items.id_of(0), likes.users.id_of(1)
            for path in (
                f"items/{item}/similar",
                f"items/{item}/explanations?other={likes.items.id_of(1)}",
                f"users/{user}/explanations?item={item}",
            ):
                assert_unable(client.get(f"{API}/{path}"))
            assert_unable(client.post(f"{API}/recommendations", json={"likes": [{"item": item}]}))
            assert client.get(f"{API}/users/{user}/recommendations").status_code == 200
            for page in ("/", f"/items/{item}", f"/users/{user}", f"/try?item={item}", "/about"):
                assert client.get(page).status_code == 200, page
            for page in (f"/items/{item}", "/map", "/compare", f"/try?item={item}"):
                shown = client.get(page)
                assert shown.status_code == 200
                assert "is needed to" in shown.text, page
    finally:
        FAMILIES.pop()


_ASK = """
import json, sys
from pathlib import Path
from starlette.testclient import TestClient
from alsolike.web.app import create_app
from alsolike.web.settings import Settings, slots
model, state = map(Path, sys.argv[1:])
settings = Settings(models=slots([model]), state=state, log="", rate=0.0)
with TestClient(create_app(settings), base_url="http://127.0.0.1:8000") as client:
    for path in ("/", "/items/i1", "/users/u1", "/try?item=i1", "/map", "/compare", "/about"):
        assert client.get(path).status_code == 200, path
    for path in ("items/i1/similar?k=25", "users/u1/recommendations"):
        assert client.get("/api/v1/" + path).status_code == 200, path
    client.get("/api/v1/users/u1/explanations?item=i1")
    client.post("/api/v1/recommendations", json={"likes": [{"item": "i1"}]})
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""


@pytest.mark.parametrize("family", OURS)
def test_a_server_loads_neither_the_compiler_nor_the_reader(tmp_path, family):
    given = [str(bundle(tmp_path / "model", family=family)), str(tmp_path / "state")]
    done = subprocess.run(
        [sys.executable, "-c", _ASK, *given], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert not set(json.loads(done.stdout)) & {"numba", "llvmlite", "duckdb"}
