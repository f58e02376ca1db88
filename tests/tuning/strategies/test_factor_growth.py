"""Search by growth: each round by hand, its end, and that it goes on from a ledger alone."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from alsolike import ItemKNNConfig
from alsolike.data.splitting.splitters import hold_out
from alsolike.engines.local import LocalEngine
from alsolike.errors import SettingError
from alsolike.models.als.config import ALSConfig
from alsolike.progress import Observer
from alsolike.testing import tiny_likes
from alsolike.tuning.search import search
from alsolike.tuning.storage.ledger import Ledger
from alsolike.tuning.strategies.base import TrialResult
from alsolike.tuning.strategies.by_name import strategy_of
from alsolike.tuning.strategies.factor_growth import FactorGrowth
from alsolike.tuning.strategies.search_space import expand

SWEEPS = (1, 2, 3)
BASE = ALSConfig(factors=8, unobserved_weight=0.1, seed=3)
LAMBDAS = (0.001, 0.003, 0.01, 0.03, 0.1)
CONFIGS = expand({"regularization": LAMBDAS}, BASE)

Score = Callable[[ALSConfig], float | None]
Found = list[list[TrialResult]]


def played(growth: FactorGrowth, score: Score) -> Found:
    """Let a search propose until it ends, with made-up scores."""
    rounds: Found = []
    while trials := growth.propose(rounds, SWEEPS):
        assert {one.sweeps for one in trials} == {SWEEPS[-1]}
        found = [(one, score(one.config)) for one in trials]
        rounds.append([TrialResult(one, {} if at is None else {2: at}) for one, at in found])
        assert len(rounds) < 20
    return rounds


def settings(rounds: Found) -> list[list[tuple[int, float]]]:
    return [
        [(one.trial.config.factors, one.trial.config.regularization) for one in each]
        for each in rounds
    ]


def rising(config: ALSConfig) -> float:
    """More factors are better, and then the larger lambda."""
    return config.factors + config.regularization


def test_each_round_doubles_the_best_of_the_last_and_one_less() -> None:
    rounds = played(FactorGrowth(CONFIGS, most=128, kept=4), rising)
    assert settings(rounds) == [
        [(8, one) for one in LAMBDAS],
        [(16, 0.1), (16, 0.03), (16, 0.01), (16, 0.003)],
        [(32, 0.1), (32, 0.03), (32, 0.01)],
        [(64, 0.1), (64, 0.03)],
        [(128, 0.1), (128, 0.03)],
    ]
    alone = played(FactorGrowth(CONFIGS, most=40), rising)
    assert settings(alone)[1:] == [[(16, 0.1)], [(32, 0.1)]]


def test_the_best_of_each_round_brings_its_neighbours() -> None:
    around = [{"regularization": 3.0}, {"regularization": 1 / 3}, {"unobserved_weight": 3.0}]
    growth = FactorGrowth(CONFIGS[1:2], most=32, neighbours=around)
    rounds = played(growth, lambda config: config.factors - abs(config.regularization - 0.001))
    assert settings(rounds) == [
        [(8, 0.003)],
        [(16, 0.003), (16, 0.009), (16, 0.001), (16, 0.003)],
        [(32, 0.001), (32, 0.003), (32, 0.000333333), (32, 0.001)],
    ]
    weights = [[one.trial.config.unobserved_weight for one in each] for each in rounds[1:]]
    assert weights == [[0.1, 0.1, 0.1, 0.3]] * 2


def test_a_neighbour_that_was_kept_is_tried_once() -> None:
    growth = FactorGrowth(CONFIGS[:2], most=16, kept=2, neighbours=[{"regularization": 3.0}])
    rounds = played(growth, lambda config: -config.regularization)
    assert settings(rounds)[1] == [(16, 0.001), (16, 0.003)]


def test_it_ends_after_two_rounds_without_gain() -> None:
    by_factors = {8: 0.1, 16: 0.3, 32: 0.2, 64: 0.3, 128: 0.9}
    rounds = played(FactorGrowth(CONFIGS, most=1024), lambda one: by_factors[one.factors])
    assert [each[0].trial.config.factors for each in rounds] == [8, 16, 32, 64]
    by_factors[64] = 0.31  # the second round after the best gains: 32 was below by chance
    by_factors |= {256: 0.1, 512: 0.1}
    rounds = played(FactorGrowth(CONFIGS, most=1024), lambda one: by_factors[one.factors])
    assert [each[0].trial.config.factors for each in rounds] == [8, 16, 32, 64, 128, 256, 512]


def test_what_failed_is_not_grown() -> None:
    rounds = played(
        FactorGrowth(CONFIGS, most=16, kept=2),
        lambda one: None if one.regularization > 0.01 else rising(one),
    )
    assert settings(rounds)[1] == [(16, 0.01), (16, 0.003)]
    assert len(played(FactorGrowth(CONFIGS, most=64), lambda _: None)) == 1


@pytest.mark.parametrize("kept", [1, 4, 9])
@pytest.mark.parametrize("neighbours", [(), ({"regularization": 7.0}, {"alpha": 2.0})])
def test_what_is_expected_covers_all_rounds(kept: int, neighbours: Any) -> None:
    growth = FactorGrowth(CONFIGS, most=200, kept=kept, neighbours=neighbours)
    expected, rounds = growth.expected(SWEEPS), played(growth, rising)
    assert {one.sweeps for one in expected} == {SWEEPS[-1]}
    counts = [[one.config.factors for one in expected].count(8 * 2**at) for at in range(5)]
    assert len(rounds) == 5
    for count, each in zip(counts, rounds, strict=True):
        # Neighbours that are equal to a kept one are tried once.
        assert len(each) <= count <= len(each) + len(neighbours)
    alone = FactorGrowth(CONFIGS[:1], most=16, kept=kept, neighbours=neighbours)
    assert len(alone.expected(SWEEPS)) == 2 + len(neighbours)


@pytest.mark.parametrize(
    ("configs", "given", "message"),
    [
        (expand({"factors": [16, 8]}, BASE), {}, "was given 8, 16. Give one, or use --search doub"),
        ([ItemKNNConfig()], {}, "needs factors, and item-knn has none. Use grid, random or halv"),
        (CONFIGS, {"kept": 0}, "kept must be a whole number of at least 1"),
        (CONFIGS, {"patience": 0}, "patience must be a whole number of at least 1"),
    ],
)
def test_what_cannot_be_grown_is_refused(
    configs: list[Any], given: dict[str, int], message: str
) -> None:
    with pytest.raises(SettingError, match=message):
        FactorGrowth(configs, **given)


def test_by_name_it_takes_its_own_arguments() -> None:
    space = {"regularization": [0.01, 0.03]}
    grown = strategy_of("growth", space, BASE, patience=2, growth={"most": 32, "kept": 3})
    assert isinstance(grown, FactorGrowth)
    assert (grown.name, grown.most, grown.kept, grown.patience) == ("growth", 32, 3, 2)
    with pytest.raises(SettingError, match="trials does not apply to it"):
        strategy_of("growth", space, BASE, trials=3)


class Impatient(Observer):
    """Breaks a search off after so many scored points."""

    def __init__(self, points: int) -> None:
        self.left = points

    def advance(self, steps: int = 1) -> None:
        self.left -= steps
        if self.left <= 0:
            raise KeyboardInterrupt


def test_a_search_broken_off_goes_on_with_the_same_proposals() -> None:
    split = hold_out(tiny_likes(60, 40), k=2, share=0.3)
    configs = expand({"regularization": [0.01, 0.1]}, replace(BASE, factors=2))
    growth = FactorGrowth(configs, most=8, kept=2, neighbours=[{"unobserved_weight": 3.0}])
    how: dict[str, Any] = {"sweeps": (1, 2), "objective": "precision@5", "engine": LocalEngine(1)}
    whole = search(split, growth, **how)
    assert sorted(whole.leaderboard["factors"].tolist()) == [2, 2, 4, 4, 4, 8, 8, 8]
    with Ledger(None) as ledger:
        for points in (3, 3, 5):  # within each of the three rounds
            with pytest.raises(KeyboardInterrupt):
                search(split, growth, ledger=ledger, observer=Impatient(points), **how)
        resumed = search(split, growth, ledger=ledger, **how)
    for ours, theirs in ((resumed.leaderboard, whole.leaderboard), (resumed.curves, whole.curves)):
        assert list(ours.rows()) == list(theirs.rows())
    assert resumed.best == whole.best
