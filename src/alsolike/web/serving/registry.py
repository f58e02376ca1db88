"""Loads and keeps the model of each slot, memory-mapped and prepared for requests.

A request takes its `ServedModel` once and keeps it to its end. A swap replaces it in the registry;
the old one is freed when its last request is done.
"""

import asyncio
import functools
import logging
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from alsolike.errors import AlsolikeError, BundleError, UnknownModel
from alsolike.models.base import FittedModel, FoldsIn, HasFactors, able
from alsolike.models.bundle.io import describe, load
from alsolike.models.bundle.manifest import Manifest
from alsolike.recommending.co_likes import Likers
from alsolike.recommending.fallback import MostLiked
from alsolike.recommending.shared import Indices
from alsolike.recommending.unknown_users import is_by_popularity
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
# A content policy is a header; browsers and proxies reject headers of several kilobytes.
MOST_IMAGE_ORIGINS = 50

_LOOKS_BEFORE_RETRYING = 20

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
        """Whether the model has factors, which a map needs."""
        return isinstance(self.model, HasFactors)

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
        return item_map(able(self.model, HasFactors, "draw a map"))

    @functools.cached_property
    def most_liked(self) -> Indices:
        """Rows of items with likes, the most liked first; ties by row."""
        return MostLiked.of(self.model).order

    def is_fast(self, n_likes: int = 1) -> bool:
        """Return whether an answer for so many likes is fast enough for the event loop."""
        return len(self.model.items) * (self.manifest.factors or n_likes) <= LARGE


def load_model(settings: Settings, name: str, version: str) -> ServedModel:
    """Map the copy of a version and open its indexes.

    Raises
    ------
    BundleError
        The copy is missing or damaged.
    WritingError
        The search index cannot be written.
    """
    folder = bundle_path(settings.state, version)
    # Every byte was checked when it was copied, and when the service started.
    model = load(folder, check=False)
    return ServedModel(
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
    )


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
            if one is None or (one.name in served and served[one.name].version == one.version):
                continue
            try:
                served[one.name] = load_model(self._settings, one.name, one.version)
            except (AlsolikeError, OSError, MemoryError) as error:
                failures[one.name] = self._failure(one, error)
        ordered = {
            slot.name: served[slot.name] for slot in self._settings.models if slot.name in served
        }
        self.served, self.failures = MappingProxyType(ordered), MappingProxyType(failures)
        self.image_origins = frozenset().union(*(one.image_origins for one in ordered.values()))
        self._number = number
        self._metrics.serves({name: one.version for name, one in ordered.items()})

    async def watch(self) -> None:
        """Follow the state until cancelled; a thread loads new models."""
        while True:
            await asyncio.sleep(SECONDS_BETWEEN_LOOKS)
            self._looks += 1
            try:
                if self._is_behind():
                    await asyncio.to_thread(self.follow)
                for served in self.served.values():
                    served.neighbours.look()
            except (AlsolikeError, OSError) as error:
                _log.warning("The state cannot be read: %s", error)

    def _is_behind(self) -> bool:
        if self._state.number() != self._number:
            return True
        return bool(self.failures) and self._looks % _LOOKS_BEFORE_RETRYING == 0

    def _failure(self, one: SlotVersion, error: Exception) -> str:
        message = f"Version {one.version} of {one.name!r} cannot be loaded: {error}"
        if self.failures.get(one.name) != message:
            _log.error("%s", message)
            self._metrics.count("failed_loads", slot=one.name)
        return message


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
