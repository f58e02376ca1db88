"""Explains errors of the system and of DuckDB: what is full or refused, and the way out."""

import errno
import math
import os
import resource
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from alsolike.errors import AlsolikeError, DataError, OutOfMemory, WritingError

if TYPE_CHECKING:
    import sqlite3

_DRAWING = 65 << 30  # bytes of addresses; 64.3 GiB as measured with vl-convert 1.9
_DRAWING_FILES = 12
BEFORE_DRAWING = 4 << 30  # bytes of addresses that a run takes before it draws
_WAYS_OUT = {
    errno.ENOSPC: "Make room there, or name a folder with more room in the variable TMPDIR.",
    errno.EDQUOT: "Make room there, or name a folder with more room in the variable TMPDIR.",
    errno.EFBIG: "Raise the limit on the size of files (ulimit -f unlimited).",
    errno.EMFILE: "Raise the limit on open files (ulimit -n 1024).",
    errno.ENFILE: "Close other programs: the whole system has too many files open.",
}
# How the system, its linker and Python say that there is no more memory.
_OF_MEMORY = ("llocate memory", "start new thread", "failed to map segment")
_FULL = (errno.ENOSPC, errno.EDQUOT)
_OF_THE_SYSTEM = (
    *_WAYS_OUT,
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
    errno.EIO,
    errno.EAGAIN,
)


def explained(error: OSError, folder: Path, *, is_undone: bool = False) -> str:
    """Return the message of the system with figures; `folder` is where it happened.

    `is_undone`: what did not fit was already removed.

    Examples
    --------
    >>> explained(PermissionError(13, "Permission denied"), Path("/tmp"))
    'Permission denied'
    """
    said = error.strerror or str(error)
    if error.errno in _FULL:
        without = " without it" if is_undone else ""
        return f"{said}: {_free(folder)} in {folder}{without}"
    if error.errno == errno.EMFILE:
        return f"{said}: at most {resource.getrlimit(resource.RLIMIT_NOFILE)[0]:,}"
    if error.errno == errno.EFBIG:
        limit = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
        return said if limit < 0 else f"{said}: at most {in_bytes(limit)}"
    return said


def way_out_of(error: OSError) -> str:
    """Return a sentence on how to fix an error of the system, or an empty text."""
    return _WAYS_OUT.get(error.errno or 0, "")


def is_interrupt(error: BaseException) -> bool:
    """Return whether DuckDB was interrupted by the user.

    Examples
    --------
    >>> is_interrupt(RuntimeError("Query interrupted")), is_interrupt(RuntimeError("else"))
    (True, False)
    """
    return type(error).__name__ == "InterruptException" or (
        isinstance(error, RuntimeError) and str(error).startswith("Query interrupted")
    )


def raise_of_system(error: Exception, folder: Path | None = None) -> None:
    """Raise errors of DuckDB that concern memory, disks or an interruption; return for others.

    `folder` is where it writes a file for the caller, which names it: its OSError is raised. None:
    the temporary folder, whose problems raise WritingError. Others are KeyboardInterrupt and
    OutOfMemory.
    """
    if is_interrupt(error):
        raise KeyboardInterrupt from error
    from tempfile import gettempdir  # noqa: PLC0415 - slow to load, and --help needs none of it

    scratch = Path(gettempdir())
    first, _, rest = str(error).partition("\n")
    said = first.partition(": ")[2] or first
    if type(error).__name__ == "OutOfMemoryException":
        if "offload" in said or "max_temp_directory_size" in rest:
            raise WritingError(
                f"What does not fit into memory does not fit into the folder {scratch} either "
                f"({_free(scratch)}). {_WAYS_OUT[errno.ENOSPC]}"
            ) from error
        raise out_of_memory(said.rstrip(".")) from error
    for code in _OF_THE_SYSTEM:
        if os.strerror(code) in said:
            fault = OSError(code, os.strerror(code))
            if folder is not None:
                raise fault from error
            about = explained(fault, scratch)
            hint = _WAYS_OUT.get(code, "")
            raise WritingError(f"{said.partition(': ')[0]}: {about}. {hint}".rstrip()) from error


def of_duckdb(error: Exception) -> AlsolikeError:
    """Return the error to raise for any other error of DuckDB."""
    raise_of_system(error)
    first = str(error).partition("\n")[0].rstrip(".")
    return DataError(f"DuckDB, which reads tables for alsolike, cannot read this one ({first}).")


