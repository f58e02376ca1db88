"""Exports similar items and recommendations as files, for a shop, a program or a file host.

::

    shelves/
      alsolike-export.json       list of these files, with the model's version
      similar_items.parquet      one row per item and neighbour
      similar_items.jsonl        one line per item
      shelves.sqlite             items and similar_items, by item id
      json/index.json            the file of each item
      json/items/30/id-sku.json  one item and its neighbours
      html/index.html            start page
      html/items/30/id-sku.html  the page of one item

and the same for recommendations of all users, if wanted. File names follow from the ids, see
`alsolike.export.filenames`.
"""

import functools
import os
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from alsolike._version import __version__
from alsolike.engines.base import Engine
from alsolike.engines.local import LocalEngine
from alsolike.errors import BundleError, SettingError
from alsolike.export.factors import bundle_with_version
from alsolike.export.formats import (
    ExportData,
    ItemLists,
    json_index,
    json_list,
    json_paths,
    write_json_lines,
    write_parquet,
    write_sqlite,
)
from alsolike.export.incremental_writer import FileCounts, Make, mirrored
from alsolike.export.site import Site
from alsolike.models.base import FittedModel
from alsolike.models.bundle.manifest import models_of_run
from alsolike.models.protocols import HasAffinities, able
from alsolike.models.similarity.config import Affinity, check_bias
from alsolike.progress import SILENT, Observer
from alsolike.recommending.affinities import note_on_counts, with_similarity
from alsolike.recommending.batch import shown_items
from alsolike.recommending.ranking.nearest import expect_item_scorer
from alsolike.recommending.ranking.scan import Ranked
from alsolike.recommending.rules.rules import Allowed, Rules, allowed_neighbours, allowed_of
from alsolike.recommending.shared import MIN_COUNT, checked_k
from alsolike.recommending.similarity import similar_at_marks, similar_indices
from alsolike.recommending.unknown.fallback import WithoutLikes, check_without_likes, fallback_notes
from alsolike.storage.atomic import refuse_overlap
from alsolike.usage_hints import did_you_mean

FORMATS = ("parquet", "jsonl", "sqlite", "json", "html")

Makers = dict[str, Make]
Builders = dict[str, Callable[[Path], None]]


@dataclass(frozen=True)
class Export:
    """The result of an export.

    Parameters
    ----------
    folder : Path
    model : str
        The model's version: the SHA-256 of its ``manifest.json``.
    lists : int
        Lists of similar items, and of recommendations if wanted.
    files : FileCounts
    notes : tuple of str
        Notes on users without recommendations of the model, and on images that are not shown.
    """

    folder: Path
    model: str
    lists: int
    files: FileCounts
    notes: tuple[str, ...]

    def __str__(self) -> str:
        head = f"{self.lists:,} lists of model {self.model[:12]} in {self.folder}: {self.files}"
        return "\n".join([head, *self.notes])


