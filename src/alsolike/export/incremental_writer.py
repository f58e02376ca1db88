"""A folder that mirrors what one command made: only what changed is written, what is gone goes.

A list of the files lies in the folder. It is written before the first of them changes, so that
after a kill the next call knows its own, goes on, and still touches nothing else.
"""

import contextlib
import filecmp
import functools
import itertools
import json
import os
import re
import shutil
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alsolike.errors import WritingError
from alsolike.progress import SILENT, Observer
from alsolike.storage.atomic import alone_in, not_written, replacing, write_text

if TYPE_CHECKING:
    from alsolike.engines.base import Engine

LIST = "alsolike-export.json"
FORMAT, FORMAT_VERSION = "alsolike export", 1

_STAGED = ".alsolike-staged"
_BATCH = 2_000  # files, so many at a time; a kill loses one batch
_PATH = re.compile(r"[a-z0-9][a-z0-9._-]*(?:/[a-z0-9][a-z0-9._-]*)*")

Make = Callable[[], bytes]


@dataclass
class Counts:
    """Files of a mirror.

    Parameters
    ----------
    written, unchanged, removed : int
        New or with other bytes than before; as they were, date and all; no longer among them.
    """

    written: int = 0
    unchanged: int = 0
    removed: int = 0

    def __str__(self) -> str:
        return (
            f"{self.written:,} files written, {self.unchanged:,} unchanged, {self.removed:,} "
            "removed"
        )


@dataclass
class Mirror:
    """A folder to put files into; see `mirrored`.

    Parameters
    ----------
    folder : Path
    engine : Engine
    observer : Observer
        Hears of each file done.
    intend : callable
        Called before anything in the folder changes; may be called again.
    batch : int
        Files put at a time.
    counts : Counts
        So far.
    """

    folder: Path
    engine: "Engine"
    observer: Observer
    intend: Callable[[], None]
    batch: int
    counts: Counts = field(default_factory=Counts)

    def put(self, makers: Mapping[str, Make]) -> None:
        """Put small files, a batch at a time; those that have these very bytes stay as they are.

        Parameters
        ----------
        makers : mapping of str to callable
            Path within the folder, with ``/``, and what returns the content. It is called from
            the threads of the engine: while one file is on its way to disk, others are made.
        """
        left = iter(makers.items())
        while batch := list(itertools.islice(left, self.batch)):
            changed = self._put(batch)
            self.counts.written += changed
            self.counts.unchanged += len(batch) - changed
            self.observer.advance(len(batch))

    def build(self, path: str, make: Callable[[Path], None]) -> None:
        """Put one large file, which `make` writes at the place that it is given; in no folder."""
        staged, target = self.folder / _STAGED / path, self.folder / path
        make(staged)
        try:
            if target.is_file() and filecmp.cmp(staged, target, shallow=False):
                staged.unlink()
                self.counts.unchanged += 1
            else:
                self.intend()
                staged.replace(target)
                self.counts.written += 1
        except OSError as error:
            raise not_written(target, error) from error
        self.observer.advance()

    def _put(self, batch: list[tuple[str, Make]]) -> int:
        """Put a batch; return how many of its files differ from what was there."""

        def stage(place: int) -> bool:
            path, make = batch[place]
            content = make()
            differs = self._differs(path, content)
            if differs:
                try:
                    (staged / str(place)).write_bytes(content)
                except OSError as error:
                    raise not_written(self.folder / path, error) from error
            return differs

        staged = self.folder / _STAGED
        differ = self.engine.each(stage, range(len(batch)))
        if any(differ):
            # One flush of all before any of them gets its name: one of each file takes some
            # milliseconds wherever the disk's journal is busy, which is minutes for a catalogue.
            os.sync()
        changed = list(itertools.compress(range(len(batch)), differ))
        if changed:
            self.intend()
            _make(self.folder, _folders(batch[place][0] for place in changed))
        for place in changed:
            _move(os.path.join(staged, str(place)), os.path.join(self.folder, batch[place][0]))  # noqa: PTH118
        return sum(differ)

    def _differs(self, path: str, content: bytes) -> bool:
        try:
            with open(os.path.join(self.folder, path), "rb") as handle:  # noqa: PTH118, PTH123 - of thousands
                return handle.read(len(content) + 1) != content
        except FileNotFoundError:
            return True
        except OSError as error:
            raise not_written(self.folder / path, error) from error


