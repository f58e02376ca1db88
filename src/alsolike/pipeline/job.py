"""Defines the arguments of a run, and checks them before anything is read."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from alsolike.data.features.features import Features
from alsolike.data.interactions import Interactions
from alsolike.data.reading.features.attach import feature_files
from alsolike.data.reading.files.listing import files_of
from alsolike.data.splitting.by_name import NEW_ITEMS, check_scheme, folds_by_time, split_by
from alsolike.data.splitting.split import Split
from alsolike.data.splitting.unseen_users import hold_out_unseen_users
from alsolike.data.validation import said
from alsolike.engines.base import Engine
from alsolike.engines.local import LocalEngine
from alsolike.errors import DataError, SettingError, WritingError
from alsolike.evaluation.learning_curve import checked_sweeps
from alsolike.evaluation.objectives.ratings import RatingsObjective
from alsolike.models.bundle.io import refuse_other_folder
from alsolike.models.registry import names, trained
from alsolike.models.settings import Config, is_finite
from alsolike.models.similarity.config import check_bias
from alsolike.models.values import ages_of
from alsolike.pipeline.outputs import written_in
from alsolike.pipeline.similar_items.compare import FeatureSource
from alsolike.storage.atomic import refuse_overlap
from alsolike.tuning.candidate_families import Lineup
from alsolike.tuning.options import Searching
from alsolike.tuning.presets import Preset, preset_for
from alsolike.tuning.strategies.base import Strategy
from alsolike.tuning.strategies.search_space import Range, Space
from alsolike.usage_hints import with_hints

AUTO = "auto"
_OF_ALL_FAMILIES = {"half_life"}  # settings that are not only those of families that are searched

_SET_ELSEWHERE = {
    "seed": "One seed is for all random draws: give it to the run itself (--seed).",
    "iterations": "Each training ends with the last of its scored sweeps (--sweeps).",
}


@with_hints
@dataclass(frozen=True, kw_only=True)
class Job:
    """The arguments of a run.

    Parameters
    ----------
    source : path, list of paths, frame or matrix
        The likes; None for a query, ``sql`` in `reading`.
    reading : mapping of str to values
        Further arguments of `alsolike.data.reading.read.read`.
    out : path
        The output folder.
    preset : str
        A name of `alsolike.tuning.presets.PRESETS`.
    by : str
        How to split for the ranking objective, see `alsolike.data.splitting.by_name.split_by`.
    folds : int or None
        Of a split by time: the settings are chosen and tested on the last of so many rolling folds,
        see `alsolike.data.splitting.folds.split_folds`, and then also tested on the others.
        `share` is that of each window.
    min_per_user, min_per_item, held_out, share, k, metric, objective
        Override the preset; None keeps its value. The objective is ``"ranking"``,
        ``"item-to-item"`` or ``"ratings"``.
    grid : mapping of str to sequence or Range
        Values to try of these settings of ALS; others are tried as in the preset. A list of values
        of ``half_life`` is tried of all families that have it.
    settings : mapping of str to values
        Settings that all runs of ALS share; others are as in the preset. ``half_life`` is that of
        all families that have it.
    sweeps : sequence of int or None
        Sweeps after which each training of ALS is scored.
    search : Searching
        The search strategy, and the families that may be published.
    popularity_bias : float or "auto"
        Of similar items, from 0 (specific items) to 1 (popular items). ``"auto"``: the smallest
        mark of the dial whose precision on validation users is at least 0.97 of the best mark's.
    one_model : bool
        Take similar items from the model of the lists, even if another is better.
    agree : str or None
        Features of items, such as tags, that similar items should share: a further column of the
        item table, or ``"FILE:ITEM,FEATURE"``, a table with a feature of an item in each row.
    keep_own_features : bool
        Of features that users gave, such as tags: also fit to those of test users, which tell what
        they like. False: these are left out, see `Split`.
    seed : int
        Random seed of the split, the initial factors and the galleries.
    threads : int or None
        None: all that this process may use. Results do not depend on it.
    with_history : bool
        Save the training interactions in the model.
    remote_images : bool
        Let the report load images from the web.
    command : str
        The command as typed, for the report.

    Raises
    ------
    SettingError
        A setting is given twice, or has to be given elsewhere.
    """

    source: Any
    out: Path
    reading: Mapping[str, Any] = field(default_factory=dict)
    preset: str = "quick"
    min_per_user: int | None = None
    min_per_item: int | None = None
    by: str = "items"
    folds: int | None = None
    held_out: int | None = None
    share: float | None = None
    k: int | None = None
    metric: str | None = None
    objective: str | None = None
    grid: Space = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    sweeps: Sequence[int] | None = None
    search: Searching = field(default_factory=Searching)
    popularity_bias: float | str = AUTO
    one_model: bool = False
    agree: str | None = None
    keep_own_features: bool = False
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
                raise SettingError(f"{name} is not a setting of the models of a run. {way_out}")
        if "iterations" in self.grid:
            raise SettingError(f"iterations cannot be searched. {_SET_ELSEWHERE['iterations']}")
        if self.popularity_bias != AUTO:
            check_bias(self.popularity_bias, also=f", or {AUTO!r}")
        both = sorted(self.settings.keys() & self.grid.keys())
        if both:
            raise SettingError(f"{both[0]} is set and searched. Give it only once.")

    @property
    def half_lives(self) -> Sequence[Any]:
        """The half-lives that each other family is tried with; none if they are left as they are.

        A range is for the families that draw from it.
        """
        if "half_life" in self.settings:
            return [self.settings["half_life"]]
        tried = self.grid.get("half_life", ())
        return () if isinstance(tried, Range) else list(tried)

    def expect_times(self, likes: Interactions) -> None:
        """Raise DataError if a half-life is given or tried, and the likes have no times."""
        is_drawn = isinstance(self.grid.get("half_life"), Range)
        if is_drawn or any(days is not None for days in self.half_lives):
            ages_of(likes)


@dataclass(frozen=True)
class ResolvedJob:
    """A checked job, which needs only the table.

    `resolve` makes it before anything is read. Parts that depend on the table are computed by its
    methods.

    Parameters
    ----------
    job : Job
    engine : Engine
        The engine of all computations.
    image_folder : Path or None
        Folder of image files named in a table: the folder of that table.
    """

    job: Job
    engine: Engine
    image_folder: Path | None

    @property
    def popularity_bias(self) -> float | None:
        """The popularity bias of similar items that was given; None: chosen."""
        given = self.job.popularity_bias
        return None if isinstance(given, str) else float(given)

    @property
    def ledger(self) -> Path:
        """Path of the ledger of the search."""
        return self.job.out / "ledger.sqlite"

    def preset(self, likes: Interactions) -> Preset:
        """Return the preset for these likes, with the settings of the job."""
        job, own = self.job, preset_for(self.job.preset, likes)
        given: dict[str, Any] = {
            "min_per_user": job.min_per_user,
            "min_per_item": job.min_per_item,
            "held_out": job.held_out,
            "share": job.share,
            "k": job.k,
            "metric": job.metric,
            "objective": job.objective,
            "sweeps": None if job.sweeps is None else tuple(job.sweeps),
        }
        base = replace(own.base, seed=job.seed, **job.settings)
        kept: dict[str, Any] = {
            name: values for name, values in own.space.items() if name not in job.settings
        }
        return replace(
            replace(own, base=base, space=_in_order(kept | dict(job.grid), base)),
            **{name: value for name, value in given.items() if value is not None},
        )

    def lineup(self, train: Interactions, preset: Preset) -> Lineup:
        """Return the families to try on this table, with their candidates."""
        found = self.job.search.lineup(
            train,
            seed=self.job.seed,
            thorough=preset.thorough,
            by_features=self.job.by in NEW_ITEMS,
            of_ratings=isinstance(preset.ranking(), RatingsObjective),
        )
        half_lives = self.job.half_lives
        return found.with_half_lives(half_lives) if half_lives else found

    def strategy(self, preset: Preset, lineup: Lineup) -> Strategy | None:
        """Return the search strategy; None if no family is searched."""
        job = self.job
        if not lineup.searched:
            return None
        # Given numbers of factors are not grown.
        grows = "factors" not in job.grid and "factors" not in job.settings
        return job.search.strategy(preset, of_preset=grows)

    def folds(self, kept: Interactions) -> tuple[Split, ...]:
        """Return the rolling folds that the job asks for; none by default."""
        job = self.job
        if job.folds is None:
            return ()
        found = folds_by_time(kept, job.folds, job.share)
        return tuple(replace(one, keeps_own_features=job.keep_own_features) for one in found)

    def split(self, kept: Interactions, preset: Preset) -> Split:
        """Split as the job asks; similar items are scored on users whom training never saw."""
        return replace(self._split(kept, preset), keeps_own_features=self.job.keep_own_features)

    def _split(self, kept: Interactions, preset: Preset) -> Split:
        job = self.job
        if job.by in NEW_ITEMS and kept.item_features is None:
            raise DataError(
                f"A split by {job.by} is for models that know new items by their features, and the "
                "items of this table have none. Read it with features, or split in another way."
            )
        if preset.ranking(job.seed).is_of_unseen_users:
            return hold_out_unseen_users(kept, seed=job.seed)
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


def resolve(job: Job) -> ResolvedJob:
    """Check a job before its table is read.

    Raises
    ------
    SettingError
        A setting, a family or a way of searching is unknown or out of range, or asks for what no
        family of the run has.
    WritingError
        The results cannot be left where the job wants them.
    """
    if not isinstance(job, Job):
        raise SettingError(f"A Job expected, as alsolike.Job makes it, not {said(job)}.")
    resolved = ResolvedJob(job, LocalEngine(job.threads), _image_folder(job))
    anything = Features.of_words("any", [["thing"]])  # no family is refused for want of them here
    anyone = Interactions.from_columns(["anyone"], ["anything"])
    anyone = replace(anyone, item_features=anything)
    preset = resolved.preset(anyone)
    lineup = resolved.lineup(anyone, preset)
    _refuse_unsearched(job, lineup)
    resolved.strategy(preset, lineup)
    checked_sweeps(preset.sweeps)
    check_scheme(job.by, held_out=job.held_out, share=job.share, folds=job.folds)
    if preset.ranking(job.seed).is_of_unseen_users:
        _refuse_other_splits(job)
    _refuse_places(job)
    return resolved


def refuse_share(share: float | None) -> None:
    """Raise SettingError for a share outside 0 to 1."""
    if share is None:
        return
    if not is_finite(share) or not 0 < share <= 1:
        raise SettingError(f"share must be a number above 0 and at most 1, not {share!r}.")


def _in_order(space: Mapping[str, Any], base: Config) -> dict[str, Any]:
    """Sort settings as the configuration lists them, on which the numbers of the runs depend."""
    order = [*(one.name for one in fields(base)), *space]
    return {name: space[name] for name in sorted(space, key=order.index)}


def _refuse_other_splits(job: Job) -> None:
    """Refuse a split of users whom training sees, for similar items."""
    given = {
        "by": job.by if job.by != "items" else None,
        "folds": job.folds,
        "held_out": job.held_out,
        "share": job.share,
    }
    for name, value in given.items():
        if value is not None:
            raise SettingError(
                f"{name}={value!r} is for the ranking objective. Similar items are scored on all "
                "likes of users whom training never saw, a tenth of the users each for validation "
                f"and test. Leave {name} out."
            )


def _refuse_unsearched(job: Job, lineup: Lineup) -> None:
    """Refuse options of a search if no family of the run is searched."""
    how = job.search
    given = {
        "--grid": job.grid.keys() - _OF_ALL_FAMILIES,
        "--set": job.settings.keys() - _OF_ALL_FAMILIES,
        "--sweeps": job.sweeps,
        "--search": how.by,
        "--trials": how.trials,
        "start": how.start,
        "--patience": how.patience,
        "--prune": how.prune,
    }
    asked = [name for name, value in given.items() if value]
    if asked and not lineup.searched:
        searched = ", ".join(names(family for family in trained() if family.scored == "sweeps"))
        raise SettingError(
            f"{asked[0]} is for families that are searched ({searched}), and this run has none: "
            f"{', '.join(how.families or ())}. Leave it out, or add {searched} to the families."
        )


def _refuse_places(job: Job) -> None:
    """Refuse output paths that are taken, or that are inputs."""
    if job.out.exists() and not job.out.is_dir():
        raise WritingError(f"{job.out}: a folder for the results expected, a file found.")
    for name in ("model", "similar"):
        refuse_other_folder(job.out / name)
    features = None if job.agree is None else FeatureSource.of(job.agree).path
    inputs = [job.source, job.reading.get("items"), features]
    refuse_overlap(
        [*(path for one in inputs for path in files_of(one)), *feature_files(job.reading)],
        [*written_in(job.out), *filter(None, [job.reading.get("rejects")])],
    )


def _image_folder(job: Job) -> Path | None:
    items = job.reading.get("items")
    files = files_of(job.source if items is None else items)
    if not files:
        return None
    first = files[0].resolve()
    return first if first.is_dir() else first.parent
