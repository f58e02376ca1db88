"""Removes scratch folders and half-written files when a process ends, also by a signal or a kill.

Blocks remove what they make when they end. A signal calls `undo_all`. After ``kill -9`` a later
process sweeps: each scratch folder has a lock that the system releases with its process.
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


class Closeable(Protocol):
    """Anything with a method `close`."""

    def close(self) -> None:
        """Close it; may be called twice."""


_numbers = itertools.count()
_to_undo: dict[int, Callable[[], None]] = {}
_to_close: weakref.WeakSet[Closeable] = weakref.WeakSet()


@contextlib.contextmanager
def undone_at_end(undo: Callable[[], None]) -> Iterator[None]:
    """Call `undo` if a signal ends the process within this block.

    `undo` must also work before anything was made.
    """
    number = next(_numbers)
    _to_undo[number] = undo
    try:
        yield
    finally:
        _to_undo.pop(number, None)


def closed_at_end(thing: Closeable) -> None:
    """Close `thing` if a signal ends the process while it exists."""
    _to_close.add(thing)


def undo_all() -> None:
    """Close and undo all, the last first; failures are left to a later sweep."""
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
    """Block SIGINT in this thread, and in processes started within.

    A terminal sends it to all processes, but only the main one should handle it.
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
    """Yield a folder in the temporary folder, removed at the end of the block.

    Folders left by killed processes of this user are removed first. Raises WritingError if the
    temporary folder is missing, full or not writable.
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
    """Remove a folder with its content, if it exists.

    Tries a few times: threads of a database may still be writing into it.
    """
    for _ in range(5):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return


def no_room(folder: Path, error: OSError) -> WritingError:
    """Return the error for a full scratch folder."""
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
    """Make a folder with a lock held by this process; return its handle."""
    folder.mkdir(mode=0o700)
    place = folder / _LOCK
    handle = os.open(place, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        # Some network file systems lock nothing: then this folder is never swept, which is safe.
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
