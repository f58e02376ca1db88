"""Solves eight systems of equations at once, one in each lane of a vector.

A Cholesky factorization of a small system is latency-bound: each step needs the result of the one
before, a root and a division. Eight systems of one size take the same steps, without shuffles.

`A` holds cell (i, j) of all eight side by side, from index ``(i * width + j) * 8`` on, the upper
triangle only; the right sides are column `size`, and ``width = size + 2``. Sizes are multiples of
4. The numbers of a lane depend on that lane only; zeros after the end of a system change nothing.
"""

from typing import Any

from llvmlite import ir
from numba.core import types
from numba.core.cgutils import for_range
from numba.extending import intrinsic

from alsolike.kernels.compiler.vectors import LANES, Code

# Rows and columns whose sums are held in registers at once.
_TALL, _WIDE = 4, 2

_INT = ir.IntType(64)


@intrinsic
def deal(typingctx: Any, systems: Any, area: Any, place: Any, A: Any, target: Any) -> Any:
    """Deal eight numbers of eight systems into lanes.

    The numbers of system l start at ``l * area + place``; number c of all eight goes to ``A[target
    + 8 * c:]``.
    """

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        code = Code(context, builder, signature.args[0])
        start = code.at(code.start(signature.args[0], args[0]), args[2])
        target = code.at(code.start(signature.args[3], args[3]), args[4])
        rows = [
            code.load(code.at(start, builder.mul(_INT(lane), args[1]))) for lane in range(LANES)
        ]
        for number, column in enumerate(code.transposed(rows)):
            code.store(column, code.at(target, _INT(number * LANES)))
        return context.get_dummy_value()

    whole = types.int64
    return types.void(systems, whole, whole, A, whole), emit


@intrinsic
def solve_lanes(typingctx: Any, A: Any, size: Any, v: Any) -> Any:
    """Solve ``(I + A) v = right`` in every lane by Cholesky; overwrites `A`.

    Number i of all eight solutions is written to `v` from ``8 * i`` on. Solutions of systems that
    are not positive definite are not finite.
    """

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        cells = _Cells(context, builder, signature.args[0], args[0], args[1])
        with for_range(builder, builder.lshr(args[1], _INT(2)), intp=_INT) as block:
            first = builder.shl(block.index, _INT(2))
            _factorize_block(cells, first)
            beside = builder.add(first, _INT(_TALL))
            pairs = builder.lshr(builder.sub(cells.width, beside), _INT(1))
            with for_range(builder, pairs, intp=_INT) as pair:
                _solve_block(cells, first, builder.add(beside, builder.shl(pair.index, _INT(1))))
        v = cells.code.start(signature.args[2], args[2])
        with for_range(builder, builder.lshr(args[1], _INT(2)), intp=_INT) as block:
            done = builder.shl(builder.add(block.index, _INT(1)), _INT(2))
            _substitute(cells, builder.sub(args[1], done), v)
        return context.get_dummy_value()

    return types.void(A, types.int64, v), emit


class _Cells:
    """The cells of `A`, each a vector of eight numbers."""

    def __init__(self, context: Any, builder: Any, kind: Any, array: Any, size: Any) -> None:
        self.builder = builder
        self.code = Code(context, builder, kind)
        self.start = self.code.start(kind, array)
        self.size = size
        self.width = builder.add(size, _INT(_WIDE))

    def row(self, i: Any, j: Any) -> Any:
        """Return the address of cell (i, j)."""
        place = self.builder.add(self.builder.mul(i, self.width), j)
        return self.code.at(self.start, self.builder.shl(place, _INT(3)))

    def address(self, i: Any, down: int, j: Any, along: int) -> Any:
        """Return the address of cell (i + down, j + along)."""
        return self.row(self.code.plus(i, down), self.code.plus(j, along))

    def load(self, i: Any, down: int, j: Any, along: int) -> Any:
        return self.code.load(self.address(i, down, j, along))

    def store(self, vector: Any, i: Any, down: int, j: Any, along: int) -> None:
        self.code.store(vector, self.address(i, down, j, along))

    def beside(self, start: Any, along: int) -> Any:
        """Return the cell `along` cells after the one at an address."""
        return self.code.load(self.code.at(start, _INT(along * LANES)))


