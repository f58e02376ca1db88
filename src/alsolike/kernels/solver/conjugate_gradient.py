"""Solves the rows of a half-sweep by conjugate gradients, a chunk at a time.

Notation as in `alsolike.kernels.solver.rows`. Eight interactions are read at a time, and again
while still in the first-level cache; rows are padded with interactions of weight 0.

References
----------
Takacs, Pilaszy, Tikk 2011, "Applications of the Conjugate Gradient Method for Implicit Feedback
Collaborative Filtering".
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from alsolike.kernels.compiler.jit import fast_kernel, fast_part
from alsolike.kernels.compiler.vectors import LANES, add_rows, dot_rows, stay_apart
from alsolike.kernels.solver.rows import set_scale, weigh

Ints = npt.NDArray[np.integer[Any]]
Floats = npt.NDArray[np.floating[Any]]

# Steps end once the residual is this share of the solution: rounding errors.
_ENOUGH = np.float32(1e-14)


@fast_kernel
def solve_cg(
    rows: Ints,
    indptr: Ints,
    indices: Ints,
    amounts: Floats,
    weighing: Floats,
    prior_scores: Floats,
    Z: Floats,
    dense: Floats,
    regularization: Floats,
    steps: int,
    out: Floats,
) -> None:
    """Improve `rows` of `out` by `steps` steps of conjugate gradients each.

    The system is (I + B'B) t = B'b with t = x / s: the Gramian is its own preconditioner. Rows
    start from what `out` holds; the parameters are those of
    `alsolike.kernels.solver.batch.solve_small`.
    """
    f, factors = Z.shape[1], dense.shape[0]
    longest = indptr[rows[-1] + 1] - indptr[rows[-1]]
    S = np.zeros(longest + 8, dtype=np.int64)
    w, r = np.empty(longest + 8, dtype=np.float32), np.empty(longest + 8, dtype=np.float32)
    scratch, few = np.zeros(5 * f, dtype=np.float32), np.empty(LANES, dtype=np.float32)
    scale, known = np.empty(f, dtype=np.float32), np.nan
    for number in range(rows.shape[0]):
        row = rows[number]
        if known != regularization[row]:
            known = regularization[row]
            set_scale(dense, known, scale)
        _solve_one(row, indptr, indices, amounts, weighing, prior_scores, Z, factors, steps, S, w,
                   r, scale, scratch, few, out)  # fmt: skip


@fast_part
def _solve_one(
    row: int,
    indptr: Ints,
    indices: Ints,
    amounts: Floats,
    weighing: Floats,
    prior_scores: Floats,
    Z: Floats,
    factors: int,
    steps: int,
    S: Ints,
    w: Floats,
    r: Floats,
    scale: Floats,
    scratch: Floats,
    few: Floats,
    out: Floats,
) -> None:
    """Improve one row."""
    stay_apart()
    f = Z.shape[1]
    t, start = scratch[:f], indptr[row]
    n = indptr[row + 1] - start
    x = out[row]
    for i in range(n):
        S[i] = indices[start + i]
    weigh(amounts[start : start + n], weighing, prior_scores[start : start + n], w, r)
    S[n : n + 8] = S[n - 1]
    w[n : n + 8] = 0
    r[n : n + 8] = 0
    for k in range(factors):
        t[k] = x[k] / scale[k]
    _improve(S, w, r, n, Z, scale, t, steps, scratch[f:], few)
    for k in range(factors):
        x[k] = scale[k] * t[k]


@fast_part
def _improve(
    S: Ints,
    w: Floats,
    r: Floats,
    n: int,
    Z: Floats,
    scale: Floats,
    t: Floats,
    steps: int,
    scratch: Floats,
    few: Floats,
) -> None:
    """Take `steps` steps from t towards the solution of (I + B'B) t = B'b."""
    stay_apart()
    f = Z.shape[1]
    rest, p, q, work = scratch[:f], scratch[f : 2 * f], scratch[2 * f : 3 * f], scratch[3 * f :]
    _pulled(S, w, r, n, Z, scale, t, work, few, rest, 1)
    for k in range(f):
        rest[k] -= t[k]
        p[k] = rest[k]
    left = _square(rest)
    enough = _ENOUGH * max(left, _square(t))
    for _ in range(steps):
        if left <= enough:
            break
        _pulled(S, w, r, n, Z, scale, p, work, few, q, 0)
        curvature = np.float32(0)
        for k in range(f):
            q[k] = p[k] - q[k]
            curvature += p[k] * q[k]
        step = left / curvature
        for k in range(f):
            t[k] += step * p[k]
            rest[k] -= step * q[k]
        now = _square(rest)
        turn = now / left
        left = now
        for k in range(f):
            p[k] = rest[k] + turn * p[k]


@fast_part
def _pulled(
    S: Ints,
    w: Floats,
    r: Floats,
    n: int,
    Z: Floats,
    scale: Floats,
    t: Floats,
    work: Floats,
    few: Floats,
    out: Floats,
    pull: int,
) -> None:
    """Set `out` to ``B'b - B'B t``, or without `pull` to ``-B'B t``."""
    stay_apart()
    f = Z.shape[1]
    for k in range(f):
        work[k] = scale[k] * t[k]
        out[k] = 0
    for i in range(0, n, 8):
        dot_rows(Z, S, i, work, f, few, 0)
        for lane in range(8):
            few[lane] = pull * r[i + lane] - w[i + lane] * few[lane]
        add_rows(Z, S, i, few, 0, f, f, out)
    for k in range(f):
        out[k] *= scale[k]


@fast_part
def _square(a: Floats) -> Any:
    total = np.float32(0)
    for k in range(a.shape[0]):
        total += a[k] * a[k]
    return total