def export(
    model: str | os.PathLike[str],
    to: str | os.PathLike[str],
    *,
    k: int = 10,
    formats: Collection[str] = FORMATS,
    users: bool = False,
    min_count: int = MIN_COUNT,
    exclude_seen: bool = True,
    without_likes: WithoutLikes = "popular",
    affinity: Affinity | None = None,
    popularity_bias: float | None = None,
    prior_strength: float | None = None,
    marks: Sequence[float] = (0.0, 1.0),
    rules: Rules | None = None,
    remote_images: bool = False,
    engine: Engine | None = None,
    observer: Observer = SILENT,
) -> Export:
    """Write the lists of a model as files; only changed ones are written again.

    Files of an earlier export that are no longer wanted are removed; files that no export made are
    never touched. After a kill, the same call resumes. Equal models give equal bytes.

    Parameters
    ----------
    model : path
        A bundle, as `alsolike.save` makes it, or the folder of a run: its ``similar``, if there is
        one, gives the similar items, and its ``model`` the recommendations.
    to : path
        The output folder: new, empty, or of an earlier export.
    k : int
        Items per list, or all if there are fewer.
    formats : collection of str
        Out of ``"parquet"``, ``"jsonl"``, ``"sqlite"``, ``"json"`` and ``"html"``.
    users : bool
        Also write recommendations for all users. Anyone who can read the files then learns what
        they are likely to like.
    min_count : int
        Interactions that a neighbour must have, see `alsolike.similar`.
    exclude_seen : bool
        Leave out items that a user has seen.
    without_likes : {"popular", "empty"}
        List for users about whom the model knows nothing, see `alsolike.recommend`.
    affinity, popularity_bias, prior_strength
        How items are compared, see `alsolike.similar`; None: as the model has it.
    marks : sequence of float
        Popularity biases whose lists the page of an item has, too, as names behind a click; about
        130 bytes for each item of a list. Models without a dial have none.
    rules : Rules or None
        Rules on all lists, see `alsolike.Rules`.
    remote_images : bool
        Make the pages load images from the web; otherwise they show placeholders.
    engine : Engine or None
        None: all threads of this machine. The files do not depend on it.
    observer : Observer
        Receives a step for each file.

    Returns
    -------
    Export

    Raises
    ------
    BundleError
        The model is damaged, or was replaced meanwhile.
    SettingError
        A format is unknown, `k` is below 1, the model has no history to leave out, a setting of
        similar items is wrong or needs a model with a dial, or a rule asks for a column or value
        that is not there.
    WritingError
        The folder has other files, or cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from alsolike.models.bundle.io import save
    >>> from alsolike.testing import tiny_model
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(tiny_model(), f"{folder}/model")
    ...     first = export(f"{folder}/model", f"{folder}/shelves", formats=["json", "sqlite"])
    ...     again = export(f"{folder}/model", f"{folder}/shelves", formats=["json", "sqlite"])
    >>> print(first.files)
    7 files written, 0 unchanged, 0 removed
    >>> print(again.files)
    0 files written, 7 unchanged, 0 removed
    """
    wanted = _checked_formats(formats)
    check_without_likes(without_likes)
    length = checked_k(k)
    for_lists, for_similar = models_of_run(Path(model))
    refuse_overlap([for_lists, for_similar], [to])
    comparing, version = bundle_with_version(for_similar)
    comparing = with_similarity(
        comparing,
        affinity=affinity,
        popularity_bias=popularity_bias,
        prior_strength=prior_strength,
    )
    engine = engine or LocalEngine()
    allowed = allowed_neighbours(comparing, rules) if rules else None
    ranking = functools.partial(
        _ranked, comparing, length, min_count=min_count, allowed=allowed, engine=engine,
        observer=observer,
    )  # fmt: skip
    tables = [
        ItemLists("item", "similar_item", "similar_items", comparing.items, ranking()[0], version)
    ]
    about = {
        "model": version, "name": comparing.name, "k": length, "min_count": min_count,
        "made_with": f"alsolike {__version__}", **_dial(comparing),
        **({"rules": str(rules)} if rules else {}),
    }  # fmt: skip
    notes = [note for note in (note_on_counts(comparing), _passed_over(Path(model))) if note]
    if users:
        loaded = comparing, version
        if for_lists != for_similar:
            loaded = bundle_with_version(for_lists)
            _expect_same_items(Path(model), loaded[0], comparing)
            about["recommending_model"] = loaded[1]
        lists, fallbacks = _recommended(
            *loaded, length, exclude_seen=exclude_seen, without_likes=without_likes, rules=rules,
            engine=engine, observer=observer,
        )  # fmt: skip
        tables.append(lists)
        notes += fallbacks
    notes += _notes_on(allowed, length, tables)
    data = ExportData(comparing, about, tuple(tables))
    builders = _builders(data, wanted)
    makers: Makers = _json_files(data) if "json" in wanted else {}
    site = None
    if "html" in wanted:
        site = Site(data, _at_marks(comparing, marks, ranking), remote_images=remote_images)
    if site is not None:
        makers |= site.files()
    observer.start("Writing files", len(makers) + len(builders))
    planned = [*builders, *makers]
    with mirrored(to, planned, about=about, engine=engine, observer=observer) as mirror:
        for path, build in builders.items():
            mirror.build(path, build)
        mirror.put(makers)
    observer.finish()
    n_lists = sum(len(lists.owners) for lists in tables)
    notes += [] if site is None else site.notes()
    return Export(Path(to), version, n_lists, mirror.counts, tuple(notes))


def _checked_formats(formats: Collection[str]) -> list[str]:
    given = [formats] if isinstance(formats, str) else list(formats)
    unknown = [one for one in given if one not in FORMATS]
    if unknown or not given:
        found = repr(unknown[0]) if unknown else "none"
        hint = did_you_mean(unknown[0], FORMATS) if unknown else ""
        raise SettingError(f"formats out of {', '.join(FORMATS)} expected, {found} given.{hint}")
    return given


