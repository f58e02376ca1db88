"""Reads a file of weights as PyTorch saved it before 1.6, and runs nothing that is in it.

Such a file is five pickles, then the numbers. A pickle may name any function, and a usual reader
calls it. This one knows four names, of which it makes plain descriptions; any other ends the
reading. PyTorch is not needed.
"""

import collections
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from alsolike.errors import DataError

_MAGIC = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001
_TYPES = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}


@dataclass(frozen=True)
class _Storage:
    """Numbers of one type, by the key that they have in the file."""

    kind: np.dtype[Any]
    key: str
    size: int


@dataclass(frozen=True)
class _View:
    """An array in a storage: where it begins, its shape and its strides, in numbers."""

    storage: _Storage
    start: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def of(self, numbers: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return a copy of the array; raise ValueError if it does not lie within the numbers."""
        last = self.start + sum((n - 1) * step for n, step in self._axes) if self.size else 0
        if min((self.start, *self.shape, *self.strides), default=0) < 0 or last >= len(numbers):
            raise ValueError("an array lies outside of its numbers")
        steps = [step * numbers.itemsize for step in self.strides]
        view = np.lib.stride_tricks.as_strided(numbers[self.start :], self.shape, steps)
        return np.array(view, order="C")

    @property
    def size(self) -> int:
        """How many numbers it has."""
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def _axes(self) -> list[tuple[int, int]]:
        return list(zip(self.shape, self.strides, strict=True))


class _Reader(pickle.Unpickler):
    """Unpickles descriptions of arrays, and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        """Return what stands for a name; raise UnpicklingError for any that arrays do not need."""
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _view
        if module == "torch" and name in _TYPES:
            return _TYPES[name]
        raise pickle.UnpicklingError(f"it names {module}.{name}, which arrays do not need")

    def persistent_load(self, saved: Any) -> _Storage:
        """Return the description of numbers that are stored behind the pickles."""
        word, kind, key, _, size, whole = saved
        if word != "storage" or whole is not None:
            raise pickle.UnpicklingError("numbers of an unknown form")
        return _Storage(kind, str(key), int(size))


def _view(storage: _Storage, start: int, shape: Any, strides: Any, *_: Any) -> _View:
    return _View(storage, int(start), tuple(map(int, shape)), tuple(map(int, strides)))


def read_weights(path: Path) -> dict[str, npt.NDArray[Any]]:
    """Read the arrays of a file by their names.

    Parameters
    ----------
    path : Path

    Returns
    -------
    dict of str to array
        float32 or int64, of the shapes that were saved.

    Raises
    ------
    DataError
        The file is of another form, names anything but arrays, or is cut off.
    """
    try:
        with path.open("rb") as file:
            return _read(file)
    except (OSError, EOFError, ValueError, TypeError, KeyError, AttributeError, IndexError,
            ImportError, MemoryError, pickle.UnpicklingError) as error:  # fmt: skip
        raise DataError(
            f"{path}: arrays as PyTorch saved them before version 1.6 expected, but it cannot be "
            f"read so: {str(error) or type(error).__name__}. Install the package of weights again."
        ) from error


def _read(file: IO[bytes]) -> dict[str, npt.NDArray[Any]]:
    magic, protocol, system = (_Reader(file).load() for _ in range(3))
    if (magic, protocol) != (_MAGIC, _PROTOCOL) or not system["little_endian"]:
        raise ValueError("it does not begin as such a file does")
    views = {str(name): one for name, one in _Reader(file).load().items()}
    storages = {one.storage.key: one.storage for one in views.values()}
    numbers: dict[str, npt.NDArray[Any]] = {}
    for key in _Reader(file).load():
        storage = storages[key]
        size = int.from_bytes(_exactly(file, 8), "little")
        if size != storage.size:
            raise ValueError(f"{size:,} numbers, but {storage.size:,} announced")
        numbers[key] = np.frombuffer(_exactly(file, size * storage.kind.itemsize), storage.kind)
    return {name: view.of(numbers[view.storage.key]) for name, view in views.items()}


def _exactly(file: IO[bytes], size: int) -> bytes:
    found = file.read(size)
    if len(found) != size:
        raise ValueError("it ends too early")
    return found
