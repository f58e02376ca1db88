"""Runs the rounds of a search within its budget."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from alsolike.errors import DegenerateError, FitError
from alsolike.evaluation.objectives.base import as_gain
from alsolike.models.family import Family
from alsolike.models.registry import family_named, family_of
from alsolike.models.settings import Config, recorded_settings
from alsolike.progress import Observer
from alsolike.text import duration
from alsolike.tuning.budget.budget import Budget, Deadline
from alsolike.tuning.budget.memory_forecast import at_once, search_memory
from alsolike.tuning.budget.speed_estimate import SpeedEstimate
from alsolike.tuning.budget.time_forecast import TimeForecast, forecast_time
from alsolike.tuning.budget.warm_up import code_of
from alsolike.tuning.execution.combinations import (
    best_of_families,
    expected_combinations,
    memory_of_stage,
    name_of_stage,
    scored,
    seconds_of_stage,
)
from alsolike.tuning.execution.executors import Executor
from alsolike.tuning.execution.progress import ProgressReporter
from alsolike.tuning.leaderboard.leaderboard import SearchResult
from alsolike.tuning.leaderboard.ranking import ranked
from alsolike.tuning.leaderboard.runs import Role, rank_key, runs_of
from alsolike.tuning.plan import ONE_GO, Plan, ending_at, is_scored_at_sweeps, sweeps_of
from alsolike.tuning.storage.canonical import canonical_settings
from alsolike.tuning.storage.ledger import ENDED, Ledger
from alsolike.tuning.strategies.base import (
    FixedList,
    Strategy,
    Trial,
    TrialResult,
    pruning_thresholds,
)

# States that a resumed search does not change.
_FINAL = frozenset(ENDED) - {"skipped"}
# The share of the time for baselines and candidates of other families.
_FOR_OTHERS = 0.25
# A chosen configuration is fitted twice more, for test users and for the result.
_FITS = 3.0
# How much longer than estimated a single training may take.
_SLOWER = 3.0


@dataclass(frozen=True)
class Tasks:
    """Everything that a search trains.

    Parameters
    ----------
    strategy : Strategy
        May propose nothing if there are candidates.
    candidates, baselines : sequence of Config
        Further trainings that may be chosen, and that may not.
    combined : sequence of str
        Families that are tried last, made of the best of the others.
    """

    strategy: Strategy
    candidates: Sequence[Config] = ()
    baselines: Sequence[Config] = ()
    combined: Sequence[str] = ()


class SearchRun:
    """Runs the rounds of one search."""

    def __init__(self, plan: Plan, ledger: Ledger, tasks: Tasks, observer: Observer) -> None:
        self._plan, self._ledger, self._tasks = plan, ledger, tasks
        self._strategy, self._observer = tasks.strategy, observer
        self._deadline = Deadline()
        self._configs: dict[int, Config] = {}  # by entry, in the order of the proposals
        self._roles: dict[int, Role] = {}
        self._cut: list[int] = []
        self._for_combined = 0.0  # seconds that are kept free for combined families
        self._most = math.inf  # seconds that a training of a later round may take

    def expect(self, executor: Executor, budget: Budget, until: float | None) -> None:
        """Forecast the time of the remaining trainings, if any, and set the deadline."""
        self._deadline = Deadline(until)
        rows = self._ledger.to_table().rows()
        ended = {row["settings"] for row in rows if row["state"] in _FINAL}
        trials = self._strategy.expected(self._plan.sweeps)
        left = [one for one in trials if _name(one.config) not in ended]
        baselines, candidates = (
            [one for one in some if _name(one) not in ended]
            for some in (self._tasks.baselines, self._tasks.candidates)
        )
        others = [*baselines, *candidates]
        everything = [*others, *(one.config for one in left)]
        if not everything or self._deadline.is_over:
            return
        train = self._plan.split.train
        self._observer.start("warming up")
        executor.make_ready(code_of(everything, train))
        found = forecast_time(self._plan, left, others, executor.shape)
        self._observer.finish()
        last = self._combinations([*candidates, *(one.config for one in left)], found.speed)
        found = found.with_combined(seconds_of_stage(last, found.speed))
        if budget.forecast:
            self._observer.tell(found)
            if left or candidates:
                swept = [one for one in everything if is_scored_at_sweeps(one)]
                ending = [one for one in everything if not is_scored_at_sweeps(one)]
                most = at_once(train, ending, executor.shape.beside)
                most = max(most, memory_of_stage(last, self._plan.split, executor.shape.threads))
                self._observer.tell(search_memory(train, swept, executor.shape, baselines=most))
        if until is not None:
            self._keep_free(until, budget, found, left, candidates)

    def _keep_free(
        self,
        until: float,
        budget: Budget,
        found: TimeForecast,
        left: Sequence[Trial],
        candidates: Sequence[Config],
    ) -> None:
        """Set the deadline, with time reserved after the search; warn if too little is left."""
        self._deadline = Deadline(until, found.speed)
        most = (_FOR_OTHERS if left else 1.0) * self._deadline.left
        # No time is reserved for fitting candidates that will not be trained.
        dear = [one for one in candidates if self._needed(one) > most]
        self._most = _FOR_OTHERS * self._deadline.left
        first = {_name(one.config) for one in self._strategy.propose([], self._plan.sweeps)}
        trials = [one.config for one in left if _name(one.config) in first or self._is_fast(one)]
        may_win = [*trials, *(c for c in candidates if c not in dear)]
        may_win += self._combinations(may_win, found.speed)[:1]
        last = self._plan.sweeps[-1]
        fits = [(one, found.speed.until(one, sweep=last, points=0)) for one in may_win]
        after = budget.afterwards(fits)
        if found.combined <= _FOR_OTHERS * self._deadline.left:
            self._for_combined = found.combined
        self._deadline = Deadline(until - after - self._for_combined, found.speed)
        others = max(found.others - self._needed(*dear), 0.0)
        seconds = self._deadline.left
        of_trials = found.seconds - found.others - found.combined
        if seconds >= others + of_trials:
            return
        words = f"Time budget: {duration(seconds)} left"
        if left:
            count = len(left) * max(seconds - others, 0.0) / max(of_trials, 1e-9)
            words += f", enough for about {count:,.0f} of {len(left):,} trainings"
            if isinstance(self._strategy, FixedList):
                words += " (sampled evenly). Consider --search halving"
        self._observer.warn(f"{words}.")

    def go(self, executor: Executor) -> None:
        """Train baselines and candidates, then round after round, until done or out of time.

        Baselines come first, then candidates: their numbers in the ledger decide between equals.
        """
        self._train_others(executor)
        rounds: list[list[TrialResult]] = []
        while trials := self._affordable_trials(self._proposed(rounds), len(rounds)):
            thresholds = pruning_thresholds(rounds) if self._strategy.prune else {}
            entries = [self._enlist(one.config, "trial", one.sweeps, thresholds) for one in trials]
            again = f", round {len(rounds) + 1}" if rounds else ""
            self._run_round(executor, entries, f"{self._strategy.name} search{again}")
            rounds.append(
                [
                    self._trial_result(entry, trial)
                    for entry, trial in zip(entries, trials, strict=True)
                ]
            )
            states = [self._ledger.state(entry) for entry in entries]
            if self._deadline.is_over or set(states) == {"skipped"}:
                break
        self._train_cut(executor)
        self._train_one(executor)
        self._train_combined(executor)

    def _affordable_trials(self, trials: list[Trial], rounds: int) -> list[Trial]:
        """Return the trials for which there is time; those of the first round all are.

        Later rounds may grow without end: a training, its fits to the result and those beside items
        must fit into the budget, or none of them is begun.
        """
        if not rounds or not trials:
            return trials
        found = [one for one in trials if self._is_fast(one)]
        if not found:
            needed = duration(min(self._needed(one.config) for one in trials))
            self._observer.warn(
                f"No time for round {rounds + 1} of the search: a training takes {needed}."
            )
        return found

    def _is_fast(self, trial: Trial) -> bool:
        return self._needed(trial.config) <= self._most

    def _combinations(self, configs: Sequence[Config], speed: SpeedEstimate) -> list[Config]:
        """Return about what will be tried of combined families, beside these trainings."""
        if not self._may_combine:
            return []
        sweeps = self._plan.sweeps
        return expected_combinations(
            self._tasks.combined,
            [ending_at(one, sweeps[-1]) for one in configs],
            self._plan.data,
            lambda one: speed.whole(one, sweeps),
        )

    @property
    def _may_combine(self) -> bool:
        """Whether there are combined families, and lists that these may improve."""
        return bool(self._tasks.combined) and not self._plan.objectives[""].is_of_unseen_users

    def _train_combined(self, executor: Executor) -> None:
        """Train models made of the best of other families, for as long as these propose some."""
        if not self._may_combine:
            return
        self._deadline, last = self._deadline.later(self._for_combined), self._plan.sweeps[-1]
        candidate: tuple[Role, int, dict[int, float]] = "candidate", last, {}
        for name in self._tasks.combined:
            best = best_of_families(self._plan, self._ledger, self._configs, self._roles)
            family, entries = family_named(name), list[int]()
            while proposed := family.combinations(
                self._plan.data, best, scored(self._plan, self._ledger, self._configs, entries)
            ):
                what = name_of_stage(family) + ", again" * bool(entries)
                new = [self._enlist(ending_at(one, last), *candidate) for one in proposed]
                if set(new) <= set(entries) or not self._has_time_for(family, new):
                    break
                entries += new
                self._run_round(executor, new, what)
        self._plan.memo.clear()

    def _has_time_for(self, family: Family, entries: Sequence[int]) -> bool:
        """Tell whether there is time for combinations; else skip them, with a warning."""
        if all(self._ledger.state(entry) in _FINAL for entry in entries):
            return True
        configs = [self._configs[entry] for entry in entries]
        needed = seconds_of_stage(configs, self._deadline.speed)
        if needed <= self._deadline.left and not self._deadline.is_over:
            return True
        self._cut += entries
        self._ledger.skip(entries)
        self._observer.warn(f"No time for {name_of_stage(family)}: {duration(needed)} needed.")
        return False

    def _train_others(self, executor: Executor) -> None:
        last, tasks = self._plan.sweeps[-1], self._tasks
        entries = [self._enlist(config, "baseline", last, {}) for config in tasks.baselines]
        entries += [self._enlist(config, "candidate", last, {}) for config in tasks.candidates]
        if not entries:
            return
        what = "other models" if tasks.candidates else "baselines"
        self._run_round(executor, self._affordable(executor, list(dict.fromkeys(entries))), what)

    def _train_cut(self, executor: Executor) -> None:
        """Train what was cut before, if enough time is left."""
        for entry in list(self._cut):
            if _FITS * self._needed(self._configs[entry]) <= self._deadline.left:
                self._cut.remove(entry)
                self._run_round(executor, [entry], "other models, cut before")

    def _needed(self, *configs: Config) -> float:
        """Return the seconds of trainings, one after the other."""
        speed, sweeps = self._deadline.speed, self._plan.sweeps
        return sum(speed.whole(one, sweeps) for one in configs)

    def _train_one(self, executor: Executor) -> None:
        """Start the training with the fastest first point if none has a point yet."""
        speed, first = self._deadline.speed, self._plan.sweeps[0]
        needed = {
            entry: speed.until(config, sweep=first, points=1)
            for entry, config in self._configs.items()
            if self._roles[entry] != "baseline"
        }
        if any(map(self._ledger.points, needed)) or not any(needed.values()):
            return
        nearest = min(filter(needed.get, needed), key=needed.__getitem__)
        self._cut = [entry for entry in self._cut if entry != nearest]
        self._deadline = Deadline(self._deadline.clock() + _SLOWER * needed[nearest], speed)
        self._run_round(executor, [nearest], "one training")

    def _affordable(self, executor: Executor, entries: Sequence[int]) -> list[int]:
        """Return the baselines and candidates for which there is time; skip the others.

        They may use all of the time if the strategy proposes nothing.
        """
        share = _FOR_OTHERS if self._strategy.expected(self._plan.sweeps) else 1.0
        each = share * self._deadline.left
        together = each * executor.shape.beside
        chosen = []
        for entry in entries:
            needed = self._needed(self._configs[entry])
            if needed <= min(each, together) or self._ledger.state(entry) in _FINAL:
                chosen.append(entry)
                together -= needed
        self._cut = [entry for entry in entries if entry not in chosen]
        self._ledger.skip(self._cut)
        for role, what in (("baseline", "baselines"), ("candidate", "candidates")):
            cut = [entry for entry in self._cut if self._roles[entry] == role]
            if named := ", ".join(self._families(cut, entries)):
                last = "They are tried last, if time is left."
                self._observer.warn(f"No time for these {what}: {named}. {last}")
        return chosen

    def _families(self, cut: Sequence[int], entries: Sequence[int]) -> list[str]:
        """Return names of families, with counts if only some configurations are cut."""
        some, whole = (
            Counter(family_of(self._configs[entry]).name for entry in each)
            for each in (cut, entries)
        )
        return [
            name if count == whole[name] else f"{name} ({count} of {whole[name]})"
            for name, count in some.items()
        ]

    def result(self) -> SearchResult:
        """Rank the recorded runs by each objective."""
        runs = runs_of(self._configs, self._roles)
        recorded = [(run, points) for run in runs if (points := self._ledger.points(run.entry))]
        errors = [(run, e) for run in runs if (e := self._ledger.error(run.entry)) is not None]
        failed = {run.entry for run, _ in errors}
        recorded = [(run, points) for run, points in recorded if run.entry not in failed]
        if not recorded and errors:
            raise FitError(f"All {len(runs)} runs failed. The first error: {errors[0][1]}")
        if not recorded:
            raise FitError("Out of time before any run had a score. Give a larger budget.")
        others = [entry for entry, role in self._roles.items() if role != "trial"]
        found = ranked(
            self._plan, self._ledger, recorded, errors,
            skipped=sum(self._ledger.state(run.entry) == "skipped" for run in runs),
            cut=self._families(self._cut, others),
        )  # fmt: skip
        if found.is_degenerate:
            self._observer.tell(found)
            raise DegenerateError(found.choice, found)
        return found

    def _proposed(self, rounds: Sequence[Sequence[TrialResult]]) -> list[Trial]:
        """Return the trials of the next round, all with the same iterations."""
        last = self._plan.sweeps[-1]
        return [
            replace(trial, config=ending_at(trial.config, last))
            for trial in self._strategy.propose(rounds, self._plan.sweeps)
        ]

    def _enlist(
        self, config: Config, role: Role, sweeps: int, thresholds: Mapping[int, float]
    ) -> int:
        if not is_scored_at_sweeps(config):
            sweeps, thresholds = ONE_GO, {}
        settings = recorded_settings(config)
        [entry] = self._ledger.enlist([settings], sweeps=sweeps, thresholds=thresholds)
        self._configs.setdefault(entry, config)
        # A baseline may be chosen if the strategy proposes it, too.
        if role == "trial" or self._roles.get(entry) in (None, "baseline"):
            self._roles[entry] = role
        return entry

    def _run_round(self, executor: Executor, entries: Sequence[int], task: str) -> None:
        """Run one round, and report it."""
        self._ledger.take_up(entries)
        expected = {entry: self._expected(entry) for entry in entries}
        self._observer.start(task, sum(expected.values()))
        reporter = ProgressReporter(
            self._ledger, self._plan, self._observer, self._configs, self._roles, expected
        )
        executor.work(entries, self._deadline, reporter.look)
        self._observer.finish()
        if self._deadline.is_over:
            self._ledger.skip(entries)

    def _expected(self, entry: int) -> int:
        _, sweeps, _ = self._ledger.task(entry)
        wanted = [sweep for sweep in self._plan.sweeps if sweep <= sweeps]
        return len(sweeps_of(self._configs[entry], wanted))

    def _trial_result(self, entry: int, trial: Trial) -> TrialResult:
        """Return the result of a trial up to its own sweeps, without degenerate points.

        Points of later rounds may be recorded already.
        """
        score, has_failed = self._plan.score, self._ledger.error(entry) is not None
        return TrialResult(
            trial,
            {
                sweep: as_gain(score, figures[score])
                for sweep, figures in self._ledger.points(entry).items()
                if sweep <= trial.sweeps and not has_failed and rank_key(figures, score)[0]
            },
        )


def _name(config: Config) -> str:
    return canonical_settings(recorded_settings(config))
