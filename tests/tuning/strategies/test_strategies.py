"""Ways to search: what each proposes, from nothing but the rounds before."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alsolike.errors import DataError, SettingError
from alsolike.models.als.config import ALSConfig
from alsolike.tuning.options import Searching, seconds_of
from alsolike.tuning.strategies.base import FixedList, Strategy, TrialResult, pruning_thresholds
from alsolike.tuning.strategies.by_name import strategy_of
from alsolike.tuning.strategies.search_space import Range, draw, drawn, expand, space_of
from alsolike.tuning.strategies.successive_halving import FactorDoubling, Halving
from alsolike.tuning.toml_config import read_recipe

SWEEPS = (2, 4, 6, 8, 10, 12, 14, 16)
BASE = ALSConfig(seed=3)
GRID = expand({"factors": [8, 16, 32], "alpha": [1.0, 2.0, 3.0]}, BASE)


def played(
    strategy: Strategy, score: Callable[[ALSConfig, int], float | None]
) -> list[list[TrialResult]]:
    """Let a strategy propose until it ends, with made-up scores."""
    rounds: list[list[TrialResult]] = []
    while trials := strategy.propose(rounds, SWEEPS):
        tried = []
        for trial in trials:
            points = {s: score(trial.config, s) for s in SWEEPS if s <= trial.sweeps}
            tried.append(TrialResult(trial, {s: v for s, v in points.items() if v is not None}))
        rounds.append(tried)
        assert len(rounds) < 100
    return rounds


def by_alpha(config: ALSConfig, sweep: int) -> float:
    return config.alpha + config.factors / 1000 + sweep / 10_000


def test_a_list_is_one_round_or_rounds_of_one_size() -> None:
    [whole] = played(FixedList(GRID), by_alpha)
    assert [one.trial.config for one in whole] == GRID
    assert {one.trial.sweeps for one in whole} == {16}
    assert [len(one) for one in played(FixedList(GRID, at_once=4), by_alpha)] == [4, 4, 1]


def test_halving_takes_the_best_third_on() -> None:
    halving = Halving(GRID)
    first, second = played(halving, by_alpha)
    assert halving.rungs(SWEEPS) == [4, 16]
    assert len(first) == 9
    assert {one.trial.sweeps for one in first} == {4}
    assert [(one.trial.config.alpha, one.trial.config.factors) for one in second] == [
        (3.0, 32),
        (3.0, 16),
        (3.0, 8),
    ]
    assert {one.trial.sweeps for one in second} == {16}
    many = Halving(expand({"alpha": list(range(1, 181))}, BASE))
    rounds = played(many, by_alpha)
    assert [len(one) for one in rounds] == [180, 60, 20]
    assert max(one.best for one in rounds[-1]) > 180
    assert sum(trial.sweeps for trial in many.expected(SWEEPS)) == sum(
        one.trial.sweeps for tried in rounds for one in tried
    )


def test_halving_goes_on_without_what_failed() -> None:
    rounds = played(Halving(GRID), lambda c, s: None if c.alpha == 3.0 else by_alpha(c, s))
    assert {one.trial.config.alpha for one in rounds[1]} == {2.0}
    nothing = played(Halving(GRID), lambda *_: None)
    assert len(nothing) == 1


def test_doubling_takes_settings_on_to_more_factors() -> None:
    rounds = played(FactorDoubling(GRID), by_alpha)
    proposed = [[(o.trial.config.factors, o.trial.config.alpha) for o in one] for one in rounds]
    assert proposed == [[(8, 1.0), (8, 2.0), (8, 3.0)], [(16, 3.0)], [(32, 3.0)]]
    with pytest.raises(SettingError, match="at least two numbers of factors"):
        FactorDoubling(expand({"alpha": [1, 2]}, BASE))


def test_what_is_proposed_depends_on_earlier_rounds_alone() -> None:
    space = {"factors": [8, 16], "alpha": Range(low=1, high=100, log=True)}
    for name in ("random", "tpe", "halving"):
        again = [played(strategy_of(name, space, BASE, trials=12), by_alpha) for _ in range(2)]
        first, second = ([one.trial for r in rounds for one in r] for rounds in again)
        assert first == second
        assert len({repr(one.config) for one in first}) == 12
        other = played(strategy_of(name, space, replace(BASE, seed=4), trials=12), by_alpha)
        assert [one.trial for r in other for one in r] != first


def test_tpe_tries_the_start_first_and_finds_what_is_good() -> None:
    space = {
        "alpha": Range(low=1, high=1000, log=True),
        "factors": Range(low=4, high=64, integer=True),
    }
    start = [replace(BASE, alpha=7.0, factors=9), replace(BASE, alpha=5000.0, factors=9)]

    def hill(config: ALSConfig, _: int) -> float:
        return -abs(np.log10(config.alpha) - 2) - abs(config.factors - 32) / 100

    rounds = played(strategy_of("tpe", space, BASE, trials=40, start=start), hill)
    tried = [one.trial.config for one_round in rounds for one in one_round]
    assert tried[:2] == start
    assert len(tried) == len(set(map(repr, tried))) == 40
    late = [abs(np.log10(config.alpha) - 2) for config in tried[-12:]]
    early = [abs(np.log10(config.alpha) - 2) for config in tried[2:14]]
    assert np.median(late) < np.median(early)


def test_tpe_ends_where_a_space_is_used_up() -> None:
    rounds = played(strategy_of("tpe", {"factors": [8, 16, 32]}, BASE, trials=9), by_alpha)
    assert sorted(one.trial.config.factors for r in rounds for one in r) == [8, 16, 32]


def test_draws_start_with_the_start_and_end_with_the_space() -> None:
    start = [replace(BASE, alpha=99.0)]
    found = drawn({"factors": [8, 16]}, BASE, 10, start=start)
    assert found[0] == start[0]
    assert sorted(config.factors for config in found[1:]) == [8, 16]


def test_bars_are_medians_of_earlier_rounds() -> None:
    assert pruning_thresholds([]) == {}
    rounds = played(FixedList(GRID[:3], at_once=2), by_alpha)
    assert pruning_thresholds(rounds)[2] == pytest.approx(by_alpha(GRID[1], 2))


@given(st.integers(0, 10**6), st.booleans(), st.booleans())
def test_draws_lie_in_their_range(seed: int, log: bool, integer: bool) -> None:
    within = Range(low=1, high=9, log=log, integer=integer)
    config = draw({"alpha": within}, BASE, np.random.default_rng(seed))
    assert 1 <= config.alpha <= 9
    assert not integer or isinstance(config.alpha, int)


def test_each_whole_number_comes() -> None:
    rng = np.random.default_rng(0)
    for log in (False, True):
        within = Range(low=1, high=4, integer=True, log=log)
        assert {within.draw(rng) for _ in range(300)} == {1, 2, 3, 4}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"alpha": {"low": 1}}, "alpha: a range needs high"),
        ({"alpha": {"low": 2, "high": 1}}, "low must be below high"),
        ({"alpha": {"low": 0, "high": 1, "log": True}}, "begins above 0"),
        ({"alpha": {"low": 0.5, "high": 4, "integer": True}}, "are integers"),
        ({"alpha": {"low": float("nan"), "high": 4}}, "finite numbers"),
        ({"alpha": {"low": 0, "high": 1, "log": "yes"}}, "log is true or false"),
        ({"alhpa": [1]}, "Did you mean alpha"),
        ({"alpha": []}, "needs a list of values"),
    ],
)
def test_spaces_that_cannot_be(given: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        space_of(given)


def test_a_grid_takes_no_range() -> None:
    with pytest.raises(SettingError, match="alpha is a range"):
        strategy_of("grid", {"alpha": Range(low=1, high=2)}, BASE)
    with pytest.raises(SettingError, match="There is no search 'hyper'"):
        strategy_of("hyper", {"alpha": [1]}, BASE)
    with pytest.raises(SettingError, match="trials does not apply to it"):
        strategy_of("grid", {"alpha": [1]}, BASE, trials=3)


RECIPE = """
search = "random"
trials = 4
sweeps = [2, 4]
budget = "1h30m"
baselines = ["item-knn"]

