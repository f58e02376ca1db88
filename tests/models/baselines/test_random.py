"""Random scores: the same for ever, and random enough to be the line at the bottom."""

import json

import numpy as np
import pytest
import scipy.sparse as sp
from scipy import stats

from alsolike.data.interactions import Interactions
from alsolike.errors import DataError, SettingError
from alsolike.models.baselines.random import RandomConfig, fit_random
from alsolike.recommending.batch import recommend
from alsolike.testing import tiny_likes

EVERYTHING = slice(None)
WRAP = 2**64


def splitmix(state):
    """Return the output for a state, in whole numbers without end."""
    state = (state ^ (state >> 30)) * 0xBF58476D1CE4E5B9 % WRAP
    state = (state ^ (state >> 27)) * 0x94D049BB133111EB % WRAP
    return state ^ (state >> 31)


def score_by_hand(seed, user, item):
    step = 0x9E3779B97F4A7C15
    of_user = splitmix((splitmix(seed) + (user + 1) * step) % WRAP)
    return (splitmix((of_user + (item + 1) * step) % WRAP) >> 40) / 2**24


def wide_likes(n_users=200, n_items=300):
    return Interactions.from_matrix(sp.csr_array((n_users, n_items)))


@pytest.mark.parametrize("seed", [0, 1, 12345, 2**64 - 1])
def test_scores_equal_the_hash_in_whole_numbers(seed):
    model = fit_random(tiny_likes(), RandomConfig(seed=seed))
    scores = model.scores(EVERYTHING, EVERYTHING)
    expected = [[score_by_hand(seed, user, item) for item in range(40)] for user in range(30)]
    np.testing.assert_array_equal(scores, np.array(expected, dtype=np.float32))
    np.testing.assert_array_equal(scores.astype(np.float64), expected)


def test_a_block_of_scores_is_the_slice_of_the_whole_to_the_byte():
    model = fit_random(tiny_likes(), RandomConfig(seed=3))
    whole = model.scores(EVERYTHING, EVERYTHING)
    rng = np.random.default_rng(0)
    for _ in range(40):
        rows = rng.integers(30, size=rng.integers(0, 9))
        start, stop = np.sort(rng.integers(0, 41, 2))
        block = model.scores(rows, slice(start, stop))
        assert block.dtype == np.float32
        assert block.tobytes() == whole[rows, start:stop].tobytes()
    assert model.scores(slice(3, 9), slice(5, 6)).tobytes() == whole[3:9, 5:6].tobytes()


def test_likes_do_not_matter_and_seeds_do():
    likes = tiny_likes()
    few = likes.keep(np.arange(likes.n_interactions) % 5 == 0)
    first, again, other = (
        fit_random(data, RandomConfig(seed=seed)).scores(EVERYTHING, EVERYTHING)
        for data, seed in ((likes, 4), (few, 4), (likes, 5))
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).mean() > 0.99


@pytest.mark.parametrize("seed", [0, 1, 2**63])
def test_scores_are_uniform_and_rows_and_columns_have_nothing_to_do_with_each_other(seed):
    scores = fit_random(wide_likes(), RandomConfig(seed=seed)).scores(EVERYTHING, EVERYTHING)
    assert stats.kstest(scores.ravel(), "uniform").pvalue > 0.001
    # 60,000 pairs: a correlation of independent numbers stays within 4.5 / sqrt(60,000).
    limit = 4.5 / np.sqrt(scores.size)
    flat = scores - 0.5
    for near in (
        flat[1:] * flat[:-1],
        flat[:, 1:] * flat[:, :-1],
        flat[1:, 1:] * flat[:-1, :-1],
        flat[1:, :-1] * flat[:-1, 1:],
    ):
        assert abs(near.mean() * 12) < limit * 1.1
    # Each item is as often on top as another, and each user has a list of her own.
    tops = np.argsort(-scores, axis=1, kind="stable")[:, :30]
    counts = np.bincount(tops.ravel(), minlength=300)
    assert stats.chisquare(counts).pvalue > 0.001
    assert len({tuple(row) for row in tops}) == 200


def test_seeds_next_to_each_other_have_nothing_in_common():
    one, two = (
        fit_random(wide_likes(), RandomConfig(seed=seed)).scores(EVERYTHING, EVERYTHING) - 0.5
        for seed in (0, 1)
    )
    for shift in range(3):
        moved = np.roll(two, shift, axis=0)
        assert abs((one * moved).mean() * 12) < 4.5 / np.sqrt(one.size)


def test_what_is_shown_is_what_is_left_out():
    likes = tiny_likes()
    model = fit_random(likes, RandomConfig(seed=4))
    few = likes.keep(np.arange(likes.n_interactions) % 5 == 0)
    shown = model.with_history(few)
    assert shown.history is few
    np.testing.assert_array_equal(
        shown.scores(EVERYTHING, EVERYTHING), model.scores(EVERYTHING, EVERYTHING)
    )
    user = likes.users.id_of(0)
    assert len(recommend(shown, user, k=40)) == 40 - few.user_counts[0]
    with pytest.raises(DataError, match=r"model's 30 users expected"):
        model.with_history(tiny_likes(31, 40))


def test_nothing_at_all():
    model = fit_random(Interactions.from_columns([], []), RandomConfig())
    assert model.scores(EVERYTHING, EVERYTHING).shape == (0, 0)


def test_settings_go_there_and_back_as_plain_values():
    config = RandomConfig(seed=np.int64(9))
    assert config.to_settings() == {"model": "random", "seed": 9}
    assert RandomConfig.from_settings(json.loads(json.dumps(config.to_settings()))) == config
    with pytest.raises(SettingError, match=r"Unknown settings \['k'\]"):
        RandomConfig.from_settings({"model": "random", "k": 1})
    with pytest.raises(SettingError, match="model 'random' expected, not 'item-knn'"):
        RandomConfig.from_settings({"model": "item-knn"})


@pytest.mark.parametrize("seed", [-1, 0.5, "0", None, True])
def test_a_seed_that_is_none(seed):
    with pytest.raises(SettingError, match="seed must be a whole number of at least 0, not"):
        RandomConfig(seed=seed)


def test_a_seed_beyond_64_bits():
    with pytest.raises(SettingError, match=r"seed must be below 2\*\*64, not 18446744073709551616"):
        RandomConfig(seed=2**64)


def test_beside_an_item_stands_what_a_user_of_its_row_gets():
    likes = tiny_likes(40, 40)
    model = fit_random(likes, RandomConfig(seed=2))
    whole = model.scores(slice(None), slice(None))
    np.testing.assert_array_equal(model.item_scores(slice(None), slice(None)), whole)
    few = fit_random(tiny_likes(3, 40), RandomConfig(seed=2))  # more items than users
    np.testing.assert_array_equal(
        few.item_scores(np.array([39, 4]), slice(3, 9)), whole[[39, 4], 3:9]
    )


def test_a_matrix_is_not_interactions():
    with pytest.raises(DataError, match="Interactions expected, not a SciPy csr_array"):
        fit_random(tiny_likes().user_items, RandomConfig())
    assert repr(fit_random(tiny_likes(), RandomConfig(seed=2))) == (
        "RandomModel(seed 2: 30 users, 40 items)"
    )
