"""Lists by sparse item weights, against lists by the same scores block by block."""

import numpy as np
import pytest
import scipy.sparse as sp

from alsolike.data.interactions import Interactions
from alsolike.engines.local import LocalEngine
from alsolike.errors import FitError
from alsolike.evaluation.metrics.evaluate import evaluate
from alsolike.models.neighbours.config import ItemKNNConfig
from alsolike.models.neighbours.fit import fit_item_knn
from alsolike.models.protocols import HasItemWeights
from alsolike.progress import SILENT
from alsolike.recommending.batch import recommend, source_of, top_items
from alsolike.recommending.ranking.exclusion import excluded_of
from alsolike.recommending.ranking.scan import Plain, Scan
from alsolike.recommending.ranking.weight_sums import WeightSums
from alsolike.recommending.single import recommend_for_likes, recommend_one

RNG = np.random.default_rng(5)


def make_likes(n_users=70, n_items=60):
    values = RNG.integers(1, 9, (n_users, n_items)) * RNG.choice([1, 1, 1, -1], (n_users, n_items))
    filled = RNG.random((n_users, n_items)) < 0.12 * RNG.random(n_items) + 0.01
    filled[3, :] = False
    return Interactions.from_matrix(sp.csr_array((values * filled).astype(float)))


LIKES = make_likes()


class Signed:
    """A model whose weights may be below zero, and cancel."""

    name = "signed"
    users, items = LIKES.users, LIKES.items

    def __init__(self, weights):
        self.item_weights = sp.csr_array(weights)

    def user_pulls(self, user_indices):
        return LIKES.user_items[user_indices].astype(np.float64)

    def scores(self, user_indices, item_indices):
        out = (self.user_pulls(user_indices) @ self.item_weights).toarray()
        return out[:, item_indices].astype(np.float32)


def signed(seed=0):
    rng = np.random.default_rng(seed)
    shape = 2 * (LIKES.n_items,)
    return Signed(rng.integers(-2, 3, shape) * (rng.random(shape) < 0.1) * 0.5)


MODELS = {
    "neighbours": lambda: fit_item_knn(LIKES, ItemKNNConfig(neighbours=3)),
    "all, weighed": lambda: fit_item_knn(
        LIKES, ItemKNNConfig(weighting="normalized", neighbours=None, values="log")
    ),
    "signed": signed,
}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("k", [1, 4, 60])
@pytest.mark.parametrize("excluded", [True, False])
def test_lists_equal_those_of_dense_scores(name, k, excluded):
    model, rows = MODELS[name](), RNG.permutation(LIKES.n_users)[:50].astype(np.int32)
    assert isinstance(model, HasItemWeights)
    may_appear = RNG.random(LIKES.n_items) < 0.8
    exclude = LIKES.user_items if excluded else None
    starts, ends, taken = excluded_of(exclude, rows, LIKES.user_items.shape)
    engine = LocalEngine(2)
    found, expected = (
        Scan(source, may_appear, taken, starts, ends, k).run(engine, SILENT, "Ranking items")
        for source in (WeightSums(rows, model), Plain(rows, model))
    )
    assert found.indices.tobytes() == expected.indices.tobytes()
    assert found.scores.tobytes() == expected.scores.tobytes()
    chosen = np.array([4, 0, 4])
    ((items, scores),) = source_of(model, rows).scored(slice(10, 20), chosen)
    assert scores.tobytes() == model.scores(rows[10:20][chosen], items).tobytes()


def test_measures_equal_those_of_dense_scores():
    model = MODELS["neighbours"]()
    hidden = type("Dense", (), {
        "name": "dense", "users": model.users, "items": model.items,
        "scores": lambda self, rows, items: model.scores(rows, items),
    })()  # fmt: skip
    held_out = make_likes()
    one, other = (
        evaluate(
            scorer, held_out, exclude=None, k=5, metrics=["precision", "ndcg", "auc"]
        ).summary()
        for scorer in (model, hidden)
    )
    assert list(one.rows()) == list(other.rows())


@pytest.mark.parametrize("name", ["neighbours", "all, weighed"])
def test_a_single_answer_has_the_same_bytes(name):
    model = MODELS[name]()
    lists = recommend(model, k=7)
    for row in (0, 3, 17):
        user = LIKES.users.id_of(row)
        of_user = lists["user"] == user
        one = recommend_one(model, user, k=7)
        for column in ("item", "score", "basis"):
            assert one[column].tolist() == lists[column][of_user].tolist()
    row = LIKES.user_items[[17]]
    likes = {
        LIKES.items.id_of(item): value for item, value in zip(row.indices, row.data, strict=True)
    }
    assert recommend_for_likes(model, likes, k=7)["score"].tolist() == one["score"].tolist()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_score_that_is_no_number_names_user_and_item(bad):
    weights = np.zeros(2 * (LIKES.n_items,))
    liked = int(LIKES.user_items[[6]].indices[0])
    weights[liked, 9] = bad
    message = rf"scores item {LIKES.items.id_of(9)} for user \d+ as (nan|-?inf)"
    positive = {int(user) for user in np.flatnonzero((LIKES.user_items[:, [liked]] > 0).toarray())}
    with pytest.raises(FitError, match=message):
        top_items(Signed(weights), sorted(positive), k=3, engine=LocalEngine(1))
