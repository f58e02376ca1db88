"""Lists the files of a source: a file, a pattern, a folder of parts, or several of these.

Files and folders whose names begin with ``_`` or ``.`` are marks of programs and are left out, as
Hive, Spark and DuckDB do; so are empty files among several. Both are counted.
"""

import glob
import os
import re
import shlex
import stat
import urllib.parse
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeGuard

from alsolike.data.reading.files.unpacking import members_of
from alsolike.errors import DataError
from alsolike.usage_hints import did_you_mean

STANDARD_INPUT = "-"
INNER = "::"  # between a file and a sheet, table or file in it
_ADDRESS = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]+)://", re.IGNORECASE)
_NO_VALUE = "__HIVE_DEFAULT_PARTITION__"
_HIDDEN = ("_", ".")
_PROSE = (".txt", ".md", ".html", ".pdf", "readme", "license")  # rarely tables in an archive

Keys = tuple[tuple[str, str | None], ...]


@dataclass(frozen=True)
class Part:
    """One table of a source.

    `inner` names a sheet, a table, or a file of an archive. `keys` are the columns that the names
    of its folders hold, such as ``("date", "2024-01-01")`` of ``date=2024-01-01/part.csv``.
    `piped`: standard input, and no file.
    """

    path: Path
    inner: str = ""
    keys: Keys = ()
    piped: bool = False

    @property
    def name(self) -> str:
        """The name for messages."""
        if self.piped:
            return "standard input"
        return f"{self.path}{INNER}{self.inner}" if self.inner else str(self.path)


@dataclass(frozen=True)
class Listing:
    """The parts of a source, in order, and the number of files left out."""

    name: str
    parts: list[Part] = field(default_factory=list)
    ignored: int = 0


def listing_of(source: object) -> Listing:
    """List the parts of a path, a pattern, a folder, or a list of these; DataError if none."""
    several = [source] if isinstance(source, (str, os.PathLike)) else list(source)  # type: ignore[call-overload]
    found = [_listed(os.fspath(one)) for one in several]
    parts = [part for one in found for part in one.parts]
    ignored = sum(one.ignored for one in found)
    if len(found) > 1 and all(len(one.parts) == 1 for one in found):
        parts = [_with_keys(part) for part in parts]
    if len(parts) == 1 and _is_empty(parts[0]):
        raise DataError(f"{parts[0].path}: the file is empty (0 bytes).")
    if len(parts) > 1:
        _refuse_twice(parts)
        full = [part for part in parts if not _is_empty(part)]
        ignored += len(parts) - len(full)
        parts = full
    name = found[0].name
    if len(found) > 1:
        name = f"{name} and {len(found) - 1:,} more"
    if not parts:
        raise DataError(f"{name}: all files are empty (0 bytes).")
    return Listing(name, parts, ignored)


def refuse_to_read_twice(*sources: object) -> None:
    """Raise DataError if standard input is named more than once: it can be read only once."""
    named = [one for source in sources for one in (source if _is_list(source) else [source])]
    if sum(isinstance(one, str) and one == STANDARD_INPUT for one in named) > 1:
        raise DataError("standard input (-) is named twice, but can be read only once.")


def files_of(source: object) -> list[Path]:
    """Return the files and folders that `source` names; raises nothing, for checks of outputs."""
    if isinstance(source, (str, os.PathLike)):
        text = os.fspath(source)
        if not isinstance(text, str) or text in ("", STANDARD_INPUT) or _ADDRESS.match(text):
            return []
        if os.path.lexists(text):
            return [Path(text)]
        text = text.rpartition(INNER)[0] or text
        return [Path(one) for one in glob.glob(text, recursive=True)] or [Path(text)]  # noqa: PTH207
    if _is_list(source):
        return [path for one in source for path in files_of(one)]
    return []


def expanded(part: Part) -> tuple[list[Part], int]:
    """Return the files in a ZIP archive as parts, and the number of those left out."""
    sizes = members_of(part.path)
    names = list(sizes)
    if part.inner:
        if part.inner not in names:
            raise DataError(
                f"{part.path}: no file {part.inner!r} in the archive.{_names_of(part.path, names)}"
            )
        return [part], 0
    shown = [name for name in names if sizes[name] and not _is_hidden(name.split("/"))]
    if not shown:
        raise DataError(f"{part.path}: no file of data is in the archive.")
    parts = [
        replace(part, inner=name, keys=tuple({**dict(part.keys), **dict(_keys(name))}.items()))
        for name in shown
    ]
    return parts, len(names) - len(shown)


def way_to_members(parts: Sequence[Part]) -> str:
    """Return how to read one file of an archive alone."""
    likely = [part for part in parts if not part.inner.lower().endswith(_PROSE)] or list(parts)
    listed = ", ".join(shlex.quote(part.name) for part in likely[:8])
    more = "" if len(likely) <= 8 else f" and {len(likely) - 8:,} more"
    return f"To read one file of the archive, name it: {listed}{more}."


