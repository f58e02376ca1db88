"""`BundleArrays`: the arrays of one file of a bundle, each checked when it is taken.

Loading and saving check here all that a model relies on, so a damaged file cannot send a kernel out
of bounds.
"""

import copy
import itertools
import operator
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from alsolike.data.string_array import StringArray
from alsolike.data.vocabulary import Vocabulary
from alsolike.data.whole_numbers import IdType
from alsolike.errors import DataError
from alsolike.storage.safetensors import Tensors

_ROWS = 4096  # checked at a time


class BundleFault(ValueError):
    """An error in `file` of a bundle whose folder is unknown here."""

    def __init__(self, file: str, finding: str) -> None:
        super().__init__(finding)
        self.file = file


class BundleArrays:
    """The tensors of one file; each is taken once, and checked then."""

    def __init__(self, file: str, parts: Mapping[str, Tensors]) -> None:
        self.file = file
        self._left = dict(parts[file])
        self._prefix = ""

    def __contains__(self, name: str) -> bool:
        return self._prefix + name in self._left

    def inside(self, label: str) -> "BundleArrays":
        """Select the tensors of a model inside another, whose names begin with ``label.``."""
        inner = copy.copy(self)
        inner._prefix = f"{self._prefix}{label}."
        return inner

    def take(self, name: str, dtype: npt.DTypeLike, *shape: int | None) -> npt.NDArray[Any]:
        """Take a tensor of this dtype and shape (None: any length)."""
        wanted = f"{np.dtype(dtype)} ({', '.join(str(n) if n is not None else '?' for n in shape)})"
        array = self._left.pop(self._prefix + name, None)
        if array is None:
            raise self._fault_of(name, f"{wanted} expected, and missing")
        fits = array.ndim == len(shape) and all(
            length is None or found == length
            for found, length in zip(array.shape, shape, strict=True)
        )
        if array.dtype != dtype or not fits:
            raise self._fault_of(name, f"{wanted} expected, {array.dtype} {array.shape} found")
        return array

    def finite(self, name: str, dtype: npt.DTypeLike, *shape: int | None) -> npt.NDArray[Any]:
        """Take a tensor of finite numbers."""
        array = self.take(name, dtype, *shape)
        # Piece by piece: a mask of all is a quarter as large as the factors.
        for start in range(0, len(array), _ROWS):
            finite = np.isfinite(array[start : start + _ROWS])
            if not finite.all():
                row = start + int(np.argwhere(~finite)[0][0])
                raise self._fault_of(name, f"finite numbers expected, NaN or inf in row {row}")
        return array

    def expect(self, holds: bool, name: str, what: str) -> None:
        """Raise BundleFault unless a tensor that was taken holds what is expected."""
        if not holds:
            raise self._fault_of(name, f"{what} expected, others found")

    def within(
        self, name: str, dtype: npt.DTypeLike, length: int, *, below: int | None = None
    ) -> npt.NDArray[Any]:
        """Take whole numbers from 0 on, less than `below`."""
        array = self.take(name, dtype, length)
        if array.size and (array.min() < 0 or (below is not None and array.max() >= below)):
            limit = "" if below is None else f" and below {below:,}"
            raise self._fault_of(
                name, f"numbers from 0{limit} expected, {array.min():,} to {array.max():,} found"
            )
        return array

    def ascending(
        self, name: str, pieces: int, end: int, *, dtype: npt.DTypeLike = np.int64
    ) -> npt.NDArray[Any]:
        """Take the ``pieces + 1`` positions that cut ``range(end)`` into pieces."""
        array = self.take(name, dtype, pieces + 1)
        if array[0] != 0 or array[-1] != end or (array[1:] < array[:-1]).any():
            raise self._fault_of(
                name, f"numbers that ascend from 0 to {end:,} expected, others found"
            )
        return array

    def matrix(self, name: str, dtype: npt.DTypeLike, n_rows: int, n_columns: int) -> sp.csr_array:
        """Take a CSR matrix of finite numbers: tensors `name`, ``indptr`` and ``indices``."""
        numbers = self.finite(name, dtype, None)
        wide = max(len(numbers), n_rows, n_columns) > np.iinfo(np.int32).max
        width = np.int64 if wide else np.int32
        indptr = self.ascending("indptr", n_rows, len(numbers), dtype=width)
        indices = self.within("indices", width, len(numbers), below=n_columns)
        return sp.csr_array((numbers, indices, indptr), shape=(n_rows, n_columns))

    def texts(self, label: str, count: int) -> StringArray:
        """Take `count` strings of valid UTF-8."""
        blob = self.take(f"{label}.blob", np.uint8, None)
        offsets = self.ascending(f"{label}.offsets", count, len(blob))
        try:
            str(blob.data, "utf-8")
        except UnicodeDecodeError as error:
            raise self._fault_of(
                f"{label}.blob", f"UTF-8 expected, byte {error.start:,} is not"
            ) from error
        starts = offsets[:-1][offsets[:-1] < len(blob)]
        # 10xxxxxx continues a character; no string may start with it.
        if (blob[starts] & 0b1100_0000 == 0b1000_0000).any():
            raise self._fault_of(f"{label}.offsets", "a string starts inside a character")
        return StringArray(blob, offsets)

    def vocabulary(
        self, label: str, count: int, *, kind: str, id_type: IdType = "text"
    ) -> Vocabulary:
        """Take `count` distinct, sorted ids of a type."""
        ids = self.texts(label, count)
        whole, ends = ids.blob.tobytes(), ids.offsets.tolist()
        # Bytes sort as wanted, and need no decoding.
        strings = [whole[start:end] for start, end in itertools.pairwise(ends)]
        if not all(map(operator.lt, strings, strings[1:])):
            at = next(i for i in range(1, count) if strings[i] <= strings[i - 1])
            raise self._fault(
                f"{kind} ids: distinct and sorted ones expected, {ids[at]!r} after "
                f"{ids[at - 1]!r} found"
            )
        try:
            return Vocabulary(ids, kind=kind).retyped(id_type)
        except DataError as error:
            raise self._fault(str(error).rstrip(".")) from error

    def done(self) -> None:
        """Raise BundleFault if tensors are left over."""
        if self._left:
            raise self._fault(f"unknown tensors {sorted(self._left)}")

    def _fault_of(self, name: str, finding: str) -> BundleFault:
        return self._fault(f"tensor {self._prefix + name!r}: {finding}")

    def _fault(self, finding: str) -> BundleFault:
        return BundleFault(self.file, finding)