def _recommended(
    model: FittedModel,
    version: str,
    k: int,
    *,
    exclude_seen: bool,
    without_likes: WithoutLikes,
    rules: Rules | None,
    engine: Engine,
    observer: Observer,
) -> tuple[ItemLists, list[str]]:
    """Return the recommendations for all users, and notes on those of whom nothing is known."""
    everybody = np.arange(len(model.users), dtype=np.int32)
    best = shown_items(
        model, everybody, k=k, exclude_seen=exclude_seen, without_likes=without_likes,
        allowed=allowed_of(model, rules or None), engine=engine, observer=observer,
    )  # fmt: skip
    ranked = Ranked(best.indices, best.scores)
    lists = ItemLists("user", "item", "recommendations", model.users, ranked, version, best.popular)
    return lists, fallback_notes(model, everybody, without_likes)


def _expect_same_items(run: Path, one: FittedModel, other: FittedModel) -> None:
    if one.items != other.items:
        raise BundleError(
            f"{run}: the models of lists and of similar items have different items. Give the run "
            "again, or export one of the two."
        )


def _passed_over(model: Path) -> str:
    """Say that the run of a model chose another one for similar items; or nothing."""
    run = model.resolve().parent
    if models_of_run(run) != (model.resolve(), run / "similar"):
        return ""
    return (
        f"Similar items are those of {model}. The run chose another model for them: export "
        f"{model.parent} to have both."
    )


def _ranked(
    model: FittedModel,
    k: int,
    marks: Sequence[float] = (),
    *,
    min_count: int,
    allowed: Allowed | None,
    engine: Engine,
    observer: Observer,
) -> list[Ranked]:
    """Return the similar items of all items, at the model's own settings or at some marks."""
    rows, k = np.arange(len(model.items)), min(k, max(len(model.items), 1))
    how: dict[str, Any] = {"k": k, "min_count": min_count, "engine": engine, "observer": observer}
    if marks:
        dialled = able(model, HasAffinities, "choose between specific and popular items")
        if allowed is None:
            return similar_at_marks(dialled, rows, marks=marks, **how)
        own = dialled.similarity_config
        configs = [replace(own, popularity_bias=mark) for mark in marks]
        return [
            similar_indices(dialled, rows, similarity=one, allowed=allowed, **how)
            for one in configs
        ]
    scorer = expect_item_scorer(model, "compare items")
    return [similar_indices(scorer, rows, allowed=allowed, **how)]


def _notes_on(allowed: Allowed | None, k: int, tables: Sequence[ItemLists]) -> list[str]:
    """Say which lists the rules make shorter than `k`."""
    notes: list[str] = []
    if allowed is None:
        return notes
    for lists in tables:
        lengths = np.count_nonzero(lists.ranked.indices >= 0, axis=1).tolist()
        of_owners = dict(zip(lists.owners, lengths, strict=True))
        found = allowed.notes(k, of_owners, lists.owner)
        notes += [note for note in found if note not in notes]
    return notes


def _at_marks(
    model: FittedModel, marks: Sequence[float], ranking: Callable[..., list[Ranked]]
) -> dict[str, Ranked]:
    """Return the lists at other marks than the model's own, each by its heading."""
    if not isinstance(model, HasAffinities):
        return {}
    own = model.similarity_config.popularity_bias
    others = sorted({check_bias(mark) for mark in marks} - {own})
    lists = ranking(others) if others else []
    headings = [
        f"More {'specific' if mark < own else 'popular'} items (popularity bias {mark:g})"
        for mark in others
    ]
    return dict(zip(headings, lists, strict=True))


def _dial(model: FittedModel) -> dict[str, str | float]:
    """Return the settings of similar items, of a model with a dial."""
    if not isinstance(model, HasAffinities):
        return {}
    config = model.similarity_config
    return {**config.to_settings(), "affinity": config.affinity or model.affinities[0]}


def _builders(data: ExportData, wanted: Collection[str]) -> Builders:
    """Return the makers of the large files."""
    builders: Builders = {}
    for lists in data.tables:
        for ending, write in (("parquet", write_parquet), ("jsonl", write_json_lines)):
            if ending in wanted:
                builders[f"{lists.title}.{ending}"] = functools.partial(
                    write, data=data, lists=lists
                )
    if "sqlite" in wanted:
        builders["shelves.sqlite"] = functools.partial(write_sqlite, data=data)
    return builders


def _json_files(data: ExportData) -> Makers:
    makers: Makers = {
        f"json/{path}": functools.partial(json_list, data, lists, row)
        for lists in data.tables
        for row, path in enumerate(json_paths(data, lists))
    }
    # The index comes last, when the files that it names exist.
    return {**makers, "json/index.json": functools.partial(json_index, data)}
