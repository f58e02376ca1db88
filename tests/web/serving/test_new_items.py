"""New items in a running service: durable, marked, found by all workers, carried over swaps."""

import json
from dataclasses import replace

import pytest

import alsolike as al
from alsolike.data.features.features import Features
from alsolike.models.registry import FAMILIES
from alsolike.web.serving.deploy import swap
from alsolike.web.serving.state_store import Store
from serving import client_of, settings_of
from toy_features import TagSumsConfig, TagSumsFamily, TagSumsModel, tagged_likes, tagged_model

SWAP = "a-swap-token-of-tests"
SLOT = "tag-sums"
MAY = {"Authorization": f"Bearer {SWAP}"}
CASTLE = {"id": "castle/1", "name": "A <new> castle", "features": {"tag": ["castle", "gold"]}}
ALL = {"items": [CASTLE, {"id": "dull", "features": {"tag": ["gold"]}}]}


@pytest.fixture(scope="module", autouse=True)
def family():
    added = TagSumsFamily()
    FAMILIES.append(added)
    yield
    FAMILIES.remove(added)


@pytest.fixture
def folder(tmp_path):
    al.save(tagged_model("tag-sums"), tmp_path / "model", metrics={"ndcg@10": 0.25})
    return tmp_path / "model"


def settings_for(folder):
    return settings_of(folder.parent / "state", folder, swap_token=SWAP)


def castle_of(client):
    return client.get("/api/v1/items/castle%2F1")


def test_new_items_are_marked_listed_and_outlive_a_restart(folder):
    settings = settings_for(folder)
    with client_of(settings) as client:
        before = client.get("/readyz").json()["models"][SLOT]
        done = client.post("/api/v1/items", json=ALL, headers=MAY)
        assert done.status_code == 201, done.text
        answer = done.json()
        assert answer["added"] == ["castle/1"]
        assert answer["without_features"] == ["dull"]
        assert answer["unknown_features"] == {"tag": 2}
        assert answer["model"]["version"] != before
        assert castle_of(client).json()["new"] is True
        found = client.get("/api/v1/items?q=new castle").json()["items"]
        assert [one["item"] for one in found][:1] == ["castle/1"]
        listed = client.get("/api/v1/features/items?feature=castle&k=50").json()
        assert listed["features"] == ["tag: castle"]
        assert {one["item"] for one in listed["items"] if one["new"]} == {"castle/1", "ж8"}
        near = client.get("/api/v1/items/castle%2F1/similar?by=features").json()
        assert near["similar"]
        assert "cosine" in near["scale"]
        wish = {"likes": [{"item": near["similar"][0]["item"]}], "k": 50}
        asked = client.post("/api/v1/recommendations", json=wish).json()
        assert "castle/1" in [one["item"] for one in asked["recommendations"]]
        about = client.get("/api/v1/model").json()["models"][0]
        assert about["metrics"] == {"ndcg@10": 0.25}
    with client_of(settings) as client:
        assert castle_of(client).json()["new"] is True
    with Store(settings.state) as state:
        assert set(state.new_items(SLOT)) == {"castle/1", "dull"}


def test_new_items_need_the_swap_token_and_good_values(folder):
    with client_of(settings_for(folder)) as client:
        assert client.post("/api/v1/items", json=ALL).status_code == 403
        assert client.get("/api/v1/items?q=x", headers=MAY).status_code == 200
        known = tagged_likes().items.id_of(0)

        def refused(*items, **more):
            answer = client.post("/api/v1/items", json={"items": items, **more}, headers=MAY)
            assert answer.status_code == 422, answer.text
            return answer.json()["error"]["message"]

        assert "has likes in the model already" in refused({**CASTLE, "id": known})
        assert "more than once" in refused(CASTLE, CASTLE)
        assert "no feature 'tags'" in refused({**CASTLE, "features": {"tags": ["x"]}})
        assert "no column 'colour'" in refused({**CASTLE, "columns": {"colour": "red"}})
        assert castle_of(client).status_code == 404
        renewed = client.post(
            "/api/v1/items", headers=MAY,
            json={"items": [{"id": known, "features": {"tag": ["Sea"]}}], "renew": True},
        ).json()  # fmt: skip
        assert renewed["renewed"] == [known]
        many = [{"id": f"n{one}", "features": {"tag": ["castle"]}} for one in range(3000)]
        done = client.post("/api/v1/items", json={"items": many}, headers=MAY)
        assert len(done.json()["added"]) == 3000  # more than a body may have else