def _factorize_block(cells: _Cells, first: Any) -> None:
    """Factorize the rows from `first` on in their own columns; the diagonal gets its inverse."""
    builder, code = cells.builder, cells.code
    one = code.spread(code.number(1.0))
    upper = [(a, b) for a in range(_TALL) for b in range(a, _TALL)]
    started = [cells.load(first, a, first, b) for a, b in upper]
    started = [code.add(one, cell) if a == b else cell
             for (a, b), cell in zip(upper, started, strict=True)]  # fmt: skip
    sums = dict(zip(upper, code.accumulators(started), strict=True))
    with for_range(builder, first, intp=_INT) as above:
        start = cells.row(above.index, first)
        row = [cells.beside(start, along) for along in range(_TALL)]
        for (a, b), place in sums.items():
            builder.store(code.sub(builder.load(place), code.mul(row[a], row[b])), place)
    U = {place: builder.load(kept) for place, kept in sums.items()}
    for a in range(_TALL):
        inverse = builder.fdiv(one, code.root(U[a, a]))
        cells.store(inverse, first, a, first, a)
        for b in range(a + 1, _TALL):
            U[a, b] = code.mul(U[a, b], inverse)
            cells.store(U[a, b], first, a, first, b)
        for i in range(a + 1, _TALL):
            for j in range(i, _TALL):
                U[i, j] = code.sub(U[i, j], code.mul(U[a, i], U[a, j]))


def _solve_block(cells: _Cells, first: Any, column: Any) -> None:
    """Update two further columns of the rows from `first` on."""
    builder, code = cells.builder, cells.code
    block = [(a, b) for a in range(_TALL) for b in range(_WIDE)]
    started = [cells.load(first, a, column, b) for a, b in block]
    sums = dict(zip(block, code.accumulators(started), strict=True))
    with for_range(builder, first, intp=_INT) as above:
        left, right = cells.row(above.index, first), cells.row(above.index, column)
        beside = [cells.beside(right, along) for along in range(_WIDE)]
        for a in range(_TALL):
            own = cells.beside(left, a)
            for b in range(_WIDE):
                place = sums[a, b]
                builder.store(code.sub(builder.load(place), code.mul(own, beside[b])), place)
    solved = {place: builder.load(kept) for place, kept in sums.items()}
    for a in range(_TALL):
        inverse = cells.load(first, a, first, a)
        for b in range(_WIDE):
            for i in range(a):
                product = code.mul(cells.load(first, i, first, a), solved[i, b])
                solved[a, b] = code.sub(solved[a, b], product)
            solved[a, b] = code.mul(solved[a, b], inverse)
            cells.store(solved[a, b], first, a, column, b)


def _substitute(cells: _Cells, first: Any, v: Any) -> None:
    """Compute four numbers of the solutions from those after them."""
    builder, code = cells.builder, cells.code
    sums = code.accumulators([cells.load(first, a, cells.size, 0) for a in range(_TALL)])
    after = builder.add(first, _INT(_TALL))
    with for_range(builder, cells.size, start=after, intp=_INT) as column:
        known = code.load(code.at(v, builder.shl(column.index, _INT(3))))
        for a in range(_TALL):
            product = code.mul(cells.load(first, a, column.index, 0), known)
            builder.store(code.sub(builder.load(sums[a]), product), sums[a])
    found: dict[int, Any] = {}
    for a in reversed(range(_TALL)):
        total = builder.load(sums[a])
        for b in range(a + 1, _TALL):
            total = code.sub(total, code.mul(cells.load(first, a, first, b), found[b]))
        found[a] = code.mul(total, cells.load(first, a, first, a))
        code.store(found[a], code.at(v, builder.shl(code.plus(first, a), _INT(3))))
