"""Multiplies rows of a matrix by each other, four at a time, as LLVM code.

The rows are long and few: those of one row's interactions (rows.py). Vectors run along them, so
nothing need be transposed, and tiles of four rows waste less than those of eight (tiles.py) where
there are ten rows.

Arrays, indices and counts are as in `alsolike.kernels.compiler.vectors`.
"""

from typing import Any

from llvmlite import ir
from numba.core import types
from numba.core.cgutils import for_range
from numba.extending import intrinsic

from alsolike.kernels.compiler.vectors import Code, prefetch, widths

# Rows of a tile, and of how many numbers the rows are a multiple.
ROWS, STEP = 4, 16

_INT = ir.IntType(64)


@intrinsic
def multiply_rows(typingctx: Any, P: Any, i: Any, j: Any, stride: Any, count: Any, C: Any, c: Any,
                  c_stride: Any, Z: Any, ahead: Any) -> Any:  # fmt: skip
    """Set the 4 x 4 cells of C at `c` to products of four rows of P from `i` on and four from `j`.

    The rows are `stride` apart, and `count`, a multiple of 16, numbers long. Prefetches as many
    numbers of Z from the place `ahead` on.
    """

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = signature.args[0]
        code = Code(context, builder, kind, widths(context, kind)[0])
        p, stride = code.start(kind, args[0]), args[3]
        lefts = _starts(code, p, args[1], stride, ROWS)
        far = code.at(code.start(signature.args[8], args[8]), args[9])
        c = code.at(code.start(signature.args[5], args[5]), args[6])
        columns = code.lanes // ROWS
        for first in range(0, ROWS, columns):
            beside = builder.add(args[2], builder.mul(_INT(first), stride))
            rights = _starts(code, p, beside, stride, columns)
            sums = code.accumulators([code.zeros()] * (ROWS * columns))
            steps = builder.udiv(args[4], _INT(code.lanes))
            with for_range(builder, steps, intp=_INT) as loop:
                place = builder.mul(loop.index, _INT(code.lanes))
                if not first:
                    prefetch(builder, code.at(far, place))
                right = [code.load(code.at(start, place)) for start in rights]
                for row, start in enumerate(lefts):
                    left = code.load(code.at(start, place))
                    for column, vector in enumerate(right):
                        kept = sums[row * columns + column]
                        total = code.add(builder.load(kept), code.mul(left, vector))
                        builder.store(total, kept)
            totals = code.totals([builder.load(kept) for kept in sums])
            few = Code(context, builder, kind, columns)
            for row in range(ROWS):
                lanes = list(range(row * columns, (row + 1) * columns))
                target = builder.add(builder.mul(_INT(row), args[7]), _INT(first))
                few.store(code.mix(totals, totals, lanes), few.at(c, target))
        return context.get_dummy_value()

    whole = types.int64
    return types.void(P, whole, whole, whole, whole, C, whole, whole, Z, whole), emit


def _starts(code: Code, start: Any, first: Any, stride: Any, count: int) -> list[Any]:
    """Return the addresses of `count` rows from the place `first` on."""
    places = (code.plus(first, code.builder.mul(_INT(row), stride)) for row in range(count))
    return [code.at(start, place) for place in places]
