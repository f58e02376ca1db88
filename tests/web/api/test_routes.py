"""The API: own ids, likes that count at once, one shape of errors, the library's answers."""

import html
import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import quote

import numpy as np
import pytest

from alsolike.data.interactions import Interactions
from alsolike.models.bundle.io import load, save
from alsolike.models.fit import fit
from alsolike.models.similarity.config import MARKS, SimilarityConfig
from alsolike.recommending.batch import recommend, similar
from alsolike.recommending.co_likes import pair_evidence
from alsolike.recommending.ranking.nearest import Neighbours
from alsolike.recommending.similarity import similar_indices
from serving import HOSTILE, bundle, client_of, settings_of

API = "/api/v1"
BASIS = ("likes", "weakly_founded", "affinity", "popularity_bias", "scale", "counts_as_of")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return bundle(tmp_path_factory.mktemp("model") / "model", ids=HOSTILE)


@pytest.fixture
def client(model, tmp_path):
    with client_of(settings_of(tmp_path / "state", model, most_k=20)) as one:
        yield one


def items_of(answer, field):
    return [entry["item"] for entry in answer.json()[field]]


def test_similar_items_are_those_of_the_library(client, model):
    fitted = load(model)
    for item in ("i3", "i9", *HOSTILE):
        expected = similar(fitted, item, k=5)
        for _ in range(2):  # made, then from the cache
            answer = client.get(f"{API}/similar", params={"item": item, "k": 5})
            assert items_of(answer, "similar") == expected["similar_item"].tolist()
            scores = [entry["score"] for entry in answer.json()["similar"]]
            assert scores == pytest.approx(expected["score"].tolist())
            assert answer.json()["item"] == item


@pytest.mark.parametrize("item", [one for one in HOSTILE if one != ".."])
def test_ids_of_any_text_stand_in_paths(client, item):
    answer = client.get(f"{API}/items/{quote(item, safe='')}/similar")
    assert answer.status_code == 200
    assert answer.json()["item"] == item
    assert client.get(f"{API}/items/{quote(item, safe='')}").json()["item"] == item


def test_an_id_may_end_as_a_route_does(tmp_path):
    ids = ("x", "x/similar", "x/explanations", "x/similar/similar")
    settings = settings_of(tmp_path / "state", bundle(tmp_path / "model", ids=ids))
    with client_of(settings) as client:
        for item in ids:
            path = f"{API}/items/{quote(item, safe='')}"
            for _ in range(2):  # made, then from the cache
                known, beside = client.get(path).json(), client.get(f"{path}/similar").json()
                assert (known["item"], known["likes"] > 0) == (item, True)
                assert (beside["item"], len(beside["similar"])) == (item, 10)
            why = client.get(f"{path}/explanations", params={"other": "i8"}).json()
            assert (why["item"], why["other"]) == (item, "i8")
        user = quote("u/likes/recommendations", safe="")
        likes = {"likes": [{"item": "x/similar"}]}
        assert client.post(f"{API}/users/{user}/likes", json=likes).status_code == 201
        known = client.get(f"{API}/users/{user}/recommendations").json()
        assert (known["user"], known["live_likes"]) == ("u/likes/recommendations", 1)


def test_recommendations_are_those_of_the_library(client, model):
    expected = recommend(load(model), "u5", k=7)
    answer = client.get(f"{API}/users/u5/recommendations", params={"k": 7})
    assert items_of(answer, "recommendations") == expected["item"].tolist()
    assert answer.json()["model"]["name"] == "als"
    assert len(answer.json()["model"]["version"]) == 64


