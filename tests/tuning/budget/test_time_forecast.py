"""What a search is said to take, and what still fits into its time; by clocks of our own."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from als_settings import classic
from alsolike.data.splitting.split import Split
from alsolike.data.splitting.splitters import hold_out
from alsolike.engines.base import Shape
from alsolike.engines.local import LocalEngine
from alsolike.errors import FitError
from alsolike.evaluation.learning_curve import Panel
from alsolike.evaluation.objectives.kinds import checked_objectives
from alsolike.evaluation.objectives.ranking import RankingObjective
from alsolike.kernels.compiler.cache import is_loaded
from alsolike.kernels.solver.batch import solve_small
from alsolike.kernels.solver.conjugate_gradient import solve_cg
from alsolike.kernels.solver.float64_rows import solve_hard
from alsolike.kernels.solver.single import solve_single
from alsolike.models.als.config import ALSConfig
from alsolike.models.baselines.popularity import PopularityConfig
from alsolike.models.linear.ease import EASEConfig
from alsolike.pipeline.outputs import seconds_of_a_figure, seconds_reserved
from alsolike.progress import Observer
from alsolike.testing import tiny_likes
from alsolike.tuning.budget import speed_estimate as pace_module
from alsolike.tuning.budget.budget import Budget, Deadline
from alsolike.tuning.budget.memory_forecast import MemoryForecast
from alsolike.tuning.budget.speed_estimate import SpeedEstimate, measure_speed
from alsolike.tuning.budget.time_forecast import TimeForecast, forecast_time
from alsolike.tuning.budget.warm_up import code_of, compile_for
from alsolike.tuning.candidate_families import lineup_for
from alsolike.tuning.execution.worker import Worker
from alsolike.tuning.plan import Plan
from alsolike.tuning.search import search
from alsolike.tuning.storage.ledger import Ledger
from alsolike.tuning.storage.worker_names import name_of
from alsolike.tuning.strategies.base import Trial
from alsolike.tuning.strategies.search_space import expand
from alsolike.tuning.strategies.successive_halving import Halving

SWEEPS = (2, 4, 8)
CONFIGS = expand({"factors": [2, 4, 8], "alpha": [1.0, 9.0]}, ALSConfig(seed=3, iterations=8))


@pytest.fixture(scope="module")
def split() -> Split:
    return hold_out(tiny_likes(120, 40), k=2, share=0.3)


@pytest.fixture(scope="module")
def plan(split: Split) -> Plan:
    return Plan(split, checked_objectives(split, RankingObjective(k=5), ()), SWEEPS)


class Ticking:
    """A clock on which each look takes so many seconds."""

    def __init__(self, tick: float = 1.0) -> None:
        self.now, self.tick = 0.0, tick

    def __call__(self) -> float:
        self.now += self.tick
        return self.now


class Heard(Observer):
    def __init__(self) -> None:
        self.findings: list[object] = []
        self.warnings: list[str] = []
        self.tasks: list[str] = []

    def start(self, task: str, total: int | None = None) -> None:
        self.tasks.append(task)

    def tell(self, finding: object) -> None:
        self.findings.append(finding)

    def warn(self, danger: str) -> None:
        self.warnings.append(danger)


def test_pace_is_a_line_through_logarithms() -> None:
    pace = SpeedEstimate({"als": {10: (1.0, 2.0, 4.0), 1000: (1.0, 200.0, 4.0)}}, {"ease": 7.0})
    middle = ALSConfig(factors=100)
    assert pace.until(middle, sweep=3, points=2) == pytest.approx(1 + 3 * 20 + 2 * 4)
    assert pace.whole(middle, (2, 4, 8)) == pytest.approx(1 + 8 * 20 + 3 * 4)
    assert pace.until(ALSConfig(factors=1), sweep=1, points=0) == pytest.approx(3)
    assert pace.whole(EASEConfig(), ()) == 7.0
    assert pace.whole(PopularityConfig(), ()) == 0.0
    assert SpeedEstimate().whole(middle, (2, 4)) == 0.0


def test_a_deadline_knows_what_fits() -> None:
    deadline = Deadline(100.0, clock=lambda: 90.0)
    assert deadline.allows(9.0)
    assert not deadline.allows(10.0)
    assert deadline.left == 10.0
    assert not deadline.is_over
    assert Deadline(100.0, clock=lambda: 100.0).is_over
    assert Deadline(100.0, clock=lambda: 101.0).left == 0.0
    assert Deadline().allows(1e12)
    assert not Deadline().is_over


def test_a_forecast_adds_up_what_was_measured(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a clock that ticks a second at each look, everything that is timed takes a second."""
    monkeypatch.setattr("alsolike.tuning.budget.speed_estimate._RECORDING", 0.0)
    monkeypatch.setattr(
        "alsolike.tuning.budget.speed_estimate._timed_on_a_part", lambda *_: {"popularity": 6.0}
    )
    trials = [Trial(config, 8) for config in CONFIGS]
    lines = [PopularityConfig()]
    found = forecast_time(plan, trials, lines, Shape(1, 1), clock=Ticking())
    assert found.speed.measured == {"als": dict.fromkeys((2, 4, 8), (1.0, 1.0, 1.0))}
    assert found.others == 6.0
    assert found.seconds == pytest.approx(6 + 6 * (1 + 8 + 3))
    assert found.trainings == 6
    assert str(found) == (
        "The search will take about 1 min 18 s: 6 trainings, including 6 s for other models."
    )
    monkeypatch.setattr(
        "alsolike.tuning.budget.speed_estimate.LocalEngine", lambda _: LocalEngine(1)
    )
    spread = forecast_time(plan, trials, lines, Shape(2, 1), clock=Ticking())
    assert spread.seconds == pytest.approx(6 + 6 * (1 + 8 + 3) / 2)
    fewer = forecast_time(plan, trials[:1], [], Shape(4, 1), clock=Ticking())
    assert fewer.seconds == pytest.approx(12)  # one training is not spread over four
    none = forecast_time(plan, [], lines, Shape(1, 1), clock=Ticking())
    assert none.seconds == 6.0


