"""Moves the rows of a user and two items by one step, several numbers at a time, as LLVM code.

The compiler cannot know that rows of one array do not overlap: it ran such loops one number at a
time. Arrays, indices and counts are as in `alsolike.kernels.compiler.vectors`.
"""

from typing import Any

from numba.core import types
from numba.extending import intrinsic

from alsolike.kernels.compiler.vectors import Code, strips, widths


@intrinsic
def move_rows(typingctx: Any, X: Any, x: Any, Y: Any, i: Any, j: Any, count: Any, x_kept: Any,
              x_rate: Any, i_kept: Any, i_rate: Any, j_kept: Any, j_rate: Any) -> Any:  # fmt: skip
    """Move a row of X at `x`, and two rows of Y at `i` and `j`, by their values before the step.

    ``x = x_kept x + x_rate (y_i - y_j)``, ``y_i = i_kept y_i + i_rate x``, and ``y_j = j_kept y_j -
    j_rate x``. `count` is a multiple of 8; the rows do not overlap.
    """

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kinds = signature.args[0], signature.args[2], signature.args[2]
        for lanes, place in strips(builder, args[5], widths(context, kinds[0])):
            code = Code(context, builder, kinds[0], lanes)
            starts = (code.start(kind, args[at]) for kind, at in zip(kinds, (0, 2, 2), strict=True))
            rows = [code.at(code.at(start, args[at]), place)
                    for start, at in zip(starts, (1, 3, 4), strict=True)]  # fmt: skip
            user, liked, other = (code.load(row) for row in rows)
            kept = [code.spread(args[at]) for at in (6, 8, 10)]
            rate = [code.spread(args[at]) for at in (7, 9, 11)]
            apart, ahead = code.sub(liked, other), code.mul(rate[1], user)
            moved = (
                code.add(code.mul(kept[0], user), code.mul(rate[0], apart)),
                code.add(code.mul(kept[1], liked), ahead),
                code.sub(code.mul(kept[2], other), code.mul(rate[2], user)),
            )
            for row, vector in zip(rows, moved, strict=True):
                code.store(vector, row)
        return context.get_dummy_value()

    whole, number = types.int64, X.dtype
    rates = (number,) * 6
    return types.void(X, whole, Y, whole, whole, whole, *rates), emit
