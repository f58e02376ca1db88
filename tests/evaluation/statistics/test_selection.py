import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_limits

from alsolike.errors import DataError, SettingError
from alsolike.evaluation.statistics.exact_sums import ExactValues
from alsolike.evaluation.statistics.intervals import ProportionTest, two_proportions
from alsolike.evaluation.statistics.selection import (
    cheapest_of,
    compare_with_best,
    describe_difference,
    optimism,
)


def _rng(seed=0):
    return np.random.default_rng(seed)


def _arrays(found):
    return found.means, found.differences, found.low, found.high, found.p_values, found.ties


def _sparse(rng, m, n, correlation):
    """Return values of 0, 0.2 and 0.4, mostly 0, that candidates have largely in common."""
    own, common = rng.binomial(2, 0.05, (m, n)) / 5, rng.binomial(2, 0.05, n) / 5
    return np.where(rng.random((m, n)) < correlation, common, own)


def _holds(make, truth, *, times=100, level=0.9, seed=1):
    """Return how often all bests tie, how often all intervals hold, and the ties on average."""
    rng, truth = _rng(seed), np.asarray(truth)
    is_best, shortfall = truth == truth.max(), truth - truth.max()
    bests = intervals = ties = 0
    for _ in range(times):
        found = compare_with_best(make(rng), rng, resamples=199, level=level)
        bests += found.ties[is_best].all()
        intervals += bool(((found.low <= shortfall) & (shortfall <= found.high)).all())
        ties += found.ties.sum()
    return bests / times, intervals / times, ties / times


# 100 times at 0.9: a share below 0.8 comes once in a thousand.
@pytest.mark.parametrize(
    ("make", "m"),
    [
        pytest.param(lambda rng: rng.normal(size=(20, 200)), 20, id="normal"),
        pytest.param(lambda rng: rng.normal(size=(8, 10)), 8, id="ten users"),
        pytest.param(lambda rng: rng.exponential(size=(10, 60)), 10, id="skewed"),
        pytest.param(lambda rng: _sparse(rng, 20, 300, 0.0), 20, id="sparse"),
        pytest.param(lambda rng: _sparse(rng, 20, 300, 0.95), 20, id="sparse, nearly copies"),
        pytest.param(
            lambda rng: rng.normal(size=(10, 100)) * np.repeat([[0.1], [3.0]], 5, axis=0),
            10,
            id="unequal spread",
        ),
    ],
)
def test_of_equal_candidates_none_is_told_apart_more_often_than_promised(make, m):
    bests, intervals, ties = _holds(make, np.zeros(m))
    assert bests >= 0.8
    assert intervals >= 0.8
    assert ties >= 0.95 * m


def test_a_naive_test_against_the_best_would_not_hold():
    rng, wrong = _rng(3), 0
    for _ in range(50):
        values = rng.normal(size=(20, 200))
        differences = values[values.mean(axis=1).argmax()] - values
        scores = differences.mean(axis=1) / np.maximum(differences.std(axis=1), 1e-9)
        wrong += (scores * math.sqrt(200) > 1.96).any()
    assert wrong >= 40


def test_clear_losers_are_told_apart_and_those_that_tie_are_not():
    truth = np.r_[np.zeros(5), np.full(15, -0.5)]
    bests, intervals, ties = _holds(lambda rng: rng.normal(size=(20, 300)) + truth[:, None], truth)
    assert bests >= 0.8
    assert intervals >= 0.8
    assert 4.8 <= ties <= 5.05


@pytest.mark.parametrize("n", [20, 100])
def test_intervals_hold_where_candidates_lie_far_apart(n):
    truth = -3.0 * np.arange(12)
    bests, intervals, _ = _holds(lambda rng: rng.normal(size=(12, n)) + truth[:, None], truth)
    assert bests == 1.0
    assert intervals >= 0.8


