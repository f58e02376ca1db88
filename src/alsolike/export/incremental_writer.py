"""Updates a folder of generated files: writes only those that changed, removes old ones.

The folder has a list of these files. It is written before the first of them changes, so that after
a kill the next call knows which files are its own, resumes, and touches no others.
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
_BATCH = 2_000  # files at a time; a kill loses one batch
_PATH = re.compile(r"[a-z0-9][a-z0-9._-]*(?:/[a-z0-9][a-z0-9._-]*)*")

Make = Callable[[], bytes]


@dataclass
class FileCounts:
    """Numbers of files that are new or changed, unchanged (with their dates), and removed."""

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
    """Writes files into a folder; see `mirrored`.

    Parameters
    ----------
    folder : Path
    engine : Engine
    observer : Observer
        Receives a step for each file.
    intend : callable
        Called before anything in the folder changes; may be called again.
    batch : int
        Files written at a time.
    counts : FileCounts
        So far.
    """

    folder: Path
    engine: "Engine"
    observer: Observer
    intend: Callable[[], None]
    batch: int
    counts: FileCounts = field(default_factory=FileCounts)

    def put(self, makers: Mapping[str, Make]) -> None:
        """Write small files, a batch at a time; files that already have the same bytes stay.

        Parameters
        ----------
        makers : mapping of str to callable
            By path within the folder, with ``/``; returns the content. It is called from the
            threads of the engine.
        """
        left = iter(makers.items())
        while batch := list(itertools.islice(left, self.batch)):
            changed = self._put(batch)
            self.counts.written += changed
            self.counts.unchanged += len(batch) - changed
            self.observer.advance(len(batch))

    def build(self, path: str, make: Callable[[Path], None]) -> None:
        """Write one large file, not in a subfolder; `make` writes it at a given path."""
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
        """Write a batch; return how many of its files changed."""

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
            # One flush of all before any of them gets its name: a flush of each takes some
            # milliseconds if the disk's journal is busy, which is minutes for a catalogue.
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
    """Yield a `Mirror` for the `planned` files; afterwards remove those of earlier calls.

    Parameters
    ----------
    folder : path
        New, empty, or filled by an earlier call. Other files in it are not touched.
    planned : collection of str
        Paths within the folder, of lower-case letters, digits, ``.``, ``-``, ``_`` and ``/``.
    about : mapping of str to plain values
        Stored in the list of files.
    engine : Engine
        Reads and writes files.
    observer : Observer
    batch : int
        Files written at a time.

    Raises
    ------
    WritingError
        The folder has other files and no list of ours, a foreign file has a planned name, a link
        is in the way, another process uses the folder, or it cannot be written.
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

        with replacing(staged) as part:  # also removes leftovers of a kill
            part.mkdir()
        mirror = Mirror(place, engine, observer, intend, batch)
        try:
            yield mirror
            if gone:
                intend()
            mirror.counts.removed = _remove(place, gone)
        finally:
            shutil.rmtree(staged, ignore_errors=True)  # the next export removes the rest
        if mirror.counts.written or mirror.counts.removed:
            os.sync()
        _list(place, planned, about, complete=True)


def _listed(folder: Path) -> set[str]:
    """Return the paths of the folder's list; refuse a folder with other files."""
    path = folder / LIST
    if not path.exists():
        others = sorted(entry.name for entry in folder.iterdir() if not _is_left_over(entry))
        if others:
            raise WritingError(
                f"{folder}: a new or empty folder expected, or one of an earlier export, a folder "
                f"with other files found ({', '.join(others[:3])}). Choose another folder."
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
    """Tell whether an export that was killed before writing its list left this."""
    return entry.name.startswith(f".{LIST}.") or entry.name.startswith(_STAGED)


def _refuse_foreign(folder: Path, fresh: set[str]) -> None:
    for path in sorted(fresh):
        if os.path.lexists(os.path.join(folder, path)):  # noqa: PTH118 - faster than a Path
            raise WritingError(
                f"{folder / path}: this file was not written by an export, but the export needs "
                "its name. Move it, or choose another folder."
            )


def _refuse_links(folder: Path, paths: Iterable[str]) -> None:
    """Refuse folders that are links to other places."""
    for within in _folders(paths):
        if (folder / within).is_symlink():
            raise WritingError(
                f"{folder / within}: a folder expected, a link found. Remove it, or choose "
                "another folder."
            )


def _folders(paths: Iterable[str]) -> list[str]:
    """Return all folders of these files, outer ones first."""
    lowest = {path.rpartition("/")[0] for path in paths}
    found = {
        "/".join(parts[:depth])
        for parts in (folder.split("/") for folder in lowest if folder)
        for depth in range(1, len(parts) + 1)
    }
    return sorted(found)


def _list(folder: Path, files: Iterable[str], about: Mapping[str, Any], *, complete: bool) -> None:
    """Write the list of files, if it changed."""
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
    """Remove files and empty folders; return the number of files."""
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
        with contextlib.suppress(OSError):  # not empty
            (folder / within).rmdir()
    return removed
