"""Runs the main job step by step: from a table of likes to a report, a model and its lists.

The steps: read, filter, split, search, choose, score on test users, refit, write.
"""

from dataclasses import dataclass
from typing import Any

from alsolike.data.filtering import FilterReport, filter_counts
from alsolike.data.interactions import Interactions
from alsolike.data.reading.read import ReadReport, read
from alsolike.data.splitting.split import Split
from alsolike.engines.hardware import available
from alsolike.errors import DegenerateError
from alsolike.evaluation.holdout_report import holdout_report
from alsolike.models.base import compares_items
from alsolike.models.fit import fit
from alsolike.pipeline.job import Job, ResolvedJob, resolve
from alsolike.pipeline.outcome import Outcome
from alsolike.pipeline.outputs import (
    publish,
    seconds_of_a_figure,
    seconds_reserved,
    write_without_model,
)
from alsolike.pipeline.remarks import ChosenRun
from alsolike.progress import SILENT, Observer
from alsolike.recommending.batch import nothing_similar, recommend, similar
from alsolike.storage.atomic import alone_in
from alsolike.system_errors import BEFORE_DRAWING, expect_to_draw
from alsolike.tuning.budget.budget import Budget
from alsolike.tuning.budget.memory_forecast import MemoryForecast, at_once, forecast, largest
from alsolike.tuning.candidate_families import Lineup
from alsolike.tuning.leaderboard.leaderboard import SearchResult
from alsolike.tuning.presets import Preset
from alsolike.tuning.search import search
from alsolike.tuning.storage.ledger import Ledger
from alsolike.tuning.strategies.base import Strategy, Trial

_LIST_LENGTH = 10


@dataclass(frozen=True)
class Prepared:
    """The data of the search, the reports of the steps before it, and what is trained."""

    how_read: ReadReport
    how_filtered: FilterReport
    preset: Preset
    kept: Interactions
    split: Split
    lineup: Lineup
    strategy: Strategy | None

    @property
    def expected(self) -> list[Trial]:
        """The trainings of the search, or about as many of their cost."""
        return [] if self.strategy is None else self.strategy.expected(self.preset.sweeps)

    @property
    def may_be_chosen(self) -> list[Any]:
        """The configurations of these trainings and of the other candidates."""
        return [*(trial.config for trial in self.expected), *self.lineup.candidates]


def run_job(job: Job, *, observer: Observer = SILENT) -> Outcome:
    """Run the whole job and write its results to ``job.out``.

    The same job after a kill resumes: trainings in the ledger are not repeated. The same job gives
    the same bytes, except for the ledger's times.

    Parameters
    ----------
    job : Job
    observer : Observer
        Receives each finding and the progress of each step.

    Returns
    -------
    Outcome

    Raises
    ------
    AlsolikeError
        Any error, with the way out; see `alsolike.errors`. DegenerateError: no training ranks
        better than at random; no model is written, and a report says so.
    """
    resolved = resolve(job)
    with alone_in(job.out):
        return _run(resolved, observer)


