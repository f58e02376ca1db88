"""Another model into a slot while the service runs: checked, warmed and asked before it counts."""

import time
from dataclasses import dataclass
from pathlib import Path

from alsolike.errors import AlsolikeError, BundleError
from alsolike.models.bundle.io import load
from alsolike.web.serving import smoke_tests
from alsolike.web.serving.bundle_store import (
    alone,
    bundle_path,
    is_whole,
    neighbours_path,
    take,
    copy_run_files,
    tidy,
    version_of,
)
from alsolike.web.serving.neighbour_cache import NeighbourCache, build, build_beside
from alsolike.web.serving.registry import hold
from alsolike.web.serving.store import SlotVersion, Store
from alsolike.web.settings import Settings, Slot


@dataclass(frozen=True)
class SwapResult:
    """What a swap did.

    Parameters
    ----------
    name : str
        Of the slot.
    version, before : str, str or None
        What it serves from now on, and what it served before.
    seconds : float
        From the question to the answer.
    """

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
    """Let slot `name` serve the bundle `folder`; all workers follow within seconds.

    Parameters
    ----------
    settings : Settings
    state : State
    name : str
        Of a slot.
    folder : path
        Of the bundle. Every byte is checked against its manifest.

    Raises
    ------
    BundleError
        The bundle is incomplete, damaged or of a newer format, or the model in it does not answer
        as it must (`alsolike.web.serving.smoke_tests`). What was served stays.
    SettingError
        There is no such slot, or the file of golden questions is none.
    WritingError
        The state folder cannot be written.
    """
    start, slot = time.monotonic(), settings.slot(name)
    with alone(settings.state):
        before = {one.name: one.version for one in state.served()}.get(name)
        version = _take(settings, slot, folder)
        own = folder.absolute() == slot.folder.absolute()
        if version != before:
            state.serve(name, version, looked_at=version if own else None)
        tidy(settings.state, state.versions_in_use(with_former=True))
        ready = neighbours_path(settings.state, version)
        if not ready.exists():
            build_beside(bundle_path(settings.state, version), ready)
    return SwapResult(name, version, before, time.monotonic() - start)


def prepare(settings: Settings, state: Store) -> None:
    """Let each slot serve something when a worker starts.

    A slot goes on with what it served last, unless its folder holds another bundle than when it
    was last looked at: then that is taken, since whoever starts a service with a path means what
    lies there.

    Raises
    ------
    BundleError
        A slot's folder holds no sound bundle, and there is nothing that it served before.
    WritingError
        The state folder cannot be used.
    """
    with alone(settings.state):
        served = {one.name: one.version for one in state.served()}
        for slot in settings.models:
            _prepare(settings, state, slot, served.get(slot.name))
        state.order([slot.name for slot in settings.models])
        for one in state.served():
            _precompute(settings, one)
        tidy(settings.state, state.versions_in_use(with_former=True))


def _prepare(settings: Settings, state: Store, slot: Slot, served: str | None) -> None:
    there = served is not None and is_whole(bundle_path(settings.state, served))
    try:
        found = version_of(slot.folder)
        if there and found == state.looked_at(slot.name):
            return
        version = _take(settings, slot, slot.folder)
    except BundleError:
        if there:
            return  # a service that was swapped to another bundle outlives the folder it began with
        raise
    state.serve(slot.name, version, looked_at=version)


def _precompute(settings: Settings, one: SlotVersion) -> None:
    path = neighbours_path(settings.state, one.version)
    model = load(bundle_path(settings.state, one.version), check=False)
    if not NeighbourCache(path, model).is_ready:
        build(path, model)


def _take(settings: Settings, slot: Slot, folder: Path) -> str:
    """Copy, check, warm and ask a bundle; return its version."""
    version = take(settings.state, folder)
    try:
        served = hold(settings, slot.name, version)
        smoke_tests.run(served, smoke_tests.read_smoke_tests(settings.golden))
    except AlsolikeError as error:
        if isinstance(error, BundleError):
            raise BundleError(f"{folder}: {error}") from error
        raise
    copy_run_files(settings.state, version, folder)
    return version