def test_a_like_counts_in_the_next_answer_and_after_a_restart(model, tmp_path):
    settings = settings_of(tmp_path / "state", model)
    with client_of(settings) as client:
        before = items_of(client.get(f"{API}/users/u5/recommendations"), "recommendations")
        body = {"likes": [{"item": before[0]}, {"item": before[1], "value": 3}]}
        kept = client.post(f"{API}/users/u5/likes", json=body)
        assert (kept.status_code, kept.json()["live_likes"]) == (201, 2)
        after = client.get(f"{API}/users/u5/recommendations").json()
        assert not {entry["item"] for entry in after["recommendations"]} & set(before[:2])
        assert after["live_likes"] == 2
        fresh = client.post(f"{API}/users/nobody yet/likes", json=body)
        assert fresh.status_code == 201
    with client_of(settings) as client:
        again = client.get(f"{API}/users/u5/recommendations").json()
        assert again["recommendations"] == after["recommendations"]
        new = items_of(client.get(f"{API}/users/nobody yet/recommendations"), "recommendations")
        assert new
        assert not set(new) & set(before[:2])


def test_what_is_not_known_of_a_user_is_said(model, tmp_path):
    fitted = load(model)
    save(replace(fitted, history=None), tmp_path / "bare")
    settings = settings_of(tmp_path / "state", model, tmp_path / "bare")
    likes = int(np.diff(fitted.history.user_items.indptr)[fitted.users.index_of("u1")])
    with client_of(settings) as client:
        for live in (0, 1):
            asked = [
                client.get(f"{API}/users/u1/recommendations", params={"model": name}).json()
                for name in (settings.models[0].name, settings.models[1].name)
            ]
            assert [one["training_likes"] for one in asked] == [likes, None]
            assert [one["live_likes"] for one in asked] == [live, live]
            client.post(f"{API}/users/u1/likes", json={"likes": [{"item": "i5"}]})
        client.post(f"{API}/users/new/likes", json={"likes": [{"item": "i5"}]})
        answer = client.get(f"{API}/users/new/recommendations").json()
        assert (answer["training_likes"], answer["live_likes"]) == (0, 1)


def test_what_happens_is_counted(client):
    client.post(f"{API}/users/u1/likes", json={"likes": [{"item": "i5"}, {"item": "i6"}]})
    refused = {"likes": [{"item": "i7"}, {"item": "nope"}]}
    client.post(f"{API}/users/u1/likes", json=refused, params={"unknown": "refuse"})
    client.delete(f"{API}/users/u1/likes/i5")
    client.delete(f"{API}/users/u1/likes/i5", params={"model": "popularity"})
    told = client.get("/metrics").text
    assert "alsolike_likes_total 2.0\n" in told
    assert "alsolike_likes_taken_back_total 1.0\n" in told
    version = client.get("/readyz").json()["models"]["als"]
    assert f'alsolike_model_workers{{slot="als",version="{version}"}} 1.0\n' in told


@pytest.mark.parametrize("value", ["1", True, None, [1], 1e300])
def test_a_value_is_a_number(client, value):
    wrong = {"likes": [{"item": "i5", "value": value}]}
    for path in (f"{API}/recommendations", f"{API}/users/u1/likes"):
        answer = client.post(path, json=wrong)
        assert answer.status_code == 422
        assert "likes[0].value" in answer.json()["error"]["message"]


def test_ready_when_all_workers_have_come(model, tmp_path):
    settings = settings_of(tmp_path / "state", model, workers=2)
    with client_of(settings) as first:
        answer = first.get("/readyz")
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "starting")
        assert "1 of 2" in answer.json()["error"]["message"]
        assert first.get("/healthz").status_code == 200
        with client_of(settings) as second:
            assert first.get("/readyz").json()["ready"]
            assert second.get("/readyz").json()["ready"]
        assert first.get("/readyz").json()["ready"]


def test_recommending_for_likes_stores_nothing(client):
    body = {"likes": [{"item": "i1"}, {"item": "i2", "value": 2}], "k": 4, "deny": ["i3"]}
    first = client.post(f"{API}/recommendations", json=body)
    assert first.json() == client.post(f"{API}/recommendations", json=body).json()
    assert not {"i1", "i2", "i3"} & set(items_of(first, "recommendations"))
    allowed = client.post(f"{API}/recommendations", json={**body, "deny": None, "allow": ["i7"]})
    assert items_of(allowed, "recommendations") == ["i7"]


