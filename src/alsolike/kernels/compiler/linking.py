"""Speeds up compiling: skips machine code of parts that are only linked into kernels.

Numba optimizes each function and turns it into machine code, then links it into its callers and
optimizes it again. Of parts only the second result is used; the first took a good part of a first
start (docs/performance.md).
"""

from typing import Any

import numba
from numba.core import compiler
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import CompilerBase, DefaultPassBuilder, Flags
from numba.core.compiler_machinery import register_pass
from numba.core.typed_passes import NativeLowering

# Private names of Numba that are used here; without one of them this module cannot be imported.
NEEDED = (
    (numba, "_dynfunc"),
    (compiler, "_LowerResult"),
    (Flags, "_values"),
    (JITCodeLibrary, "_optimize_functions"),
    (JITCodeLibrary, "_optimize_final_module"),
    (JITCodeLibrary, "_finalize_final_module"),
    (JITCodeLibrary, "_finalize_dynamic_globals"),
    (JITCodeLibrary, "_finalized"),
)
for _holder, _name in NEEDED:
    if not hasattr(_holder, _name):
        raise ImportError(f"version {numba.__version__} has no {_holder.__name__}.{_name}")


class _Linked(JITCodeLibrary):
    """A code library for linking only: not optimized, without an address."""

    def _optimize_functions(self, ll_module: Any) -> None:
        """Leave it to the kernel."""
        ll_module.data_layout = str(self.codegen.target_data)

    def _optimize_final_module(self) -> None:
        """Leave it to the kernel."""

    def _finalize_final_module(self) -> None:
        self._finalize_dynamic_globals()
        self._finalized = True


@register_pass(mutates_CFG=True, analysis_only=False)
class _Lowering(NativeLowering):
    """Lowers a part so that calls find its code, but not its address."""

    _name = "part_lowering"

    def run_pass(self, state: Any) -> bool:
        """Lower without generating machine code."""
        state.library = _Linked(state.targetctx.codegen(), state.func_id.func_qualname)
        state.flags.no_compile = True
        super().run_pass(state)
        lowered = state["cr"]
        name = lowered.fndesc.qualname
        key = numba._dynfunc.make_function(
            lowered.fndesc.lookup_module(), name, name, 0, lowered.env, (state.library,)
        )
        state.targetctx.insert_user_function(key, lowered.fndesc, [state.library])
        state["cr"] = compiler._LowerResult(
            lowered.fndesc, lowered.call_helper, cfunc=key, env=lowered.env
        )
        return True


class _FastOptions(Flags):
    """Compiler options with a fast hash and comparison.

    Numba's options all have one hash and are compared field by field, per function used: a sixth of
    the compile time.
    """

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _FastOptions) and self._values == other._values

    def __hash__(self) -> int:
        return hash(frozenset(self._values))


class KernelCompiler(CompilerBase):
    """A compiler with only the pipeline for functions without Python objects."""

    def __init__(self, typingctx: Any, targetctx: Any, library: Any, args: Any, return_type: Any,
                 flags: Any, kept: Any) -> None:  # fmt: skip
        flags = _FastOptions(flags)
        super().__init__(typingctx, targetctx, library, args, return_type, flags, kept)

    def define_pipelines(self) -> list[Any]:
        """Return the one pipeline."""
        return [DefaultPassBuilder.define_nopython_pipeline(self.state)]


class PartCompiler(KernelCompiler):
    """A compiler whose last step is `_Lowering`."""

    def define_pipelines(self) -> list[Any]:
        """Return the one pipeline."""
        manager = DefaultPassBuilder.define_nopython_pipeline(self.state)
        own = {NativeLowering: _Lowering}
        manager.passes = [(own.get(step, step), about) for step, about in manager.passes]
        manager.finalize()
        return [manager]
