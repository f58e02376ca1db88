"""Another model into a slot while the service runs: checked, warmed and asked before it counts."""

import time
from dataclasses import dataclass
from pathlib import Path

from alsolike.errors import AlsolikeError, BundleError
from alsolike.models.bundle.io import load
from alsolike.web.serving import smoke_tests
from alsolike.web.serving.bundle_store import (
    alone,
    copy_of,
    is_whole,
    stock_of,
    take,
    take_aside,
    tidy,
    version_of,
)
from alsolike.web.serving.neighbour_cache import Stock, build, build_beside
from alsolike.web.serving.registry import hold
from alsolike.web.serving.store import Served, Store
from alsolike.web.settings import Settings, Slot


@dataclass(frozen=True)
class Swapped:
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


def swap(settings: Settings, state: Store, name: str, folder: Path) -> Swapped:
    """Let slot `name` serve the bundle `folder`; all workers follow within seconds.

    Parameters
    ----------
    settings : Settings
    state : Store
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
    start, place = time.monotonic(), settings.place(name)
    with alone(settings.state):
        before = {one.name: one.version for one in state.served()}.get(name)
        version = _take(settings, place, folder)
        own = folder.absolute() == place.folder.absolute()
        if version != before:
            state.serve(name, version, looked_at=version if own else None)
        tidy(settings.state, state.versions_in_use(with_former=True))
        ready = stock_of(settings.state, version)
        if not ready.exists():
            build_beside(copy_of(settings.state, version), ready)
    return Swapped(name, version, before, time.monotonic() - start)


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
        for place in settings.models:
            _prepare(settings, state, place, served.get(place.name))
        state.order([place.name for place in settings.models])
        for one in state.served():
            _stock_up(settings, one)
        tidy(settings.state, state.versions_in_use(with_former=True))


def _prepare(settings: Settings, state: Store, place: Slot, served: str | None) -> None:
    there = served is not None and is_whole(copy_of(settings.state, served))
    try:
        found = version_of(place.folder)
        if there and found == state.looked_at(place.name):
            return
        version = _take(settings, place, place.folder)
    except BundleError:
        if there:
            return  # a service that was swapped to another bundle outlives the folder it began with
        raise
    state.serve(place.name, version, looked_at=version)


def _stock_up(settings: Settings, one: Served) -> None:
    path = stock_of(settings.state, one.version)
    model = load(copy_of(settings.state, one.version), check=False)
    if not Stock(path, model).is_ready:
        build(path, model)


def _take(settings: Settings, place: Slot, folder: Path) -> str:
    """Copy, check, warm and ask a bundle; return its version."""
    version = take(settings.state, folder)
    try:
        served = hold(settings, place.name, version)
        smoke_tests.ask(served, smoke_tests.questions_of(settings.golden))
    except AlsolikeError as error:
        if isinstance(error, BundleError):
            raise BundleError(f"{folder}: {error}") from error
        raise
    take_aside(settings.state, version, folder)
    return version