def test_popularity_is_always_there(client):
    answer = client.get(f"{API}/items/i1/similar", params={"model": "popularity", "k": 3})
    likes = [entry["likes"] for entry in answer.json()["similar"]]
    assert likes == sorted(likes, reverse=True)
    assert answer.json()["model"]["name"] == "popularity"
    users = client.get(f"{API}/users/u1/recommendations", params={"model": "popularity"})
    assert users.status_code == 200


def test_contributions_add_up_to_the_score(client):
    (item, *_) = items_of(client.get(f"{API}/users/u5/recommendations"), "recommendations")
    why = client.get(f"{API}/users/u5/explanations", params={"item": item}).json()
    assert sum(part["contribution"] for part in why["parts"]) == pytest.approx(why["score"])


def test_neighbours_are_explained_by_those_who_like_both(client, model):
    likes = load(model).history.user_items.toarray() > 0
    fitted = load(model)
    one, other = fitted.items.index_of("i3"), fitted.items.index_of("i9")
    why = client.get(f"{API}/items/i3/explanations", params={"other": "i9"}).json()
    assert why["shared"] == int((likes[:, one] & likes[:, other]).sum())
    names = [client.get(f"{API}/items/{item}").json()["name"] for item in ("i3", "i9")]
    who = f"{why['shared']} of the {likes[:, one].sum()} who like {names[0]} like {names[1]}; "
    assert why["sentence"].startswith(who)
    assert why["sentence"].endswith(f"of anyone, {why['by_popularity']:.0f}.")
    assert why["expected"] == pytest.approx(pair_evidence(fitted, one, other).expected)
    factors = fitted.item_factors[[one, other]].astype(float)
    cosine = factors[0] @ factors[1] / np.prod(np.linalg.norm(factors, axis=1))
    assert why["cosine"] == pytest.approx(cosine)
    beside = client.get(f"{API}/items/i3/similar?k=20&popularity_bias=0.2").json()
    for entry in beside["similar"]:
        given = {"other": entry["item"], "popularity_bias": 0.2}
        why = client.get(f"{API}/items/i3/explanations", params=given).json()
        assert why["similarity"] == entry["score"]
        both = pair_evidence(fitted, one, fitted.items.index_of(entry["item"])).shared
        assert why["shared"] == (None if both in (1, 2) else both)
        assert why["sentence"].lower().startswith("a few of the") == (both in (1, 2))
        assert {name: why[name] for name in BASIS} == {name: beside[name] for name in BASIS}


def at(fitted, **settings):
    return fitted.with_similarity(SimilarityConfig(**settings))


@pytest.mark.parametrize("affinity", [None, "evidence", "audience", "cosine", "dot"])
def test_similar_items_at_every_mark_are_those_of_the_library(client, model, affinity):
    fitted = load(model)
    for mark in MARKS:
        changed = at(fitted, affinity=affinity, popularity_bias=mark)
        expected = similar_indices(changed, [fitted.items.index_of("i3")], k=7)
        given = {"k": 7, "popularity_bias": mark} | ({"affinity": affinity} if affinity else {})
        for path in (f"{API}/items/i3/similar", f"{API}/items/i3/similar"):  # made, then cached
            answer = client.get(path, params=given).json()
            assert answer["affinity"] == (affinity or "evidence")
            assert answer["popularity_bias"] == mark
            assert answer["scale"] == changed.similarity.words
            found = [
                (fitted.items.index_of(one["item"]), one["score"]) for one in answer["similar"]
            ]
            kept = expected.indices[0] >= 0
            assert [row for row, _ in found] == expected.indices[0][kept].tolist()
            assert [score for _, score in found] == expected.scores[0][kept].tolist()


def test_the_own_mark_is_what_is_computed_ahead(client):
    plain = client.get(f"{API}/items/i3/similar").json()
    assert plain["popularity_bias"] == 0.8
    own = client.get(f"{API}/items/i3/similar", params={"popularity_bias": 0.8})
    assert own.json() == plain
    assert plain != client.get(f"{API}/items/i3/similar?popularity_bias=0.1").json()