def test_a_swap_carries_over_what_the_next_model_lacks(folder, tmp_path):
    settings = settings_for(folder)
    likes = tagged_likes(30, 36)
    al.save(TagSumsModel.of(likes, TagSumsConfig()), tmp_path / "next")
    genres = Features.of_words("genre", [["rock"]] * likes.n_items)
    other = TagSumsModel.of(replace(likes, item_features=genres), TagSumsConfig())
    al.save(other, tmp_path / "other")
    al.save(tagged_model(), tmp_path / "knn")
    with client_of(settings) as client, Store(settings.state) as state:
        client.post("/api/v1/items", json=ALL, headers=MAY)
        served = client.get("/readyz").json()["models"][SLOT]
        assert swap(settings, state, SLOT, folder).version == served  # the same bytes again
        done = swap(settings, state, SLOT, tmp_path / "next")
        assert done.carried.items == 1
        assert done.carried.left == ("dull",)
        assert "1 new item carried over" in str(done)
        client.app.state.service.registry.follow()
        assert castle_of(client).json()["new"] is True
        done = swap(settings, state, SLOT, tmp_path / "other")
        assert done.carried.items == 0
        assert done.carried.left == ("castle/1", "dull")
        done = swap(settings, state, SLOT, tmp_path / "knn")
        assert "takes in items by their features" in done.carried.why
        answer = client.post("/api/v1/model/swap", json={}, headers=MAY).json()
        assert answer["new_items"] == 1
        assert answer["new_items_left"] == ["dull"]
        assert castle_of(client).status_code == 200


def test_a_second_model_may_take_new_items_or_not(tmp_path):
    run, other = tmp_path / "run", tmp_path / "other"
    for folder, similar in ((run, tagged_model()), (other, tagged_model("tag-sums"))):
        al.save(tagged_model("tag-sums"), folder / "model")
        al.save(similar, folder / "similar")
    settings = settings_of(tmp_path / "state", run, swap_token=SWAP)
    with client_of(settings) as client, Store(settings.state) as state:
        done = client.post("/api/v1/items", json=ALL, headers=MAY).json()
        assert "takes in items by their features" in done["not_similar"]
        assert castle_of(client).json()["new"] is True
        assert client.get("/api/v1/items/castle%2F1/similar").status_code == 404
        found = client.get("/api/v1/items/castle%2F1/similar?by=features").json()
        assert found["similar"]
        page = client.get("/items/castle%2F1").text
        assert "This model does not have the item" in page
        assert " by features</h2>" in page
        carried = swap(settings, state, SLOT, other).carried
        assert carried.items == 1
        client.app.state.service.registry.follow()
        assert client.get("/api/v1/items/castle%2F1/similar").status_code == 200


def test_features_are_searched_and_suggested(folder):
    with client_of(settings_for(folder)) as client:
        found = client.get("/api/v1/features?q=s").json()["features"]
        assert {one["name"] for one in found} == {"castle", "Sea", "sand"}
        model = tagged_model("tag-sums")
        item = model.items.id_of(2)  # has one tag only
        answer = client.get(f"/api/v1/items/{item}/features/suggested").json()
        assert [one["name"] for one in answer["features"]] == ["castle"]
        table = al.suggest_features(model, item)
        assert [one["feature"] for one in answer["suggested"]] == table["feature"].tolist()
        same = client.get("/api/v1/features/suggested", params={"item": item}).json()
        assert same == answer
        cold = client.get("/api/v1/features/recommendations?feature=even&k=3").json()
        rows = al.recommend_for_features(model, "even", k=3)
        assert [one["item"] for one in cold["items"]] == rows["item"].tolist()
        both = client.get(f"/api/v1/items/{item}/similar?by=both&feature_weight=0.3&k=4").json()
        table = al.similar(model, item, by="both", weight=0.3, k=4)
        assert [one["item"] for one in both["similar"]] == table["similar_item"].tolist()
        error = client.get("/api/v1/features/items?feature=castel").json()["error"]
        assert error["code"] == "unknown_id"
        assert "castle" in error["message"]


def test_an_old_state_gets_a_table_of_new_items(tmp_path):
    with Store(tmp_path) as state:
        assert state.new_items("model") == {}
        state.serve("model", "v", new_items={"a": json.dumps({})})
        assert state.new_items("model") == {"a": "{}"}
