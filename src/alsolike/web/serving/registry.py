"""Loads and keeps the model of each slot, memory-mapped and prepared for requests.

A request takes its `ServedModel` once and keeps it to its end. A swap replaces it in the registry;
the old one is freed when its last request is done.
"""

import asyncio
import contextlib
import functools
import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType

import numpy as np

from alsolike.errors import AlsolikeError, BundleError, UnknownModel
from alsolike.models.base import FittedModel
from alsolike.models.bundle.io import describe, load
from alsolike.models.bundle.manifest import MANIFEST, Manifest
from alsolike.models.protocols import (
    FoldsIn,
    HasAffinities,
    HasFactors,
    HoldsFactors,
    able,
    factor_model_of,
)
from alsolike.models.similarity.config import Affinity, SimilarityConfig, SimilarityScale
from alsolike.recommending.affinities import similarity_with
from alsolike.recommending.co_likes import Likers
from alsolike.recommending.features.names import has_words
from alsolike.recommending.shared import Indices
from alsolike.recommending.unknown.fallback import MostLiked
from alsolike.recommending.unknown.unknown_users import is_by_popularity
from alsolike.usage_hints import did_you_mean
from alsolike.views.page import web_origin
from alsolike.web.monitoring.metrics import Metrics
from alsolike.web.search import index as search
from alsolike.web.serving import neighbour_cache
from alsolike.web.serving.bundle_store import bundle_path, index_of, neighbours_path, run_files_path
from alsolike.web.serving.item_map import ItemMap, item_map
from alsolike.web.serving.state_store import SlotVersion, Store
from alsolike.web.settings import Settings

SECONDS_BETWEEN_LOOKS = 0.5
LARGE = 4_000_000  # numbers read for one answer; with more, a thread computes it
_OF_MEMBERS = 1_000  # of each item, for a model that scores whole rows
# A content policy is a header; browsers and proxies reject headers of several kilobytes.
MOST_IMAGE_ORIGINS = 50
_LOOKS_BEFORE_RETRYING = 20
_MOST_SETTINGS = 256

