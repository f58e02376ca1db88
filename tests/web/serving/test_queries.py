"""What the API must not get wrong: odd ids, values that would stick, live likes, memory."""

import json
import shutil
from urllib.parse import quote

import pytest

from alsolike.errors import SettingError
from alsolike.models.bundle.io import load
from alsolike.recommending.single import recommend_for_likes
from alsolike.web.api import fast_path
from alsolike.web.settings import slots
from serving import bundle, client_of, settings_of

API = "/api/v1"
ODD = ("line\nbreak", "x" * 10_000, "/lead", "trail/", "x/similar", "..")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return bundle(tmp_path_factory.mktemp("model") / "model", ids=ODD)


@pytest.fixture
def client(model, tmp_path):
    with client_of(settings_of(tmp_path / "state", model)) as one:
        yield one


@pytest.mark.parametrize("item", ODD)
def test_odd_ids_come_back_as_they_went(client, item):
    for path in ("item", "similar"):
        answer = client.get(f"{API}/{path}", params={"item": item})
        assert (answer.status_code, answer.json()["item"]) == (200, item)
    if item not in ("x/similar", ".."):
        assert client.get(f"{API}/items/{quote(item, safe='')}").json()["item"] == item


@pytest.mark.parametrize(
    "query",
    ["", "?k=1", "?k=7", "?k=100", "?popularity_bias=.3", "?k=5&popularity_bias=1",
     "?popularity_bias=0.8", "?k=3&popularity_bias=0"],
)  # fmt: skip
def test_the_quick_way_and_the_usual_way_answer_with_the_same_bytes(client, query):
    for item in ("i8", "line\nbreak", "/lead"):
        fast_path = client.get(f"{API}/items/{quote(item, safe='')}/similar{query}")
        usual = client.get(f"{API}/similar{query or '?'}", params={"item": item})
        if query:
            usual = client.get(f"{API}/similar{query}&item={quote(item, safe='')}")
        assert fast_path.content == usual.content
        assert fast_path.headers["content-type"] == usual.headers["content-type"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/items/i8/similar?k=0", 422),
        ("/items/i8/similar?k=101", 422),
        ("/items/i8/similar?k=9999", 422),
        ("/items/i8/similar?k=%31&k=x", 422),
        ("/items/i8/similar?model=other", 404),
        ("/items/i8/similar?popularity_bias=1.1", 422),
        ("/items/i8/similar?popularity_bias=x", 422),
        ("/items/i8/similar?affinity=counts", 422),
        ("/items/i8/similar?affinity=other", 422),
        ("/items/i8/similar?model=popularity&popularity_bias=0.1", 422),
        ("/items/i8/explanations?other=i8", 422),
        ("/items/none/similar", 404),
        ("/items//similar", 422),
        ("/items/a%00b/similar", 422),
        ("/item?item=a%00b", 422),
        ("/users/a%00b/recommendations", 422),
    ],
)
def test_what_is_not_plain_is_refused_as_ever(client, path, status):
    answer = client.get(API + path)
    assert answer.status_code == status
    assert set(answer.json()["error"]) == {"code", "message", "field"}


@pytest.mark.parametrize("value", [0, 1e-60, -1e-60, 1e300])
def test_a_value_that_no_model_can_use_is_not_kept(client, value):
    before = client.get(f"{API}/users/u5/recommendations").json()
    body = {"likes": [{"item": "i8", "value": value}]}
    assert client.post(f"{API}/users/u5/likes", json=body).status_code == 422
    assert client.get(f"{API}/users/u5/recommendations").json() == before


@pytest.mark.parametrize("user", ["u5", "nobody yet"])
def test_contributions_of_live_likes_add_up_to_the_score_that_is_shown(client, model, user):
    body = {"likes": [{"item": "i8"}, {"item": "i9", "value": -1}, {"item": "i10", "value": 3}]}
    assert client.post(f"{API}/users/{user}/likes", json=body).status_code == 201
    best = client.get(f"{API}/users/{user}/recommendations").json()["recommendations"][0]
    why = client.get(f"{API}/users/{user}/explanations", params={"item": best["item"]}).json()
    assert sum(part["contribution"] for part in why["parts"]) == pytest.approx(why["score"])
    assert why["score"] == pytest.approx(best["score"], rel=1e-4, abs=1e-6)
    values = {part["item"]: part["value"] for part in why["parts"]}
    assert (values["i8"], values["i9"], values["i10"]) == (1, -1, 3)
    shown = recommend_for_likes(load(model), values, k=1)
    assert shown["item"].tolist() == [best["item"]]


def test_nobody_is_explained_to_nobody(client):
    answer = client.get(f"{API}/users/nobody/explanations", params={"item": "i8"})
    assert answer.status_code == 404


def test_ready_made_answers_take_no_more_than_their_room(client):
    served = client.app.state.service.registry.of(None)
    fitted, answers = served.model, fast_path.AnswerCache()
    row = fitted.items.index_of("i8")
    one = answers.similar(served, row, 5, 2)
    assert answers.similar(served, row, 5, 2) is one
    assert len(json.loads(one)["similar"]) == 5
    other = served.similarity(popularity_bias=0.1)
    assert answers.similar(served, row, 5, 2, other) != one
    assert answers.has(served, (row, 5, 2, other))
    assert not answers.has(served, (row, 5, 2, served.similarity(popularity_bias=0.2)))
    room = 50_000  # some answers; one with the longest id takes a fifth of it
    answers = fast_path.AnswerCache(most_kept=room)
    for row in range(len(fitted.items)):
        for k in (1, 5, 20):
            answers.similar(served, row, k, 2)
            assert sum(map(len, answers._made[served].answers.values())) <= room


def test_slots_are_called_as_the_bundle_or_as_is_said(model, tmp_path):
    found = slots([model, f"other={model}", model, f"als-3={model}"])
    assert [(one.name, one.folder) for one in found] == [
        (name, model) for name in ("als", "other", "als-2", "als-3")
    ]
    odd = tmp_path / "a=b"
    shutil.copytree(model, odd)
    assert [one.name for one in slots([odd, f"x={odd}"])] == ["als", "x"]
    for wrong in (["x=", "x="], ["Ä="], ["popularity="], ["="]):
        with pytest.raises(SettingError):
            slots([f"{name}{model}" for name in wrong])
