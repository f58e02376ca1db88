"""Caches compiled kernels on disk, in a private folder, with a stamp of all their sources.

Numba reads and writes the files; folder and stamp are ours, for our kernels only. Loading compiled
code runs it, so nobody else may be able to write to the folder. A kernel contains parts of other
modules, while Numba's own stamp covers one file, so that it would run old parts. Our stamp covers
all of them, and the compiler (docs/decisions, "compiled kernels").
"""

import contextlib
import functools
import hashlib
import inspect
import os
import re
import shutil
import stat
import subprocess
import sys
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import llvmlite
import numba
from numba.core import caching, config
from numba.core.registry import cpu_target
from numba.misc.appdirs import user_cache_dir

_SOURCES = Path(__file__).resolve().parent.parent  # of all kernels
_FOLDERS = ("alsolike", "kernels")

# A folder per stamp, so that several versions, or processors that share a home, do not overwrite
# each other. So many of the most recent ones are kept.
_KEPT = 8

_UNCACHED = "Compiled kernels are not cached, so every start of alsolike compiles again"
TRIED = "install a version that alsolike was tried with (pip install 'numba<0.69')"
_ELSEWHERE = "set NUMBA_CACHE_DIR to a folder of your own"
_FOREIGN = (
    f"{_UNCACHED}: {{folder}} is not a folder of this user, and loading code of others runs it. "
    f"To end this, {_ELSEWHERE}."
)
_OPEN = (
    f"{_UNCACHED}: others can write to {{folder}}, and loading code of others runs it. "
    f"To end this, {{first}}chmod 700 {{folder}}, or {_ELSEWHERE}."
)
# Processes that compile kernels into the same cache.
_helpers: list[subprocess.Popen[bytes]] = []
_lost: list[str] = []  # why code of this process could not be kept

_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH

# Numba's own names, which another version may lack: kernels are not kept then.
_CompileResultCacheImpl: Any = getattr(caching, "CompileResultCacheImpl", object)
_FunctionCache: Any = getattr(caching, "FunctionCache", object)
_CAN_KEEP = hasattr(_CompileResultCacheImpl, "get_filename_base") and hasattr(
    _FunctionCache, "_impl_class"
)


def keep(kernel: Any) -> None:
    """Cache the compiled code of `kernel` on disk."""
    # The stamp does not cover functions of other packages.
    ours = _SOURCES in Path(inspect.getfile(kernel.py_func)).resolve().parents
    if ours and _place() is not None:
        kernel._cache = _Cache(kernel.py_func)


def keeps() -> bool:
    """Return whether compiled code is cached: there is a folder, and no write failed."""
    return _place() is not None and not _lost


def expect(helpers: Iterable[subprocess.Popen[bytes]]) -> None:
    """Wait for these processes before compiling: they may be compiling the same."""
    _helpers.extend(helpers)


def is_loaded(kernel: Any) -> bool:
    """Return whether this process has compiled or loaded `kernel`, for any argument types."""
    return bool(kernel.overloads)


def is_kept(kernel: Any) -> bool:
    """Return whether code of `kernel` is on disk, for any argument types."""
    return isinstance(kernel._cache, _Cache) and kernel._cache.index.exists()


class _Locator:
    """The folder of the code of a function, and the stamp of its source, for Numba."""

    def __init__(self, function: Any) -> None:
        self._py_file = inspect.getfile(function)
        self._line = function.__code__.co_firstlineno

    def ensure_cache_path(self) -> None:
        """Make the folder, also if another process has removed it."""
        _made(Path(self.get_cache_path()))

    def get_cache_path(self) -> str:
        """Return the folder."""
        return str(_place())

    def get_source_stamp(self) -> str:
        """Return the stamp of all kernels."""
        return _stamp()

    def get_disambiguator(self) -> str:
        """Return a name that distinguishes functions of one name."""
        return str(self._line)


class _Form(_CompileResultCacheImpl):
    """Numba's storage of compiled code, with our locator."""

    def __init__(self, function: Any) -> None:
        self._lineno = function.__code__.co_firstlineno
        self._locator = _Locator(function)
        module = Path(inspect.getfile(function)).stem
        self._filename_base = self.get_filename_base(
            f"{module}.{function.__qualname__}", sys.abiflags
        )


