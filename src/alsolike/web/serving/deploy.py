"""Switches a slot to other models while the service runs, after they passed all checks.

A slot is given a bundle, or the folder of a run, which may hold a second model for similar items.
"""

import logging
import time
from dataclasses import dataclass, field
from pathlib import Path

from alsolike.errors import AlsolikeError, BundleError
from alsolike.models.bundle.io import load
from alsolike.web.serving import smoke_tests
from alsolike.web.serving.bundle_store import (
    bundle_path,
    copy_bundle,
    copy_run_files,
    is_whole,
    locked,
    neighbours_path,
    remove_unused,
    version_of,
)
from alsolike.web.serving.neighbour_cache import NeighbourCache, build, build_in_background
from alsolike.web.serving.new_items import Carried, carry_over
from alsolike.web.serving.registry import load_model
from alsolike.web.serving.state_store import SlotVersion, Store
from alsolike.web.settings import Settings, Slot, model_folders

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SwapResult:
    """The slot of a swap, its new and its former version, and the time that it took.

    `similar` and `similar_before` are the versions of the model for similar items, None if the
    slot has, or had, one model for all. `carried` are the new items that were sent to the slot and
    are taken over, see `alsolike.web.serving.new_items`.
    """

    name: str
    version: str
    before: str | None
    seconds: float
    similar: str | None = None
    similar_before: str | None = None
    carried: Carried = field(default_factory=Carried)

    @property
    def changed(self) -> bool:
        """Whether the slot serves anything else than before."""
        return (self.version, self.similar) != (self.before, self.similar_before)

    def __str__(self) -> str:
        if not self.changed:
            same = f"{self.name} serves {self.version[:12]} already"
            return f"{same}{self._similar()}{self.carried}"
        before = "nothing" if self.before is None else self.before[:12]
        return (
            f"{self.name} serves {self.version[:12]} after {before}, in {self.seconds:.1f} s"
            f"{self._similar()}{self.carried}"
        )

    def _similar(self) -> str:
        """Say where similar items come from, where that is or was another model."""
        if self.similar is not None:
            before = self.before if self.similar_before is None else self.similar_before
            after = "" if before in (None, self.similar) else f" after {before[:12]}"
            return f"; similar items are of {self.similar[:12]}{after}"
        if self.similar_before is not None:
            return (
                f"; so are similar items, which were of {self.similar_before[:12]}: this folder "
                "has no second model for them"
            )
        return ""


def swap(settings: Settings, state: Store, name: str, folder: Path) -> SwapResult:
    """Switch slot `name` to the models of `folder`; all workers follow within seconds.

    Every byte is checked against the manifests. Of the folder of a run, both models are taken, or
    neither; the only model of a bundle is that for similar items, too.

    Raises
    ------
    BundleError
        A bundle is incomplete, damaged or of a newer format, or its model fails a check
        (`alsolike.web.serving.smoke_tests`). The current models stay.
    SettingError
        There is no such slot, or the file of smoke tests is malformed.
    WritingError
        The state folder cannot be written.
    """
    start, slot = time.monotonic(), settings.slot(name)
    with locked(settings.state):
        current = {one.name: one.versions for one in state.served()}.get(name)
        before, similar_before = current or (None, None)
        deployed = _deploy(settings, slot, folder)
        own = folder.absolute() == slot.folder.absolute()
        version, similar, carried = carry_over(settings, state, name, *deployed)
        if (version, similar) != current:
            looked_at = _seen(*deployed) if own else None
            state.serve(name, version, similar=similar, looked_at=looked_at)
        remove_unused(settings.state, state.versions_in_use(with_former=True))
        ready = neighbours_path(settings.state, similar or version)
        if not ready.exists():
            build_in_background(bundle_path(settings.state, similar or version), ready)
    seconds = time.monotonic() - start
    return SwapResult(name, version, before, seconds, similar, similar_before, carried)


def prepare(settings: Settings, state: Store) -> None:
    """Give each slot a version when a worker starts.

    A slot keeps its last version, unless its folder holds another bundle than when it was last
    looked at: then that is loaded.

    Raises
    ------
    BundleError
        A slot's folder holds no sound bundle, and it has no former version.
    WritingError
        The state folder cannot be used.
    """
    with locked(settings.state):
        served = {one.name: one for one in state.served()}
        for slot in settings.models:
            _prepare(settings, state, slot, served.get(slot.name))
        state.order([slot.name for slot in settings.models])
        for one in state.served():
            _precompute(settings, one)
        remove_unused(settings.state, state.versions_in_use(with_former=True))


def _prepare(settings: Settings, state: Store, slot: Slot, served: SlotVersion | None) -> None:
    there = served is not None and all(
        is_whole(bundle_path(settings.state, one)) for one in served.versions if one is not None
    )
    try:
        main, second = model_folders(slot.folder)
        found = _seen(version_of(main), None if second is None else version_of(second))
        if there and found == state.looked_at(slot.name):
            return
        deployed = _deploy(settings, slot, slot.folder)
    except BundleError:
        if there:
            return  # after a swap, the folder is no longer needed
        raise
    version, similar, carried = carry_over(settings, state, slot.name, *deployed)
    if carried.left:
        _log.warning("%s serves %s%s", slot.name, version[:12], carried)
    state.serve(slot.name, version, similar=similar, looked_at=_seen(*deployed))


def _seen(version: str, similar: str | None) -> str:
    """Return the text that stands for the models of a folder."""
    return version if similar is None else f"{version} {similar}"


def _precompute(settings: Settings, one: SlotVersion) -> None:
    version = one.similar or one.version
    path = neighbours_path(settings.state, version)
    model = load(bundle_path(settings.state, version), check=False)
    if not NeighbourCache(path, model).is_ready:
        build(path, model)


def _deploy(settings: Settings, slot: Slot, folder: Path) -> tuple[str, str | None]:
    """Copy, load and check the bundles of a folder; return their versions."""
    main, second = model_folders(folder)
    version = copy_bundle(settings.state, main)
    similar = None if second is None else copy_bundle(settings.state, second)
    try:
        served = load_model(settings, slot.name, version, similar)
        smoke_tests.run(served, smoke_tests.read_smoke_tests(settings.golden))
    except AlsolikeError as error:
        if isinstance(error, BundleError):
            raise BundleError(f"{folder}: {error}") from error
        raise
    copy_run_files(settings.state, version, main)
    return version, similar