_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class ServedModel:
    """One model, ready for requests.

    Parameters
    ----------
    name : str
        Of the slot.
    version : str
        SHA-256 of the bundle's manifest.
    manifest : Manifest
    model : FittedModel
        Its arrays are mapped: all workers share one copy in memory.
    neighbours : NeighbourCache
    index : SearchIndex
    image_origins : frozenset of str
        Scheme and host of the images that pages may load from the web; empty unless the settings
        allow it.
    folder, aside : Path
        The service's copy of the bundle, and of the run's report and leaderboard.
    likers : Likers or None
        None if the model has no history.
    pictures : Path or None
        Folder of image files.
    companion : ServedModel or None
        The model for similar items, if that is another one.
    taken_in : float
        When the service copied the bundle, in seconds since 1970.
    """

    name: str
    version: str
    manifest: Manifest
    model: FittedModel
    neighbours: neighbour_cache.NeighbourCache
    index: search.SearchIndex
    image_origins: frozenset[str]
    folder: Path
    aside: Path
    likers: Likers | None
    pictures: Path | None
    companion: "ServedModel | None" = None
    taken_in: float = 0.0

    @property
    def similar_model(self) -> "ServedModel":
        """The model that similar items are asked of: the companion, or this one."""
        return self.companion or self

    @functools.cached_property
    def own_similarity(self) -> SimilarityConfig | None:
        """The affinity and the mark of the dial that the model itself has; None without a dial."""
        if not isinstance(self.model, HasAffinities):
            return None
        return self._named(self.model.similarity_config)

    def similarity(
        self, affinity: str | None = None, popularity_bias: float | None = None
    ) -> SimilarityConfig | None:
        """Return the model's settings of similar items with some changed; None if none differs.

        Raises
        ------
        Unable, SettingError
            As of `alsolike.recommending.affinities.similarity_with`.
        """
        key = (affinity, popularity_bias)
        with contextlib.suppress(KeyError):
            return self._similarities[key]
        changed = similarity_with(self.model, affinity=affinity, popularity_bias=popularity_bias)
        named = None if changed is None else self._named(changed)
        found = None if named == self.own_similarity else named
        if len(self._similarities) >= _MOST_SETTINGS:
            self._similarities.clear()
        self._similarities[key] = found
        return found

    @functools.cached_property
    def _similarities(self) -> dict[tuple[str | None, float | None], SimilarityConfig | None]:
        """What `similarity` has returned, since checking settings takes as long as an answer."""
        return {}

    def _named(self, config: SimilarityConfig) -> SimilarityConfig:
        """Return settings that name the affinity, so that equal ones are equal."""
        return replace(config, affinity=config.affinity or self.affinities[0])

    @property
    def affinities(self) -> tuple[Affinity, ...]:
        """The affinities that the model has; none without a dial."""
        return self.model.affinities if isinstance(self.model, HasAffinities) else ()

    def scale(self, similarity: SimilarityConfig | None = None) -> SimilarityScale:
        """Describe the scores of similar items by these settings; None: the model's own."""
        if similarity is None:
            return self.model.similarity
        with_dial = able(self.model, HasAffinities, "change how items are compared")
        scale: SimilarityScale = with_dial.with_similarity(similarity).similarity
        return scale

    @functools.cached_property
    def counts_as_of(self) -> datetime:
        """The time up to which likes are counted: that of the newest like of the training.

        If likes have no times, the time when the service took the bundle in.
        """
        history = self.model.history
        times = None if history is None else history.timestamps
        newest = self.taken_in if times is None or not len(times) else float(times.max())
        try:
            return datetime.fromtimestamp(newest, UTC).replace(microsecond=0)
        except (OverflowError, OSError, ValueError):  # no time of this era
            return datetime.fromtimestamp(self.taken_in, UTC).replace(microsecond=0)

    @functools.cached_property
    def folds_in(self) -> bool:
        """Whether the model can recommend for likes after its training."""
        return isinstance(self.model, FoldsIn)

    @property
    def lists_by_likes(self) -> bool:
        """Whether the model lists the most liked items for everybody."""
        return is_by_popularity(self.model)

    @functools.cached_property
    def has_map(self) -> bool:
        """Whether the model, or one that it is made of, has factors, which a map needs."""
        return isinstance(self.model, (HasFactors, HoldsFactors))

    @functools.cached_property
    def item_map(self) -> ItemMap:
        """The catalogue as a map, computed on first use.

        Raises
        ------
        Unable
            The model has no factors.
        FitError
            An item's factors are not finite.
        """
        return item_map(factor_model_of(self.model, "draw a map"))

    def is_new(self, row: int) -> bool:
        """Whether an item is new: known by its features, without a like in the training data."""
        known = self.model.item_features
        return known is not None and not self.model.item_counts[row] and bool(known.has[row])

    @functools.cached_property
    def has_item_features(self) -> bool:
        """Whether the model knows features of items that are words, such as tags."""
        return has_words(self.model)

    @functools.cached_property
    def most_liked(self) -> Indices:
        """Rows of items with likes, the most liked first; ties by row."""
        return MostLiked.of(self.model).order

    def is_fast(self, n_likes: int = 1) -> bool:
        """Return whether an answer for so many likes is fast enough for the event loop."""
        each = self.manifest.factors or n_likes
        if self.model.scores_whole_rows:  # of models within it, which may have many factors
            each = max(each, _OF_MEMBERS)
        return len(self.model.items) * each <= LARGE

    def compares_fast(self, rows: Sequence[int]) -> bool:
        """Return whether similar items of these are found fast enough for the event loop."""
        likers = sum(int(self.model.item_counts[row]) for row in rows)
        return self.is_fast() and likers * self._likes_of_a_liker <= LARGE

    @functools.cached_property
    def _likes_of_a_liker(self) -> float:
        """The likes of a user who likes an item, as a mean over all likes; 0 without history."""
        history = self.model.history
        if history is None or not history.user_items.nnz:
            return 0.0
        lengths = np.diff(history.user_items.indptr).astype(np.float64)
        return float(lengths @ lengths / lengths.sum())


def load_model(
    settings: Settings, name: str, version: str, similar: str | None = None
) -> ServedModel:
    """Map the copy of a version, and of that for similar items, and open their indexes.

    Raises
    ------
    BundleError
        A copy is missing or damaged.
    FitError
        The factors of an item to be compared are not finite.
    WritingError
        A search index cannot be written.
    """
    companion = None if similar is None else load_model(settings, name, similar)
    folder = bundle_path(settings.state, version)
    # Every byte was checked when it was copied, and when the service started.
    model = load(folder, check=False)
    served = ServedModel(
        name=name,
        version=version,
        manifest=describe(folder),
        model=model,
        neighbours=neighbour_cache.NeighbourCache(neighbours_path(settings.state, version), model),
        index=_index(index_of(settings.state, version), model),
        image_origins=_image_origins(model) if settings.remote_images else frozenset(),
        folder=folder,
        aside=run_files_path(settings.state, version),
        likers=None if model.history is None else Likers(model),
        pictures=settings.pictures,
        companion=companion,
        taken_in=(folder / MANIFEST).stat().st_mtime,
    )
    if companion is None:
        served.neighbours.prepare()  # else nobody asks this model for similar items
    return served