def _run(resolved: ResolvedJob, observer: Observer) -> Outcome:
    job, engine = resolved.job, resolved.engine
    expect_to_draw(BEFORE_DRAWING)  # and not after hours of training
    prepared = prepare(resolved, observer=observer)
    # Before the forecast of memory, which then includes the library that draws.
    figure = None if job.search.budget is None else seconds_of_a_figure()
    expected = forecast_memory(resolved, prepared)
    observer.tell(expected)
    if danger := expected.danger(available()):
        observer.warn(danger)
    try:
        found = search_settings(resolved, prepared, figure=figure, observer=observer)
    except DegenerateError as none:
        steps = prepared.how_read, prepared.how_filtered, prepared.split
        raise write_without_model(none, job.out, *steps, command=job.command) from None
    chosen = job.search.chosen(found)
    try:
        test = holdout_report(found.objective, chosen, prepared.split, engine)
        observer.tell(test)  # the first result: whether the model is better than popularity
    finally:
        observer.tell(found)
    run = job.search.chosen_run(found)
    observer.tell(ChosenRun(found, run))
    observer.tell(
        f"Fitting the chosen settings to all {prepared.kept.n_interactions:,} interactions."
    )
    model = fit(prepared.kept, chosen, engine=engine, observer=observer)
    outcome = Outcome(
        how_read=prepared.how_read,
        how_filtered=prepared.how_filtered,
        split=prepared.split,
        found=found,
        chosen_run=run,
        test=test,
        model=model,
        similar_items=(
            similar(model, k=_LIST_LENGTH, engine=engine, observer=observer)
            if compares_items(model)
            else nothing_similar(model)
        ),
        recommendations=recommend(model, k=_LIST_LENGTH, engine=engine, observer=observer),
        seed=job.seed,
        with_history=job.with_history,
    )
    publish(
        outcome,
        job.out,
        command=job.command,
        remote_images=job.remote_images,
        image_folder=resolved.image_folder,
        observer=observer,
    )
    return outcome


def prepare(resolved: ResolvedJob, *, observer: Observer = SILENT) -> Prepared:
    """Read, filter and split the data, and choose the families and the strategy."""
    job = resolved.job
    likes, how_read = read(job.source, threads=job.threads, observer=observer, **job.reading)
    observer.tell(how_read)
    preset = resolved.preset(likes)
    kept, how_filtered = filter_counts(
        likes, min_per_user=preset.min_per_user, min_per_item=preset.min_per_item
    )
    observer.tell(how_filtered)
    split = resolved.split(kept, preset)
    observer.tell(split)
    lineup = resolved.lineup(split.train)
    strategy = resolved.strategy(preset, lineup)
    return Prepared(how_read, how_filtered, preset, kept, split, lineup, strategy)


def forecast_memory(resolved: ResolvedJob, prepared: Prepared) -> MemoryForecast:
    """Forecast the peak memory of the rest of the job."""
    preset, lineup, threads = prepared.preset, prepared.lineup, resolved.engine.threads
    return forecast(
        prepared.kept,
        prepared.may_be_chosen,
        points=len(prepared.expected) * len(preset.sweeps) * (1 + len(preset.beside)),
        test_users=len(prepared.split.test_users),
        shelf=_LIST_LENGTH,
        threads=threads,
        baselines=at_once(prepared.split.train, [*lineup.baselines, *lineup.candidates], threads),
        workers=resolved.job.search.workers,
    )


def search_settings(
    resolved: ResolvedJob,
    prepared: Prepared,
    *,
    figure: float | None = None,
    observer: Observer = SILENT,
) -> SearchResult:
    """Search, with candidates and baselines on the same leaderboard.

    `figure` is the seconds that a small figure takes, if the rest of the job follows.
    """
    job, preset, lineup = resolved.job, prepared.preset, prepared.lineup
    runs = len(prepared.may_be_chosen)
    after, fits = 1.0 + 0.01 * runs, 0.0  # only a ranking follows
    if figure is not None:
        after = seconds_reserved(
            figure,
            runs=runs,
            points=len(prepared.expected) * len(preset.sweeps),
            scores=len(prepared.split.test_users) * prepared.kept.n_items,
            model=largest(prepared.split.train, prepared.may_be_chosen),
        )
        # The chosen settings are fitted twice. Threads never gain all that their number says.
        fits = 2 / max(0.75 * resolved.engine.threads, 1.0)
    with Ledger(resolved.ledger) as ledger:
        return search(
            prepared.split,
            () if prepared.strategy is None else prepared.strategy,
            objective=[preset.ranking(job.seed), *preset.beside],
            budget=Budget(
                seconds=job.search.left(), afterwards=lambda fit: after + fits * fit, forecast=True
            ),
            sweeps=preset.sweeps,
            candidates=lineup.candidates,
            baselines=lineup.baselines,
            ledger=ledger,
            workers=job.search.workers,
            engine=resolved.engine,
            observer=observer,
        )
