"""A service of a model with a half-life: stored likes are as old as in training, live ones new."""

import numpy as np
import pytest

pytest.importorskip("fastapi", reason="the extra 'serve' is not installed")

import alsolike as al
from alsolike.models.blend.config import BlendConfig
from alsolike.models.bundle.io import save
from alsolike.recommending.single import (
    recommend_for_likes,
    recommend_one,
    recommend_row_for_likes,
)
from alsolike.testing import tiny_likes
from serving import client_of, settings_of

API, USER = "/api/v1", "user 3"
ALS = al.ALSConfig(factors=6, iterations=3, half_life=100)
KNN = al.ItemKNNConfig(neighbours=9, half_life=300)


def answered(answer):
    assert answer.status_code < 300, answer.text
    return [(one["item"], one["score"]) for one in answer.json()["recommendations"]]


def rows(table):
    return list(zip(table["item"].tolist(), table["score"].tolist(), strict=True))


@pytest.mark.parametrize(
    "config", [ALS, KNN, BlendConfig(members=(ALS, KNN))], ids=["als", "item-knn", "blend"]
)
def test_stored_likes_are_aged_and_live_ones_are_new(config, tmp_path):
    likes = tiny_likes()
    model = al.fit(likes, config)
    save(model, tmp_path / "model")
    row = model.users.index_of(USER)
    stored = slice(*likes.user_items.indptr[row : row + 2])
    items, values = likes.user_items.indices[stored], likes.user_items.data[stored]
    new = next(item for item in range(len(model.items)) if item not in items)
    with client_of(settings_of(tmp_path / "state", tmp_path / "model")) as client:
        url = f"{API}/users/{USER}"
        asked = {"likes": [{"item": model.items.id_of(int(items[0])), "value": 2}], "k": 5}
        found = answered(client.post(f"{API}/recommendations", json=asked))
        wanted = {model.items.id_of(int(items[0])): 2}
        assert found == rows(recommend_for_likes(model, wanted, k=5))
        assert answered(client.get(f"{url}/recommendations?k=5")) == rows(
            recommend_one(model, USER, k=5)
        )
        live = {"likes": [{"item": model.items.id_of(one), "value": 1} for one in (new, items[0])]}
        assert client.post(f"{url}/likes", json=live).status_code == 201
        found = answered(client.get(f"{url}/recommendations?k=5"))
        ages = np.append(model.ages[stored], 0.0)
        ages[0] = 0.0
        may_appear = np.ones(len(model.items), dtype=bool)
        may_appear[[*items, new]] = False
        expected = recommend_row_for_likes(
            model, np.append(items, new).astype(np.int32), [1.0, *values[1:], 1.0], may_appear, 5,
            ages=ages,
        )  # fmt: skip
        assert [item for item, _ in found] == model.items.ids_of(expected.rows).tolist()
        np.testing.assert_array_equal(
            np.array([score for _, score in found], dtype=np.float32), expected.scores
        )
        why = client.get(f"{url}/explanations", params={"item": found[0][0]}).json()
        assert why["score"] == pytest.approx(found[0][1], rel=1e-4)
        assert sum(one["contribution"] for one in why["parts"]) == pytest.approx(
            why["score"], rel=1e-4
        )
        assert client.get(f"/users/{USER}").status_code == 200