def pattern_of(path: Path) -> str:
    """Return `path` for DuckDB, with ``*``, ``?`` and ``[`` escaped."""
    return re.sub(r"([*?\[])", r"[\1]", str(path.absolute()))


def way_to_fetch(address: str) -> str:  # noqa: PLR0911 - one for each scheme
    """Return the command that fetches what an address names.

    Examples
    --------
    >>> way_to_fetch("https://example.org/likes.csv?v=1")
    "curl -LO 'https://example.org/likes.csv?v=1'"
    >>> way_to_fetch("s3://shop/likes/"), way_to_fetch("gs://shop/likes.csv")
    ('aws s3 cp --recursive s3://shop/likes/ likes', 'gcloud storage cp gs://shop/likes.csv .')
    """
    scheme, _, rest = address.partition("://")
    quoted, last = shlex.quote(address), rest.rstrip("/").rpartition("/")[2] or "likes"
    is_folder = rest.endswith("/") or "." not in last
    many = glob.has_magic(rest)
    match scheme.lower():
        case "http" | "https" | "ftp":
            return f"curl -LO {quoted}"
        case "s3" | "s3a" | "s3n":
            simple = f"s3://{rest}"
            if many:
                folder, _, pattern = simple.rpartition("/")
                only = f"--exclude '*' --include {shlex.quote(pattern)}"
                return f"aws s3 cp --recursive {shlex.quote(folder)}/ likes {only}"
            if is_folder:
                return f"aws s3 cp --recursive {shlex.quote(simple)} {shlex.quote(last)}"
            return f"aws s3 cp {shlex.quote(simple)} ."
        case "gs" | "gcs":
            recursive = "--recursive " if is_folder and not many else ""
            return f"gcloud storage cp {recursive}{shlex.quote(f'gs://{rest}')} ."
        case "az" | "azure":
            container, _, blob = rest.partition("/")
            return (
                f"az storage blob download --account-name ACCOUNT --container-name "
                f"{shlex.quote(container)} --name {shlex.quote(blob)} --file {shlex.quote(last)}"
            )
        case "abfs" | "abfss" | "wasb" | "wasbs":
            container, _, where = rest.partition("@")
            host, _, path = where.partition("/")
            blob = f"https://{host.replace('.dfs.', '.blob.')}/{container}/{path}"
            return f"azcopy copy {shlex.quote(blob)} . --recursive"
        case "hdfs":
            return f"hdfs dfs -get {quoted} ."
    return f"curl -LO {quoted}"


def refuse_address(text: str) -> None:
    """Raise DataError if `text` is an address: nothing is fetched from a network."""
    found = _ADDRESS.match(text)
    if found is None:
        return
    if found["scheme"].lower() == "file":
        path = urllib.parse.unquote(text[found.end() :])
        raise DataError(f"{text}: addresses are not read. Name the file: {shlex.quote(path)}")
    raise DataError(
        f"{text}: addresses are not read. Download it first, and name the file: "
        f"{way_to_fetch(text)}"
    )


def _is_list(source: object) -> TypeGuard[list[object] | tuple[object, ...]]:
    return isinstance(source, (list, tuple))


def _listed(text: str) -> Listing:
    if not text:
        raise DataError("A file name expected, an empty text given.")
    if text == STANDARD_INPUT:
        return Listing("standard input", [Part(Path(text), piped=True)])
    refuse_address(text)
    status = _status(text)
    if status is not None:
        return _found(Path(text), status)
    base, inner_mark, inner = text.rpartition(INNER)
    if inner_mark and base and inner:
        if (status := _status(base)) is not None and stat.S_ISREG(status.st_mode):
            return Listing(text, [Part(Path(base), inner)])
        if glob.has_magic(base) and (files := _matching(base)).parts:
            return replace(files, name=text, parts=[replace(p, inner=inner) for p in files.parts])
        text = base
    if glob.has_magic(text):
        found = _matching(text)
        if found.parts:
            return found
        left = f" ({found.ignored:,} left out: their names begin with _ or .)"
        raise DataError(
            f"{text}: no such file; none matches this pattern{left if found.ignored else ''}."
        )
    raise DataError(f"{text}: no such file.{_nearby(Path(text))}")


def _status(text: str) -> os.stat_result | None:
    try:
        return Path(text).stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        why = str(getattr(error, "strerror", None) or error)
        raise DataError(f"{text}: cannot be opened ({why}).") from error


def _found(path: Path, status: os.stat_result) -> Listing:
    if stat.S_ISDIR(status.st_mode):
        return _folder(path)
    if not stat.S_ISREG(status.st_mode):
        raise DataError(
            f"{path}: an ordinary file was expected, for it is read more than once. Save the "
            "stream to a file first, or send it to standard input and name it -."
        )
    return Listing(str(path), [Part(path)])


def is_lake(folder: Path) -> str:
    """Return "delta" or "iceberg" for the folder of such a table, else ""."""
    if (folder / "_delta_log").is_dir():
        return "delta"
    metadata = folder / "metadata"
    if metadata.is_dir() and next(metadata.glob("*.metadata.json"), None) is not None:
        return "iceberg"
    return ""


