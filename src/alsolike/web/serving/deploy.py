"""Switches a slot to another model while the service runs, after it passed all checks."""

import time
from dataclasses import dataclass
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
from alsolike.web.serving.registry import load_model
from alsolike.web.serving.state_store import SlotVersion, Store
from alsolike.web.settings import Settings, Slot


@dataclass(frozen=True)
class SwapResult:
    """The slot of a swap, its new and its former version, and the time that it took."""

    name: str
    version: str
    before: str | None
    seconds: float

    def __str__(self) -> str:
        if self.version == self.before:
            return f"{self.name} serves {self.version[:12]} already"
        before = "nothing" if self.before is None else self.before[:12]
        return f"{self.name} serves {self.version[:12]} after {before}, in {self.seconds:.1f} s"


def swap(settings: Settings, state: Store, name: str, folder: Path) -> SwapResult:
    """Switch slot `name` to the bundle `folder`; all workers follow within seconds.

    Every byte of the bundle is checked against its manifest.

    Raises
    ------
    BundleError
        The bundle is incomplete, damaged or of a newer format, or its model fails a check
        (`alsolike.web.serving.smoke_tests`). The current model stays.
    SettingError
        There is no such slot, or the file of smoke tests is malformed.
    WritingError
        The state folder cannot be written.
    """
    start, slot = time.monotonic(), settings.slot(name)
    with locked(settings.state):
        before = {one.name: one.version for one in state.served()}.get(name)
        version = _deploy(settings, slot, folder)
        own = folder.absolute() == slot.folder.absolute()
        if version != before:
            state.serve(name, version, looked_at=version if own else None)
        remove_unused(settings.state, state.versions_in_use(with_former=True))
        ready = neighbours_path(settings.state, version)
        if not ready.exists():
            build_in_background(bundle_path(settings.state, version), ready)
    return SwapResult(name, version, before, time.monotonic() - start)


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
        served = {one.name: one.version for one in state.served()}
        for slot in settings.models:
            _prepare(settings, state, slot, served.get(slot.name))
        state.order([slot.name for slot in settings.models])
        for one in state.served():
            _precompute(settings, one)
        remove_unused(settings.state, state.versions_in_use(with_former=True))


def _prepare(settings: Settings, state: Store, slot: Slot, served: str | None) -> None:
    there = served is not None and is_whole(bundle_path(settings.state, served))
    try:
        found = version_of(slot.folder)
        if there and found == state.looked_at(slot.name):
            return
        version = _deploy(settings, slot, slot.folder)
    except BundleError:
        if there:
            return  # after a swap, the folder is no longer needed
        raise
    state.serve(slot.name, version, looked_at=version)


def _precompute(settings: Settings, one: SlotVersion) -> None:
    path = neighbours_path(settings.state, one.version)
    model = load(bundle_path(settings.state, one.version), check=False)
    if not NeighbourCache(path, model).is_ready:
        build(path, model)


def _deploy(settings: Settings, slot: Slot, folder: Path) -> str:
    """Copy, load and check a bundle; return its version."""
    version = copy_bundle(settings.state, folder)
    try:
        served = load_model(settings, slot.name, version)
        smoke_tests.run(served, smoke_tests.read_smoke_tests(settings.golden))
    except AlsolikeError as error:
        if isinstance(error, BundleError):
            raise BundleError(f"{folder}: {error}") from error
        raise
    copy_run_files(settings.state, version, folder)
    return version