def _literal_p_values(values):
    """Enumerate all tosses; step down from the candidate that is beaten most."""
    n = values.shape[1]
    differences = values[None] - values[:, None]
    spread = np.sqrt((differences**2).sum(axis=2))
    spread[spread == 0] = np.inf
    tosses = np.array(list(itertools.product([1, -1], repeat=n)))
    beaten = np.array([((differences * toss).sum(axis=2) / spread).max(axis=1) for toss in tosses])
    seen = beaten[0]
    p_values, reached, left = np.empty(len(values)), 0.0, list(range(len(values)))
    for worst in np.argsort(-seen):
        share = (beaten[:, left].max(axis=1) >= seen[worst] - 1e-9).mean()
        p_values[worst] = reached = max(reached, share)
        left.remove(worst)
    return p_values


def test_p_values_equal_the_literal_enumeration():
    values = _rng(2).normal(size=(5, 9)) + np.array([1.2, 0.8, 0.0, -0.3, 0.8])[:, None]
    values[4] = values[1]
    found = compare_with_best(values, _rng(), resamples=20_000)
    expected = _literal_p_values(values)
    assert 0.0 < expected.min() < 0.06
    assert 0.2 < expected[1] < 0.8
    np.testing.assert_allclose(found.p_values, expected, atol=0.012)
    assert found.p_values[4] == found.p_values[1]


def test_sums_that_tie_but_for_rounding_count_as_ties():
    for seed in range(12):
        values = _rng(seed).integers(0, 8, (2, 8)) / 10 + np.array([[0.2], [0.0]])
        found = compare_with_best(values, _rng(), resamples=5000)
        np.testing.assert_allclose(found.p_values, _literal_p_values(values), atol=0.025)
        found = compare_with_best(values, _rng(), resamples=199)
        assert (found.high[found.ties] == 0).all()


def test_who_is_beaten_by_less_has_no_smaller_p_value():
    for seed in range(60):
        values = _rng(seed).normal(size=(4, 30)) * np.array([[1.0], [1.0], [0.1], [5.0]])
        found = compare_with_best(values, _rng(), resamples=199)
        differences = values[None] - values[:, None]
        spread = np.sqrt((differences**2).sum(axis=2)) + np.eye(4)
        seen = (differences.sum(axis=2) / spread).max(axis=1)
        assert (np.diff(found.p_values[np.argsort(-seen)]) >= 0).all()


def test_ties_end_where_the_p_value_reaches_the_level():
    at_the_border = 0
    for seed in range(60):
        values = _rng(seed).integers(0, 3, (2, 20)) / 5 + np.array([[0.13], [0.0]])
        found = compare_with_best(values, _rng(seed), resamples=39)
        assert found.ties.tolist() == (found.p_values > 0.05 + 1e-9).tolist()
        assert (found.high[found.ties] == 0).all()
        at_the_border += (np.abs(found.p_values - 0.0625) < 0.013).any()
    assert at_the_border >= 5


def test_two_candidates_have_the_interval_of_students_t():
    values = _rng(5).normal(size=(2, 400)) + np.array([[0.5], [0.0]])
    found = compare_with_best(values, _rng(), resamples=20_000)
    differences = values[1] - values[0]
    error = differences.std(ddof=1) / 20
    assert found.best == 0
    assert found.differences[1] == pytest.approx(differences.mean(), rel=1e-11)
    assert found.low[1] == pytest.approx(differences.mean() - 1.966 * error, abs=0.1 * error)
    assert found.high[1] == pytest.approx(differences.mean() + 1.966 * error, abs=0.1 * error)
    assert found.ties.tolist() == [True, False]
    assert found.low[0] == found.high[0] == 0


