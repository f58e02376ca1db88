"""The main job, step by step: from a table of likes to a report, a model and shelves.

This is the map of the house: read, filter, split, search, choose, judge, refit, write, show.
"""

import contextlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from alsolike.afterwards import Afterwards, seconds_of_a_figure
from alsolike.data.arguments import said
from alsolike.data.filtering import FilterReport, filter_counts
from alsolike.data.interactions import Interactions
from alsolike.data.reading import ReadReport, read
from alsolike.data.schemes import check_scheme, split_by
from alsolike.data.split import Split
from alsolike.engines.local import LocalEngine
from alsolike.engines.memory import available
from alsolike.errors import DegenerateError, SettingError, WritingError
from alsolike.evaluation.curves import checked_sweeps
from alsolike.evaluation.final import test_figures
from alsolike.forecasting import Forecast, at_once, forecast
from alsolike.hints import with_hints
from alsolike.models.als import fit
from alsolike.models.bundle import refuse_other_folder
from alsolike.observing import SILENT, Observer
from alsolike.publishing import Outcome, publish, written_in
from alsolike.recommending.many import recommend, similar
from alsolike.tuning.leaderboard import SearchResult
from alsolike.tuning.ledger import Ledger
from alsolike.tuning.presets import Preset, preset_for
from alsolike.tuning.search import search
from alsolike.tuning.searching import Searching
from alsolike.tuning.space import Space
from alsolike.views.plots import expect_to_draw
from alsolike.withholding import withhold
from alsolike.writing import alone_in, refuse_overlap

_SHELF = 10
_SPARE = 4 << 30  # bytes of addresses for what comes before the figures

_SET_ELSEWHERE = {
    "seed": "One seed is for all that is drawn: give it to the run itself (--seed).",
    "iterations": "Each training ends with the last of its scored sweeps (--sweeps).",
}


@with_hints
@dataclass(frozen=True, kw_only=True)
class Job:
    """What the main job is asked to do.

    Parameters
    ----------
    source : path, frame or matrix
        The likes.
    reading : mapping of str to values
        Further arguments of `alsolike.data.reading.read`.
    out : path
        The folder for all that it leaves.
    preset : str
        A name of `alsolike.tuning.presets.PRESETS`.
    by : str
        How to split, see `alsolike.data.schemes.split_by`.
    min_per_user, min_per_item, held_out, share, k, metric, judge
        In place of the preset's own; None keeps these.
    grid : mapping of str to sequence or Range
        Values to try of these settings, in place of the preset's own; the preset's other lists
        stay.
    settings : mapping of str to values
        Settings that all runs share, in place of the preset's own.
    sweeps : sequence of int or None
        Where each training is scored.
    search : Searching
        How the settings are searched for.
    seed : int
        Of the split, of the first factors and of what the galleries show.
    threads : int or None
        None: as many as this process may use. Results do not depend on it.
    with_history : bool
        Put the training interactions into the model.
    remote_images : bool
        Let the report load pictures from the web.
    command : str
        What was typed, for the report.

    Raises
    ------
    SettingError
        A setting is given where another part of the job decides it, or is given twice.
    """

    source: Any
    out: Path
    reading: Mapping[str, Any] = field(default_factory=dict)
    preset: str = "quick"
    min_per_user: int | None = None
    min_per_item: int | None = None
    by: str = "items"
    held_out: int | None = None
    share: float | None = None
    k: int | None = None
    metric: str | None = None
    judge: str | None = None
    grid: Space = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    sweeps: Sequence[int] | None = None
    search: Searching = field(default_factory=Searching)
    seed: int = 0
    threads: int | None = None
    with_history: bool = True
    remote_images: bool = False
    command: str = ""

    def __post_init__(self) -> None:
        if not os.fspath(self.out):
            raise SettingError("out is empty: the name of a folder for the results expected.")
        object.__setattr__(self, "out", Path(self.out))
        refuse_share(self.share)
        for name, way_out in _SET_ELSEWHERE.items():
            if name in self.settings:
                raise SettingError(f"{name} is no setting of a run's models. {way_out}")
        if "iterations" in self.grid:
            raise SettingError(f"iterations cannot be searched. {_SET_ELSEWHERE['iterations']}")
        both = sorted(self.settings.keys() & self.grid.keys())
        if both:
            raise SettingError(f"{both[0]} is set and searched. Give it to one of both alone.")


