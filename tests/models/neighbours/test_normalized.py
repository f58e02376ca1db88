"""The normalised item filter, weights of values and all neighbours, against dense float64."""

import json
from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp

from alsolike.data.interactions import Interactions
from alsolike.engines.local import LocalEngine
from alsolike.errors import DataError, SettingError
from alsolike.models.family import TrainingData
from alsolike.models.neighbours import family as families
from alsolike.models.neighbours.config import ItemKNNConfig
from alsolike.models.neighbours.family import ItemKNNFamily
from alsolike.models.neighbours.fit import fit_item_knn

ALL = ItemKNNConfig(weighting="normalized", neighbours=None)


def make_likes(n_users=50, n_items=37, seed=3):
    """Return counts and dislikes, with items that nobody likes and users who like nothing."""
    rng = np.random.default_rng(seed)
    filled = rng.random((n_users, n_items)) < 0.02 + 0.6 * rng.random(n_items) ** 3
    filled[:, 5] = filled[8, :] = False
    filled[4, :] = True
    values = filled * rng.integers(1, 30, filled.shape) * rng.choice([1, 1, 1, -1], filled.shape)
    return Interactions.from_matrix(sp.csr_array(values.astype(float)))


def weighed(likes, config):
    """Return the weights of likes, users x items: the table of `alsolike.models.values`."""
    values = np.maximum(likes.user_items.toarray().astype(np.float64), 0)
    liked = values > 0
    n_items_of, n_users_of = liked.sum(axis=1)[:, None], liked.sum(axis=0)
    rarity = np.log(1 + (values.shape[1] - n_items_of + 0.5) / (n_items_of + 0.5))
    scale = config.value_scale
    if config.values == "bm25":
        length = 1 - config.value_length + config.value_length * n_users_of / n_users_of.mean()
        return liked * (scale + 1) * values / (scale * length + values) * rarity
    return {
        "binary": liked.astype(np.float64),
        "given": values,
        "log": np.log(1 + values / scale),
        "capped": np.minimum(values / scale, 1),
        "tf-idf": np.sqrt(values / scale) * rarity,
    }[config.values]


def by_hand(likes, config):
    """Return W, liked items x scored items, dense."""
    v, liked = weighed(likes, config), likes.user_items.toarray() > 0
    n_items_of, n_users_of = (np.maximum(liked.sum(axis=axis), 1.0) for axis in (1, 0))
    common = liked.T.astype(np.float64) @ liked
    if config.weighting == "normalized":
        sums = (v.T / n_items_of**config.user_exponent) @ v
        sources, targets = (
            n_users_of**one for one in (config.source_exponent, config.target_exponent)
        )
        found = sums / sources[:, None] / targets
    elif config.weighting == "cosine":
        norms = np.maximum(np.sqrt((v**2).sum(axis=0)), 1e-300)
        found = v.T @ v / norms[:, None] / norms
    else:
        n_items_of = liked.sum(axis=1)
        rarity = np.log(1 + (liked.shape[1] - n_items_of + 0.5) / (n_items_of + 0.5))
        relative = 1 - config.b + config.b * liked.sum(axis=0) / liked.sum(axis=0).mean()
        scales = (config.k1 + 1) / (1 + config.k1 * relative)
        found = ((v.T * rarity**2) @ v) * scales[:, None] * scales
    found *= common / np.maximum(common + config.shrinkage, 1e-300)
    np.fill_diagonal(found, 0)
    if config.neighbours is not None:
        for row in found:
            # Rounded for the order only, so that what is equal by definition is a tie here, too.
            order = np.lexsort((np.arange(len(row)), -np.round(row, 12)))
            row[order[config.neighbours :]] = 0
    return found


CONFIGS = {
    "normalized": ALL,
    "few": replace(ALL, neighbours=6),
    "popular": replace(ALL, user_exponent=0.5, source_exponent=1.0, target_exponent=0.0),
    "shrunk": replace(ALL, shrinkage=3.0, neighbours=9),
    "log": replace(ALL, values="log", value_scale=2.0, neighbours=11),
    "cosine of all": ItemKNNConfig(neighbours=None),
    "cosine of values": ItemKNNConfig(values="given", neighbours=8),
    "cosine, shrunk values": ItemKNNConfig(values="capped", value_scale=9, shrinkage=2),
    "bm25 of all": ItemKNNConfig(weighting="bm25", neighbours=None),
    "bm25, weighed": ItemKNNConfig(
        weighting="bm25", neighbours=7, shrinkage=1, values="bm25", value_scale=1.5,
        value_length=0.4,
    ),
    "tf-idf": replace(ALL, values="tf-idf", neighbours=None),
}  # fmt: skip