class _Cache(_FunctionCache):
    """Numba's cache of one function; damaged files and full disks only cost time."""

    _impl_class = _Form

    @property
    def index(self) -> Path:
        """The index file of the code."""
        return Path(self.cache_path) / f"{self._impl.filename_base}.nbi"

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Return the code for a signature, or None if it must be compiled."""
        found = self._kept(sig, target_context)
        if found is None and _helpers:
            while _helpers:
                _helpers.pop().wait()
            found = self._kept(sig, target_context)
        return found

    def _kept(self, sig: Any, target_context: Any) -> Any:
        try:
            return super().load_overload(sig, target_context)
        except Exception:  # whatever half a file makes of unpickling it
            with contextlib.suppress(OSError):
                self.flush()
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Write the code of a signature."""
        try:
            super().save_overload(sig, data)
        except OSError as error:
            _lost.append(str(error))
            _warn(f"{_UNCACHED}: {self.cache_path} cannot be written ({error.strerror}).")


@functools.cache
def _place() -> Path | None:
    """Return the folder of this stamp; None, with one warning, if it is not private."""
    if not _CAN_KEEP:
        _warn(
            f"{_UNCACHED}: Numba {numba.__version__} stores code in another way. "
            f"To end this, {TRIED}."
        )
        return None
    try:
        place = _cache_folder().joinpath(*_FOLDERS, _stamp())
        is_new = _made(place)
        fault = _fault(place)
        if fault:
            _warn(fault)
            return None
        with contextlib.suppress(OSError):  # nothing of this must be: the disk may be read-only
            os.utime(place)
            if is_new:
                _forget_old(place.parent)
    except (OSError, RuntimeError) as error:  # the second if the home of this user is unknown
        _warn(f"{_UNCACHED}: there is no place for them ({error}). To end this, {_ELSEWHERE}.")
        return None
    return place


def _cache_folder() -> Path:
    if config.CACHE_DIR:
        return Path(config.CACHE_DIR).absolute()
    usual = Path(user_cache_dir())
    # XDG_CACHE_HOME counts only if it is an absolute path.
    return usual if usual.is_absolute() else Path.home() / ".cache"


@functools.cache
def _stamp() -> str:
    """Return a hash of everything that compiled code depends on."""
    # The files' dates say nothing: those of a wheel may all be one.
    digest, sources = hashlib.sha256(), sorted(_SOURCES.rglob("*.py"))
    if not sources:
        raise FileNotFoundError(f"{_SOURCES} holds no sources to tell old code by")
    for source in sources:
        content = source.read_bytes()
        digest.update(f"{source.name} {len(content)}\n".encode() + content)
    compiler = (numba.__version__, llvmlite.__version__, sys.version)
    processor = cpu_target.target_context.codegen().magic_tuple()
    digest.update(repr((compiler, processor)).encode())
    return digest.hexdigest()[:32]


def _made(place: Path) -> bool:
    """Make a private folder with its parents; return whether it is new."""
    lacking = [folder for folder in (place, *place.parents) if not folder.exists()]
    for folder in reversed(lacking):
        with contextlib.suppress(FileExistsError):  # another process was quicker
            folder.mkdir(mode=0o700)
    return bool(lacking)


def _fault(place: Path) -> str:
    """Return why others could write the code in `place`, or an empty text."""
    *ours, above = [place, *place.parents][: len(_FOLDERS) + 2]
    user = os.geteuid()
    for folder in ours:
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != user:
            return _FOREIGN.format(folder=folder)
        if found.st_mode & _OTHERS_WRITE:
            return _OPEN.format(folder=folder, first="take out what is in it, ")
    # Users who can rename our folder can replace it; in sticky folders none can.
    found = above.stat()
    if found.st_uid not in (0, user):
        return _FOREIGN.format(folder=above)
    if found.st_mode & _OTHERS_WRITE and not found.st_mode & stat.S_ISVTX:
        return _OPEN.format(folder=above, first="")
    return ""


def _forget_old(folder: Path) -> None:
    """Remove the code of all stamps but the most recent ones."""
    stamps = [entry for entry in folder.iterdir() if re.fullmatch(r"[0-9a-f]{32}", entry.name)]
    used = {entry: entry.lstat().st_mtime_ns for entry in stamps}
    for entry in sorted(stamps, key=used.__getitem__, reverse=True)[_KEPT:]:
        shutil.rmtree(entry, ignore_errors=True)  # another process may be doing the same


@functools.cache
def _warn(message: str) -> None:
    warnings.warn(message, RuntimeWarning, stacklevel=2)
