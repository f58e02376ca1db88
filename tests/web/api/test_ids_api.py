"""Requests take whole numbers or their digits; responses have the type; unseen people fall back."""

import numpy as np
import pytest

import alsolike as al
from serving import bundle, client_of, settings_of

API = "/api/v1"


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    folder = tmp_path_factory.mktemp("typed")
    rng = np.random.default_rng(0)
    pairs = [(u, 100 + i) for u in range(30) for i in rng.choice(25, 8, replace=False).tolist()]
    likes = al.Interactions.from_columns(*zip(*pairs, strict=True))
    al.save(al.fit(likes, factors=4, iterations=2), folder / "whole")
    al.save(al.fit(likes, family="random"), folder / "random")
    bundle(folder / "text")
    models = (folder / one for one in ("whole", "text", "random"))
    with client_of(settings_of(folder / "state", *models)) as one:
        yield one


def items_of(answer, where):
    return [one["item"] for one in answer[where]]


def test_answers_have_the_type_of_the_model(client):
    fast = client.get(f"{API}/items/101/similar").json()
    slow = client.get(f"{API}/items/101/similar", params={"deny": ["102", "100"]}).json()
    for answer in (fast, slow):
        assert answer["item"] == 101
        assert set(map(type, items_of(answer, "similar"))) == {int}
    assert not {100, 102} & set(items_of(slow, "similar"))
    answers = [
        client.post(f"{API}/similar", json={"items": given, "deny": [103, "104"]}).json()
        for given in ([101, 102], ["101", "102"], [101, "102"])
    ]
    assert answers[0] == answers[1] == answers[2]
    assert answers[0]["items"] == [101, 102]
    assert client.get(f"{API}/items/101").json()["item"] == 101
    assert items_of(client.get(f"{API}/items", params={"q": "101"}).json(), "items") == [101]
    user = client.get(f"{API}/users/5/recommendations").json()
    assert (user["user"], user["fallback"]) == (5, None)
    item = items_of(user, "recommendations")[0]
    why = client.get(f"{API}/users/5/explanations", params={"item": str(item)})
    assert (why.json()["user"], why.json()["item"]) == (5, item)
    wished = [
        client.post(f"{API}/recommendations", json={"likes": [{"item": one}]}).json()
        for one in (101, "101")
    ]
    assert wished[0] == wished[1]
    twice = {"likes": [{"item": 101}, {"item": "101"}]}
    assert client.post(f"{API}/recommendations", json=twice).status_code == 422
    text = client.get(f"{API}/items/i9/similar", params={"model": "als-2"}).json()
    assert (text["item"], set(map(type, items_of(text, "similar")))) == ("i9", {str})
    assert client.get("/items/101").status_code == client.get("/users/5").status_code == 200


def test_live_likes_count_by_number_and_by_digits(client):
    likes = f"{API}/users/900/likes"
    kept = client.post(likes, json={"likes": [{"item": 101}, {"item": "102"}, {"item": 999}]})
    assert kept.status_code == 201
    assert (kept.json()["user"], kept.json()["unknown_items"]) == (900, [999])
    assert kept.json()["live_likes"] == 2
    answer = client.get(f"{API}/users/900/recommendations").json()
    assert (answer["basis"], answer["fallback"], answer["live_likes"]) == ("model", None, 2)
    assert not {101, 102} & set(items_of(answer, "recommendations"))
    gone = client.delete(f"{likes}/101").json()
    assert (gone["item"], gone["taken_back"]) == (101, True)


@pytest.mark.parametrize(
    ("path", "body", "query", "message"),
    [
        (
            "users/5/likes",
            {"likes": [{"item": "10x"}]},
            {},
            "ids of items are whole numbers; '10x'",
        ),
        ("users/5x/likes", {"likes": [{"item": 101}]}, {}, "ids of users are whole numbers; '5x'"),
        (
            "users/u1/likes",
            {"likes": [{"item": 1}]},
            {"model": "als-2"},
            "are text here, not numbers",
        ),
        (
            "similar",
            {"items": ["0101"]},
            {},
            "Ids of items are whole numbers; '0101' is not one. Did",
        ),
        ("similar", {"items": [101.5]}, {}, "valid string"),
        ("similar", {"items": [True]}, {}, "valid string"),
        ("similar", {"items": [101, "101"]}, {}, "101 is given more than once"),
    ],
)
def test_other_ids_are_refused_in_words(client, path, body, query, message):
    answer = client.post(f"{API}/{path}", json=body, params=query)
    assert answer.status_code in (404, 422)
    assert message in answer.json()["error"]["message"]


@pytest.mark.parametrize("model", ["als", "random", "popularity"])
def test_people_never_seen_get_what_was_asked_for(client, model):
    url, query = f"{API}/users/777/recommendations", {"model": model, "k": 3}
    unknown = client.get(url, params=query)
    assert unknown.status_code == 404
    assert client.get(url, params={**query, "fallback": "error"}).json() == unknown.json()
    popular = client.get(url, params={**query, "fallback": "popular", "deny": ["101"]}).json()
    assert (popular["user"], popular["fallback"], popular["basis"]) == (
        777,
        "popular",
        "popularity",
    )
    assert len(popular["recommendations"]) == 3
    assert all(one["score"] == one["likes"] for one in popular["recommendations"])
    assert 101 not in items_of(popular, "recommendations")
    none = client.get(url, params={**query, "fallback": "none"}).json()
    assert (none["fallback"], none["recommendations"]) == ("none", [])
    known = client.get(
        f"{API}/users/5/recommendations", params={**query, "fallback": "none"}
    ).json()
    assert (known["fallback"], len(known["recommendations"])) == (None, 3)
    nobody = client.get(
        f"{API}/users/nobody/recommendations", params={**query, "fallback": "popular"}
    )
    assert nobody.json()["user"] == "nobody"
    assert client.get(url, params={**query, "fallback": "most"}).status_code == 422


def test_the_description_says_both_types(client):
    schemas = client.get("/openapi.json").json()["components"]["schemas"]
    for kind in ("Like", "Ranked", "Item"):
        types = {one["type"] for one in schemas[kind]["properties"]["item"]["anyOf"]}
        assert types == {"string", "integer"}
