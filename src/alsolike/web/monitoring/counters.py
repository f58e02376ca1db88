"""Counts in a mapped file per worker, which any worker can add up and which outlives it.

The next worker continues the file of a killed one: sums never fall, and there are never more files
than workers at one time. A worker locks its file, and the kernel releases the lock when it dies; so
the lock shows whether the worker lives.
"""

import contextlib
import fcntl
import itertools
import mmap
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from alsolike.errors import WritingError

_MAGIC = b"alsotal1"
_CELL = 256  # bytes: the number, the length of its name, the name
_CELLS = 4096
_SIZE = _CELL * _CELLS
_NUMBER, _LENGTH = struct.Struct("<d"), struct.Struct("<H")
_END = struct.Struct("<I")  # in the head, after the magic: the first cell never used
MOST_BYTES = _CELL - _NUMBER.size - _LENGTH.size  # of a name
_DOUBLES = _CELL // 8


@dataclass(frozen=True)
class WorkerCounters:
    """The numbers in one file by name, and whether its worker lives."""

    numbers: dict[str, float]
    lives: bool


class Counters:
    """The numbers of this process, in a file of `folder` that no live process uses.

    Raises
    ------
    WritingError
        The folder cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> counters = Counters(Path(folder.name))
    >>> counters.add(counters.offset("likes"), 2)
    >>> counters.add(counters.offset("likes"), 1)
    >>> list(read(Path(folder.name)))
    [WorkerCounters(numbers={'likes': 3.0}, lives=True)]
    >>> counters.close(); folder.cleanup()
    """

    def __init__(self, folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = _free_file(folder)
            fresh = os.pread(self._file, len(_MAGIC), 0) != _MAGIC
            if fresh or os.fstat(self._file).st_size != _SIZE:
                os.ftruncate(self._file, 0)
                os.ftruncate(self._file, _SIZE)  # sparse: only used cells take disk space
                os.pwrite(self._file, _MAGIC, 0)
        except OSError as error:
            raise WritingError(f"{folder}: cannot be written ({error.strerror}).") from error
        self._map = mmap.mmap(self._file, _SIZE)
        self._bytes = memoryview(self._map)
        self._numbers = self._bytes.cast("d")
        self._cells: dict[str, int] = {}
        self._free: list[int] = []
        self._next = 1  # the first cell is the head
        for cell, name, _ in _cells(self._map):
            self._next = cell + 1
            if name:
                self._cells[name] = cell
            else:
                self._free.append(cell)

    @property
    def names(self) -> tuple[str, ...]:
        """All names in the file, those of former workers included."""
        return tuple(self._cells)

    def offset(self, name: str) -> int:
        """Return the offset of the number of `name`; 0, which is never read, if the file is full.

        Raises
        ------
        ValueError
            The name is empty, or has more than `MOST_BYTES` bytes.
        """
        cell = self._cells.get(name)
        if cell is None:
            text = name.encode("utf-8")
            if not 0 < len(text) <= MOST_BYTES:
                raise ValueError(f"a name of 1 to {MOST_BYTES} bytes expected, {len(text)} came.")
            if not self._free and self._next == _CELLS:
                return 0
            cell = self._free.pop() if self._free else self._next
            start = cell * _CELL + _NUMBER.size
            self._bytes[start + _LENGTH.size : start + _LENGTH.size + len(text)] = text
            # The length is written last: a reader sees the whole name or none.
            _LENGTH.pack_into(self._bytes, start, len(text))
            self._next = max(self._next, cell + 1)
            _END.pack_into(self._bytes, len(_MAGIC), self._next)
            self._cells[name] = cell
        return cell * _DOUBLES

    def add(self, offset: int, amount: float) -> None:
        """Add `amount` to the number at `offset`."""
        if offset:
            self._numbers[offset] += amount

    def drop(self, name: str) -> None:
        """Delete a name and its number, and free its cell."""
        cell = self._cells.pop(name)
        self._numbers[cell * _DOUBLES] = 0.0
        _LENGTH.pack_into(self._bytes, cell * _CELL + _NUMBER.size, 0)
        self._free.append(cell)

    def close(self) -> None:
        """Close the file; the next worker continues its numbers."""
        self._numbers.release()
        self._bytes.release()
        self._map.close()
        os.close(self._file)


def read(folder: Path) -> Iterator[WorkerCounters]:
    """Yield the numbers of each file of `folder`, in the order of their names."""
    for path in sorted(folder.glob("worker-*.tally")):
        try:
            with path.open("rb") as file:
                content = file.read(_SIZE)
                lives = _is_held(file.fileno())
        except FileNotFoundError:
            continue
        if content.startswith(_MAGIC):
            yield WorkerCounters(
                {name: number for _, name, number in _cells(content) if name}, lives
            )


def _free_file(folder: Path) -> int:
    """Lock and return the first file of `folder` that no process has locked."""
    for number in itertools.count():
        path = folder / f"worker-{number}.tally"
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        with contextlib.suppress(BlockingIOError, FileNotFoundError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if path.stat().st_ino == os.fstat(file).st_ino:  # else it was removed in between
                return file
        os.close(file)
    raise OSError(0, "there is no free number")


def _is_held(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False


def _cells(content: bytes | mmap.mmap) -> Iterator[tuple[int, str, float]]:
    """Yield cell, name ("" for one that is free) and number."""
    (end,) = _END.unpack_from(content, len(_MAGIC))
    for cell in range(1, min(end, _CELLS)):
        start = cell * _CELL
        (length,) = _LENGTH.unpack_from(content, start + _NUMBER.size)
        begin = start + _NUMBER.size + _LENGTH.size
        name = bytes(content[begin : begin + min(length, MOST_BYTES)]).decode("utf-8", "replace")
        yield cell, name, _NUMBER.unpack_from(content, start)[0]
