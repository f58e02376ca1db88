"""The rule for users without likes, as commands, exports, the API, the app and a run show it."""

import json
import sqlite3
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest
from test_fallback import LIKES, MODEL, popular

import alsolike as al
from alsolike.export.export import export
from alsolike.pipeline.job import Job
from alsolike.pipeline.run import run_job
from alsolike.progress import Observer
from alsolike.sklearn import ALSRecommender
from command import fine
from serving import client_of, settings_of

API = "/api/v1"
COLLAPSED = al.fit(LIKES, al.ALSConfig(factors=2, regularization=1e6))


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("fallback") / "model"
    al.save(MODEL, folder)
    return folder


@pytest.fixture(scope="module")
def collapsed(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("collapsed") / "model"
    al.save(COLLAPSED, folder)
    return folder


@pytest.fixture
def client(model, tmp_path):
    with client_of(settings_of(tmp_path / "state", model)) as one:
        yield one


def places(answer) -> list[tuple[str, float]]:
    return [(one["item"], one["score"]) for one in answer["recommendations"]]


def listed(items) -> list[tuple[str, float]]:
    return [(item, score) for item, score, _ in popular(items)]


def test_the_command_says_it_in_one_line(model, tmp_path):
    known = fine("recommend", model, "u1")
    assert known.stderr == ""
    both = fine("recommend", model, "u1", "nobody", "critic")
    assert both.stderr == (
        "2 users without positive interactions get the most liked items (basis popularity; the "
        "score is the number of likes).\n"
    )
    assert "| nobody |    1 | c    |" in both.stdout
    fine("recommend", model, "--all", "--to", tmp_path / "lists.csv")
    found = pd.read_csv(tmp_path / "lists.csv")
    bases = found.groupby("user")["basis"].agg(set)
    assert bases["nobody"] == bases["critic"] == {"popularity"}
    assert bases["u1"] == {"model"}
    empty = fine("recommend", model, "nobody", "--without-likes", "empty")
    assert empty.stderr == "1 user without positive interactions gets no list.\n"


def test_the_commands_say_that_a_model_tells_nothing_apart(collapsed):
    said = fine("recommend", collapsed, "u1").stderr
    assert said.startswith(
        "1 user for whom the model scores all items equally (all its factors are"
    )
    for words in (["c"], ["--all"]):
        said = fine("similar", collapsed, *words, "--affinity", "cosine").stderr
        assert "All item factors of this model are zero" in said
        # Likes count, whatever became of the factors.
        assert "No neighbours for 'c'" not in fine("similar", collapsed, *words).stderr
    assert "2 users like item" in fine("explain", collapsed, "u1", "d").output


def test_the_command_says_why_an_item_has_no_neighbours(model):
    said = fine("similar", model, "e").stderr
    assert said == (
        "No neighbours for 'e'. Nobody likes this item in the training data, so it has no "
        "similar items.\n"
    )
    # The way out that it names works.
    assert "Try --min-count 1." in fine("similar", model, "c", "--min-count", "9").stderr
    said = fine("similar", model, "c", "--min-count", "1").stderr
    assert said == "Similar to 'c' (4 likes: weakly founded).\n"


def test_every_form_of_an_export_says_it(model, tmp_path):
    done = export(model, tmp_path / "out", users=True, k=3)
    assert "2 users without positive interactions" in str(done)
    out = tmp_path / "out"
    rows = duckdb.sql(f"FROM '{out / 'recommendations.parquet'}'").df()
    assert set(rows[rows.user == "nobody"]["basis"]) == {"popularity"}
    assert rows[rows.user == "nobody"]["item"].tolist() == ["c", "b", "d"]
    assert set(rows[rows.user == "u2"]["basis"]) == {"model"}
    lines = map(json.loads, (out / "recommendations.jsonl").read_text().splitlines())
    bases = {line["user"]: line["basis"] for line in lines}
    assert {user: basis for user, basis in bases.items() if basis == "popularity"} == {
        "critic": "popularity", "nobody": "popularity",
    }  # fmt: skip
    with sqlite3.connect(out / "shelves.sqlite") as database:
        found = database.execute(
            "SELECT item, basis FROM recommendations WHERE user = 'critic' ORDER BY rank"
        ).fetchall()
    database.close()
    assert found == [("c", "popularity"), ("b", "popularity")]
    index = json.loads((out / "json/index.json").read_text())
    assert json.loads((out / "json" / index["users"]["critic"]).read_text())["basis"] == (
        "popularity"
    )
    pages = {page: page.read_text() for page in (out / "html/users").rglob("*.html")}
    of_nobody = next(text for text in pages.values() if "nobody" in text)
    assert "Recommended" not in of_nobody
    assert "Most liked, for" in of_nobody
    assert sum("Recommended for" in text for text in pages.values()) == 4
    rows = duckdb.sql(f"FROM '{out / 'similar_items.parquet'}'")
    assert "basis" not in rows.columns


def test_an_export_may_list_nothing_instead(model, tmp_path):
    done = export(model, tmp_path, users=True, formats=["jsonl"], without_likes="empty")
    assert "2 users without positive interactions get no list." in str(done)
    lines = map(json.loads, (tmp_path / "recommendations.jsonl").read_text().splitlines())
    assert {line["user"] for line in lines if not line["recommendations"]} == {"critic", "nobody"}


@pytest.mark.parametrize(
    ("user", "items"), [("nobody", ["c", "b", "d", "a"]), ("critic", ["c", "b"])]
)
def test_the_api_names_the_basis(client, user, items):
    answer = client.get(f"{API}/users/{user}/recommendations").json()
    assert answer["basis"] == "popularity"
    assert places(answer) == listed(items)
    empty = client.get(f"{API}/users/{user}/recommendations?without_likes=empty").json()
    assert (empty["basis"], empty["recommendations"]) == ("popularity", [])
    assert client.get(f"{API}/users/{user}/recommendations?without_likes=no").status_code == 422
    known = client.get(f"{API}/users/u2/recommendations").json()
    assert known["basis"] == "model"
    assert client.get(f"{API}/users/u2/recommendations?model=popularity").json()["basis"] == (
        "popularity"
    )


def test_the_api_recommends_for_dislikes_what_most_like(client):
    body = {"likes": [{"item": "c", "value": -1}], "k": 2}
    answer = client.post(f"{API}/recommendations", json=body).json()
    assert (answer["basis"], places(answer)) == ("popularity", listed(["b", "d"]))
    kept = client.post(f"{API}/recommendations", json={**body, "exclude_seen": False}).json()
    assert places(kept) == listed(["b", "d"])
    empty = client.post(f"{API}/recommendations", json={**body, "without_likes": "empty"}).json()
    assert empty["recommendations"] == []
    liked = client.post(f"{API}/recommendations", json={"likes": [{"item": "c"}]}).json()
    assert liked["basis"] == "model"


def test_a_live_dislike_keeps_to_the_rule_and_a_live_like_ends_it(client):
    path = f"{API}/users/new/likes"
    client.post(path, json={"likes": [{"item": "c", "value": -2}]})
    answer = client.get(f"{API}/users/new/recommendations?k=2").json()
    assert (answer["basis"], places(answer)) == ("popularity", listed(["b", "d"]))
    why = client.get(f"{API}/users/new/explanations", params={"item": "b"}).json()
    assert (why["basis"], why["score"], why["parts"]) == ("popularity", 3.0, [])
    page = client.get("/users/new").text
    assert "Most liked (this user has no known likes)" in page
    assert "Recommended" not in page
    client.post(path, json={"likes": [{"item": "b"}]})
    answer = client.get(f"{API}/users/new/recommendations?k=2").json()
    assert answer["basis"] == "model"
    assert ">Recommended<" in client.get("/users/new").text


def test_likes_of_unknown_items_alone_are_no_taste(client):
    client.app.state.service.state.add_likes("stranger", {"of another model": 1.0})
    answer = client.get(f"{API}/users/stranger/recommendations?k=2").json()
    assert (answer["basis"], answer["ignored_likes"]) == ("popularity", 1)
    assert places(answer) == listed(["c", "b"])
    why = client.get(f"{API}/users/stranger/explanations", params={"item": "c"}).json()
    assert (why["basis"], why["parts"]) == ("popularity", [])
    page = client.get("/users/stranger").text
    assert "Most liked (this user has no known likes)" in page
    assert client.get(f"{API}/users/unheard/recommendations").status_code == 404


@pytest.mark.parametrize("user", ["nobody", "critic"])
def test_the_app_calls_the_list_what_it_is(client, user):
    page = client.get(f"/users/{user}").text
    assert "Most liked (this user has no known likes)" in page
    assert "Recommended" not in page
    assert "Score" not in page
    assert ("Likes and dislikes" in page) == (user == "critic")
    assert ">Recommended<" in client.get("/users/u2").text


def test_the_app_of_a_model_that_tells_nothing_apart(collapsed, tmp_path):
    with client_of(settings_of(tmp_path / "state", collapsed)) as client:
        page = client.get("/users/u2").text
        assert "Most liked (the model scores all items equally for this user)" in page
        tried = client.get("/try?item=c").text
        assert "Most liked (the model scores all items equally for these picks)" in tried
        assert "Recommended<" not in page + tried
        # Likes count, whatever became of the factors.
        assert "All item factors of this model are zero" not in client.get("/items/c").text
        answer = client.get(f"{API}/users/u2/recommendations").json()
        assert (answer["basis"], places(answer)) == ("popularity", listed(["d", "a"]))


def test_without_history_the_service_keeps_to_the_rule(tmp_path):
    al.save(MODEL, tmp_path / "model", with_history=False)
    with client_of(settings_of(tmp_path / "state", tmp_path / "model")) as client:
        answer = client.get(f"{API}/users/critic/recommendations?k=2").json()
        assert (answer["basis"], places(answer)) == ("popularity", listed(["c", "b"]))
        assert "Most liked (this user has no known" in client.get("/users/critic").text


def test_the_estimator_keeps_to_the_rule():
    matrix = np.zeros((5, 4))
    matrix[:4, 0] = matrix[:3, 1] = matrix[:2, 2] = 1
    found = ALSRecommender(factors=2, iterations=2).fit(matrix)
    table = found.recommend(np.array([[0, 0, 0, 0], [0, 1.0, 0, 0]]), k=3)
    rows = list(table.rows())
    assert [(row["item"], row["score"]) for row in rows if row["user"] == 0] == [
        (0, 4), (1, 3), (2, 2),
    ]  # fmt: skip
    assert {row["basis"] for row in rows if row["user"] == 1} == {"model"}
    only = found.recommend(np.zeros((1, 4)), without_likes="empty")
    assert len(only) == 0


class Heard(Observer):
    """An observer that keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def tell(self, finding: object) -> None:
        self.told.append(str(finding))


def test_a_run_says_it_in_log_report_and_lists(tmp_path):
    rng = np.random.default_rng(0)
    rows = [(f"u{u:02d}", f"i{i:02d}", 1) for u in range(40) for i in rng.permutation(20)[:12]]
    rows += [("critic", f"i{i:02d}", -1) for i in range(6)]
    heard = Heard()
    run_job(
        Job(
            source=pd.DataFrame(rows, columns=["user", "item", "value"]),
            reading={"user": "user", "item": "item", "value": "value", "negative": "dislike"},
            out=tmp_path,
            grid={"factors": [2]},
            sweeps=[1, 2],
            k=2,
            share=0.2,
        ),
        observer=heard,
    )
    said = "1 user without positive interactions gets the most liked items"
    assert any(line.startswith(said) for line in heard.told)
    assert said in (tmp_path / "report.html").read_text()
    found = duckdb.sql(f"FROM '{tmp_path / 'recommendations.parquet'}'").df()
    bases = found.groupby("user")["basis"].agg(set)
    assert bases.pop("critic") == {"popularity"}
    assert all(basis == {"model"} for basis in bases)