def _folder(folder: Path) -> Listing:
    if is_lake(folder):
        return Listing(str(folder), [Part(folder)])
    if (folder / ".hoodie").is_dir():
        raise DataError(
            f"{folder}: this is a Hudi table, not all of whose files count. Export it as Parquet."
        )
    parts, ignored = _in_folder(folder)
    if not parts:
        left = f" ({ignored:,} left out: their names begin with _ or .)" if ignored else ""
        raise DataError(f"{folder}: this is a folder. No file of data is in it{left}.")
    return Listing(str(folder), [_with_keys(part) for part in parts], ignored)


def _in_folder(folder: Path) -> tuple[list[Part], int]:
    """Return the files below a folder in the order of their names, and how many are left out."""
    paths: list[Path] = []
    ignored = 0

    def unreadable(error: OSError) -> None:
        raise DataError(f"{error.filename}: cannot be opened ({error.strerror}).") from error

    seen: set[tuple[int, int]] = set()
    for place, folders, names in os.walk(folder, onerror=unreadable, followlinks=True):
        about = Path(place).stat()
        if (about.st_dev, about.st_ino) in seen:  # a link to a folder above
            folders.clear()
            continue
        seen.add((about.st_dev, about.st_ino))
        if is_lake(Path(place)):  # not all of its files count
            paths.append(Path(place))
            folders.clear()
            continue
        hidden = _is_hidden(Path(place).relative_to(folder).parts)
        for name in names:
            if hidden or name.startswith(_HIDDEN):
                ignored += 1
            elif (path := Path(place, name)).is_file():
                paths.append(path)
            else:
                raise DataError(f"{path}: an ordinary file was expected in a folder of parts.")
    return [Part(path) for path in sorted(paths, key=lambda path: path.parts)], ignored


def _matching(pattern: str) -> Listing:
    names = sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207 - it may be absolute
    fixed = len(_fixed_parts(pattern))
    asked = any(part.startswith(_HIDDEN) for part in Path(pattern).parts[fixed:] if part != "..")
    parts: dict[Path, Part] = {}
    ignored = 0
    hidden: set[Path] = set()
    for path in map(Path, names):
        if not asked and _is_hidden(path.parts[fixed:]):
            hidden.add(path)
        elif path.is_dir() and is_lake(path):
            parts[path] = Part(path)
        elif path.is_dir():
            if "**" in pattern:  # the files in it match by themselves
                continue
            inside, left = _in_folder(path)
            ignored += left
            parts |= {part.path: part for part in inside}
        else:
            parts[path] = Part(path)
    ignored += sum(path.is_file() for path in hidden)
    lakes = {path for path in parts if path.is_dir()}
    ordered = [
        _with_keys(parts[path])
        for path in sorted(parts, key=lambda path: path.parts)
        if lakes.isdisjoint(path.parents)
    ]
    return Listing(pattern, ordered, ignored)


def _fixed_parts(pattern: str) -> tuple[str, ...]:
    """Return the folders at the start of a pattern that have no wildcard."""
    parts = Path(pattern).parts
    first = next((at for at, part in enumerate(parts) if glob.has_magic(part)), len(parts))
    return parts[:first]


def _with_keys(part: Part) -> Part:
    return replace(part, keys=_keys(str(part.path)))


def _keys(path: str) -> Keys:
    """Return the columns that the folders of a path hold, as Hive and Spark write them."""
    found: dict[str, str | None] = {}
    for folder in Path(path).parts[:-1]:
        key, is_key, value = folder.partition("=")
        if is_key and key:
            text = urllib.parse.unquote(value)
            found[urllib.parse.unquote(key)] = None if text == _NO_VALUE else text
    return tuple(found.items())


def _refuse_twice(parts: Iterable[Part]) -> None:
    """Raise DataError if two parts are one file, whose likes would be counted twice."""
    seen: dict[tuple[int, int, str], Part] = {}
    for part in parts:
        if part.piped:
            continue
        about = part.path.stat()
        identity = (about.st_dev, about.st_ino, part.inner)
        earlier = seen.setdefault(identity, part)
        if earlier is not part:
            same = "" if earlier.name == part.name else f", as {earlier.name}"
            raise DataError(
                f"{part.name}: this file is named twice{same}; its likes would be counted twice. "
                "Name it once."
            )


def _is_empty(part: Part) -> bool:
    return not part.piped and part.path.is_file() and part.path.stat().st_size == 0


def _is_hidden(names: Sequence[str]) -> bool:
    return any(name.startswith(_HIDDEN) and name not in (".", "..") for name in names)


def _names_of(path: Path, names: Sequence[str]) -> str:
    listed = ", ".join(shlex.quote(f"{path}{INNER}{name}") for name in names[:8])
    return f" Name one of {listed}{', ...' if len(names) > 8 else ''}."


def _nearby(path: Path) -> str:
    try:
        names = [entry.name for entry in path.parent.iterdir()]
    except OSError:
        return f" The folder {path.parent} cannot be listed either."
    return did_you_mean(path.name, names)