[space]
factors = [8, 16]
regularization = { low = 0.1, high = 100, log = true }

[settings]
confidence = "linear"

[[start]]
factors = 8
"""


def test_a_recipe_is_read(tmp_path: Path) -> None:
    path = tmp_path / "space.toml"
    path.write_text(RECIPE)
    found = read_recipe(path)
    assert found["space"]["regularization"] == Range(low=0.1, high=100, log=True)
    assert found["trials"] == 4
    assert found["start"] == [{"factors": 8}]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("serach = 'grid'", "unknown key 'serach'"),
        ("trials = 'many'", '"trials": a whole number expected, .many. found'),
        ("trials = true", '"trials": a whole number expected, True found'),
        ("[space]\nfactor = [8]", "Unknown setting 'factor'"),
        ("[space.alpha]\nlow = 1\nhihg = 2", "not 'hihg'"),
        ("[settings]\nalhpa = 1", "Did you mean alpha"),
        ("[[start]]\nalhpa = 1", "Did you mean alpha"),
        ("trials = = 3", "not a TOML file .*line 1"),
        ("\udcff", "not a TOML file"),
        ("trials = 3\ntrials = 4", "not a TOML file .*overwrite"),
        (f"trials = {'9' * 5000}", "not a TOML file .*digits"),
        (f"space = {'[' * 100_000}", "not a TOML file"),
        ("sweeps = [2, '4']", '"sweeps": a list of whole numbers expected'),
        ("start = [[1]]", '"start": tables of settings expected'),
        ("popularity_bias = []", ".popularity_bias.: auto or a number expected"),
        ("one_model = 1", ".one_model.: true or false expected"),
        ("budget = []", '"budget": a time such as 10m, or seconds expected'),
    ],
)
def test_recipes_that_cannot_be(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "space.toml"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises((SettingError, DataError), match=message) as caught:
        read_recipe(path)
    assert "space.toml" in str(caught.value)


def test_a_recipe_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        read_recipe(tmp_path / "nothing.toml")


@pytest.mark.parametrize("text", ["", "10 minutes", "-5m", "m", "1m1"])
def test_times_that_cannot_be(text: str) -> None:
    with pytest.raises(SettingError, match="A time such as"):
        seconds_of(text)


@pytest.mark.parametrize(
    "wrong", [{"workers": 0}, {"patience": 0}, {"choose": "worst"}, {"budget": 0.0}]
)
def test_ways_that_cannot_be(wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingError):
        Searching(**wrong)
