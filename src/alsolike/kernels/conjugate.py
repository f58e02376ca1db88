"""The rows of one half-sweep by conjugate gradients, a chunk of rows at a time.

The notation is that of `alsolike.kernels.solve`.

References
----------
Takacs, Pilaszy, Tikk 2011, "Applications of the Conjugate Gradient Method for Implicit Feedback
Collaborative Filtering".
"""

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from alsolike.kernels.launch import fast_kernel, fast_part

Ints = npt.NDArray[np.integer[Any]]
Floats = npt.NDArray[np.floating[Any]]


@fast_kernel
def solve_cg(
    indptr: Ints,
    indices: Ints,
    weights: Floats,
    pulls: Floats,
    first: int,
    last: int,
    Z: Floats,
    dense: Floats,
    regularization: Floats,
    steps: int,
    out: Floats,
) -> None:
    """Improve the rows of `out` by `steps` steps of conjugate gradients each.

    The system is (I + B'B) t = B'b with t = x / s: the Gramian is its own preconditioner. Rows
    start from what `out` holds; the parameters are those of `solve_exact`, dense above zero.
    """
    f = Z.shape[1]
    scale = np.empty(f, dtype=np.float32)
    t = np.empty(f, dtype=np.float32)
    rest = np.empty(f, dtype=np.float32)
    p = np.empty(f, dtype=np.float32)
    q = np.empty(f, dtype=np.float32)
    base = indptr[first]
    for row in range(first, last):
        start, end = indptr[row], indptr[row + 1]
        x = out[row]
        if start == end:
            x[:] = 0
            continue
        S = indices[start:end]
        w = weights[start - base : end - base]
        r = pulls[start - base : end - base]
        for k in range(f):
            scale[k] = 1.0 / math.sqrt(dense[k] + regularization[row - first])
            t[k] = x[k] / scale[k]
        _residual(S, w, r, Z, scale, t, x, rest)
        p[:] = rest
        left = _square(rest)
        enough = np.float32(1e-14) * max(left, _square(t))
        for _ in range(steps):
            if left <= enough:
                break
            _apply(S, w, Z, scale, p, x, q)
            step = left / _dot(p, q)
            for k in range(f):
                t[k] += step * p[k]
                rest[k] -= step * q[k]
            now = _square(rest)
            turn = now / left
            left = now
            for k in range(f):
                p[k] = rest[k] + turn * p[k]
        for k in range(f):
            x[k] = scale[k] * t[k]


@fast_part
def _residual(
    S: Ints, w: Floats, r: Floats, Z: Floats, scale: Floats, t: Floats, work: Floats, rest: Floats
) -> None:
    """Set `rest` to B'b - (I + B'B) t."""
    f = Z.shape[1]
    for k in range(f):
        work[k] = scale[k] * t[k]
        rest[k] = 0
    for i in range(S.shape[0]):
        z = Z[S[i]]
        pull = r[i] - w[i] * _dot(z, work)
        for k in range(f):
            rest[k] += pull * z[k]
    for k in range(f):
        rest[k] = scale[k] * rest[k] - t[k]


@fast_part
def _apply(
    S: Ints, w: Floats, Z: Floats, scale: Floats, p: Floats, work: Floats, q: Floats
) -> None:
    """Set `q` to (I + B'B) p."""
    f = Z.shape[1]
    for k in range(f):
        work[k] = scale[k] * p[k]
        q[k] = 0
    for i in range(S.shape[0]):
        z = Z[S[i]]
        pull = w[i] * _dot(z, work)
        for k in range(f):
            q[k] += pull * z[k]
    for k in range(f):
        q[k] = p[k] + scale[k] * q[k]


@fast_part
def _dot(a: Floats, b: Floats) -> Any:
    total = np.float32(0)
    for k in range(a.shape[0]):
        total += a[k] * b[k]
    return total


@fast_part
def _square(a: Floats) -> Any:
    return _dot(a, a)
