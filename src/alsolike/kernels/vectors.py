"""Vector instructions by name: what the compiler would not find in plain loops.

Each function here is code for eight numbers at a time, written for LLVM, which turns it into the
widest instructions of the processor at hand (AVX2, AVX-512, NEON, or pairs of SSE). The compiler's
own vectorizer left the tiles of a matrix product in memory and ran rows shorter than 32 one number
at a time.

All arrays are C-ordered and of one floating type; a place in one is the number of elements before
it. Counts are multiples of 8 where they are said to be. Nothing is checked.
"""

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import types
from numba.core.cgutils import for_range, get_or_insert_function
from numba.extending import intrinsic

LANES = 8

_INT = ir.IntType(64)
# Fusing a multiply with an add changes the last bit, once and for all when the code is compiled.
_FLAGS = ("contract", "reassoc", "nsz")

Emit = Callable[..., Any]


class Code:
    """LLVM instructions on arrays of one type, eight numbers at a time."""

    def __init__(self, context: Any, builder: ir.IRBuilder, array: types.Array) -> None:
        self.context, self.builder = context, builder
        self.number = context.get_value_type(array.dtype)
        self.vector = ir.VectorType(self.number, LANES)
        self.bytes = array.dtype.bitwidth // 8

    def start(self, kind: types.Array, array: Any) -> Any:
        """Return the address of an array's first element."""
        return self.context.make_array(kind)(self.context, self.builder, array).data

    def at(self, start: Any, place: Any) -> Any:
        """Return the address `place` elements after `start`."""
        return self.builder.gep(start, [place])

    def plus(self, place: Any, step: Any) -> Any:
        """Return `place + step`."""
        return self.builder.add(place, step if isinstance(step, ir.Value) else _INT(step))

    def load(self, address: Any) -> Any:
        """Return the eight numbers at an address."""
        pointer = self.builder.bitcast(address, self.vector.as_pointer())
        return self.builder.load(pointer, align=self.bytes)

    def store(self, vector: Any, address: Any) -> None:
        """Write eight numbers to an address."""
        pointer = self.builder.bitcast(address, self.vector.as_pointer())
        self.builder.store(vector, pointer, align=self.bytes)

    def widened(self, vector: Any) -> Any:
        """Return a vector of another array in this array's type, which is as wide or wider."""
        same = vector.type == self.vector
        return vector if same else self.builder.fpext(vector, self.vector)

    def spread(self, number: Any) -> Any:
        """Return a vector of eight times the same number."""
        one = self.builder.insert_element(
            ir.Constant(self.vector, ir.Undefined), number, ir.IntType(32)(0)
        )
        mask = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
        return self.builder.shuffle_vector(one, one, mask)

    def mul(self, a: Any, b: Any) -> Any:
        """Return a * b."""
        return self.builder.fmul(a, b, flags=_FLAGS)

    def add(self, a: Any, b: Any) -> Any:
        """Return a + b."""
        return self.builder.fadd(a, b, flags=_FLAGS)

    def sub(self, a: Any, b: Any) -> Any:
        """Return a - b."""
        return self.builder.fsub(a, b, flags=_FLAGS)

    def zeros(self) -> Any:
        """Return eight zeros."""
        return ir.Constant(self.vector, [0.0] * LANES)

    def mix(self, a: Any, b: Any, lanes: list[int]) -> Any:
        """Return eight of the sixteen numbers of both, by their places."""
        mask = ir.Constant(ir.VectorType(ir.IntType(32), LANES), lanes)
        return self.builder.shuffle_vector(a, b, mask)

    def transposed(self, rows: list[Any]) -> list[Any]:
        """Return the columns of eight vectors as vectors: three rounds of pairwise shuffles."""
        for step in (1, 2, 4):
            low = [lane + (LANES - step if lane & step else 0) for lane in range(LANES)]
            high = [lane + step + (LANES - step if lane & step else 0) for lane in range(LANES)]
            turned = list(rows)
            for first in range(LANES):
                if not first & step:
                    a, b = rows[first], rows[first + step]
                    turned[first] = self.mix(a, b, low)
                    turned[first + step] = self.mix(a, b, high)
            rows = turned
        return rows

    def total(self, vector: Any) -> Any:
        """Return the sum of the eight numbers, halves first."""
        for half in (4, 2, 1):
            lanes = [lane + half if lane < half else lane for lane in range(LANES)]
            vector = self.add(vector, self.mix(vector, vector, lanes))
        return self.builder.extract_element(vector, ir.IntType(32)(0))

    def accumulators(self, vectors: list[Any]) -> list[Any]:
        """Return memory for vectors that LLVM keeps in registers."""
        places = []
        for vector in vectors:
            with self.builder.goto_entry_block():
                place = self.builder.alloca(self.vector)
            self.builder.store(vector, place)
            places.append(place)
        return places


