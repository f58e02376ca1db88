"""The test that may be looked at after every vote: its errors, its ends, what it says."""

import math

import numpy as np
import pytest

from alsolike.errors import SettingError
from alsolike.evaluation.statistics.sequential_test import SequentialTest


def test_looking_after_every_vote_is_wrong_less_often_than_alpha():
    rng, wrong, runs = np.random.default_rng(0), 0, 400
    for _ in range(runs):
        wins = np.cumsum(rng.random(400) < 0.5)
        wrong += any(
            SequentialTest(int(won), votes - int(won)).e_value >= 20
            for votes, won in enumerate(wins.tolist(), start=1)
        )
    assert wrong / runs <= 0.05


def test_a_true_share_stays_within_the_interval_at_all_times():
    rng, missed, runs = np.random.default_rng(1), 0, 150
    for _ in range(runs):
        wins = np.cumsum(rng.random(200) < 0.7)
        intervals = [
            SequentialTest(int(won), votes - int(won)).interval
            for votes, won in enumerate(wins.tolist(), start=1)
        ][::10]
        missed += not all(low <= 0.7 <= high for low, high in intervals)
    assert missed / runs <= 0.05


def test_the_evidence_is_the_ratio_of_likelihoods():
    wins, losses, prior = 7, 3, 5

    def beta(a, b):
        return math.gamma(a) * math.gamma(b) / math.gamma(a + b)

    expected = beta(prior + wins, prior + losses) / beta(prior, prior) / 0.5 ** (wins + losses)
    assert SequentialTest(wins, losses).e_value == pytest.approx(expected)


def test_verdicts():
    assert SequentialTest(0, 0).verdict == "not yet"
    assert SequentialTest(0, 0).interval == (0.0, 1.0)
    assert SequentialTest(60, 20).verdict == "difference"
    assert SequentialTest(20, 60).verdict == "difference"
    assert SequentialTest(2500, 2500).verdict == "no difference"
    assert SequentialTest(10**6, 10**6 // 2).interval[0] > 0.6
    low, high = SequentialTest(30, 10).interval
    assert SequentialTest(10, 30).interval == pytest.approx((1 - high, 1 - low))


@pytest.mark.parametrize(
    "given", [{"wins": -1}, {"losses": 1.5}, {"alpha": 0}, {"alpha": 1}, {"margin": 0.6}]
)
def test_settings_out_of_range_are_refused(given):
    with pytest.raises(SettingError):
        SequentialTest(**{"wins": 1, "losses": 1} | given)
