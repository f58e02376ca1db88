"""Generates vector instructions that the compiler would not find in plain loops.

Each function generates LLVM code for eight or sixteen numbers at a time, which LLVM turns into
instructions of the processor (AVX-512, AVX2, NEON, or pairs of SSE). The compiler's own vectorizer
left the tiles of a matrix product in memory and ran rows shorter than 32 one number at a time.

All arrays are C-ordered and of one floating type; an index into one counts elements. Counts are
multiples of 8 if so stated. Nothing is checked.
"""

from collections.abc import Callable, Iterator
from typing import Any

from llvmlite import ir
from numba.core import types
from numba.core.cgutils import for_range, get_or_insert_function
from numba.extending import intrinsic

# Counts are multiples of this. Vectors hold as many numbers, or twice as many (`widths`).
LANES = 8

_INT = ir.IntType(64)
# Fusing a multiply with an add changes the last bit, once and for all when the code is compiled.
_FLAGS = ("contract", "reassoc", "nsz")

Emit = Callable[..., Any]


def has_wide_registers(context: Any) -> bool:
    """Return whether the processor has 32 registers of 64 bytes."""
    return "+avx512f" in context.codegen().magic_tuple()[2].split(",")


def widths(context: Any, array: types.Array) -> tuple[int, ...]:
    """Return the vector widths to use, the widest first and 8 last."""
    wide = array.dtype == types.float32 and has_wide_registers(context)
    return (2 * LANES, LANES) if wide else (LANES,)


def strips(builder: ir.IRBuilder, count: Any, sizes: tuple[int, ...]) -> Iterator[tuple[int, Any]]:
    """Yield sizes and, within a loop over them, the starts of strips that cover `count`.

    Sizes are descending powers of two; `count` is a multiple of the last.
    """
    done = _INT(0)
    for size in sizes:
        shift = _INT(size.bit_length() - 1)
        whole = builder.lshr(builder.sub(count, done), shift)
        with for_range(builder, whole, intp=_INT) as loop:
            yield size, builder.add(done, builder.shl(loop.index, shift))
        done = builder.add(done, builder.shl(whole, shift))