def of_sqlite(error: "sqlite3.OperationalError", place: str, folder: Path) -> WritingError:
    """Return the error to raise if the system refuses SQLite the file `place` in `folder`."""
    import sqlite3  # noqa: PLC0415 - as above

    code = error.sqlite_errorcode & 0xFF
    fault, hint = str(error), "May it and its folder be read and written?"
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
    if code == sqlite3.SQLITE_FULL:
        fault = f"{error}: {_free(folder)} in {folder}"
        hint = "Make room there, or name another place."
    elif code == sqlite3.SQLITE_IOERR and limit != resource.RLIM_INFINITY:
        fault = f"{error}; files may have at most {in_bytes(limit)}"
        hint = _WAYS_OUT[errno.EFBIG]
    elif code == sqlite3.SQLITE_IOERR:
        fault, hint = (
            f"{error}: {_free(folder)} in {folder}",
            "Is there room, and is the disk sound?",
        )
    elif code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        hint = "Another process is holding it: wait until that is done, then try again."
    elif code == sqlite3.SQLITE_CANTOPEN:
        try:
            expect_open_files(2)
        except OSError as full:
            fault, hint = explained(full, folder), way_out_of(full)
    return WritingError(f"{place} cannot be used ({fault}). {hint}")


def expect_open_files(needed: int) -> None:
    """Raise OSError if the limit of this process (ulimit -n) leaves fewer open files."""
    opened: list[int] = []
    try:
        opened += (os.open(os.devnull, os.O_RDONLY) for _ in range(needed))
    finally:
        for handle in opened:
            os.close(handle)


def expect_address_space(
    needed: int, work: str = "read the table", *, by_one: int | None = None
) -> int | None:
    """Return the bytes that a limit (ulimit -v) leaves to this process; None without a limit.

    Raises OutOfMemory if these are fewer than `needed`, to do `work`; suggests one thread if the
    bytes `by_one` thread are left.
    """
    limit = _limit_on_memory()
    if limit is None:
        return None
    try:
        taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    except OSError:  # not Linux
        return None
    left = max(limit - taken, 0)
    if left < needed:
        least = math.ceil((taken + needed) / (10_000 << 10)) * 10_000
        way_out = f"Raise the limit (ulimit -v {least})"
        if by_one is not None and by_one <= left:
            way_out += " or pass threads=1"
        raise OutOfMemory(
            f"There is not enough memory to {work} (of the limit of {in_bytes(limit)}, "
            f"{in_bytes(left)} are left, and {in_bytes(needed)} are needed to begin). {way_out}."
        )
    return left


def expect_to_draw(spare: int = 0) -> None:
    """Raise OutOfMemory or OSError if limits on this process are too low to draw figures.

    The drawing engine would end the whole process: it reserves 64 GiB of addresses (ulimit -v),
    though it uses little, and a few files (ulimit -n). `spare`: bytes to be taken before.
    """
    if "vl_convert" not in sys.modules:
        expect_address_space(_DRAWING + spare, "draw the figures")
        expect_open_files(_DRAWING_FILES)


def out_of_memory(said: str) -> OutOfMemory:
    """Return the error for too little memory to read a table."""
    return OutOfMemory(
        f"There is not enough memory to read the table ({said}). {more_memory()}, or pass "
        "threads=1."
    )


def more_memory() -> str:
    """Return how to get more memory, as the start of a sentence."""
    limit = _limit_on_memory()
    if limit is not None:
        return f"Raise the limit on memory (ulimit -v, now {limit >> 10})"
    return "Close other programs, raise the limit on memory of the container"


def is_of_memory(error: BaseException | None) -> bool:
    """Return whether an error comes from too little memory.

    Examples
    --------
    >>> is_of_memory(ImportError("_duckdb.so: failed to map segment from shared object"))
    True
    """
    return error is not None and (
        isinstance(error, MemoryError)
        or any(words in str(error) for words in _OF_MEMORY)
        or is_of_memory(error.__cause__ or error.__context__)
    )


def _limit_on_memory() -> int | None:
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    return None if limit == resource.RLIM_INFINITY else limit


def in_bytes(size: float) -> str:
    """Return a size in words.

    Examples
    --------
    >>> in_bytes(12), in_bytes(3 << 20), in_bytes(5 << 30)
    ('12 bytes', '3.0 MiB', '5.0 GiB')
    """
    for unit, name in ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")):
        if size >= unit:
            return f"{size / unit:.1f} {name}"
    return f"{size:.0f} bytes"


def _free(folder: Path) -> str:
    for place in (folder, *folder.parents):
        try:
            usage = shutil.disk_usage(place)
        except OSError:
            continue
        return f"{in_bytes(usage.free)} of {in_bytes(usage.total)} are free"
    return "how much is free is not known"
