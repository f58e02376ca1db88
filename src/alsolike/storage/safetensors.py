"""Reads and writes safetensors files; reads by memory-mapping.

The format (https://github.com/huggingface/safetensors): eight bytes with the length of the header,
little-endian; the header, a JSON object from tensor names to ``dtype``, ``shape`` and
``data_offsets``; then the tensors' bytes, without gaps. Nothing in it can run code.
"""

import json
import math
import mmap
import os
import stat
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from safetensors.numpy import save

from alsolike.errors import BundleError
from alsolike.storage.strict_json import read_json

Tensors = Mapping[str, npt.NDArray[Any]]

DAMAGED = "The bundle is damaged: copy it again from its source, or save the model again."

_DTYPES: dict[str, np.dtype[Any]] = {
    "F64": np.dtype("<f8"),
    "F32": np.dtype("<f4"),
    "I64": np.dtype("<i8"),
    "I32": np.dtype("<i4"),
    "U8": np.dtype("u1"),
}
_ORDER = "U8", "I32", "F32", "F64", "I64"  # wide numbers lie first, so that all are aligned
_PREFIX_BYTES = 8
_CHUNK = 1 << 20  # bytes
# Headers name a dozen tensors; a longer one is an attack on memory, not a model.
_HEADER_LIMIT = 1 << 24


class _Entry(NamedTuple):
    name: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    begin: int
    end: int


def pack_tensors(tensors: Tensors) -> bytes:
    """Return the bytes of a safetensors file; equal arrays give equal bytes."""
    # The library takes each array's memory as it lies, whatever its strides say.
    content: bytes = save({name: np.ascontiguousarray(array) for name, array in tensors.items()})
    return content


def chunks_of(tensors: Tensors) -> Iterator[bytes | memoryview]:
    """Yield the bytes of `pack_tensors` in pieces, without a copy of large arrays.

    The library's own function holds each array twice more.
    """
    names = sorted(tensors, key=lambda name: (-_ORDER.index(_name_of(tensors[name])), name))
    header, position = {}, 0
    for name in names:
        array = tensors[name]
        header[name] = {
            "dtype": _name_of(array),
            "shape": list(array.shape),
            "data_offsets": [position, position + array.nbytes],
        }
        position += array.nbytes
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode("utf-8")
    text += b" " * (-len(text) % _PREFIX_BYTES)
    yield len(text).to_bytes(_PREFIX_BYTES, "little") + text
    for name in names:
        own = np.ascontiguousarray(tensors[name])
        content = (
            own.astype(own.dtype.newbyteorder("<"), copy=False).reshape(-1).view(np.uint8).data
        )
        for start in range(0, len(content), _CHUNK):
            yield content[start : start + _CHUNK]


def _name_of(array: npt.NDArray[Any]) -> str:
    """Return the format's name of an array's numbers."""
    return next(name for name, dtype in _DTYPES.items() if array.dtype == dtype)


def map_file(path: Path) -> memoryview:
    """Map the regular file `path` for reading; BundleError if it cannot be."""
    handle = open_regular(path)
    try:
        if not os.fstat(handle).st_size:
            raise _damaged(path, "content expected, the file is empty")
        return memoryview(mmap.mmap(handle, 0, access=mmap.ACCESS_READ))
    finally:
        os.close(handle)


def read_tensors(path: Path, content: memoryview) -> dict[str, npt.NDArray[Any]]:
    """Return the tensors of the file `path` as read-only views of `content`; BundleError if bad."""
    header, start = _read_header(path, content)
    tensors: dict[str, npt.NDArray[Any]] = {}
    position = 0
    entries = [_entry(path, name, entry) for name, entry in header.items()]
    # An empty tensor starts where the next one does: the end gives the order.
    for entry in sorted(entries, key=lambda entry: (entry.begin, entry.end)):
        size = math.prod(entry.shape) * entry.dtype.itemsize
        if entry.begin != position or entry.end != position + size:
            raise _damaged(
                path,
                f"tensor {entry.name!r}: bytes {position:,} to {position + size:,} expected for "
                f"its shape {entry.shape}, {entry.begin:,} to {entry.end:,} found",
            )
        position = entry.end
        if start + position > len(content):
            raise _damaged(
                path,
                f"{start + position:,} bytes expected up to the end of tensor {entry.name!r}, "
                f"{len(content):,} found. The file is truncated",
            )
        tensors[entry.name] = _view(path, entry, content[start + entry.begin : start + entry.end])
    if start + position != len(content):
        raise _damaged(path, f"{start + position:,} bytes expected, the file has {len(content):,}")
    return tensors


def open_regular(path: Path) -> int:
    """Open a regular file of a bundle and return its descriptor; BundleError for all else."""
    try:
        # Without O_NONBLOCK, a pipe of that name would wait for a writer that never comes.
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise BundleError(f"{path}: this file of the bundle is missing. {DAMAGED}") from error
    except OSError as error:
        if path.is_symlink():
            raise BundleError(
                f"{path}: a file expected, a link found, and a bundle holds no links. Copy the "
                "bundle with its links followed (cp -L)."
            ) from error
        raise BundleError(
            f"{path}: cannot be read ({error.strerror}). Check its permissions."
        ) from error
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise BundleError(f"{path}: a regular file expected, something else found. {DAMAGED}")
    return handle


def _read_header(path: Path, content: memoryview) -> tuple[dict[str, Any], int]:
    """Return the header, and the position of the first tensor."""
    length = int.from_bytes(content[:_PREFIX_BYTES], "little")
    start = _PREFIX_BYTES + length
    if length > _HEADER_LIMIT or start > len(content):
        raise _damaged(
            path,
            f"a header within the file's {len(content):,} bytes expected (and at most "
            f"{_HEADER_LIMIT:,} long), {length:,} bytes announced",
        )
    try:
        header = read_json(content[_PREFIX_BYTES:start].tobytes())
    except ValueError as error:
        raise _damaged(path, f"a JSON header expected, found something else ({error})") from error
    if not isinstance(header, dict):
        raise _damaged(path, f"a JSON object as header expected, {type(header).__name__} found")
    header.pop("__metadata__", None)
    return header, start


def _entry(path: Path, name: str, entry: Any) -> _Entry:
    match entry:
        case {"dtype": str(dtype), "shape": [*shape], "data_offsets": [begin, end]} if (
            dtype in _DTYPES
            and len(shape) <= 2
            and all(_is_count(number) for number in (*shape, begin, end))
        ):
            return _Entry(name, _DTYPES[dtype], tuple(shape), begin, end)
    raise _damaged(
        path,
        f"tensor {name!r}: a dtype of {', '.join(_DTYPES)} with shape and data_offsets expected, "
        f"{str(entry)[:200]} found",
    )


def _is_count(number: object) -> bool:
    return type(number) is int and 0 <= number <= sys.maxsize


def _view(path: Path, entry: _Entry, content: memoryview) -> npt.NDArray[Any]:
    try:
        array: npt.NDArray[Any] = np.frombuffer(content, dtype=entry.dtype).reshape(entry.shape)
    except ValueError as error:
        raise _damaged(path, f"tensor {entry.name!r}: no array can be {entry.shape}") from error
    if not array.flags.aligned:
        raise _damaged(path, f"tensor {entry.name!r} is not aligned to {entry.dtype.itemsize}")
    return array


def _damaged(path: Path, finding: str) -> BundleError:
    return BundleError(f"{path}: {finding}. {DAMAGED}")