@dataclass(frozen=True)
class Prepared:
    """The likes as the search gets them, and what each step before it reported."""

    how_read: ReadReport
    how_filtered: FilterReport
    preset: Preset
    kept: Interactions
    split: Split


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
    if not isinstance(job, Job):
        raise SettingError(f"A Job expected, as alsolike.Job makes it, not {said(job)}.")
    with alone_in_its_folder(job):
        return _done(job, observer)


def _done(job: Job, observer: Observer) -> Outcome:
    expect_to_draw(_SPARE)  # and not after hours of training
    engine = LocalEngine(job.threads)
    prepared = prepare(job, observer=observer)
    # Drawn before the forecast: what draws is in memory then.
    figure = None if job.search.budget is None else seconds_of_a_figure()
    expected = forecast_memory(job, prepared)
    observer.tell(expected)
    if danger := expected.danger(available()):
        observer.warn(danger)
    try:
        found = search_settings(job, prepared, figure=figure, observer=observer)
    except DegenerateError as none:
        steps = prepared.how_read, prepared.how_filtered, prepared.split
        raise withhold(none, job.out, *steps, command=job.command) from None
    chosen = job.search.chosen(found)
    try:
        test = test_figures(found.judge, chosen, prepared.split, engine)
        observer.tell(test)  # the first of the results: it says where popularity is as good
    finally:
        observer.tell(found)
    observer.tell(
        f"Fitting the chosen settings to all {prepared.kept.n_interactions:,} interactions."
    )
    model = fit(prepared.kept, chosen, engine=engine, observer=observer)
    outcome = Outcome(
        how_read=prepared.how_read,
        how_filtered=prepared.how_filtered,
        split=prepared.split,
        found=found,
        chosen_run=job.search.chosen_run(found),
        test=test,
        model=model,
        similar_items=similar(model, k=_SHELF, engine=engine, observer=observer),
        recommendations=recommend(model, k=_SHELF, engine=engine, observer=observer),
        seed=job.seed,
    )
    publish(
        outcome,
        job.out,
        command=job.command,
        with_history=job.with_history,
        remote_images=job.remote_images,
        image_folder=_image_folder(job),
        observer=observer,
    )
    return outcome


def prepare(job: Job, *, observer: Observer = SILENT) -> Prepared:
    """Read, filter and split as the job asks; refuse what cannot be searched before all that."""
    _refuse_early(job)
    likes, how_read = read(job.source, threads=job.threads, observer=observer, **job.reading)
    observer.tell(how_read)
    preset = _adapted(preset_for(job.preset, likes), job)
    kept, how_filtered = filter_counts(
        likes, min_per_user=preset.min_per_user, min_per_item=preset.min_per_item
    )
    observer.tell(how_filtered)
    split = _split(kept, preset, job)
    observer.tell(split)
    return Prepared(how_read, how_filtered, preset, kept, split)


def forecast_memory(job: Job, prepared: Prepared) -> Forecast:
    """Forecast the memory that the rest of the job takes at its peak."""
    preset, threads = prepared.preset, LocalEngine(job.threads).threads
    expected = job.search.strategy(preset.space, preset.base).expected(preset.sweeps)
    configs = [trial.config for trial in expected]
    lineup = job.search.lineup(prepared.split.train)
    return forecast(
        prepared.kept,
        configs,
        points=len(configs) * len(preset.sweeps) * (1 + len(preset.beside)),
        test_users=len(prepared.split.test_users),
        shelf=_SHELF,
        threads=threads,
        baselines=at_once(prepared.split.train, [*lineup.candidates, *lineup.baselines], threads),
        workers=job.search.workers,
    )


