"""Errors of the system and of DuckDB in words: what is full or refused, where, and the way out."""

import errno
import os
import resource
import shutil
from pathlib import Path

from alsolike.errors import AlsolikeError, DataError, OutOfMemory, WritingError

_WAYS_OUT = {
    errno.ENOSPC: "Make room there, or name a folder with more room in the variable TMPDIR.",
    errno.EDQUOT: "Make room there, or name a folder with more room in the variable TMPDIR.",
    errno.EFBIG: "Raise the limit on the size of files (ulimit -f unlimited).",
    errno.EMFILE: "Raise the limit on open files (ulimit -n 1024).",
    errno.ENFILE: "Close other programs: the whole system has too many files open.",
}
_FULL = (errno.ENOSPC, errno.EDQUOT)
_OF_THE_SYSTEM = (
    *_WAYS_OUT,
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
    errno.EIO,
    errno.EAGAIN,
)


def explained(error: OSError, folder: Path) -> str:
    """Return what the system says, with the figures behind it; `folder` is where it happened.

    Examples
    --------
    >>> explained(PermissionError(13, "Permission denied"), Path("/tmp"))
    'Permission denied'
    """
    said = error.strerror or str(error)
    if error.errno in _FULL:
        return f"{said}: {_free(folder)} in {folder}"
    if error.errno == errno.EMFILE:
        return f"{said}: at most {resource.getrlimit(resource.RLIMIT_NOFILE)[0]:,}"
    if error.errno == errno.EFBIG:
        limit = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
        return said if limit < 0 else f"{said}: at most {in_bytes(limit)}"
    return said


def way_out_of(error: OSError) -> str:
    """Return a sentence on how to end it, or nothing where the system's words are all there is."""
    return _WAYS_OUT.get(error.errno or 0, "")


def is_interrupt(error: BaseException) -> bool:
    """Return whether DuckDB has stopped since the user asked for it.

    Examples
    --------
    >>> is_interrupt(RuntimeError("Query interrupted")), is_interrupt(RuntimeError("else"))
    (True, False)
    """
    return type(error).__name__ == "InterruptException" or (
        isinstance(error, RuntimeError) and str(error).startswith("Query interrupted")
    )


def raise_of_system(error: Exception, folder: Path | None = None) -> None:
    """Raise in our words what DuckDB reports of memory, disks or an interruption.

    Returns where the error is of what it was given: then the caller knows better.

    Parameters
    ----------
    error : Exception
        Of DuckDB.
    folder : path or None
        Where it writes; None: what does not fit into memory, to the temporary folder.

    Raises
    ------
    KeyboardInterrupt
        The user asked for it.
    OutOfMemory
        There is not enough memory.
    WritingError
        The folder is full, missing, or may not be written.
    """
    if is_interrupt(error):
        raise KeyboardInterrupt from error
    if folder is None:
        from tempfile import gettempdir  # noqa: PLC0415 - slow to load, and --help needs none of it

        folder = Path(gettempdir())
    first, _, rest = str(error).partition("\n")
    said = first.partition(": ")[2] or first
    if type(error).__name__ == "OutOfMemoryException":
        if "offload" in said or "max_temp_directory_size" in rest:
            raise WritingError(
                f"What does not fit into memory does not fit into the folder {folder} either "
                f"({_free(folder)}). {_WAYS_OUT[errno.ENOSPC]}"
            ) from error
        raise out_of_memory(said.rstrip(".")) from error
    for code in _OF_THE_SYSTEM:
        if os.strerror(code) in said:
            about = explained(OSError(code, os.strerror(code)), folder)
            hint = _WAYS_OUT.get(code, "")
            raise WritingError(f"{said.partition(': ')[0]}: {about}. {hint}".rstrip()) from error


def of_duckdb(error: Exception) -> AlsolikeError:
    """Return the error to raise for any other of DuckDB's; raise those of the system."""
    raise_of_system(error)
    first = str(error).partition("\n")[0].rstrip(".")
    return DataError(f"DuckDB, which reads tables for alsolike, cannot read this one ({first}).")


def expect_address_space(needed: int) -> int | None:
    """Return the bytes that a limit on this process (ulimit -v) leaves; None where there is none.

    Raises OutOfMemory where they are fewer than `needed`.
    """
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if limit == resource.RLIM_INFINITY:
        return None
    try:
        taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    except OSError:  # not Linux
        return None
    left = max(limit - taken, 0)
    if left < needed:
        raise out_of_memory(
            f"of the limit of {in_bytes(limit)}, {in_bytes(left)} are left, and {in_bytes(needed)} "
            "are needed to begin"
        )
    return left


def out_of_memory(said: str) -> OutOfMemory:
    """Return the error to raise where there is not enough memory to read a table."""
    return OutOfMemory(
        f"There is not enough memory to read the table ({said}). Close other programs, raise the "
        "limit on memory (ulimit -v, or that of the container), or pass threads=1."
    )


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