@intrinsic
def stay_apart(typingctx: Any) -> Any:
    """Keep LLVM from copying the function that calls this into its callers.

    Without it, every caller of a large kernel is optimized with a copy inside, and compiling
    takes several times as long.
    """

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        builder.function.attributes.add("noinline")
        return context.get_dummy_value()

    return types.void(), emit


@intrinsic
def fetch(typingctx: Any, Z: Any, place: Any) -> Any:
    """Ask the processor to bring the cache line at `place` closer, and go on meanwhile."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        code = Code(context, builder, signature.args[0])
        byte, flag = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [byte, flag, flag, flag])
        prefetch = get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        address = code.at(code.start(signature.args[0], args[0]), args[1])
        # For reading, into all levels, as data.
        builder.call(prefetch, [builder.bitcast(address, byte), flag(0), flag(3), flag(1)])
        return context.get_dummy_value()

    return types.void(Z, types.int64), emit


@intrinsic
def add_tile(typingctx: Any, A: Any, i: Any, j: Any, stride: Any, count: Any, C: Any, c: Any,
             c_stride: Any, keep: Any, sign: Any) -> Any:  # fmt: skip
    """Set the 8 x 8 tile of C at `c` to ``keep * C + sign * A_i.T @ A_j``.

    A_i and A_j are `count` rows of 8 numbers, from the places `i` and `j` of A on, `stride` apart.
    """

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        code = Code(context, builder, signature.args[0])
        a = code.start(signature.args[0], args[0])
        at_i, at_j, stride, count = args[1:5]
        c = code.at(code.start(signature.args[5], args[5]), args[6])
        c_stride, keep, sign = args[7:10]
        sums = code.accumulators([code.zeros()] * LANES)
        with for_range(builder, count, intp=_INT) as loop:
            shift = builder.mul(loop.index, stride)
            right = code.load(code.at(a, code.plus(at_j, shift)))
            left = code.at(a, code.plus(at_i, shift))
            for lane in range(LANES):
                number = builder.load(code.at(left, _INT(lane)))
                product = code.mul(code.spread(number), right)
                builder.store(code.add(builder.load(sums[lane]), product), sums[lane])
        forget = builder.fcmp_ordered("==", keep, code.number(0.0))
        keep, sign = code.spread(keep), code.spread(sign)
        for lane in range(LANES):
            target = code.at(c, builder.mul(_INT(lane), c_stride))
            # What stands there may be anything, and 0 times that may be NaN.
            kept = builder.select(forget, code.zeros(), code.mul(keep, code.load(target)))
            code.store(code.add(kept, code.mul(sign, builder.load(sums[lane]))), target)
        return context.get_dummy_value()

    number = A.dtype
    whole = types.int64
    return types.void(A, whole, whole, whole, whole, C, whole, whole, number, number), emit


@intrinsic
def solve_tile(typingctx: Any, C: Any, diagonal: Any, tile: Any, stride: Any, inverse: Any,
               first: Any) -> Any:  # fmt: skip
    """Replace the 8 x 8 tile T of C at `tile` by ``U.T ** -1 @ T``.

    U is the upper triangle of C at `diagonal`, the inverses of its diagonal are
    ``inverse[first:first + 8]``.
    """

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        code = Code(context, builder, signature.args[0])
        start = code.start(signature.args[0], args[0])
        triangle, target = code.at(start, args[1]), code.at(start, args[2])
        stride = args[3]
        inverses = code.at(code.start(signature.args[4], args[4]), args[5])
        solved: list[Any] = []
        for row in range(LANES):
            vector = code.load(code.at(target, builder.mul(_INT(row), stride)))
            for above in range(row):
                place = code.plus(builder.mul(_INT(above), stride), row)
                number = builder.load(code.at(triangle, place))
                vector = code.sub(vector, code.mul(code.spread(number), solved[above]))
            vector = code.mul(vector, code.spread(builder.load(code.at(inverses, _INT(row)))))
            code.store(vector, code.at(target, builder.mul(_INT(row), stride)))
            solved.append(vector)
        return context.get_dummy_value()

    whole = types.int64
    return types.void(C, whole, whole, whole, inverse, whole), emit


@intrinsic
def pack_columns(typingctx: Any, Z: Any, rows: Any, weights: Any, first: Any, scale: Any,
                 length: Any, begin: Any, count: Any, P: Any, p: Any,
                 stride: Any) -> Any:  # fmt: skip
    """Write a part of eight scaled rows of Z as eight columns of P, from the place `p` on.

    With ``part = slice(begin, begin + count)``, column l is
    ``weights[first + l] * scale[part] * Z[rows[first + l], part]``. The rows of Z are `length`
    numbers long; `begin` and `count` are multiples of 8.
    """

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        code = Code(context, builder, signature.args[8])
        weights = code.at(code.start(signature.args[2], args[2]), args[3])
        begin, stride = args[6], args[10]
        scale = code.at(code.start(signature.args[4], args[4]), begin)
        p = code.at(code.start(signature.args[8], args[8]), args[9])
        source = Code(context, builder, signature.args[0])
        starts = _row_starts(code, signature.args, args, args[3], args[5])
        starts = [code.at(start, begin) for start in starts]
        spread = [code.spread(builder.load(code.at(weights, _INT(k)))) for k in range(LANES)]
        with for_range(builder, builder.lshr(args[7], _INT(3)), intp=_INT) as loop:
            place = builder.shl(loop.index, _INT(3))
            scales = code.load(code.at(scale, place))
            vectors = []
            for lane in range(LANES):
                vector = code.widened(source.load(code.at(starts[lane], place)))
                vectors.append(code.mul(vector, code.mul(spread[lane], scales)))
            for lane, column in enumerate(code.transposed(vectors)):
                target = builder.mul(code.plus(place, lane), stride)
                code.store(column, code.at(p, target))
        return context.get_dummy_value()

    whole = types.int64
    kinds = Z, rows, weights, whole, scale, whole, whole, whole, P, whole, whole
    return types.void(*kinds), emit


@intrinsic
def copy_scaled(typingctx: Any, Z: Any, z: Any, weight: Any, scale: Any, count: Any, P: Any,
                p: Any) -> Any:  # fmt: skip
    """Write ``weight * scale[:count] * Z[z:z + count]`` to P at `p`; `count` a multiple of 8."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        code = Code(context, builder, signature.args[5])
        source = Code(context, builder, signature.args[0])
        z = code.at(code.start(signature.args[0], args[0]), args[1])
        scale = code.start(signature.args[3], args[3])
        p = code.at(code.start(signature.args[5], args[5]), args[6])
        weight = code.spread(args[2])
        with for_range(builder, builder.lshr(args[4], _INT(3)), intp=_INT) as loop:
            place = builder.shl(loop.index, _INT(3))
            vector = code.widened(source.load(code.at(z, place)))
            scales = code.load(code.at(scale, place))
            code.store(code.mul(vector, code.mul(weight, scales)), code.at(p, place))
        return context.get_dummy_value()

    whole = types.int64
    return types.void(Z, whole, P.dtype, scale, whole, P, whole), emit


