"""What must not outlive its process: scratch folders and half-written files.

A block that makes such a thing removes it when it ends, also by an exception. A signal that ends
the process at once asks `undo_all`. After ``kill -9`` a later process sweeps: each scratch folder
holds a lock that the system frees with its process, so that what is stale can be told for certain.
"""

import contextlib
import fcntl
import itertools
import os
import re
import shutil
import signal
import stat
import tempfile
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

from alsolike.errors import WritingError
from alsolike.system_errors import explained, way_out_of

_LOCK = "lock"
_TAKEN_BY_A_SWEEP = 5  # tries; one is enough but where another process sweeps at that moment


class Closed(Protocol):
    """Whatever is let go of by a method of that name."""

    def close(self) -> None:
        """Let go of it; it may have been before."""


_numbers = itertools.count()
_to_undo: dict[int, Callable[[], None]] = {}
_to_close: weakref.WeakSet[Closed] = weakref.WeakSet()


@contextlib.contextmanager
def undone_at_end(undo: Callable[[], None]) -> Iterator[None]:
    """Have `undo` called where a signal ends the process within this block.

    It comes before the block makes what is to be undone, so it must bear that there is nothing.
    """
    number = next(_numbers)
    _to_undo[number] = undo
    try:
        yield
    finally:
        _to_undo.pop(number, None)


def closed_at_end(thing: Closed) -> None:
    """Have `thing` closed where a signal ends the process, if it is still there then."""
    _to_close.add(thing)


def undo_all() -> None:
    """Close and undo what was registered, the last first; what fails is left to a later sweep."""
    with contextlib.suppress(RuntimeError):  # another thread has just opened or closed one
        for thing in list(_to_close):
            with contextlib.suppress(Exception):
                thing.close()
    for number in sorted(_to_undo, reverse=True):
        undo = _to_undo.pop(number, None)
        if undo is not None:
            with contextlib.suppress(Exception):
                undo()


@contextlib.contextmanager
def interrupts_held() -> Iterator[None]:
    """Hold back SIGINT in this thread; a process that is started within never gets one.

    A terminal sends it to all its processes. Only the one that was asked decides what it means,
    and one that is still importing could only print a traceback.
    """
    from multiprocessing import resource_tracker  # noqa: PLC0415 - few start processes

    resource_tracker.ensure_running()  # starting it would end the holding back
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def scratch_folder() -> Iterator[Path]:
    """Give a folder of this process in the temporary folder; it is gone when the block ends.

    What processes of this user that were killed have left there is removed first.

    Yields
    ------
    Path

    Raises
    ------
    WritingError
        The temporary folder is missing, full, or may not be written.
    """
    root = _temporary_folder()
    sweep(root)
    for attempt in itertools.count(1):
        # Chosen here and not by tempfile, so that it is registered before it is made.
        folder = root / f"alsolike-{os.urandom(8).hex()}"
        with undone_at_end(lambda place=folder: remove_folder(place)):  # type: ignore[misc]
            handle = None
            try:
                try:
                    handle = _locked(folder)
                except OSError as error:
                    is_swept = isinstance(error, FileNotFoundError) and root.is_dir()
                    if is_swept and attempt < _TAKEN_BY_A_SWEEP:
                        continue
                    raise _unusable(root, error) from error
                yield folder
                return
            finally:
                remove_folder(folder)
                if handle is not None:
                    os.close(handle)


def sweep(root: Path) -> None:
    """Remove scratch folders of this user in `root` whose process has ended."""
    with contextlib.suppress(OSError):
        for entry in list(os.scandir(root)):
            if re.fullmatch(r"alsolike-[0-9a-f]{16}", entry.name):
                with contextlib.suppress(OSError):
                    _remove_stale(Path(entry.path))


def remove_folder(folder: Path) -> None:
    """Remove a folder with all that is in it, where it is there.

    Threads of a database may be putting files into it meanwhile: so it is tried a few times.
    """
    for _ in range(5):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return


def no_room(folder: Path, error: OSError) -> WritingError:
    """Return the error to raise where what was written to a scratch folder did not fit there."""
    return _unusable(folder.parent, error)


def _temporary_folder() -> Path:
    try:
        return Path(tempfile.gettempdir())
    except OSError as error:  # none of the usual places can be written
        raise WritingError(
            f"There is no temporary folder that can be written ({error.strerror}). Name one in the "
            "variable TMPDIR."
        ) from error


def _unusable(root: Path, error: OSError) -> WritingError:
    hint = way_out_of(error) or "Name a folder with room in the variable TMPDIR."
    return WritingError(
        f"The temporary folder {root} cannot be used ({explained(error, root)}). {hint}"
    )


def _locked(folder: Path) -> int:
    """Make a folder with a lock in it that this process holds until it ends; return its handle."""
    folder.mkdir(mode=0o700)
    place = folder / _LOCK
    handle = os.open(place, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        # Some network file systems lock nothing: then nobody can sweep this one, which is safe.
        with contextlib.suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        place.stat()  # gone where a sweep came between the two
    except BaseException:
        os.close(handle)
        raise
    return handle


def _remove_stale(folder: Path) -> None:
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        return
    handle = os.open(folder / _LOCK, os.O_RDWR | os.O_NOFOLLOW)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)  # fails where its process lives
        shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(handle)
