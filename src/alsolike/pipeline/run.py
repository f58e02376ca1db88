"""The main job, step by step: from a table of likes to a report, a model and shelves.

This is the map of the house: read, filter, split, search, choose, judge, refit, write, show.
"""

from dataclasses import dataclass
from typing import Any

from alsolike.data.filtering import FilterReport, filter_counts
from alsolike.data.interactions import Interactions
from alsolike.data.reading.read import ReadReport, read
from alsolike.data.splitting.split import Split
from alsolike.engines.machine import available
from alsolike.errors import DegenerateError
from alsolike.evaluation.holdout_report import holdout_report
from alsolike.models.base import compares_items
from alsolike.models.fit import fit
from alsolike.pipeline.job import Job, ResolvedJob, resolve
from alsolike.pipeline.outcome import Outcome
from alsolike.pipeline.outputs import publish
from alsolike.pipeline.remarks import Choice
from alsolike.pipeline.time_reserve import seconds_afterwards, seconds_of_a_figure
from alsolike.pipeline.withheld import withhold
from alsolike.progress import SILENT, Observer
from alsolike.recommending.batch import nothing_similar, recommend, similar
from alsolike.storage.atomic import alone_in
from alsolike.system_errors import BEFORE_DRAWING, expect_to_draw
from alsolike.tuning.budget.budget import Budget
from alsolike.tuning.budget.memory_forecast import Forecast, at_once, forecast, largest
from alsolike.tuning.candidate_families import Lineup
from alsolike.tuning.leaderboard.leaderboard import SearchResult
from alsolike.tuning.presets import Preset
from alsolike.tuning.search import search
from alsolike.tuning.storage.ledger import Ledger
from alsolike.tuning.strategies.base import Strategy, Trial

_SHELF = 10


@dataclass(frozen=True)
class Prepared:
    """The likes as the search gets them, what each step before it reported, and what is tried."""

    how_read: ReadReport
    how_filtered: FilterReport
    preset: Preset
    kept: Interactions
    split: Split
    lineup: Lineup
    strategy: Strategy | None

    @property
    def expected(self) -> list[Trial]:
        """The trainings that are searched through, or about as many of their cost."""
        return [] if self.strategy is None else self.strategy.expected(self.preset.sweeps)

    @property
    def may_be_chosen(self) -> list[Any]:
        """The configurations of these and of the other candidates."""
        return [*(trial.config for trial in self.expected), *self.lineup.candidates]


def run_job(job: Job, *, observer: Observer = SILENT) -> Outcome:
    """Do the whole job and leave its results in ``job.out``.

    The same job after a kill goes on where it was: trainings that the ledger holds are not
    repeated. The same job gives the same bytes, but for the ledger's times.

    Parameters
    ----------
    job : Job
    observer : Observer
        Is told each finding as it comes, and hears the progress of each step.

    Returns
    -------
    Outcome
        All that was found, and what the report shows.

    Raises
    ------
    AlsolikeError
        Whatever stands in the way, with the way out; see `alsolike.errors`. DegenerateError: no
        training ranks better than by lot; nothing is published, and a report says so.
    """
    asked = resolve(job)
    with alone_in(job.out):
        return _done(asked, observer)


def _done(asked: ResolvedJob, observer: Observer) -> Outcome:
    job, engine = asked.job, asked.engine
    expect_to_draw(BEFORE_DRAWING)  # and not after hours of training
    prepared = prepare(asked, observer=observer)
    # Drawn before the forecast: what draws is in memory then.
    figure = None if job.search.budget is None else seconds_of_a_figure()
    expected = forecast_memory(asked, prepared)
    observer.tell(expected)
    if danger := expected.danger(available()):
        observer.warn(danger)
    try:
        found = search_settings(asked, prepared, figure=figure, observer=observer)
    except DegenerateError as none:
        steps = prepared.how_read, prepared.how_filtered, prepared.split
        raise withhold(none, job.out, *steps, command=job.command) from None
    chosen = job.search.chosen(found)
    try:
        test = holdout_report(found.objective, chosen, prepared.split, engine)
        observer.tell(test)  # the first of the results: it says where popularity is as good
    finally:
        observer.tell(found)
    run = job.search.chosen_run(found)
    observer.tell(Choice(found, run))
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
            similar(model, k=_SHELF, engine=engine, observer=observer)
            if compares_items(model)
            else nothing_similar(model)
        ),
        recommendations=recommend(model, k=_SHELF, engine=engine, observer=observer),
        seed=job.seed,
        with_history=job.with_history,
    )
    publish(
        outcome,
        job.out,
        command=job.command,
        remote_images=job.remote_images,
        image_folder=asked.image_folder,
        observer=observer,
    )
    return outcome


def prepare(asked: ResolvedJob, *, observer: Observer = SILENT) -> Prepared:
    """Read, filter and split as the job asks, and settle what is tried on this table."""
    job = asked.job
    likes, how_read = read(job.source, threads=job.threads, observer=observer, **job.reading)
    observer.tell(how_read)
    preset = asked.preset(likes)
    kept, how_filtered = filter_counts(
        likes, min_per_user=preset.min_per_user, min_per_item=preset.min_per_item
    )
    observer.tell(how_filtered)
    split = asked.split(kept, preset)
    observer.tell(split)
    lineup = asked.lineup(split.train)
    strategy = asked.strategy(preset, lineup)
    return Prepared(how_read, how_filtered, preset, kept, split, lineup, strategy)


def forecast_memory(asked: ResolvedJob, prepared: Prepared) -> Forecast:
    """Forecast the memory that the rest of the job takes at its peak."""
    preset, lineup, threads = prepared.preset, prepared.lineup, asked.engine.threads
    at_their_end = [*lineup.baselines, *lineup.candidates]
    return forecast(
        prepared.kept,
        prepared.may_be_chosen,
        points=len(prepared.expected) * len(preset.sweeps) * (1 + len(preset.beside)),
        test_users=len(prepared.split.test_users),
        shelf=_SHELF,
        threads=threads,
        baselines=at_once(prepared.split.train, at_their_end, threads),
        workers=asked.job.search.workers,
    )


def search_settings(
    asked: ResolvedJob,
    prepared: Prepared,
    *,
    figure: float | None = None,
    observer: Observer = SILENT,
) -> SearchResult:
    """Search as the job asks, with candidates and baselines on the same leaderboard.

    `figure` is the seconds that a small figure takes, where the rest of the job comes after.
    """
    job, preset, lineup, how = asked.job, prepared.preset, prepared.lineup, asked.job.search
    runs = len(prepared.may_be_chosen)
    after, fits = 1.0 + 0.01 * runs, 0.0  # of a ranking alone
    if figure is not None:
        after = seconds_afterwards(
            figure,
            runs=runs,
            points=len(prepared.expected) * len(preset.sweeps),
            scores=len(prepared.split.test_users) * prepared.kept.n_items,
            model=largest(prepared.split.train, prepared.may_be_chosen),
        )
        # The chosen settings are fitted twice. Threads never gain all that their number says.
        fits = 2 / max(0.75 * asked.engine.threads, 1.0)
    with Ledger(asked.ledger) as ledger:
        return search(
            prepared.split,
            () if prepared.strategy is None else prepared.strategy,
            objective=[preset.ranking(job.seed), *preset.beside],
            budget=Budget(
                seconds=how.left(), afterwards=lambda fit: after + fits * fit, forecast=True
            ),
            sweeps=preset.sweeps,
            candidates=lineup.candidates,
            baselines=lineup.baselines,
            ledger=ledger,
            workers=how.workers,
            engine=asked.engine,
            observer=observer,
        )
