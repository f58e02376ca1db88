"""Likes that the service is told: of items that no model knows, taken back, and within bounds."""

import sqlite3
from urllib.parse import quote

import numpy as np
import pytest

from alsolike.errors import WritingError
from alsolike.models.bundle.io import load, save
from alsolike.web.serving.deploy import swap
from alsolike.web.serving.state_store import FILE, MOST_LIKES, Store
from serving import HOSTILE, bundle, client_of, settings_of, wait_for

API = "/api/v1"


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return bundle(tmp_path_factory.mktemp("model") / "model", ids=HOSTILE)


@pytest.fixture
def client(model, tmp_path):
    with client_of(settings_of(tmp_path / "state", model)) as one:
        yield one


def told(client, user, *items, **query):
    body = {"likes": [{"item": item} for item in items]}
    return client.post(f"{API}/users/{quote(user, safe='')}/likes", json=body, params=query)


def recommended(client, user, **query):
    answer = client.get(f"{API}/recommendations", params={"user": user, **query})
    assert answer.status_code == 200, answer.text
    return answer.json()


def liked_by(model, user):
    """Return the items of a user in the training data, and one that is not among them."""
    fitted = load(model)
    likes = fitted.history.user_items[[fitted.users.index_of(user)]].toarray()[0] != 0
    ids = fitted.items.ids_of(np.arange(len(fitted.items)))
    return ids[likes].tolist(), ids[~likes].tolist()


def test_a_like_of_an_unknown_item_is_kept_and_its_batch_with_it(client):
    kept = told(client, "ann", "i9", "new", "i10", "newer")
    assert kept.status_code == 201
    answer = kept.json()
    assert (answer["kept"], answer["unknown_items"]) == (4, ["new", "newer"])
    assert (answer["live_likes"], answer["ignored_likes"]) == (2, 2)
    known = recommended(client, "ann")
    assert (known["live_likes"], known["ignored_likes"]) == (2, 2)
    assert not {"i9", "i10"} & {one["item"] for one in known["recommendations"]}
    asked = {"likes": [{"item": "i9"}, {"item": "i10"}]}
    same = client.post(f"{API}/recommendations", json=asked).json()
    assert known["recommendations"] == same["recommendations"]


def test_likes_count_as_soon_as_a_model_knows_the_item(model, tmp_path):
    settings = settings_of(tmp_path / "state", model)
    newer = bundle(tmp_path / "newer", ids=("new", "newer"))
    with client_of(settings) as client:
        told(client, "ann", "i9", "new", "newer", "newest")
        service = client.app.state.service
        swap(settings, service.state, "als", newer)
        wait_for(lambda: recommended(client, "ann")["live_likes"] == 3)
        answer = recommended(client, "ann")
        assert answer["ignored_likes"] == 1
        assert not {"new", "newer"} & {one["item"] for one in answer["recommendations"]}
        swap(settings, service.state, "als", model)
        wait_for(lambda: recommended(client, "ann")["ignored_likes"] == 3)


def test_each_model_counts_what_it_knows(model, tmp_path):
    settings = settings_of(tmp_path / "state", model, bundle(tmp_path / "other", ids=("new",)))
    with client_of(settings) as client:
        for name, unknown in (("als", ["new", "newer"]), ("als-2", ["newer"])):
            answer = told(client, "ann", "i9", "new", "newer", model=name).json()
            assert (answer["model"]["name"], answer["unknown_items"]) == (name, unknown)
            assert answer["ignored_likes"] == len(unknown)
            assert recommended(client, "ann", model=name)["ignored_likes"] == len(unknown)


def test_a_batch_with_an_unknown_item_is_refused_where_that_is_asked_for(client):
    refused = told(client, "ann", "i9", "new", unknown="refuse")
    assert (refused.status_code, refused.json()["error"]["code"]) == (404, "unknown_id")
    assert "'new'" in refused.json()["error"]["message"]
    assert client.get(f"{API}/users/ann/recommendations").status_code == 404
    assert told(client, "ann", "i9", "i10", unknown="refuse").json()["kept"] == 2
    assert told(client, "ann", "i9", unknown="other").status_code == 422


def test_a_name_in_place_of_an_id_is_said(client, model):
    fitted = load(model)
    row = next(row for row, name in enumerate(fitted.catalogue.names) if "Björk" in name)
    name, own = fitted.catalogue.names[row], fitted.items.id_of(row)
    for text in (name, name.upper(), name.replace("ö", "o")):
        for path in (f"/items/{quote(text)}", f"/items/{quote(text)}/similar"):
            answer = client.get(API + path)
            assert answer.status_code == 404
            message = answer.json()["error"]["message"]
            assert "That is a name" in message
            assert f"The item with that name is {own!r}" in message
        (hint,) = told(client, "ann", text, "i9").json()["hints"]
        assert repr(text) in hint
        assert repr(own) in hint
    page = client.get(f"/items/{quote(name)}")
    assert page.status_code == 404
    assert "That is a name" in page.text
    near = client.get(f"{API}/items/I19/similar").json()["error"]["message"]
    assert "Did you mean 'i19'" in near
    far = client.get(f"{API}/items/qqqqqqq").json()["error"]["message"]
    assert "Did you mean" not in far
    assert far.endswith("Find ids by name at /api/v1/items?q=NAME.")