class Code:
    """Generator of LLVM instructions on arrays of one type, several numbers at a time."""

    def __init__(
        self, context: Any, builder: ir.IRBuilder, array: types.Array, lanes: int = LANES
    ) -> None:
        self.context, self.builder, self.lanes = context, builder, lanes
        self.number = context.get_value_type(array.dtype)
        self.vector = ir.VectorType(self.number, lanes)
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
        """Return the numbers at an address."""
        pointer = self.builder.bitcast(address, self.vector.as_pointer())
        return self.builder.load(pointer, align=self.bytes)

    def store(self, vector: Any, address: Any) -> None:
        """Write a vector to an address."""
        pointer = self.builder.bitcast(address, self.vector.as_pointer())
        self.builder.store(vector, pointer, align=self.bytes)

    def widened(self, vector: Any) -> Any:
        """Return a vector converted to this array's type, which is as wide or wider."""
        same = vector.type == self.vector
        return vector if same else self.builder.fpext(vector, self.vector)

    def spread(self, number: Any) -> Any:
        """Return a vector with all lanes equal to a number."""
        one = self.builder.insert_element(
            ir.Constant(self.vector, ir.Undefined), number, ir.IntType(32)(0)
        )
        return self.mix(one, one, [0] * self.lanes)

    def number_in(self, vector: Any, lane: int) -> Any:
        """Return one lane of a vector."""
        return self.builder.extract_element(vector, ir.IntType(32)(lane))

    def mul(self, a: Any, b: Any) -> Any:
        """Return a * b."""
        return self.builder.fmul(a, b, flags=_FLAGS)

    def add(self, a: Any, b: Any) -> Any:
        """Return a + b."""
        return self.builder.fadd(a, b, flags=_FLAGS)

    def sub(self, a: Any, b: Any) -> Any:
        """Return a - b."""
        return self.builder.fsub(a, b, flags=_FLAGS)

    def root(self, a: Any) -> Any:
        """Return the square root of a number or of a vector."""
        bits, many = self.bytes * 8, f"v{self.lanes}" if a.type == self.vector else ""
        kind = ir.FunctionType(a.type, [a.type])
        name = f"llvm.sqrt.{many}f{bits}"
        return self.builder.call(get_or_insert_function(self.builder.module, kind, name), [a])

    def zeros(self) -> Any:
        """Return a vector of zeros."""
        return ir.Constant(self.vector, [0.0] * self.lanes)

    def mix(self, a: Any, b: Any, lanes: list[int]) -> Any:
        """Return a shuffle of the lanes of two vectors."""
        mask = ir.Constant(ir.VectorType(ir.IntType(32), len(lanes)), lanes)
        return self.builder.shuffle_vector(a, b, mask)

    def transposed(self, rows: list[Any]) -> list[Any]:
        """Return the columns of as many vectors as lanes, in rounds of pairwise shuffles."""
        step = 1
        while step < self.lanes:
            places = range(self.lanes)
            low = [lane + (self.lanes - step if lane & step else 0) for lane in places]
            high = [lane + step + (self.lanes - step if lane & step else 0) for lane in places]
            turned = list(rows)
            for first in places:
                if not first & step:
                    a, b = rows[first], rows[first + step]
                    turned[first] = self.mix(a, b, low)
                    turned[first + step] = self.mix(a, b, high)
            rows, step = turned, 2 * step
        return rows

    def folded(self, vector: Any) -> Any:
        """Return a vector of eight lanes; sixteen are added by halves."""
        lanes = self.lanes
        while lanes > LANES:
            lanes //= 2
            low, high = list(range(lanes)), list(range(lanes, 2 * lanes))
            vector = self.add(self.mix(vector, vector, low), self.mix(vector, vector, high))
        return vector

    def total(self, vector: Any) -> Any:
        """Return the sum of the lanes, by halves."""
        half = self.lanes // 2
        while half:
            lanes = [lane + half if lane < half else lane for lane in range(self.lanes)]
            vector = self.add(vector, self.mix(vector, vector, lanes))
            half //= 2
        return self.number_in(vector, 0)

    def totals(self, vectors: list[Any]) -> Any:
        """Return a vector with the sum of the lanes of as many vectors as lanes."""
        step = 1
        while step < self.lanes:
            # Lanes without the bit of `step` add up one of two vectors, those with it the other.
            places = range(self.lanes)
            low = [lane + (self.lanes - step if lane & step else 0) for lane in places]
            high = [lane + (self.lanes if lane & step else step) for lane in places]
            vectors = [
                self.add(self.mix(a, b, low), self.mix(a, b, high))
                for a, b in zip(vectors[::2], vectors[1::2], strict=True)
            ]
            step *= 2
        return vectors[0]

    def accumulators(self, vectors: list[Any]) -> list[Any]:
        """Return variables for vectors, which LLVM keeps in registers."""
        places = []
        for vector in vectors:
            with self.builder.goto_entry_block():
                place = self.builder.alloca(self.vector)
            self.builder.store(vector, place)
            places.append(place)
        return places


def prefetch(builder: ir.IRBuilder, address: Any) -> None:
    """Generate a prefetch of the cache line at an address: for reading, into all levels."""
    byte, flag = ir.IntType(8).as_pointer(), ir.IntType(32)
    kind = ir.FunctionType(ir.VoidType(), [byte, flag, flag, flag])
    function = get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
    builder.call(function, [builder.bitcast(address, byte), flag(0), flag(3), flag(1)])


@intrinsic
def stay_apart(typingctx: Any) -> Any:
    """Prevent inlining of the calling function.

    Otherwise every caller of a large kernel is optimized with a copy inside, and compiling takes
    several times as long.
    """

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        builder.function.attributes.add("noinline")
        return context.get_dummy_value()

    return types.void(), emit


