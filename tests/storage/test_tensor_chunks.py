"""Files of tensors written piece by piece: the bytes of the library, without its copies."""

import numpy as np
import pytest

from alsolike.storage import safetensors
from alsolike.storage.safetensors import chunks_of, pack_tensors

TYPES = (np.float64, np.float32, np.int64, np.int32, np.uint8)
NAMES = ("b", "a é", "column.1", 'q"\\', "\x01", "Z")


@pytest.mark.parametrize("seed", range(20))
def test_the_bytes_are_those_of_the_library(seed, monkeypatch):
    monkeypatch.setattr(safetensors, "_CHUNK", 24)
    rng = np.random.default_rng(seed)
    tensors = {}
    for name in rng.permutation(NAMES)[: seed % (len(NAMES) + 1)].tolist():
        shape = tuple(rng.integers(0, 5, size=rng.integers(1, 3)))
        array = (100 * rng.random(shape)).astype(TYPES[rng.integers(len(TYPES))])
        tensors[name] = array.T if rng.random() < 0.5 else array
    assert b"".join(chunks_of(tensors)) == pack_tensors(tensors)


def test_strided_arrays_are_written_as_they_read():
    array = np.arange(60, dtype=np.int32).reshape(6, 10)[::2, 1::3]
    assert b"".join(chunks_of({"x": array})) == pack_tensors({"x": array})