def test_a_name_of_several_items_is_said_with_their_ids(tmp_path):
    ids = tuple(f"{number}x" for number in range(5))
    path = bundle(tmp_path / "first", ids=ids)
    fitted = load(path)
    names = ["Same" if one.endswith("x") else one for one in fitted.items]
    from dataclasses import replace

    from alsolike.data.catalogue import Catalogue
    from alsolike.data.string_array import StringArray

    catalogue = Catalogue(len(names), names=StringArray.pack(names))
    history = replace(fitted.history, catalogue=catalogue)
    save(replace(fitted, catalogue=catalogue, history=history), tmp_path / "model")
    with client_of(settings_of(tmp_path / "state", tmp_path / "model")) as client:
        message = client.get(f"{API}/items/same").json()["error"]["message"]
        assert "5 items have that name" in message
        assert "and 2 more." in message
        assert sum(repr(one) in message for one in ids) == 3


@pytest.mark.parametrize("user", ["u/likes/u", "..", "ann", "a?b#c", "🎸"])
def test_a_like_is_taken_back_by_the_query(client, user):
    for item in (*HOSTILE, "i9", "x/likes/y", "likes", "a b", "%2F", "no such"):
        one = {"likes": [{"item": item}, {"item": "i8"}]}
        asked = {"user": user, "item": item}
        assert client.post(f"{API}/likes", params={"user": user}, json=one).status_code == 201
        done = client.delete(f"{API}/likes", params=asked)
        assert done.status_code == 200
        answer = done.json()
        assert (answer["user"], answer["item"], answer["taken_back"]) == (user, item, True)
        assert (answer["live_likes"], answer["ignored_likes"]) == (1, 0)
        again = client.delete(f"{API}/likes", params=asked).json()
        assert again == {**answer, "taken_back": False}


@pytest.mark.parametrize("user", ["u/likes/u", "ann", "a?b#c", "likes", "users/likes"])
def test_a_like_is_taken_back_by_the_path(client, user):
    for item in (*(one for one in HOSTILE if one != ".."), "x/likes/y", "likes", "likes/likes"):
        told(client, user, item, "i8")
        path = f"{API}/users/{quote(user, safe='')}/likes/{quote(item, safe='')}"
        for expected in (True, False):
            done = client.delete(path)
            assert done.status_code == 200, done.text
            answer = done.json()
            assert (answer["user"], answer["item"], answer["taken_back"]) == (user, item, expected)
            assert (answer["live_likes"], answer["in_training"]) == (1, False)


def test_an_address_that_may_be_read_in_two_ways_takes_nothing_back(client):
    told(client, "ann", "a/likes/b")
    told(client, "ann/likes/a", "b")
    assert client.delete(f"{API}/users/ann/likes/a/likes/b").status_code == 404
    assert recommended(client, "ann")["ignored_likes"] == 1
    assert recommended(client, "ann/likes/a")["ignored_likes"] == 1
    assert client.delete(f"{API}/users/ann/likes/a%2Flikes%2Fb").json()["taken_back"]


def test_what_is_taken_back_counts_no_more(client, model):
    _, others = liked_by(model, "u5")
    before = recommended(client, "u5")
    told(client, "u5", others[0])
    assert recommended(client, "u5")["recommendations"] != before["recommendations"]
    done = client.delete(f"{API}/users/u5/likes/{quote(others[0], safe='')}").json()
    assert (done["taken_back"], done["in_training"], done["live_likes"]) == (True, False, 0)
    assert recommended(client, "u5") == before
    told(client, "nobody yet", "i9")
    assert recommended(client, "nobody yet")["live_likes"] == 1
    client.delete(f"{API}/users/nobody yet/likes/i9")
    assert client.get(f"{API}/users/nobody yet/recommendations").status_code == 404


def test_a_like_of_the_training_data_is_not_taken_back(client, model):
    trained, _ = liked_by(model, "u5")
    item = next(one for one in trained if one.startswith("i"))
    refused = client.delete(f"{API}/users/u5/likes/{item}")
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "in_training_data")
    assert "Remove it from the training data" in refused.json()["error"]["message"]
    before = recommended(client, "u5")
    told(client, "u5", item)
    done = client.delete(f"{API}/users/u5/likes/{item}").json()
    assert (done["taken_back"], done["in_training"]) == (True, True)
    assert recommended(client, "u5") == before
    assert client.delete(f"{API}/users/u5/likes/{item}").status_code == 409