def search_settings(
    job: Job, prepared: Prepared, *, figure: float | None = None, observer: Observer = SILENT
) -> SearchResult:
    """Search as the job asks, with the lines to beat on the same leaderboard.

    `figure` is the seconds that a small figure takes, where the rest of the job comes after.
    """
    engine, preset, how = LocalEngine(job.threads), prepared.preset, job.search
    strategy = how.strategy(preset.space, preset.base)
    runs = len(strategy.expected(preset.sweeps))
    after = Afterwards(
        figure,
        runs=runs,
        points=runs * len(preset.sweeps),
        scores=len(prepared.split.test_users) * prepared.kept.n_items,
        threads=engine.threads,
    )
    lineup = how.lineup(prepared.split.train, seed=job.seed)
    with Ledger(job.out / "ledger.sqlite") as ledger:
        return search(
            prepared.split,
            strategy,
            sweeps=preset.sweeps,
            ledger=ledger,
            judge=preset.ranking(job.seed),
            beside=preset.beside,
            candidates=lineup.candidates,
            baselines=lineup.baselines,
            patience=how.patience,
            prune=how.prune,
            workers=how.workers,
            deadline=how.deadline(),
            afterwards=after.seconds,
            forecast=True,
            engine=engine,
            observer=observer,
        )


def alone_in_its_folder(job: Job) -> contextlib.AbstractContextManager[None]:
    """Keep the folder of the results to one run at a time; refuse what cannot be run at all."""
    _refuse_early(job)
    return alone_in(job.out)


def refuse_share(share: float | None) -> None:
    """Raise SettingError for a share of all users or items that can be none."""
    if share is None:
        return
    number = isinstance(share, (int, float, np.number)) and not isinstance(share, bool)
    if not number or not 0 < share <= 1:
        raise SettingError(f"share must be a number above 0 and at most 1, not {share!r}.")


def _split(kept: Interactions, preset: Preset, job: Job) -> Split:
    if job.by != "items":
        return split_by(kept, job.by, held_out=job.held_out, share=job.share, seed=job.seed)
    return split_by(
        kept,
        "items",
        held_out=preset.held_out,
        share=preset.share,
        validation_share=preset.validation_share,
        seed=job.seed,
    )


def _refuse_early(job: Job) -> None:
    """Find a wrong setting before a large table is read, and not an hour after."""
    anyone = Interactions.from_columns(["anyone"], ["anything"])
    preset = _adapted(preset_for(job.preset, anyone), job)
    job.search.strategy(preset.space, preset.base)
    job.search.lineup(anyone)
    checked_sweeps(preset.sweeps)
    preset.ranking(job.seed)
    if job.out.exists() and not job.out.is_dir():
        raise WritingError(f"{job.out}: a folder for the results expected, a file found.")
    refuse_other_folder(job.out / "model")
    inputs = [job.source, job.reading.get("items")]
    refuse_overlap(
        [one for one in inputs if isinstance(one, (str, os.PathLike))],
        [*written_in(job.out), *filter(None, [job.reading.get("rejects")])],
    )
    check_scheme(job.by, held_out=job.held_out, share=job.share)


def _adapted(preset: Preset, job: Job) -> Preset:
    """Return the preset with what the job asks for in place of its own."""
    asked: dict[str, Any] = {
        "min_per_user": job.min_per_user,
        "min_per_item": job.min_per_item,
        "held_out": job.held_out,
        "share": job.share,
        "k": job.k,
        "metric": job.metric,
        "judge": job.judge,
        "sweeps": None if job.sweeps is None else tuple(job.sweeps),
    }
    base = replace(preset.base, seed=job.seed, **job.settings)
    grid: dict[str, Any] = dict(job.grid)
    kept = {name: values for name, values in preset.space.items() if name not in job.settings}
    return replace(
        replace(preset, base=base, space=kept | grid),
        **{name: value for name, value in asked.items() if value is not None},
    )


def _image_folder(job: Job) -> Path | None:
    """Return where pictures that a table names by path start: beside that table."""
    items = job.reading.get("items")
    table = job.source if items is None else items
    return Path(table).resolve().parent if isinstance(table, (str, Path)) else None
