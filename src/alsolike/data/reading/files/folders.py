"""Explains how to join the files of a folder or a pattern with a command.

Only files of one kind are joined, by commands that repeat no header and guess no types.
"""

import glob
import gzip
import itertools
import json
import re
import shlex
import zlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

_MOST = 10_000  # files that are looked at
_MOST_COMPARED = 1000
_MOST_LISTED = 20
_UNPACK = {".gz": "gzip -dc", ".zst": "zstd -dc"}
_DELIMITED = (".csv", ".tsv", ".psv", ".txt", ".dat", ".data", "")
_LINES = (".jsonl", ".ndjson", ".json")


def pattern_of(path: Path) -> str:
    """Return `path` for DuckDB, with ``*``, ``?`` and ``[`` escaped."""
    return re.sub(r"([*?\[])", r"[\1]", str(path.absolute()))


def way_from_folder(folder: Path) -> str:
    """Return how to read a folder; files that begin with ``_`` or ``.`` are ignored."""
    if (folder / "_delta_log").is_dir():
        return "It is a Delta table, not all of whose files count: export it as one Parquet file."
    if (folder / "metadata").is_dir() and (folder / "data").is_dir():
        return "It may be an Iceberg table, not all of whose files count: export it as one file."
    try:
        files = _files(folder)
    except OSError:
        files = []
    if not files:
        return "No file of data is in it."
    if len(files) == 1:
        return f"Name the one file in it: {shlex.quote(str(files[0]))}"
    return _joining(files, folder)


def way_from_pattern(pattern: str) -> str:
    """Return how to read a pattern such as ``parts/*.csv``, or "" if it is not one."""
    if not glob.has_magic(pattern):
        return ""
    matching = glob.iglob(pattern, recursive=True)  # noqa: PTH207 - it may be absolute
    found = itertools.islice(matching, _MOST)
    files = sorted(path for path in map(Path, found) if path.is_file())
    if not files:
        return ""
    if len(files) == 1:
        return f"Name the one file that it matches: {shlex.quote(str(files[0]))}"
    return _joining(files, None)


def _files(folder: Path) -> list[Path]:
    found = (
        path
        for path in folder.rglob("*")
        if path.is_file()
        and not any(part.startswith(("_", ".")) for part in path.relative_to(folder).parts)
    )
    return sorted(itertools.islice(found, _MOST))


def _joining(files: Sequence[Path], folder: Path | None) -> str:
    """Return the sentence and the command that join `files`, all files of `folder`."""
    kinds = Counter(map(_kind, files))
    if len(kinds) > 1:
        listed = ", ".join(f"{count:,} {kind or 'without ending'}" for kind, count in kinds.items())
        return f"It holds files of several kinds ({listed}): join those of one table to one file."
    [kind] = kinds
    join = f"Join its {len(files):,} files first"
    if folder is None and len(files) > _MOST_LISTED:
        return f"{join}."
    if kind in (".parquet", ".pq") or (not kind and _first_line(files[0])[:4] == "PAR1"):
        return f"{join}: {_join_parquet(files, folder, kind)}"
    unpack = next((tool for ending, tool in _UNPACK.items() if kind.endswith(ending)), "")
    plain = kind.removesuffix(".gz").removesuffix(".zst")
    if inner := _partition(files, folder):
        return f"{join}; the names of its folders hold a column ({inner})."
    if plain not in (*_DELIMITED, *_LINES):
        return f"{join}."
    return f"{join}{_join_text(files, _for_shell(files, folder, kind), unpack, plain)}"


def _join_text(files: Sequence[Path], matched: str, unpack: str, plain: str) -> str:
    new = f"new{plain}"
    if plain in _LINES:
        return f": {_lines(matched, unpack)} > {new}"
    without_names = f"{_lines(matched, unpack)} > {new}"
    with_names = f"awk 'FNR > 1 || NR == 1' {matched} > {new}"
    if unpack:
        first = f"{unpack} {shlex.quote(str(files[0]))} | head -n 1"
        with_names = f"({first}; {_lines(matched, unpack, 'NR > 1')}) > {new}"
    if unpack == _UNPACK[".zst"]:
        guess = "Where each begins with the names of the columns"
        return f". {guess}: {with_names}; else: {without_names}"
    if len({line for file in files[:_MOST_COMPARED] if (line := _first_line(file))}) == 1:
        return f": {with_names}"
    return (
        ". Their first lines differ; where these are rows, and no names of columns: "
        f"{without_names}"
    )


def _partition(files: Sequence[Path], folder: Path | None) -> str:
    """Return the name of a folder with the value of a column, such as year=2024, or ""."""
    parents = (file.parent if folder is None else file.parent.relative_to(folder) for file in files)
    return next((part for parent in parents for part in parent.parts if "=" in part), "")


def _kind(path: Path) -> str:
    """Return the endings of a name that give its kind, such as ".csv.gz"."""
    endings = path.suffixes
    if endings and endings[-1] in _UNPACK:
        return "".join(endings[-2:])
    return endings[-1] if endings else ""


def _first_line(path: Path) -> str:
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as raw:
            line = raw.readline(1 << 16)
    except (OSError, EOFError, zlib.error):
        return ""
    return line.decode("utf-8", "replace").rstrip("\r\n")


def _join_parquet(files: Sequence[Path], folder: Path | None, kind: str) -> str:
    names: str | list[str] = list(map(str, files))
    if folder is not None and set(folder.rglob(f"*{kind}")) == set(files):
        inner = "*" if all(file.parent == folder for file in files) else "**/*"
        names = f"{pattern_of(folder)}/{inner}{kind}"
    read = f"read_parquet({json.dumps(names, ensure_ascii=False)}, union_by_name=True)"
    if isinstance(names, str) and _partition(files, folder):
        # Text, since 007 in the name of a folder is not 7.
        query = (
            f"FROM read_parquet($${names}$$, union_by_name=true, hive_partitioning=true, "
            "hive_types_autocast=false)"
        )
        read = f"sql({json.dumps(query, ensure_ascii=False)})"
    code = f'import duckdb; duckdb.{read}.write_parquet("new.parquet")'
    return f"python -c {shlex.quote(code)}"


def _for_shell(files: Sequence[Path], folder: Path | None, kind: str) -> str:
    if folder is None or set(folder.glob(f"*{kind}")) != set(files):
        return " ".join(shlex.quote(str(file)) for file in files)
    return f"{shlex.quote(str(folder))}/*{kind}"


def _lines(matched: str, unpack: str, condition: str = "1") -> str:
    """Return the command that prints the lines of all files, each with a line end."""
    if not unpack:
        return f"awk '{condition}' {matched}"
    return f"for f in {matched}; do {unpack} \"$f\" | awk '{condition}'; done"