@given(st.integers(1, 6), st.integers(1, 12), st.integers(0, 1000))
@settings(max_examples=60, deadline=None)
def test_what_is_found_agrees_with_itself(m, n, seed):
    rng = _rng(seed)
    values = rng.integers(0, 3, (m, n)) / 5
    found = compare_with_best(values, rng, resamples=99)
    assert not any(np.isnan(array).any() for array in _arrays(found))
    assert found.best == int(np.rint(5 * values).sum(axis=1).argmax())
    assert found.p_values[found.best] == 1.0
    assert found.ties[found.best]
    np.testing.assert_array_equal(found.ties, found.p_values > 0.05)
    assert (found.low <= found.differences).all()
    assert (found.differences <= found.high).all()
    assert (found.high <= 0).all()
    assert (found.high[found.ties] == 0).all()
    assert (found.differences[found.means == found.means[found.best]] == 0).all()


def test_copies_of_the_best_tie_surely_and_copies_of_others_get_the_same():
    values = _sparse(_rng(4), 6, 400, 0.5)
    values[2] = values[:, np.arange(400)].mean(axis=0) + 0.1
    values[5], values[4] = values[2], values[0]
    found = compare_with_best(values, _rng(), resamples=999)
    assert found.best == 2
    assert found.p_values[5] == found.p_values[2] == 1.0
    assert found.ties.tolist() == [False, False, True, False, False, True]
    for array in _arrays(found):
        assert array[5] == array[2]
        assert array[4] == array[0]


def test_what_differs_by_rounding_alone_is_equal():
    hits = _rng().integers(0, 4, 600)
    values = np.array([hits * 0.1, hits / 10, (hits * 0.1)[::-1], hits * 0.1 + 1e-16])
    found = compare_with_best(values, _rng(), resamples=99)
    assert found.best == 0
    assert found.differences.tolist() == [0.0] * 4
    assert found.p_values.tolist() == [1.0] * 4


def test_copies_but_for_rounding_have_no_interval():
    hits, noise = _rng().integers(0, 4, 600), _rng(1).uniform(-5e-14, 5e-14, 600)
    found = compare_with_best([hits * 0.1, hits / 10, hits * 0.1 + noise], _rng(), resamples=99)
    assert not found.low.any()


def test_a_difference_without_spread_counts_by_how_many_users_have_it():
    few, many = (compare_with_best([[0.4] * n, [0.2] * n], _rng(), resamples=9999) for n in (4, 40))
    assert few.ties.tolist() == [True, True]
    assert few.p_values[1] == pytest.approx(2 / 16, abs=0.02)
    assert few.low.tolist() == [-math.inf, -math.inf]
    assert many.ties.tolist() == [True, False]
    assert many.p_values[1] == 1 / 10_000
    assert many.low[1] == pytest.approx(-0.2)
    assert many.high[1] == pytest.approx(-0.2)


def test_three_users_that_differ_are_too_few():
    values = np.zeros((2, 3000))
    values[0, :3] = 0.4
    found = compare_with_best(values, _rng(), resamples=999)
    assert found.p_values[1] == pytest.approx(1 / 4, abs=0.05)
    assert found.ties.all()
    assert np.isfinite(found.low).all()


@pytest.mark.parametrize("m", [1, 2, 7])
def test_of_one_user_nothing_is_known(m):
    found = compare_with_best(np.arange(m)[:, None], _rng(), resamples=99)
    assert found.best == m - 1
    assert found.ties.all()
    assert (found.low == (-math.inf if m > 1 else 0)).all()
    assert "unknown" in str(found) or m == 1
    picked = optimism(np.arange(m)[:, None], _rng(), resamples=10)
    assert (picked.amount, picked.corrected.low, picked.corrected.high) == (0.0, m - 1, m - 1)


@pytest.mark.parametrize("values", [[[0.2, 0.0, 0.4]], np.zeros((4, 30)), np.full((3, 7), -2.5)])
def test_one_candidate_or_all_equal(values):
    found = compare_with_best(values, _rng(), resamples=99)
    assert found.best == 0
    assert found.ties.all()
    assert (found.p_values == 1).all()
    assert not found.low.any()
    assert not found.high.any()
    assert optimism(values, _rng(), resamples=50).amount == 0.0


