"""Compiles kernels with Numba: all flags, each with its reason.

nogil
    Kernels run on our threads; with the GIL they would run one after another.
keep, in place of Numba's own ``cache=True``
    A second start of the program then compiles nothing (see cache.py).
error_model="numpy"
    A division does not check for zero first, a branch that keeps loops from being vectorized.
    Kernels guard their own denominators.
fastmath (`fast_kernel` only)
    ``reassoc`` lets a sum use vector lanes, ``contract`` fuses multiply and add, ``nsz`` and
    ``arcp`` ignore the sign of zero and share reciprocals. Not ``nnan`` and ``ninf``: NaN and
    infinity stay what they are, and checks for them stay in the code.
_nrt
    Off, except for kernels that allocate: Numba counts the owners of each array and slice with
    locked additions, which took up to half of the time of short rows. So parts allocate nothing,
    and the long loops of kernels that allocate are parts.

Never parallel=True: Numba's threading layers abort under forks and inside servers, and the order
of their sums depends on the number of threads.
"""

import warnings
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from alsolike.errors import CompilerError
from alsolike.system_errors import is_of_memory

_NO_COMPILER = (
    "Numba, which compiles what alsolike computes with, cannot work here: {}. Install versions of "
    "numba and llvmlite that fit this Python, this NumPy and this processor (pip install --upgrade "
    "numba llvmlite); a processor for which there is no llvmlite cannot run alsolike."
)

_NO_SETTINGS = (
    "Numba, which compiles what alsolike computes with, cannot work with the settings of this "
    "environment: {}. Unset the variables whose names begin with NUMBA_."
)

try:
    with warnings.catch_warnings(record=True) as _said:
        warnings.simplefilter("default")
        from numba import config, njit

        from alsolike.kernels.compiler.cache import TRIED, keep

        try:
            from alsolike.kernels.compiler.linking import KernelCompiler, PartCompiler

            _PIPELINES = ({"pipeline_class": KernelCompiler}, {"pipeline_class": PartCompiler})
        except (ImportError, AttributeError) as error:  # Numba has changed inside
            _PIPELINES = ({}, {})  # its own way with all functions
            warnings.warn(f"{error}: kernels take longer to compile; {TRIED}", stacklevel=1)
except ValueError as error:
    raise CompilerError(_NO_SETTINGS.format(str(error).rstrip("."))) from error
except (ImportError, OSError) as error:  # OSError is how llvmlite says that its library is amiss
    if is_of_memory(error):
        raise MemoryError("the compiler cannot be loaded") from error
    raise CompilerError(_NO_COMPILER.format(str(error).rstrip("."))) from error
if config.DISABLE_JIT:  # parts cannot run in plain Python
    raise CompilerError(_NO_SETTINGS.format("NUMBA_DISABLE_JIT switches compiling off"))
for _one in _said:
    # If Numba cannot read a variable, its warning contains a whole traceback.
    _reason = str(_one.message).partition(" The parse failed")[0].partition("\n")[0].rstrip(".")
    warnings.warn(f"Numba: {_reason}.", RuntimeWarning, stacklevel=2)

Function = TypeVar("Function", bound=Callable[..., Any])
Scalar = TypeVar("Scalar", bound=np.generic)

_REORDERED_SUMS = {"reassoc", "contract", "nsz", "arcp"}


def kernel(function: Function) -> Function:
    """Compile `function`; sums keep their written order."""
    return _compiled(function, fastmath=False, _nrt=True)


def bare_kernel(function: Function) -> Function:
    """Compile `function`, which allocates only slices of arguments; sums keep their order."""
    return _compiled(function, fastmath=False, _nrt=False)


def fast_kernel(function: Function) -> Function:
    """Compile `function`; sums may be reordered, once at compile time."""
    return _compiled(function, fastmath=_REORDERED_SUMS, _nrt=True)


def part(function: Function) -> Function:
    """Compile `function` as a part of other kernels, without an entry point from Python.

    Entry points take a third of the compile time. Parts are not cached on disk: the kernels contain
    them.
    """
    return _compiled(function, is_part=True, fastmath=False, _nrt=False)


def fast_part(function: Function) -> Function:
    """Compile `function` as a `part`; sums may be reordered."""
    return _compiled(function, is_part=True, fastmath=_REORDERED_SUMS, _nrt=False)


def plain(array: npt.NDArray[Scalar]) -> npt.NDArray[Scalar]:
    """Return `array` as a read-only NumPy view that shares its memory.

    To the compiler, writable, read-only and memory-mapped arrays are three types: each would be
    compiled again, for about a minute.
    """
    view = np.asarray(array).view()
    view.flags.writeable = False
    return view


def _compiled(function: Function, *, is_part: bool = False, **flags: Any) -> Function:
    flags |= {"no_cpython_wrapper": is_part, "no_cfunc_wrapper": True}
    flags |= _PIPELINES[is_part]
    try:
        compiled: Function = njit(nogil=True, error_model="numpy", **flags)(function)
    except RuntimeError as error:  # LLVM has no code for this processor
        raise CompilerError(_NO_COMPILER.format(str(error).rstrip("."))) from error
    if not is_part:
        keep(compiled)
    return compiled
