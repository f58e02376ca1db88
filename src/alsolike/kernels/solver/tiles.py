"""Multiplies and factorizes matrices in tiles of eight rows, as LLVM code.

The sums of a tile stay in registers. A tile is 8 x 8, or up to four times as wide if there are
registers: ten loads then serve sixteen multiply-adds of sixteen numbers. Each number is the same
sum in the same order at any tile width.

Arrays, indices and counts are as in `alsolike.kernels.compiler.vectors`.
"""

from collections.abc import Iterator
from typing import Any

from llvmlite import ir
from numba.core import types
from numba.core.cgutils import for_range
from numba.extending import intrinsic

from alsolike.kernels.compiler.vectors import LANES, Code, has_wide_registers, strips, widths

_INT = ir.IntType(64)


@intrinsic
def add_product(typingctx: Any, A: Any, i: Any, i_stride: Any, B: Any, j: Any, j_stride: Any,
                count: Any, C: Any, c: Any, c_stride: Any, width: Any, keep: Any,
                sign: Any) -> Any:  # fmt: skip
    """Set the 8 x `width` cells of C at `c` to ``keep * C + sign * A_i.T @ B_j``.

    A_i is `count` rows of 8 numbers from the place `i` of A on, `i_stride` apart; B_j of `width`
    numbers from the place `j` of B on, `j_stride` apart. `width` is a multiple of 8.
    """

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = signature.args[0]
        code = Code(context, builder, kind)
        a = code.at(code.start(kind, args[0]), args[1])
        b = code.at(code.start(signature.args[3], args[3]), args[4])
        i_stride, j_stride, count = args[2], args[5], args[6]
        c = code.at(code.start(signature.args[7], args[7]), args[8])
        c_stride, width, keep, sign = args[9:13]
        forget = builder.fcmp_ordered("==", keep, code.number(0.0))
        for size, first in strips(builder, width, _tiles(context, kind)):
            tile = _Tile(context, builder, kind, size)
            with for_range(builder, count, intp=_INT) as loop:
                own = code.at(a, builder.mul(loop.index, i_stride))
                beside = code.at(b, builder.add(first, builder.mul(loop.index, j_stride)))
                tile.add(own, tile.loaded(beside))
            kept, signs = tile.code.spread(keep), tile.code.spread(sign)
            for row, step, total in tile.totals():
                target = builder.add(builder.mul(_INT(row), c_stride), code.plus(first, step))
                cell = code.at(c, target)
                # The old value is undefined, and 0 times it may be NaN.
                old = tile.code.mul(kept, tile.code.load(cell))
                old = builder.select(forget, tile.code.zeros(), old)
                tile.code.store(tile.code.add(old, tile.code.mul(signs, total)), cell)
        return context.get_dummy_value()

    number = A.dtype
    whole = types.int64
    kinds = A, whole, whole, B, whole, whole, whole, C, whole, whole, whole, number, number
    return types.void(*kinds), emit


@intrinsic
def multiply_gathered(typingctx: Any, Z: Any, rows: Any, weights: Any, pulls: Any, count: Any,
                      length: Any, scale: Any, C: Any, stride: Any, right: Any) -> Any:  # fmt: skip
    """Set the upper tiles of C to ``s A.T diag(weights) A s``, and `right` to ``s A.T pulls``.

    A is the first `count` of ``Z[rows]``, `length` numbers each, a multiple of 8; s is the diagonal
    matrix of `scale`. All but `rows` are of one type.
    """

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = signature.args[0]
        count, length, stride = args[4], args[5], args[8]
        eight = Code(context, builder, kind)
        z, rows, weights, pulls, scale, c, right = (
            eight.start(signature.args[place], args[place]) for place in (0, 1, 2, 3, 6, 7, 9)
        )
        with for_range(builder, builder.lshr(length, _INT(3)), intp=_INT) as block:
            i = builder.shl(block.index, _INT(3))
            own_scale = eight.at(scale, i)
            for size, first in strips(builder, builder.sub(length, i), _tiles(context, kind)):
                tile = _Tile(context, builder, kind, size)
                code = tile.code
                (pulled,) = eight.accumulators([eight.zeros()])
                with for_range(builder, count, intp=_INT) as loop:
                    number = builder.load(code.at(rows, loop.index))
                    number = number if number.type == _INT else builder.sext(number, _INT)
                    own = code.at(z, builder.add(builder.mul(number, length), i))
                    weight = code.spread(builder.load(code.at(weights, loop.index)))
                    loaded = tile.loaded(code.at(own, first))
                    tile.add(own, {step: code.mul(weight, loaded[step]) for step in loaded})
                    pull = eight.spread(builder.load(code.at(pulls, loop.index)))
                    product = eight.mul(pull, eight.load(own))
                    builder.store(eight.add(builder.load(pulled), product), pulled)
                scales = tile.loaded(code.at(own_scale, first))
                for row, step, total in tile.totals():
                    factor = code.spread(builder.load(code.at(own_scale, _INT(row))))
                    scaled = code.mul(total, code.mul(factor, scales[step]))
                    target = builder.mul(code.plus(i, row), stride)
                    target = builder.add(target, code.plus(builder.add(i, first), step))
                    code.store(scaled, code.at(c, target))
                scaled = eight.mul(builder.load(pulled), eight.load(own_scale))
                eight.store(scaled, code.at(right, i))
        return context.get_dummy_value()

    whole = types.int64
    kinds = Z, rows, weights, pulls, whole, whole, scale, C, whole, right
    return types.void(*kinds), emit