def test_what_a_model_was_trained_on_may_not_be_known(model, tmp_path):
    from dataclasses import replace

    trained, _ = liked_by(model, "u5")
    save(replace(load(model), history=None), tmp_path / "bare")
    with client_of(settings_of(tmp_path / "state", tmp_path / "bare")) as client:
        item = next(one for one in trained if one.startswith("i"))
        answer = client.delete(f"{API}/users/u5/likes/{item}").json()
        assert (answer["taken_back"], answer["in_training"]) == (False, None)


def test_all_workers_see_it_at_once(model, tmp_path):
    settings = settings_of(tmp_path / "state", model, workers=2)
    with client_of(settings) as one, client_of(settings) as other:
        for _ in range(5):
            told(one, "ann", "i9", "new")
            assert recommended(other, "ann")["live_likes"] == 1
            assert other.delete(f"{API}/users/ann/likes/i9").json()["taken_back"]
            known = one.delete(f"{API}/users/ann/likes/new").json()
            assert (known["live_likes"], known["ignored_likes"]) == (0, 0)


def test_taking_back_is_for_programs_and_own_pages(client):
    told(client, "ann", "i9")
    foreign = client.delete(f"{API}/users/ann/likes/i9", headers={"origin": "https://evil.example"})
    assert foreign.status_code == 403
    assert recommended(client, "ann")["live_likes"] == 1


@pytest.mark.parametrize(
    "item",
    ["", "\x00", "a\x00b", "x" * 16_385, "\ud800"],
    ids=["none", "nul", "in", "long", "lone"],
)
def test_what_cannot_be_an_id_is_refused_with_its_batch(client, item):
    import json

    body = json.dumps({"likes": [{"item": "i9"}, {"item": item}]})
    answer = client.post(
        f"{API}/users/ann/likes", content=body, headers={"content-type": "application/json"}
    )
    assert answer.status_code == 422, answer.text
    assert client.get(f"{API}/users/ann/recommendations").status_code == 404


def test_a_user_has_a_most_number_of_likes_known_or_not(model, tmp_path):
    settings = settings_of(tmp_path / "state", model)
    with client_of(settings) as client:
        state = client.app.state.service.state
        state.add_likes("ann", {f"new {number}": 1.0 for number in range(MOST_LIKES)})
        refused = told(client, "ann", "one more")
        assert refused.status_code == 422
        assert "10,000 live likes" in refused.json()["error"]["message"]
        assert told(client, "ann", "new 7").status_code == 201
        client.delete(f"{API}/users/ann/likes/new 7")
        assert told(client, "ann", "one more").status_code == 201


def test_a_state_takes_no_more_than_it_may(tmp_path):
    with Store(tmp_path, most_bytes=300_000) as state:
        for number in range(8):
            state.add_likes(f"user {number}", {"x" * 10_000: 1.0, "y": 1.0})
        with pytest.raises(WritingError, match="alsolike likes STATE --to"):
            state.add_likes("user 8", {"z": 1.0} | {"x" * 16_000 + end: 1.0 for end in "abcd"})
        assert state.likes_of("user 7") == {"x" * 10_000: 1.0, "y": 1.0}
        assert state.likes_of("user 8") == {}
        with pytest.raises(WritingError, match="take 300,000 bytes"):
            state.add_vote("a|b", "left", "z" * 60_000, "ann", ("1", "2"))
        assert state.take_back("user 0", "x" * 10_000)
        assert state.take_back("user 1", "x" * 10_000)
        state.add_likes("later", {"y": 1.0})


def test_a_state_of_an_earlier_version_goes_on(model, tmp_path):
    settings = settings_of(tmp_path / "state", model)
    with client_of(settings) as client:
        told(client, "ann", "i9", "new")
    place = settings.state / FILE
    with sqlite3.connect(place) as file:
        file.execute("ALTER TABLE likes DROP COLUMN time")
        for column in ("similar", "similar_before"):  # of version 3
            file.execute(f"ALTER TABLE slots DROP COLUMN {column}")
        file.execute("DROP TABLE new_items")  # of version 4
        file.execute("PRAGMA user_version = 1")
    file.close()
    for _ in range(2):
        with client_of(settings) as client:
            assert recommended(client, "ann")["live_likes"] == 1
            told(client, "bob", "i9")
    with sqlite3.connect(place) as file:
        assert file.execute("PRAGMA user_version").fetchone() == (4,)
        times = dict(file.execute("SELECT user, max(time) FROM likes GROUP BY user"))
    file.close()
    assert times["ann"] is None
    assert times["bob"] > 1_700_000_000
    with sqlite3.connect(place) as file:
        file.execute("PRAGMA user_version = 5")
    file.close()
    with pytest.raises(WritingError, match="format 5; this version of alsolike knows format 4"):
        Store(settings.state)