class ModelRegistry:
    """The models of one worker, in the order of the slots; follows the swaps in the state.

    The state must have a version for each slot, see `alsolike.web.serving.deploy.prepare`.

    Raises
    ------
    BundleError
        A slot has no model, or its copy is missing or damaged.
    """

    def __init__(self, settings: Settings, state: Store, metrics: Metrics) -> None:
        self._settings, self._state, self._metrics = settings, state, metrics
        self._number = -1
        self._looks = 0
        self.served: Mapping[str, ServedModel] = MappingProxyType({})
        self.failures: Mapping[str, str] = MappingProxyType({})
        self.image_origins: frozenset[str] = frozenset()
        self.follow()
        for slot in settings.models:
            if slot.name not in self.served:
                raise BundleError(
                    self.failures.get(slot.name, f"Slot {slot.name!r} has no model yet.")
                )

    def of(self, name: str | None, *, others: Iterable[str] = ()) -> ServedModel:
        """Return the model of slot `name`; None: the default slot.

        Raises
        ------
        UnknownModel
            There is no such slot; the message lists the slots and `others`.
        """
        wanted = self._settings.default if name is None else name
        served = self.served.get(wanted)
        if served is None:
            known = [*self.served, *others]
            raise UnknownModel(
                f"Unknown model {wanted!r}. Models here: {', '.join(known)}."
                f"{did_you_mean(wanted, known)}"
            )
        return served

    def follow(self) -> None:
        """Load the versions in the state; keep the current one if that fails, and log why."""
        number = self._state.number()
        wanted = {one.name: one for one in self._state.served()}
        served, failures = dict(self.served), {}
        for slot in self._settings.models:
            one = wanted.get(slot.name)
            if one is None or (one.name in served and _versions(served[one.name]) == one.versions):
                continue
            try:
                served[one.name] = load_model(self._settings, one.name, *one.versions)
            except (AlsolikeError, OSError, MemoryError) as error:
                failures[one.name] = self._failure(one, error)
        ordered = {
            slot.name: served[slot.name] for slot in self._settings.models if slot.name in served
        }
        self.served, self.failures = MappingProxyType(ordered), MappingProxyType(failures)
        companions = {name: one.companion for name, one in ordered.items() if one.companion}
        self.image_origins = frozenset().union(
            *(one.image_origins for one in (*ordered.values(), *companions.values()))
        )
        self._number = number
        self._metrics.serves(
            {name: one.version for name, one in ordered.items()},
            {name: one.version for name, one in companions.items()},
        )

    async def watch(self) -> None:
        """Follow the state until cancelled; a thread loads new models."""
        while True:
            await asyncio.sleep(SECONDS_BETWEEN_LOOKS)
            self._looks += 1
            try:
                if self._is_behind():
                    await asyncio.to_thread(self.follow)
                for served in self.served.values():
                    served.similar_model.neighbours.look()
            except (AlsolikeError, OSError) as error:
                _log.warning("The state cannot be read: %s", error)

    def _is_behind(self) -> bool:
        if self._state.number() != self._number:
            return True
        return bool(self.failures) and self._looks % _LOOKS_BEFORE_RETRYING == 0

    def _failure(self, one: SlotVersion, error: Exception) -> str:
        both = one.version if one.similar is None else f"{one.version}, with {one.similar},"
        message = f"Version {both} of {one.name!r} cannot be loaded: {error}"
        if self.failures.get(one.name) != message:
            _log.error("%s", message)
            self._metrics.count("failed_loads", slot=one.name)
        return message


def _versions(served: ServedModel) -> tuple[str, str | None]:
    return served.version, None if served.companion is None else served.companion.version


def _index(path: Path, model: FittedModel) -> search.SearchIndex:
    """Open the search index of a version; build it if it is missing or damaged."""
    try:
        return search.SearchIndex.open(path)
    except (AlsolikeError, OSError):
        known = model.catalogue
        names, links = (None, None) if known is None else (known.names, known.links)
        search.build(path, model.items.ids, names, model.item_counts, links=links)
    return search.SearchIndex.open(path)


def _image_origins(model: FittedModel) -> frozenset[str]:
    """Return the hosts with the most images."""
    images = None if model.catalogue is None else model.catalogue.images
    origins = (web_origin(image) for image in images or () if image[:4].lower() == "http")
    counts = Counter(origin for origin in origins if origin is not None)
    most = sorted(counts, key=lambda origin: (-counts[origin], origin))
    if len(most) > MOST_IMAGE_ORIGINS:
        _log.warning(
            "Images come from %d hosts; only those of the %d largest are shown.",
            len(most),
            MOST_IMAGE_ORIGINS,
        )
    return frozenset(most[:MOST_IMAGE_ORIGINS])