@intrinsic
def factorize(typingctx: Any, C: Any, diagonal: Any, stride: Any, inverse: Any,
              first: Any) -> Any:  # fmt: skip
    """Replace the upper triangle of the 8 x 8 cells of C at `diagonal` by its Cholesky factor.

    The inverses of the diagonal are written to ``inverse[first:first + 8]``. Returns whether all
    pivots were positive; cells below the diagonal are undefined.
    """

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        code = Code(context, builder, signature.args[0])
        start = code.at(code.start(signature.args[0], args[0]), args[1])
        places = [code.at(start, builder.mul(_INT(row), args[2])) for row in range(LANES)]
        inverses = code.at(code.start(signature.args[3], args[3]), args[4])
        rows = [code.load(place) for place in places]
        positive = ir.Constant(ir.IntType(1), 1)
        for k in range(LANES):
            pivot = code.number_in(rows[k], k)
            above = builder.fcmp_ordered(">", pivot, code.number(0.0))
            positive = builder.and_(positive, above)
            one = builder.fdiv(code.number(1.0), code.root(pivot))
            builder.store(one, code.at(inverses, _INT(k)))
            rows[k] = code.mul(rows[k], code.spread(one))
            code.store(rows[k], places[k])
            for i in range(k + 1, LANES):
                number = code.mix(rows[k], rows[k], [i] * LANES)
                rows[i] = code.sub(rows[i], code.mul(number, rows[k]))
        return positive

    whole = types.int64
    return types.boolean(C, whole, whole, inverse, whole), emit


@intrinsic
def solve_beside(typingctx: Any, C: Any, diagonal: Any, stride: Any, inverse: Any, first: Any,
                 width: Any) -> Any:  # fmt: skip
    """Replace the `width` columns T after the 8 x 8 cells of C at `diagonal` by ``U.T ** -1 @ T``.

    U and its inverses are from `factorize`.
    """

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = signature.args[0]
        code = Code(context, builder, kind)
        triangle = code.at(code.start(kind, args[0]), args[1])
        inverses = code.at(code.start(signature.args[3], args[3]), args[4])
        rows = [code.at(triangle, builder.mul(_INT(row), args[2])) for row in range(LANES)]
        for lanes, place in strips(builder, args[5], widths(context, kind)):
            code = Code(context, builder, kind, lanes)
            solved: list[Any] = []
            for row in range(LANES):
                cell = code.at(rows[row], code.plus(place, LANES))
                vector = code.load(cell)
                for above in range(row):
                    number = builder.load(code.at(rows[above], _INT(row)))
                    vector = code.sub(vector, code.mul(code.spread(number), solved[above]))
                number = builder.load(code.at(inverses, _INT(row)))
                solved.append(code.mul(vector, code.spread(number)))
                code.store(solved[row], cell)
        return context.get_dummy_value()

    whole = types.int64
    return types.void(C, whole, whole, inverse, whole, whole), emit


class _Tile:
    """Sums of eight rows and `size` columns, in registers."""

    def __init__(self, context: Any, builder: Any, array: types.Array, size: int) -> None:
        self.code = Code(context, builder, array, min(size, widths(context, array)[0]))
        self._steps = range(0, size, self.code.lanes)
        cells = [(row, step) for row in range(LANES) for step in self._steps]
        kept = self.code.accumulators([self.code.zeros()] * len(cells))
        self._sums = dict(zip(cells, kept, strict=True))

    def loaded(self, start: Any) -> dict[int, Any]:
        """Return the vectors of one row, by their first column."""
        return {step: self.code.load(self.code.at(start, _INT(step))) for step in self._steps}

    def add(self, left: Any, right: dict[int, Any]) -> None:
        """Add the products of eight numbers, at the address `left`, with a row's vectors."""
        code, builder = self.code, self.code.builder
        for row in range(LANES):
            number = code.spread(builder.load(code.at(left, _INT(row))))
            for step, vector in right.items():
                place = self._sums[row, step]
                builder.store(code.add(builder.load(place), code.mul(number, vector)), place)

    def totals(self) -> Iterator[tuple[int, int, Any]]:
        """Yield row, first column and sums of each vector."""
        for (row, step), place in self._sums.items():
            yield row, step, self.code.builder.load(place)


def _tiles(context: Any, array: types.Array) -> tuple[int, ...]:
    """Return the tile widths: of two vectors if there are registers, then less."""
    sizes = widths(context, array)
    return (2 * sizes[0], *sizes) if has_wide_registers(context) else sizes