@pytest.mark.parametrize("variant", CONFIGS)
def test_similarities_scores_and_contributions_equal_the_definition(variant):
    likes, config = make_likes(), CONFIGS[variant]
    model = fit_item_knn(likes, config, block_items=7)
    expected = by_hand(likes, config)
    np.testing.assert_allclose(model.item_weights.toarray(), expected, rtol=1e-11, atol=1e-300)
    sums = weighed(likes, config) @ expected
    whole = model.scores(slice(None), slice(None))
    np.testing.assert_allclose(whole, sums, rtol=1e-6)
    row = likes.user_items[[4]]
    parts = model.contributions(row.indices, row.data, np.arange(likes.n_items)).parts
    np.testing.assert_allclose(parts.sum(axis=1), sums[4], rtol=1e-11)
    new = likes.user_items[[11, 4, 8]]
    np.testing.assert_array_equal(model.user_scores(new, slice(None)), whole[[11, 4, 8]])


def test_known_models_are_corners_of_the_normalised_filter():
    likes = make_likes()
    R = (likes.user_items.toarray() > 0).astype(np.float64)
    n_items_of, n_users_of = np.maximum(R.sum(axis=1), 1), np.maximum(R.sum(axis=0), 1)

    def scores(user, source, target):
        config = replace(ALL, user_exponent=user, source_exponent=source, target_exponent=target)
        return fit_item_knn(likes, config).item_weights.toarray()

    cosine = fit_item_knn(likes, ItemKNNConfig(neighbours=None)).item_weights.toarray()
    np.testing.assert_allclose(scores(0, 0.5, 0.5), cosine, rtol=1e-12)
    for alpha in (1.0, 0.7):  # probabilities of the steps item, user, item, each to the power alpha
        to_user, to_item = (R.T / n_users_of[:, None]) ** alpha, (R / n_items_of[:, None]) ** alpha
        p3 = to_user @ to_item
        np.fill_diagonal(p3, 0)
        np.testing.assert_allclose(scores(alpha, alpha, 0), p3, rtol=1e-12)
        np.testing.assert_allclose(scores(alpha, alpha, 0.3), p3 / n_users_of**0.3, rtol=1e-12)


def test_many_neighbours_are_found_whatever_the_threads_and_blocks():
    rng = np.random.default_rng(0)
    filled = rng.random((300, 400)) < 0.1 * rng.random(400)
    likes = Interactions.from_matrix(sp.csr_array(filled.astype(float)))
    for config in (replace(ALL, neighbours=60), ItemKNNConfig(neighbours=150), ALL):
        models = [
            fit_item_knn(likes, config, engine=LocalEngine(threads), block_items=size)
            for threads, size in ((1, 400), (3, 33))
        ]
        weights = [model.item_weights for model in models]
        assert weights[0].data.tobytes() == weights[1].data.tobytes()
        assert weights[0].indices.tobytes() == weights[1].indices.tobytes()
        expected = by_hand(likes, config)
        np.testing.assert_allclose(weights[0].toarray(), expected, rtol=1e-11, atol=1e-300)


def test_neighbours_far_below_the_nearest_are_found():
    # The nearest is alike, the others lie beyond the eight octaves of the histogram.
    pairs = [("u", f"i{item:02}") for item in range(40)]
    pairs += [(f"v{item} {n}", f"i{item:02}") for item in range(2, 40) for n in range(item)]
    likes = Interactions.from_columns(*zip(*pairs, strict=True))
    kept = fit_item_knn(likes, replace(ALL, target_exponent=10, neighbours=20)).item_weights[[0]]
    assert kept.indices.tolist() == list(range(1, 21))
    assert kept.data[0] / kept.data[1] > 2**8
    np.testing.assert_allclose(kept.data[1:], kept.data[0] / (np.arange(2, 21) + 1.0) ** 10)


def test_settings_are_checked_and_go_there_and_back():
    for config in CONFIGS.values():
        settings = json.loads(json.dumps(config.to_settings()))
        assert ItemKNNConfig.from_settings(settings) == config
    old = {"model": "item-knn", "weighting": "bm25", "neighbours": 9, "shrinkage": 0.0}
    assert ItemKNNConfig.from_settings(old).values == "binary"
    for wrong, message in (
        ({"user_exponent": 11}, "user_exponent must be at most 10, not 11"),
        ({"target_exponent": -1}, "target_exponent must be a finite number of at least 0"),
        ({"neighbours": 0}, "neighbours must be a whole number of at least 1"),
        ({"values": "squared"}, "values must be one of given, binary"),
        ({"value_scale": 0}, "value_scale must be a finite number above 0"),
    ):
        with pytest.raises(SettingError, match=message):
            ItemKNNConfig(**wrong)


def test_weights_that_vanish_are_refused():
    with pytest.raises(SettingError, match=r"large enough to be multiplied.*smaller value_scale"):
        fit_item_knn(make_likes(), replace(ALL, values="log", value_scale=1e300))


def test_all_neighbours_that_do_not_fit_are_refused(monkeypatch):
    data, family = TrainingData(make_likes()), ItemKNNFamily()
    family.refuse(data, ALL)
    monkeypatch.setattr(families, "available", lambda: 1000)
    with pytest.raises(DataError, match=r"All neighbours of 37 items may take.*neighbours=400"):
        family.refuse(data, ALL)
    family.refuse(data, ItemKNNConfig())


def test_the_representation_says_that_all_are_kept():
    assert "normalized: 50 users, 37 items, all neighbours" in repr(fit_item_knn(make_likes(), ALL))
