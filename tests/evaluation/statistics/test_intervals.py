import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from alsolike.errors import DataError, SettingError
from alsolike.evaluation.statistics.intervals import (
    Estimate,
    Resamples,
    bootstrap_mean,
    paired_difference,
    sign_flip_p_value,
    two_proportions,
)


def _rng(seed=0):
    return np.random.default_rng(seed)


def test_the_same_seed_gives_the_same_bytes_whatever_the_blocks():
    values = _rng().random(500)
    once = bootstrap_mean(values, _rng(3))
    assert Resamples(500, _rng(3), block=1700).mean(values) == once
    assert bootstrap_mean(values, _rng(3)) == once
    assert bootstrap_mean(values, _rng(4)) != once


def test_agrees_with_the_normal_interval_where_that_holds():
    values = _rng().normal(2.0, 1.0, 2000)
    estimate = bootstrap_mean(values, _rng(1), resamples=4000)
    error = values.std() / np.sqrt(len(values))
    assert estimate.mean == pytest.approx(values.mean(), rel=1e-15)
    assert estimate.low == pytest.approx(values.mean() - 1.96 * error, abs=0.1 * error)
    assert estimate.high == pytest.approx(values.mean() + 1.96 * error, abs=0.1 * error)


def test_it_covers_the_truth_about_as_often_as_it_says():
    rng, inside = _rng(5), 0
    for _ in range(200):
        estimate = bootstrap_mean(rng.binomial(5, 0.1, 300) / 5, rng, resamples=300)
        inside += estimate.low <= 0.1 <= estimate.high
    assert 180 <= inside <= 198


@given(st.floats(-1e6, 1e6), st.integers(1, 50))
@settings(max_examples=30, deadline=None)
def test_equal_values_have_no_spread(value, n):
    assert bootstrap_mean([value] * n, _rng()) == Estimate(value, value, value, n)


@pytest.mark.parametrize("values", [[], [[1.0]], [1.0, np.nan], [np.inf]])
def test_values_that_are_none(values):
    with pytest.raises(DataError):
        bootstrap_mean(values, _rng())


def test_settings_out_of_range():
    for options in ({"resamples": 0}, {"level": 0.0}, {"level": 1.0}):
        with pytest.raises(SettingError):
            bootstrap_mean([1.0, 2.0], _rng(), **options)
    with pytest.raises(SettingError):
        sign_flip_p_value([1.0], [2.0], _rng(), resamples=0)
    for counts in ((1, 0, 1, 2), (3, 2, 1, 2), (-1, 2, 1, 2)):
        with pytest.raises(SettingError, match="not possible"):
            two_proportions(*counts)


def test_a_paired_difference_finds_what_two_intervals_cannot():
    hard = _rng().random(300)
    ours, theirs = hard + 0.02 + _rng(1).normal(0, 0.01, 300), hard
    both = [bootstrap_mean(values, _rng(2)) for values in (ours, theirs)]
    assert both[1].high > both[0].low
    assert paired_difference(ours, theirs, _rng(2)).low > 0.015
    assert paired_difference(theirs, ours, _rng(2)).high < -0.015
    with pytest.raises(DataError, match="same users"):
        paired_difference([1.0, 2.0], [1.0], _rng())


def test_sign_flips_equal_the_exact_enumeration():
    a, b = np.array([0.5, 0.4, 0.9, 0.1, 0.7, 0.3]), np.array([0.4, 0.2, 0.5, 0.2, 0.2, 0.3])
    differences = a - b
    signs = np.array(list(itertools.product([1, -1], repeat=6)))
    exact = (np.abs(signs @ differences) >= abs(differences.sum()) - 1e-12).mean()
    assert sign_flip_p_value(a, b, _rng(), resamples=40_000) == pytest.approx(exact, abs=0.01)
    assert sign_flip_p_value(b, a, _rng()) == sign_flip_p_value(a, b, _rng())


def test_sign_flip_p_values_are_even_under_the_null_and_small_under_a_difference():
    rng = _rng(9)
    values = [
        sign_flip_p_value(rng.random(40), rng.random(40), rng, resamples=199) for _ in range(200)
    ]
    assert stats.kstest(values, "uniform").pvalue > 0.001
    assert sign_flip_p_value(rng.random(100) + 1, rng.random(100), rng) == 1 / 10_001
    assert sign_flip_p_value([1.0, 2.0], [1.0, 2.0], rng) == 1.0


def test_the_articles_figures_cannot_be_told_apart():
    als_warp = two_proportions(727, 15_270, 730, 15_270)
    assert als_warp.p_value == pytest.approx(0.936, abs=0.001)
    assert als_warp.low < 0 < als_warp.high
    assert als_warp.high - als_warp.low == pytest.approx(2 * 1.96 * 0.00244, rel=0.01)
    assert two_proportions(727, 15_270, 704, 15_270).p_value > 0.5
    assert two_proportions(727, 15_270, 520, 15_270).p_value < 1e-7


def test_two_proportions_agree_with_the_books():
    # Newcombe (1998), table II, comparison (a): 56/70 - 48/80, method 10.
    test = two_proportions(56, 70, 48, 80)
    assert (round(test.low, 4), round(test.high, 4)) == (0.0524, 0.3339)
    table = np.array([[56, 14], [48, 32]])
    assert test.p_value == pytest.approx(stats.chi2_contingency(table, correction=False).pvalue)
    nothing = two_proportions(0, 10, 0, 20)
    assert nothing.p_value == 1.0
    assert nothing.low < 0 < nothing.high
    assert two_proportions(48, 80, 56, 70).difference == -test.difference