@intrinsic
def dot(typingctx: Any, a: Any, i: Any, b: Any, j: Any, count: Any) -> Any:
    """Return ``a[i:i + count] @ b[j:j + count]``; `count` a multiple of 8."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        code = Code(context, builder, signature.args[0])
        a = code.at(code.start(signature.args[0], args[0]), args[1])
        b = code.at(code.start(signature.args[2], args[2]), args[3])
        (total,) = code.accumulators([code.zeros()])
        with for_range(builder, builder.lshr(args[4], _INT(3)), intp=_INT) as loop:
            place = builder.shl(loop.index, _INT(3))
            product = code.mul(code.load(code.at(a, place)), code.load(code.at(b, place)))
            builder.store(code.add(builder.load(total), product), total)
        return code.total(builder.load(total))

    whole = types.int64
    return a.dtype(a, whole, b, whole, whole), emit


@intrinsic
def dot_rows(typingctx: Any, Z: Any, rows: Any, first: Any, y: Any, count: Any, out: Any,
             begin: Any) -> Any:  # fmt: skip
    """Set ``out[begin + l]`` to ``Z[rows[first + l], :count] @ y[:count]`` for eight l.

    `count` is a multiple of 8, and the rows of Z are `count` numbers long.
    """

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        code = Code(context, builder, signature.args[3])
        source = Code(context, builder, signature.args[0])
        y, count = code.start(signature.args[3], args[3]), args[4]
        starts = _row_starts(code, signature.args, args, args[2], count)
        sums = code.accumulators([code.zeros()] * LANES)
        with for_range(builder, builder.lshr(count, _INT(3)), intp=_INT) as loop:
            place = builder.shl(loop.index, _INT(3))
            right = code.load(code.at(y, place))
            for lane in range(LANES):
                vector = code.widened(source.load(code.at(starts[lane], place)))
                product = code.mul(vector, right)
                builder.store(code.add(builder.load(sums[lane]), product), sums[lane])
        columns = code.transposed([builder.load(place) for place in sums])
        while len(columns) > 1:
            columns = [code.add(a, b) for a, b in zip(columns[::2], columns[1::2], strict=True)]
        code.store(columns[0], code.at(code.start(signature.args[5], args[5]), args[6]))
        return context.get_dummy_value()

    whole = types.int64
    return types.void(Z, rows, whole, y, whole, out, whole), emit


@intrinsic
def add_rows(typingctx: Any, Z: Any, rows: Any, first: Any, weights: Any, begin: Any, count: Any,
             y: Any) -> Any:  # fmt: skip
    """Add ``weights[begin + l] * Z[rows[first + l], :count]`` for eight l to ``y[:count]``.

    `count` is a multiple of 8, and the rows of Z are `count` numbers long.
    """

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        code = Code(context, builder, signature.args[6])
        source = Code(context, builder, signature.args[0])
        weights, count = code.at(code.start(signature.args[3], args[3]), args[4]), args[5]
        y = code.start(signature.args[6], args[6])
        starts = _row_starts(code, signature.args, args, args[2], count)
        spread = [code.spread(builder.load(code.at(weights, _INT(k)))) for k in range(LANES)]
        with for_range(builder, builder.lshr(count, _INT(3)), intp=_INT) as loop:
            place = builder.shl(loop.index, _INT(3))
            total = code.load(code.at(y, place))
            for lane in range(LANES):
                vector = code.widened(source.load(code.at(starts[lane], place)))
                total = code.add(total, code.mul(spread[lane], vector))
            code.store(total, code.at(y, place))
        return context.get_dummy_value()

    whole = types.int64
    return types.void(Z, rows, whole, weights, whole, whole, y), emit


def _row_starts(code: Code, kinds: Any, args: Any, first: Any, length: Any) -> list[Any]:
    """Return the addresses of eight rows of the first argument, numbered by the second."""
    z = code.start(kinds[0], args[0])
    rows = code.at(code.start(kinds[1], args[1]), first)
    numbers = (code.builder.load(code.at(rows, _INT(lane))) for lane in range(LANES))
    return [code.at(z, code.builder.mul(number, length)) for number in numbers]