def test_what_similar_items_rest_on_is_said(tmp_path):
    users = [f"u{row}" for row in range(40)]
    pairs = [(user, item) for user in users for item in ("a", "b")]
    pairs += [(user, "c") for user in users[:5]] + [(user, "d") for user in users[:6]]
    likes = Interactions.from_columns(*zip(*pairs, strict=True))
    times = 1.7e9 + np.arange(len(pairs), dtype=np.float64)
    likes = Interactions(likes.user_items, likes.users, likes.items, times)
    save(fit(likes, factors=2), tmp_path / "dated")
    save(load(tmp_path / "dated"), tmp_path / "bare", with_history=False)
    slots = f"dated={tmp_path / 'dated'}", f"bare={tmp_path / 'bare'}"
    with client_of(settings_of(tmp_path / "state", *slots)) as client:
        for item, likes, few in (("c", 5, True), ("d", 6, False)):
            answer = client.get(f"{API}/items/{item}/similar").json()
            assert (answer["likes"], answer["weakly_founded"]) == (likes, few)
            newest = datetime.fromtimestamp(1.7e9 + len(pairs) - 1, UTC)
            assert answer["counts_as_of"] == f"{newest:%Y-%m-%dT%H:%M:%SZ}"
        bare = client.get(f"{API}/items/c/similar?model=bare").json()
        assert bare["affinity"] == "evidence"
        taken = datetime.fromisoformat(bare["counts_as_of"])
        assert abs((datetime.now(UTC) - taken).total_seconds()) < 600
        # Likes sent to the service do not change what is similar, which the date says.
        before = client.get(f"{API}/items/c/similar").content
        body = {"likes": [{"item": "c"}, {"item": "d"}]}
        assert client.post(f"{API}/users/new/likes", json=body).status_code == 201
        assert client.get(f"{API}/items/c/similar").content == before


def test_baskets_are_answered_as_by_the_library(client, model):
    fitted = load(model)
    for mark in (None, 0.2):
        items = ["i9", "i3", "i5"]
        config = None if mark is None else SimilarityConfig(popularity_bias=mark)
        rows = np.sort([fitted.items.index_of(one) for one in items]).astype(np.int32)
        near, scores = Neighbours(fitted, config).similar_to_set(rows, 6)
        for order in (items, items[::-1]):
            body = {"items": order, "k": 6, "popularity_bias": mark}
            answer = client.post(f"{API}/similar", json=body).json()
            assert answer["items"] == order
            assert [one["item"] for one in answer["similar"]] == fitted.items.ids_of(near).tolist()
            assert [one["score"] for one in answer["similar"]] == scores.tolist()
            assert answer["popularity_bias"] == (0.8 if mark is None else mark)
            assert answer["likes"] == fitted.item_counts[rows].sum()
    alone = client.post(f"{API}/similar", json={"items": ["i3"], "k": 5}).json()
    assert alone["similar"] == client.get(f"{API}/items/i3/similar?k=5").json()["similar"]
    body = {"items": ["i3", "i9"], "allow": ["i5", "i7"], "deny": ["i7"], "min_count": 0}
    assert items_of(client.post(f"{API}/similar", json=body), "similar") == ["i5"]
    popular = client.post(f"{API}/similar?model=popularity", json={"items": ["i3", "i9"]}).json()
    assert popular["affinity"] is None
    assert not {"i3", "i9"} & {one["item"] for one in popular["similar"]}


def test_items_of_a_basket_that_are_unknown_are_named(client):
    def message(*items):
        answer = client.post(f"{API}/similar", json={"items": items})
        assert answer.status_code == 404
        return answer.json()["error"]["message"]

    assert "no items with the ids 'no', 'nor this'" in message("no", "i3", "nor this")
    assert "and 2 more" in message(*(f"no {number}" for number in range(12)))
    assert "no item with the id 'i33'" in message("i3", "i33")
    twice = client.post(f"{API}/similar", json={"items": ["i3", "i3"]})
    assert twice.status_code == 422
    assert "'i3' is given more than once" in twice.json()["error"]["message"]
    assert client.post(f"{API}/similar", json={"items": []}).status_code == 422