@pytest.mark.parametrize("scale", [1e-300, 1e-9, 1e9, 1e290])
def test_the_unit_of_the_values_does_not_matter(scale):
    values = _sparse(_rng(7), 4, 100, 0.3)
    plain = compare_with_best(values, _rng(), resamples=199)
    scaled = compare_with_best(values * scale, _rng(), resamples=199)
    np.testing.assert_array_equal(scaled.p_values, plain.p_values)
    np.testing.assert_allclose(scaled.low, plain.low * scale, rtol=1e-9)


def test_the_same_seed_gives_the_same_bytes_whatever_the_threads():
    values = _rng(1).random((30, 5000))
    found = []
    for threads in (1, 2):
        with threadpool_limits(threads, user_api="blas"):
            compared = compare_with_best(values, _rng(3), resamples=300)
            picked = optimism(values, _rng(3), resamples=50)
            found.append((b"".join(array.tobytes() for array in _arrays(compared)), picked))
    assert found[0] == found[1]
    other = compare_with_best(values, _rng(4), resamples=300)
    assert other.p_values.tobytes() != compared.p_values.tobytes()


def test_sums_are_exact_in_whatever_blocks():
    values = _rng().random((3, 1000))
    values[2] = values[0, ::-1]
    plain = ExactValues(values)
    assert plain.sums[0] == plain.sums[2]
    totals = [block.sum(axis=2) for block in plain.split(_rng(), 20, 3)]
    assert (np.concatenate(totals, axis=1) == plain.sums[:, None]).all()
    small = ExactValues(values, block=104)
    for one, other in zip(small.split(_rng(1), 5, 3), small.split(_rng(1), 5, 3), strict=True):
        np.testing.assert_array_equal(one, other)
    ones = ExactValues(np.ones((2, 1000)), block=104)
    for which, sums, tosses in ones.signed(_rng(), 300):
        np.testing.assert_array_equal(ones.scaled(sums), np.stack([tosses, tosses]))
        assert abs(tosses.mean()) < 10
        assert tosses.std() == pytest.approx(math.sqrt(1000), rel=0.3)
        assert which.stop - which.start == len(tosses)


def test_a_comparison_in_words_and_as_a_table():
    values = np.array([[0.2, 0.4] * 50, [0.4, 0.4] * 50, [0.0, 0.0] * 50])
    found = compare_with_best(values, _rng(), resamples=199)
    assert str(found) == (
        "1 of 3 candidates, including the best (0.4000), do not differ significantly from it "
        "at 95 %; picking it loses at most 0.0000."
    )
    table = found.table(["a", "b", "c"])
    assert table["candidate"].tolist() == ["a", "b", "c"]
    assert table["ties"].tolist() == [False, True, False]
    assert found.table()["candidate"].tolist() == [0, 1, 2]
    with pytest.raises(SettingError, match="2 names for 3"):
        found.table(["a", "b"])


@pytest.mark.parametrize(
    "values", [[], [1.0, 2.0], [[]], [[1.0, np.nan]], [[np.inf]], [[-1e305]], [[[1.0]]]]
)
def test_values_that_are_none(values):
    for find in (compare_with_best, optimism):
        with pytest.raises(DataError):
            find(values, _rng())


def test_where_a_value_is_missing_is_said():
    values = np.zeros((3, 4))
    values[1, 2] = np.nan
    with pytest.raises(DataError, match="candidate 1 has nan for user 2"):
        compare_with_best(values, _rng())


def test_settings_out_of_range():
    for options in ({"level": 0.0}, {"level": 1.0}, {"resamples": 0}):
        for find in (compare_with_best, optimism):
            with pytest.raises(SettingError):
                find([[1.0, 2.0]], _rng(), **options)
    with pytest.raises(SettingError, match="at least 19 are needed"):
        compare_with_best([[1.0, 2.0]], _rng(), resamples=18)
    compare_with_best([[1.0, 2.0]], _rng(), resamples=19)
    with pytest.raises(SettingError, match="at least 9 are needed"):
        compare_with_best([[1.0, 2.0]], _rng(), resamples=8, level=0.9)
    compare_with_best([[1.0, 2.0]], _rng(), resamples=9, level=0.9)