@contextlib.contextmanager
def mirrored(
    folder: str | os.PathLike[str],
    planned: Collection[str],
    *,
    about: Mapping[str, Any],
    engine: "Engine",
    observer: Observer = SILENT,
    batch: int = _BATCH,
) -> Iterator[Mirror]:
    """Give a mirror to put the `planned` files into; what it held besides goes when all is done.

    Parameters
    ----------
    folder : path
        New, empty, or one that this has filled before. Files in it that are not of its making stay
        as they are.
    planned : collection of str
        Paths within the folder, of lower-case letters, digits, ``.``, ``-``, ``_`` and ``/``.
    about : mapping of str to plain values
        To be kept in the list of files.
    engine : Engine
        Reads and writes files.
    observer : Observer
    batch : int
        Files put at a time.

    Raises
    ------
    WritingError
        The folder holds other things and no list of ours, a foreign file has a planned name, a
        link is in the way, another process is at it, or the disk does not take it.
    """
    place, staged = Path(folder), Path(folder) / _STAGED
    with alone_in(place):
        before = _listed(place)
        both, gone = before.union(planned), sorted(before.difference(planned))
        _refuse_foreign(place, both - before)
        _refuse_links(place, both)

        @functools.cache
        def intend() -> None:
            _list(place, both, about, complete=False)

        with replacing(staged) as part:  # sweeps what a kill has left, too
            part.mkdir()
        mirror = Mirror(place, engine, observer, intend, batch)
        try:
            yield mirror
            if gone:
                intend()
            mirror.counts.removed = _remove(place, gone)
        finally:
            shutil.rmtree(staged, ignore_errors=True)  # what stays goes with the next export
        if mirror.counts.written or mirror.counts.removed:
            os.sync()
        _list(place, planned, about, complete=True)


def _listed(folder: Path) -> set[str]:
    """Return the paths of the folder's list; refuse a folder of something else."""
    path = folder / LIST
    if not path.exists():
        others = sorted(entry.name for entry in folder.iterdir() if not _is_left_over(entry))
        if others:
            raise WritingError(
                f"{folder}: a new or empty folder expected, or one of an earlier export, a folder "
                f"with other things found ({', '.join(others[:3])}). Give it a folder of its own."
            )
        return set()
    try:
        stated = json.loads(path.read_bytes())
        version, files = stated["format_version"], stated["files"]
        sound = stated["format"] == FORMAT and all(map(_PATH.fullmatch, files))
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        sound = False
    if not sound:
        raise WritingError(
            f"{path}: the list of an export's files expected, something else found. Remove the "
            "folder, or choose another."
        )
    if version != FORMAT_VERSION:
        raise WritingError(
            f"{path}: written by another version of alsolike (format {version}, not "
            f"{FORMAT_VERSION}). Remove the folder, or choose another."
        )
    return set(files)


def _is_left_over(entry: Path) -> bool:
    """Tell whether a killed export left that before it had written its list."""
    return entry.name.startswith(f".{LIST}.") or entry.name.startswith(_STAGED)


def _refuse_foreign(folder: Path, fresh: set[str]) -> None:
    for path in sorted(fresh):
        if os.path.lexists(os.path.join(folder, path)):  # noqa: PTH118 - faster than a Path
            raise WritingError(
                f"{folder / path}: this is not of an export's making, and a file of that name is "
                "to be written. Move it, or choose another folder."
            )


def _refuse_links(folder: Path, paths: Iterable[str]) -> None:
    """Refuse a folder of ours that leads elsewhere, where files are not ours."""
    for within in _folders(paths):
        if (folder / within).is_symlink():
            raise WritingError(
                f"{folder / within}: a folder expected, a link found. Remove it, or choose "
                "another folder."
            )


def _folders(paths: Iterable[str]) -> list[str]:
    """Return all folders that these files are in, those around others first."""
    lowest = {path.rpartition("/")[0] for path in paths}
    found = {
        "/".join(parts[:depth])
        for parts in (folder.split("/") for folder in lowest if folder)
        for depth in range(1, len(parts) + 1)
    }
    return sorted(found)


def _list(folder: Path, files: Iterable[str], about: Mapping[str, Any], *, complete: bool) -> None:
    """Write the list of files, where it is not that already."""
    stated = {"format": FORMAT, "format_version": FORMAT_VERSION, "complete": complete, **about}
    text = json.dumps({**stated, "files": sorted(files)}, indent=0, ensure_ascii=False) + "\n"
    path = folder / LIST
    if not path.is_file() or path.read_bytes() != text.encode("utf-8"):
        write_text(path, text)


def _make(folder: Path, within: Iterable[str]) -> None:
    for one in within:
        try:
            (folder / one).mkdir(exist_ok=True)
        except OSError as error:
            raise not_written(folder / one, error) from error


def _move(staged: str, target: str) -> None:
    try:
        os.replace(staged, target)  # noqa: PTH105
    except OSError as error:
        raise not_written(Path(target), error) from error


def _remove(folder: Path, paths: list[str]) -> int:
    """Remove files, and the folders that this leaves empty; return how many there were."""
    removed = 0
    for path in paths:
        try:
            (folder / path).unlink()
            removed += 1
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            raise not_written(folder / path, error) from error
    for within in reversed(_folders(paths)):
        with contextlib.suppress(OSError):  # something is left in it
            (folder / within).rmdir()
    return removed