@intrinsic
def fetch(typingctx: Any, Z: Any, place: Any) -> Any:
    """Prefetch the cache line at `place`."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        code = Code(context, builder, signature.args[0])
        prefetch(builder, code.at(code.start(signature.args[0], args[0]), args[1]))
        return context.get_dummy_value()

    return types.void(Z, types.int64), emit


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
        kind, source_kind = signature.args[5], signature.args[0]
        code = Code(context, builder, kind)
        z = code.at(code.start(source_kind, args[0]), args[1])
        scale = code.start(signature.args[3], args[3])
        p = code.at(code.start(kind, args[5]), args[6])
        for lanes, place in strips(builder, args[4], widths(context, kind)):
            code = Code(context, builder, kind, lanes)
            source = Code(context, builder, source_kind, lanes)
            vector = code.widened(source.load(code.at(z, place)))
            scales = code.load(code.at(scale, place))
            factors = code.mul(code.spread(args[2]), scales)
            code.store(code.mul(vector, factors), code.at(p, place))
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
        for _, place in strips(builder, args[4], (LANES,)):
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
        kind = signature.args[3]
        eight = Code(context, builder, kind)
        codes = {lanes: Code(context, builder, kind, lanes) for lanes in widths(context, kind)}
        y, count = eight.start(kind, args[3]), args[4]
        starts = _row_starts(eight, signature.args, args, args[2], count)
        sums = {lanes: code.accumulators([code.zeros()] * LANES) for lanes, code in codes.items()}
        for lanes, place in strips(builder, count, tuple(codes)):
            code, source = codes[lanes], Code(context, builder, signature.args[0], lanes)
            right = code.load(code.at(y, place))
            for start, kept in zip(starts, sums[lanes], strict=True):
                vector = code.widened(source.load(code.at(start, place)))
                product = code.mul(vector, right)
                builder.store(code.add(builder.load(kept), product), kept)
        code, totals = eight, [eight.zeros()] * LANES
        for lanes, places in sums.items():
            found = (codes[lanes].folded(builder.load(place)) for place in places)
            totals = [code.add(total, one) for total, one in zip(totals, found, strict=True)]
        columns = code.transposed(totals)
        while len(columns) > 1:
            columns = [code.add(a, b) for a, b in zip(columns[::2], columns[1::2], strict=True)]
        code.store(columns[0], code.at(code.start(signature.args[5], args[5]), args[6]))
        return context.get_dummy_value()

    whole = types.int64
    return types.void(Z, rows, whole, y, whole, out, whole), emit


@intrinsic
def add_rows(typingctx: Any, Z: Any, rows: Any, first: Any, weights: Any, begin: Any, length: Any,
             count: Any, y: Any) -> Any:  # fmt: skip
    """Add ``weights[begin + l] * Z[rows[first + l], :count]`` for eight l to ``y[:count]``.

    `count` is a multiple of 8, and the rows of Z are `length` numbers long.
    """

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = signature.args[7]
        code = Code(context, builder, kind)
        weights, length = code.at(code.start(signature.args[3], args[3]), args[4]), args[5]
        y = code.start(kind, args[7])
        starts = _row_starts(code, signature.args, args, args[2], length)
        numbers = [builder.load(code.at(weights, _INT(k))) for k in range(LANES)]
        for lanes, place in strips(builder, args[6], widths(context, kind)):
            code = Code(context, builder, kind, lanes)
            source = Code(context, builder, signature.args[0], lanes)
            total = code.load(code.at(y, place))
            for start, number in zip(starts, numbers, strict=True):
                vector = code.widened(source.load(code.at(start, place)))
                total = code.add(total, code.mul(code.spread(number), vector))
            code.store(total, code.at(y, place))
        return context.get_dummy_value()

    whole = types.int64
    return types.void(Z, rows, whole, weights, whole, whole, whole, y), emit


def _row_starts(code: Code, kinds: Any, args: Any, first: Any, length: Any) -> list[Any]:
    """Return the addresses of eight rows of the first argument, indexed by the second."""
    z = code.start(kinds[0], args[0])
    rows = code.at(code.start(kinds[1], args[1]), first)
    numbers = (code.builder.load(code.at(rows, _INT(lane))) for lane in range(LANES))
    return [code.at(z, code.builder.mul(number, length)) for number in numbers]