def _off(make, truth, times, seed=2):
    """Return mean error of the score and of the corrected one, and how often that one holds."""
    rng, raw, corrected, holds = _rng(seed), [], [], 0
    for _ in range(times):
        found = optimism(make(rng), rng, resamples=60)
        raw.append(found.score - truth[found.best])
        corrected.append(found.corrected.mean - truth[found.best])
        holds += found.corrected.low <= truth[found.best] <= found.corrected.high
    return np.mean(raw), np.mean(corrected), holds / times


@pytest.mark.parametrize("spread", [0.0, 1.0])
def test_the_best_of_a_hundred_is_corrected_to_what_it_is_worth(spread):
    error = 1 / math.sqrt(200)
    truth = spread * error * _rng(9).normal(size=100)
    raw, corrected, holds = _off(
        lambda rng: rng.normal(size=(100, 200)) + truth[:, None], truth, times=100
    )
    assert raw > 1.5 * error
    assert abs(corrected) < 0.45 * error
    assert holds >= 0.78


def test_the_best_of_a_hundred_equal_ones_with_few_hits():
    raw, corrected, holds = _off(
        lambda rng: rng.binomial(5, 0.05, (100, 300)) / 5, np.full(100, 0.05), times=100
    )
    error = math.sqrt(0.05 * 0.95 / 5 / 300)
    assert raw > 2 * error
    assert abs(corrected) < 0.4 * error
    assert holds >= 0.85


def test_a_clear_winner_and_a_single_candidate_do_not_flatter_themselves():
    values = _rng(1).normal(size=(50, 300))
    values[7] += 1.0
    found = optimism(values, _rng(), resamples=200)
    assert (found.best, found.candidates, found.amount) == (7, 50, 0.0)
    assert optimism(values[:1], _rng(), resamples=200).amount == 0.0
    assert optimism(_rng(2).normal(size=(50, 300)), _rng(), resamples=200).amount > 0


def test_the_cheapest_of_those_that_tie():
    costs = [(40, 2.0), (10, 9.0), (10, 3.0), (10, 3.0), (1, 1.0)]
    assert cheapest_of(costs, np.array([True, True, True, True, False])) == 2
    assert cheapest_of(costs, [True, False, False, False, False]) == 0
    for ties in ([False] * 5, [True] * 4, [1] * 5):
        with pytest.raises(SettingError, match="5 candidates"):
            cheapest_of(costs, ties)
    with pytest.raises(SettingError, match="candidate 1"):
        cheapest_of([(1.0,), (math.nan,)], [True, True])
    with pytest.raises(SettingError, match="candidate 1"):
        cheapest_of([(1.0,), (1.0, 2.0)], [True, True])
    with pytest.raises(SettingError):
        cheapest_of([], [])


def test_the_articles_figures_come_out_as_no_difference():
    sentence = describe_difference(two_proportions(727, 15_270, 730, 15_270))
    assert sentence == (
        "No significant difference: -0.00020 (95 % interval -0.00498 to 0.00459; p = 0.94)."
    )
    assert "No significant" in describe_difference(two_proportions(727, 15_270, 704, 15_270))
    assert "Significant" in describe_difference(two_proportions(727, 15_270, 520, 15_270))
    assert "99 %" in describe_difference(two_proportions(1, 9, 2, 9, level=0.99), 0.99)
    assert "No significant difference: 0.0000 (" in describe_difference(two_proportions(0, 9, 0, 9))
    # Where the p-value and the interval do not agree, nothing is claimed.
    assert "No significant" in describe_difference(ProportionTest(0.1, -0.01, 0.21, 0.04))
    with pytest.raises(SettingError):
        describe_difference(ProportionTest(0.1, 0.0, 0.2, 0.04), 95)