def test_the_longest_training_of_a_few_ends_the_search(
    plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = {"popularity": 1.0, "ease": 9.0}
    monkeypatch.setattr(
        "alsolike.tuning.budget.speed_estimate._timed_on_a_part", lambda *_: seconds
    )
    found = forecast_time(plan, [], [PopularityConfig(), EASEConfig()], Shape(2, 1))
    assert found.seconds == 9.0


def test_short_trainings_are_measured_more_than_once_for_a_short_time(
    plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[int] = []
    timed = pace_module._timed

    def one(plan: Plan, panel: Panel, config: ALSConfig, *rest: Any) -> Any:
        counted.append(config.factors)
        return timed(plan, panel, config, *rest)

    monkeypatch.setattr(pace_module, "_timed", one)
    monkeypatch.setattr(pace_module, "LocalEngine", lambda _: LocalEngine(1))
    measure_speed(plan, CONFIGS, Shape(2, 1), Ticking())  # each training takes seconds
    assert sorted(counted) == [2, 2, 4, 4, 8, 8]
    del counted[:]
    measure_speed(plan, CONFIGS, Shape(2, 1), Ticking(0.01))
    assert len(counted) > 6
    del counted[:]
    clock = Ticking(0.0)
    measure_speed(plan, CONFIGS, Shape(2, 1), clock)
    assert len(counted) == 6 * pace_module._MOST


def test_a_training_without_an_answer_does_not_stop_the_forecast(plan: Plan) -> None:
    hopeless = ALSConfig(factors=60, regularization=0.0, iterations=8)  # of 40 items
    found = forecast_time(plan, [Trial(hopeless, 8)], [], Shape(1, 1), clock=Ticking())
    assert (found.seconds, found.speed.measured) == (0.0, {})


def test_all_code_is_compiled_before_anything_is_timed(plan: Plan) -> None:
    train = plan.split.train
    code = code_of([classic(alpha=1e6), classic(solver="cg"), PopularityConfig()], train)
    assert code == {("als", ("exact", False, True, False)), ("als", ("cg", False, False, False))}
    assert code_of([classic(confidence="log")], train) == {("als", ("exact", True, False, False))}
    scaled = classic(confidence="scaled", alpha=0.1)
    assert code_of([scaled], train) == {("als", ("exact", False, True, False))}
    compile_for(plan.objectives, code)
    assert all(map(is_loaded, (solve_small, solve_single, solve_hard, solve_cg)))
    for kernel in (solve_small, solve_single, solve_hard):
        before = len(kernel.signatures)
        compile_for(plan.objectives, {("als", ("exact", True, True, False))})
        after = len(kernel.signatures)
        assert after > before or any("float64" in str(one[3]) for one in kernel.signatures)


def test_lines_are_tried_on_some_of_the_items(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = lineup_for(None, ["item-knn", "ease"], plan.split.train).baselines
    seen: list[int] = []
    fit = pace_module.fit

    def counted(train, config, *, engine):  # type: ignore[no-untyped-def]
        seen.append(train.n_items)
        return fit(train, config, engine=engine)

    monkeypatch.setattr(pace_module, "fit", counted)
    whole = measure_speed(plan, lines, Shape(1, 1)).at_end
    assert set(whole) == {"popularity", "item-knn", "ease"}
    assert all(seconds > 0 for seconds in whole.values())
    assert seen == [40, 40, 40]  # too few to leave any out
    monkeypatch.setattr(pace_module, "_FEWEST", 10)
    measure_speed(plan, lines, Shape(1, 1))
    assert seen[3:] == [20, 20, 20]


def worked(plan: Plan, deadline: Deadline, sweeps: int = 8) -> tuple[str, list[int]]:
    """Let one worker do one training; return how it ended and where it was scored."""
    with Ledger(None) as ledger:
        ledger.bind({})
        [entry] = ledger.enlist([ALSConfig(factors=4).to_settings()], sweeps=sweeps)
        Worker(name_of(), plan, ledger, LocalEngine(1), deadline).work([entry])
        return ledger.state(entry), list(ledger.points(entry))


PACE = SpeedEstimate({"als": {4: (1.0, 1.0, 1.0)}})


@pytest.mark.parametrize(
    ("left", "state", "points"),
    [
        (3.0, "skipped", []),  # the first point is there after 4 seconds
        (4.5, "skipped", [2, 4]),  # and the next one 3 later, the last one 5 after that
        (5.5, "done", [2, 4, 8]),
    ],
)
def test_a_training_is_not_begun_or_cut_where_it_would_not_fit(
    left: float, state: str, points: list[int], plan: Plan
) -> None:
    """The clock stands still, so that only what is to come counts."""
    assert worked(plan, Deadline(left, PACE, clock=lambda: 0.0)) == (state, points)


def test_time_that_is_up_ends_a_training_after_its_point(plan: Plan) -> None:
    times: Iterator[float] = iter([0.0, 0.0, 5.0])
    assert worked(plan, Deadline(4.0, clock=lambda: next(times, 5.0))) == ("skipped", [2])


def test_a_search_tells_minutes_and_memory_before_it_starts(split: Split) -> None:
    heard = Heard()
    lines = lineup_for(None, ["popularity"], split.train).baselines
    search(
        split,
        CONFIGS,
        sweeps=SWEEPS,
        objective="precision@5",
        baselines=lines,
        budget=Budget(forecast=True),
        observer=heard,
    )
    times, memory = heard.findings[:2]
    assert isinstance(times, TimeForecast)
    assert isinstance(memory, MemoryForecast)
    assert str(memory).startswith("memory of the search: peak of about ")
    assert heard.tasks[:2] == ["warming up", "baselines"]


def test_what_stands_in_the_ledger_is_not_forecast(split: Split, tmp_path: Path) -> None:
    lines = lineup_for(None, ["popularity"], split.train).baselines
    for told in (2, 0):
        heard = Heard()
        with Ledger(tmp_path / "l.sqlite") as ledger:
            search(
                split,
                CONFIGS[:2],
                sweeps=SWEEPS,
                objective="precision@5",
                ledger=ledger,
                baselines=lines,
                budget=Budget(forecast=True),
                observer=heard,
            )
        forecasts = [f for f in heard.findings if isinstance(f, TimeForecast | MemoryForecast)]
        assert len(forecasts) == told


def test_lines_to_beat_take_a_quarter_of_the_time_at_the_most(
    split: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = TimeForecast(60.0, 2, 40.0, SpeedEstimate({}, {"ease": 1000.0}))
    monkeypatch.setattr("alsolike.tuning.execution.rounds.forecast_time", lambda *_, **__: found)
    heard, lines = Heard(), lineup_for(None, ["ease"], split.train).baselines
    result = search(
        split,
        Halving(CONFIGS[:2]),
        sweeps=SWEEPS,
        objective="precision@5",
        baselines=lines,
        budget=Budget(
            seconds=4e9, afterwards=lambda fits: 60.0 + max(seconds for _, seconds in fits)
        ),
        observer=heard,
    )
    assert heard.warnings == []
    assert result.skipped == 0
    result = search(
        split,
        Halving(CONFIGS[:2]),
        sweeps=SWEEPS,
        objective="precision@5",
        baselines=lines,
        budget=Budget(seconds=160.0, afterwards=lambda _: 120.0),
        observer=heard,
    )
    assert (
        "No time for these baselines: ease. They are tried last, if time is left." in heard.warnings
    )
    assert result.skipped == len(lines) - 1  # all but popularity
    assert "popularity" in result.leaderboard["model"].tolist()
    # 40 seconds, or fewer on a machine that takes its time to make ready.
    left = r"Time budget: (3\d|40) s left, enough for about 0 of 2 trainings\."
    assert any(re.fullmatch(left, one) for one in heard.warnings)


def test_where_there_is_time_for_nothing_one_training_is_begun(split: Split) -> None:
    result = search(
        split,
        CONFIGS,
        sweeps=SWEEPS,
        objective="precision@5",
        budget=Budget(seconds=60.0, afterwards=lambda _: 3600.0),
    )
    assert result.skipped == len(CONFIGS) - (result.leaderboard["state"][0] == "done")
    assert len(result.leaderboard) == 1
    with pytest.raises(FitError, match="Out of time"):
        search(split, CONFIGS, sweeps=SWEEPS, objective="precision@5", budget=-1.0)


def test_what_comes_after_a_search() -> None:
    usual = {"runs": 10, "points": 80, "scores": 10**6, "model": 1e6}
    small = seconds_reserved(0.1, **usual)  # type: ignore[arg-type]
    assert 1 < small < 2
    assert seconds_reserved(1.0, **usual) == pytest.approx(10 * small)  # type: ignore[arg-type]
    for name, value in usual.items():
        more = usual | {name: 10 * value}
        assert seconds_reserved(0.1, **more) > small  # type: ignore[arg-type]


def test_two_fits_of_the_longest_training_that_may_be_begun_are_kept_free(
    split: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    pace = SpeedEstimate(
        {"als": {2: (1.0, 1.0, 1.0), 8: (2.0, 2.0, 1.0)}}, {"ease": 20.0, "item-knn": 1.0}
    )
    found = TimeForecast(60.0, 2, 0.0, pace)
    monkeypatch.setattr("alsolike.tuning.execution.rounds.forecast_time", lambda *_, **__: found)
    fits: list[float] = []

    def afterwards(of: Sequence[tuple[object, float]]) -> float:
        fits.append(max(seconds for _, seconds in of))
        return 0.0

    for seconds in (1000.0, 60.0):  # a quarter of which is too little for EASE
        search(
            split,
            CONFIGS,
            sweeps=SWEEPS,
            objective="precision@5",
            candidates=lineup_for(["item-knn", "ease"], None, split.train).candidates,
            budget=Budget(seconds=seconds, afterwards=afterwards),
        )
    assert fits == [20.0, pytest.approx(2 + 8 * 2)]


def test_the_second_figure_is_timed() -> None:
    assert seconds_of_a_figure(Ticking()) == 1.0
