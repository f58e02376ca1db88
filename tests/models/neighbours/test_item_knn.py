"""Item to item by neighbours, against the definitions written out pair by pair."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp

from alsolike.data.interactions import Interactions
from alsolike.data.splitting.splitters import hold_out_users
from alsolike.engines.local import LocalEngine
from alsolike.errors import DataError, SettingError
from alsolike.models.history_model import likes_of
from alsolike.models.neighbours.config import ItemKNNConfig
from alsolike.models.neighbours.fit import fit_item_knn
from alsolike.models.similarity.config import SimilarityConfig
from alsolike.progress import Observer
from alsolike.recommending.batch import recommend
from alsolike.testing import tiny_likes


def make_likes(n_users=60, n_items=45, seed=0):
    """Return counts and dislikes, with users and items that nobody or everybody has to do with."""
    rng = np.random.default_rng(seed)
    popularity = np.clip(0.02 + 0.6 * rng.random(n_items) ** 3, 0, 1)
    filled = rng.random((n_users, n_items)) < popularity
    filled[:, 3] = True
    filled[:, 7] = filled[9, :] = False
    filled[4, :] = True
    values = filled * rng.integers(1, 9, filled.shape) * rng.choice([1, 1, 1, -1], filled.shape)
    return Interactions.from_matrix(sp.csr_array(values.astype(float)))


def similarities_by_hand(likes, config):
    """Return how similar i is to j at [i, j], and 0 where it is no neighbour of j."""
    liked = likes.user_items.toarray() > 0
    n_items = liked.shape[1]
    users_of = [set(np.flatnonzero(liked[:, item])) for item in range(n_items)]
    mean = sum(map(len, users_of)) / n_items
    rarity = [math.log(1 + (n_items - n + 0.5) / (n + 0.5)) for n in liked.sum(axis=1, dtype=float)]

    def bm25(item, user):
        length = 1 - config.b + config.b * len(users_of[item]) / mean
        return rarity[user] * (config.k1 + 1) / (1 + config.k1 * length)

    def similarity(one, other):
        common = users_of[one] & users_of[other]
        if not common:
            return 0.0
        if config.weighting == "cosine":
            value = len(common) / math.sqrt(len(users_of[one]) * len(users_of[other]))
        else:
            value = sum(bm25(one, user) * bm25(other, user) for user in common)
        return value * len(common) / (len(common) + config.shrinkage)

    found = np.zeros((n_items, n_items))
    for liked_item in range(n_items):
        values = [
            (similarity(liked_item, item) if item != liked_item else 0.0, item)
            for item in range(n_items)
        ]
        # Rounded for the order only, so that what is equal by definition is a tie here, too.
        best = sorted(values, key=lambda one: (-round(one[0], 12), one[1]))[: config.neighbours]
        for value, item in best:
            found[item, liked_item] = value
    return found


CONFIGS = {
    "cosine": ItemKNNConfig(),
    "cosine, few": ItemKNNConfig(neighbours=3),
    "cosine, one": ItemKNNConfig(neighbours=1),
    "cosine, shrunk": ItemKNNConfig(neighbours=7, shrinkage=5.5),
    "bm25": ItemKNNConfig(weighting="bm25"),
    "bm25, few": ItemKNNConfig(weighting="bm25", neighbours=4),
    "bm25, shrunk": ItemKNNConfig(weighting="bm25", neighbours=6, shrinkage=3),
    "bm25, other": ItemKNNConfig(weighting="bm25", neighbours=5, k1=0.3, b=1.0),
    "bm25, no length": ItemKNNConfig(weighting="bm25", neighbours=5, k1=2, b=0),
}


@pytest.mark.parametrize("variant", CONFIGS)
@pytest.mark.parametrize("items_per_block", [1, 7, 128])
def test_similarities_and_scores_equal_the_definition(variant, items_per_block):
    likes, config = make_likes(), CONFIGS[variant]
    model = fit_item_knn(likes, config, block_items=items_per_block)
    expected = similarities_by_hand(likes, config)
    np.testing.assert_allclose(model.similarities.toarray(), expected, rtol=1e-12, atol=0)
    assert model.similarities.has_sorted_indices
    sums = (likes.user_items.toarray() > 0) @ expected.T
    scores = model.scores(slice(None), slice(None))
    np.testing.assert_allclose(scores, sums, rtol=1e-6, atol=0)


@pytest.mark.parametrize("variant", CONFIGS)
def test_full_lists_are_symmetric_to_the_bit(variant):
    config = replace(CONFIGS[variant], neighbours=45)
    matrix = fit_item_knn(make_likes(), config).similarities.toarray()
    assert matrix.any()
    np.testing.assert_array_equal(matrix, matrix.T)


def test_of_equally_similar_items_the_first_are_kept():
    users = [f"u{user}" for user in range(3) for _ in range(30)]
    items = [f"i{item:02}" for _ in range(3) for item in range(30)]
    model = fit_item_knn(Interactions.from_columns(users, items), ItemKNNConfig(neighbours=4))
    kept = [np.flatnonzero(column).tolist() for column in model.similarities.toarray().T]
    assert kept[0] == [1, 2, 3, 4]
    assert kept[2] == [0, 1, 3, 4]
    assert kept[29] == [0, 1, 2, 3]


def test_cosines_that_are_equal_by_definition_are_equal_floats():
    # 1 user in common of 1 and 2, 3 of 3 and 6, 7 of 7 and 14: each the root of a half.
    rows = {}
    for place, size in enumerate((1, 3, 7)):
        for user in range(2 * size):
            rows[f"{place} {user}"] = [f"wide{place}"] + [f"narrow{place}"] * (user < size)
    pairs = [(user, item) for user, items in rows.items() for item in items]
    likes = Interactions.from_columns(*zip(*pairs, strict=True))
    assert set(fit_item_knn(likes, ItemKNNConfig()).similarities.data) == {math.sqrt(0.5)}


def test_the_same_bytes_for_any_number_of_threads():
    config = ItemKNNConfig(weighting="bm25", neighbours=5, shrinkage=2)
    models = [
        fit_item_knn(make_likes(), config, engine=LocalEngine(n), block_items=5) for n in (1, 2, 5)
    ]
    bytes_of = {
        b"".join(
            part.tobytes()
            for part in (m.similarities.data, m.similarities.indices, m.similarities.indptr)
        )
        for m in models
    }
    assert len(bytes_of) == 1


@pytest.mark.parametrize("variant", ["cosine, few", "bm25"])
def test_a_block_of_scores_is_the_slice_of_the_whole_to_the_byte(variant):
    likes = make_likes()
    model = fit_item_knn(likes, CONFIGS[variant])
    whole = model.scores(slice(None), slice(None))
    assert whole.dtype == np.float32
    assert whole.flags.c_contiguous
    rng = np.random.default_rng(0)
    for _ in range(40):
        rows = rng.integers(likes.n_users, size=rng.integers(0, 9))
        start, stop = np.sort(rng.integers(0, likes.n_items + 1, 2))
        block = model.scores(rows, slice(start, stop))
        assert block.tobytes() == whole[rows, start:stop].tobytes()
    assert model.scores(slice(3, 9), slice(5, 6)).tobytes() == whole[3:9, 5:6].tobytes()


def test_dislikes_and_amounts_do_not_count():
    likes = make_likes()
    ones = Interactions(
        sp.csr_array(likes.user_items > 0).astype(np.float32), likes.users, likes.items
    )
    config = ItemKNNConfig(weighting="bm25", neighbours=6)
    found, expected = (
        fit_item_knn(one, config).scores(slice(None), slice(None)) for one in (likes, ones)
    )
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(likes_of(likes).toarray(), likes.user_items.toarray() > 0)


def test_whole_users_held_out_are_scored_from_what_is_shown():
    likes = tiny_likes()
    split = hold_out_users(likes, share=0.2)
    model = fit_item_knn(split.train, ItemKNNConfig(neighbours=10))
    shown = model.with_history(split.given)
    rows = split.test_users
    assert not model.scores(rows, slice(None)).any()
    expected = likes_of(split.given).toarray() @ model.similarities.toarray().T
    np.testing.assert_allclose(shown.scores(slice(None), slice(None)), expected, rtol=1e-6)
    assert shown.scores(rows, slice(None)).any(axis=1).all()
    assert shown.history is split.given
    assert shown.similarities is model.similarities
    assert model.history is split.train
    user = likes.users.id_of(int(rows[0]))
    given = split.given.user_items[[rows[0]]].indices
    assert not set(recommend(shown, user)["item"]) & set(likes.items.ids_of(given))


def test_other_ids_cannot_be_shown():
    likes = tiny_likes()
    model = fit_item_knn(likes, ItemKNNConfig())
    with pytest.raises(DataError, match=r"model's 30 users expected.*have 31.*aligned"):
        model.with_history(tiny_likes(31, 40))
    with pytest.raises(DataError, match=r"model's 40 items expected.*have 41"):
        model.with_history(tiny_likes(30, 41))
    with pytest.raises(DataError, match="Interactions expected, not a SciPy csr_array"):
        model.with_history(likes.user_items)


@pytest.mark.parametrize("weighting", ["cosine", "bm25"])
@pytest.mark.parametrize(
    "likes",
    [
        Interactions.from_columns([], []),
        Interactions.from_columns(["u"], ["a"]),
        Interactions.from_columns(["u", "u", "v"], ["a", "b", "a"], [-1, -2, -1]),
    ],
    ids=["nothing", "one pair", "dislikes only"],
)
def test_hardly_any_data(likes, weighting):
    model = fit_item_knn(likes, ItemKNNConfig(weighting=weighting, shrinkage=1))
    scores = model.scores(slice(None), slice(None))
    assert scores.shape == (likes.n_users, likes.n_items)
    assert not scores.any()


def test_settings_go_there_and_back_as_plain_values():
    for config in CONFIGS.values():
        settings = config.to_settings()
        assert settings["model"] == "item-knn"
        assert ItemKNNConfig.from_settings(json.loads(json.dumps(settings))) == config
    numbers = ItemKNNConfig(neighbours=np.int64(3), shrinkage=np.float32(0.5), b=1)
    assert json.dumps(numbers.to_settings())
    with pytest.raises(SettingError, match=r"Unknown settings \['k2'\]; known are .*'k1'"):
        ItemKNNConfig.from_settings({"model": "item-knn", "k2": 1})
    with pytest.raises(SettingError, match="model 'item-knn' expected, not 'ease'"):
        ItemKNNConfig.from_settings({"model": "ease"})
    with pytest.raises(SettingError, match="model 'item-knn' expected, not None"):
        ItemKNNConfig.from_settings({"neighbours": 3})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"weighting": "jaccard"},
            "must be one of cosine, bm25, normalized, not 'jaccard'",
        ),
        ({"neighbours": 0}, "neighbours must be a whole number of at least 1, not 0"),
        ({"neighbours": 2.0}, "neighbours must be a whole number"),
        ({"neighbours": True}, "neighbours must be a whole number"),
        ({"shrinkage": -1}, "shrinkage must be a finite number of at least 0, not -1"),
        ({"shrinkage": math.nan}, "shrinkage must be a finite number"),
        ({"k1": math.inf}, "k1 must be a finite number"),
        ({"k1": "1.2"}, "k1 must be a finite number of at least 0, not '1.2'"),
        ({"b": 1.5}, "b must be at most 1, not 1.5"),
        ({"b": False}, "b must be a finite number"),
    ],
)
def test_settings_out_of_range(settings, message):
    with pytest.raises(SettingError, match=message):
        ItemKNNConfig(**settings)


def test_extreme_settings_stay_finite():
    likes = make_likes()
    for extreme in (
        ItemKNNConfig(weighting="bm25", k1=1e308, b=1.0),
        ItemKNNConfig(weighting="bm25", k1=0.0),
        ItemKNNConfig(shrinkage=1e308),
        ItemKNNConfig(neighbours=10**12),
    ):
        assert np.isfinite(fit_item_knn(likes, extreme).scores(slice(None), slice(None))).all()


def test_beside_an_item_at_0_are_the_items_of_the_nearest_likes():
    likes = tiny_likes()
    specific = SimilarityConfig(popularity_bias=0.0)
    model = fit_item_knn(likes, ItemKNNConfig(neighbours=4)).with_similarity(specific)
    ones = (likes.user_items.toarray() > 0).astype(float)
    shared = ones.T @ ones
    np.fill_diagonal(shared, 0)
    counts = np.maximum(ones.sum(axis=0), 1)
    scores = shared / np.sqrt(counts) / counts[:, None]
    expected = np.where(scores > 0, scores, -np.inf).astype(np.float32)
    whole = model.item_scores(slice(None), slice(None))
    assert whole.dtype == np.float32
    np.testing.assert_allclose(whole, expected, rtol=1e-6)
    expected = whole
    rows = np.array([7, 3, 7])
    np.testing.assert_array_equal(model.item_scores(rows, slice(5, 20)), expected[rows, 5:20])
    assert model.item_scores(rows[:0], slice(None)).shape == (0, 40)


def test_a_matrix_is_not_interactions():
    with pytest.raises(DataError, match="Interactions expected, not a SciPy csr_array"):
        fit_item_knn(tiny_likes().user_items, ItemKNNConfig())


def test_tells_an_observer_how_far_it_is():
    heard = []

    class Ear(Observer):
        def start(self, task, total=None):
            heard.append((task, total))

        def advance(self, steps=1):
            heard.append(steps)

        def finish(self):
            heard.append("done")

    fit_item_knn(
        tiny_likes(), ItemKNNConfig(), engine=LocalEngine(1), observer=Ear(), block_items=16
    )
    assert heard == [("Computing item similarities", 40), 16, 16, 8, "done"]
    model = fit_item_knn(tiny_likes(), ItemKNNConfig())
    assert repr(model) == "ItemKNNModel(cosine: 30 users, 40 items, 100 neighbours)"