def test_what_is_liked_comes_again_where_a_question_says_so(client):
    likes = {"likes": [{"item": "i1"}, {"item": "i2"}], "k": 20}
    for model in ("als", "popularity"):
        path = f"{API}/recommendations?model={model}"
        without = items_of(client.post(path, json=likes), "recommendations")
        whole = client.post(path, json={**likes, "exclude_seen": False, "allow": ["i1", "i2"]})
        assert not {"i1", "i2"} & set(without)
        assert set(items_of(whole, "recommendations")) == {"i1", "i2"}


def test_no_likes_at_all_get_the_most_liked_by_name(client):
    for asked, items in (({}, 3), ({"without_likes": "empty"}, 0)):
        wish = {"likes": [], "k": 3, **asked}
        answer = client.post(f"{API}/recommendations", json=wish)
        assert answer.status_code == 200
        assert answer.json()["basis"] == "popularity"
        assert len(answer.json()["recommendations"]) == items


@pytest.mark.parametrize(
    ("method", "path", "given", "status"),
    [
        ("GET", "/items/none of these/similar", {}, 404),
        ("GET", "/users/nobody/recommendations", {}, 404),
        ("GET", "/items/i1/similar", {"params": {"k": 0}}, 422),
        ("GET", "/items/i1/similar", {"params": {"k": 21}}, 422),
        ("GET", "/items/i1/similar", {"params": {"model": "other"}}, 404),
        ("POST", "/recommendations", {"json": {"likes": [{"item": "i1", "value": 0}]}}, 422),
        ("POST", "/recommendations", {"json": {"likes": [{"item": "i1"}, {"item": "i1"}]}}, 422),
        ("POST", "/users/u1/likes?unknown=refuse", {"json": {"likes": [{"item": "no"}]}}, 404),
        ("POST", "/users/u1/likes", {"json": {"likes": [{"item": "i1"}], "more": 1}}, 422),
        ("POST", "/model/swap", {"json": {}}, 403),
        ("DELETE", "/items/i1", {}, 405),
    ],
)
def test_errors_have_one_shape(client, method, path, given, status):
    answer = client.request(method, API + path, **given)
    assert answer.status_code == status
    assert answer.json()["error"]["message"].endswith((".", ")"))


def test_search_health_and_the_description(client):
    assert items_of(client.get(f"{API}/items", params={"q": "bjork no 1"}), "items")
    assert client.get("/readyz").json()["ready"]
    assert client.get("/healthz").status_code == 200
    described = client.get("/openapi.json").json()
    page = client.get("/docs").text
    assert all(path in page for path in described["paths"])
    assert "https://" not in page.replace("https://json-schema", "")
    shapes = described["components"]["schemas"]
    for name, shape in shapes.items():
        assert f'<h3 id="{name}">' in page
        assert all(f'<th scope="row">{part}</th>' in page for part in shape["properties"])
    assert set(re.findall(r'href="#(\w+)"', page)) - {"main"} <= set(
        re.findall(r'id="(\w+)"', page)
    )
    for words in ("whole number, at least 1", "list of", "needed", "never these ids"):
        assert words in page


def test_what_a_score_means_is_said_wherever_one_is_given(client):
    described = client.get("/openapi.json").json()["components"]["schemas"]
    found = [
        (name, part, about.get("description", ""))
        for name, shape in described.items()
        for part, about in shape["properties"].items()
        if part in {"score", "cosine"}
    ]
    assert {name for name, _, _ in found} == {"Ranked", "Suggested", "Explained", "Neighbourhood"}
    for name, part, words in found:
        assert "not a probability" in words, name
        assert part == "cosine" or "above 1 or below 0" in words, name
    page = client.get("/docs").text
    assert page.count("may be above 1 or below 0 and is not a probability") == 3
    assert "keep or refuse" in page


def test_the_example_of_the_documentation_can_be_asked_as_it_stands(client):
    page = html.unescape(client.get("/docs").text)
    path = re.search(r"curl 'http://[^/]+(/api\S+)'", page)
    body = re.search(r"-d '(\{.*?\})'", page)
    assert client.get(path[1]).status_code == 200
    given = json.loads(body[1])
    assert client.post(f"{API}/recommendations", json=given).status_code == 200
