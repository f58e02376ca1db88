"""The network of pictures: its weights' file, its convolutions, and what it sees."""

import collections
import os
import pickle
import sys
import types
from pathlib import Path

import numpy as np
import pytest

from alsolike.data.pictures import pretrained
from alsolike.data.pictures.convolutions import Convolution
from alsolike.data.pictures.network import efficientnet_lite
from alsolike.data.pictures.stored_weights import read_weights
from alsolike.engines.local import LocalEngine
from alsolike.errors import DataError

STAGES = ((1, 1), (2, 2))


def made_up_weights(seed=0):
    """Return weights of three blocks: one that is not widened, one with stride 2, one added."""
    rng = np.random.default_rng(seed)
    shapes = {"_conv_stem": (6, 3, 3, 3), "_blocks.0._depthwise_conv": (6, 1, 3, 3),
              "_blocks.0._project_conv": (4, 6, 1, 1), "_conv_head": (7, 5, 1, 1)}  # fmt: skip
    for number, n_in in ((1, 4), (2, 5)):
        shapes |= {
            f"_blocks.{number}._expand_conv": (3 * n_in, n_in, 1, 1),
            f"_blocks.{number}._depthwise_conv": (3 * n_in, 1, 5, 5),
            f"_blocks.{number}._project_conv": (5, 3 * n_in, 1, 1),
        }
    after = {"_conv_stem": "_bn0", "_conv_head": "_bn1", "_expand_conv": "_bn0",
             "_depthwise_conv": "_bn1", "_project_conv": "_bn2"}  # fmt: skip
    found = {}
    for name, shape in shapes.items():
        found[f"{name}.weight"] = rng.normal(size=shape).astype(np.float32)
        block, _, last = name.rpartition(".")
        norm = f"{block}.{after[last]}" if block else after[last]
        for part in ("weight", "bias", "running_mean"):
            found[f"{norm}.{part}"] = rng.normal(size=shape[0]).astype(np.float32)
        found[f"{norm}.running_var"] = rng.gamma(2, size=shape[0]).astype(np.float32)
    return found


def literally(x, weights, stride, groups):
    """Convolve (channels, height, width) in float64, output by output, as TensorFlow pads."""
    n_out, n_in, side, _ = weights.shape
    sizes = [-(-n // stride) for n in x.shape[1:]]
    pads = [max((m - 1) * stride + side - n, 0) for m, n in zip(sizes, x.shape[1:], strict=True)]
    around = np.pad(x, [(0, 0), *((pad // 2, pad - pad // 2) for pad in pads)])
    found = np.zeros((n_out, *sizes))
    for o in range(n_out):
        first = o // (n_out // groups) * n_in
        for i in range(sizes[0]):
            for j in range(sizes[1]):
                window = around[first : first + n_in, i * stride : i * stride + side,
                                j * stride : j * stride + side]  # fmt: skip
                found[o, i, j] = (window * weights[o]).sum()
    return found


def vector_literally(weights, pixels, stages):
    """Compute the vector with batch normalizations as they are defined, in float64."""
    weights = {name: one.astype(np.float64) for name, one in weights.items()}

    def layer(x, convolution, norm, *, stride=1, depthwise=False, clipped=True):
        kernel = weights[f"{convolution}.weight"]
        x = literally(x, kernel, stride, len(kernel) if depthwise else 1)
        gain, shift, mean, variance = (
            weights[f"{norm}.{part}"][:, None, None]
            for part in ("weight", "bias", "running_mean", "running_var")
        )
        x = (x - mean) / np.sqrt(variance + 1e-3) * gain + shift
        return np.clip(x, 0, 6) if clipped else x

    x = (pixels.astype(np.float64).transpose(2, 0, 1) - 127) / 128
    x = layer(x, "_conv_stem", "_bn0", stride=2)
    strides = [stride if place == 0 else 1 for n, stride in stages for place in range(n)]
    for number, stride in enumerate(strides):
        name, before = f"_blocks.{number}.", x
        if f"{name}_expand_conv.weight" in weights:
            x = layer(x, f"{name}_expand_conv", f"{name}_bn0")
        x = layer(x, f"{name}_depthwise_conv", f"{name}_bn1", stride=stride, depthwise=True)
        x = layer(x, f"{name}_project_conv", f"{name}_bn2", clipped=False)
        if stride == 1 and x.shape == before.shape:
            x = x + before
    return layer(x, "_conv_head", "_bn1").mean(axis=(1, 2))


@pytest.mark.parametrize(("height", "width"), [(12, 12), (13, 10), (3, 7)])
def test_vectors_are_those_of_the_literal_network(height, width):
    weights = made_up_weights()
    pixels = np.random.default_rng(1).integers(0, 256, (height, width, 3)).astype(np.uint8)
    expected = vector_literally(weights, pixels, STAGES)
    found = efficientnet_lite(weights, STAGES).vector(pixels)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize(("side", "stride"), [(3, 1), (5, 1), (3, 2), (5, 2)])
def test_depthwise_rows_beyond_the_cache_are_the_same(side, stride, monkeypatch):
    rng = np.random.default_rng(2)
    pixels = rng.normal(size=(9, 7, 4)).astype(np.float32)
    weights = rng.normal(size=(side, side, 4)).astype(np.float32)
    one = Convolution("depthwise", weights, np.zeros(4, np.float32), stride, is_clipped=False)
    whole = one.of(pixels)
    monkeypatch.setattr("alsolike.data.pictures.convolutions._AT_ONCE", 50)
    assert one.of(pixels).tobytes() == whole.tobytes()
    kernel = weights.transpose(2, 0, 1)[:, np.newaxis].astype(np.float64)
    expected = literally(pixels.transpose(2, 0, 1).astype(np.float64), kernel, stride, 4)
    np.testing.assert_allclose(whole, expected.transpose(1, 2, 0), atol=1e-5)


def saved_as_torch_did(path: Path, arrays, monkeypatch, more=()):
    """Write arrays as PyTorch saved them before 1.6; `more` goes into the pickle of names."""
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")

    def storage(name):
        made = type(name, (), {"__module__": "torch"})
        setattr(torch, name, made)
        return made

    kinds = {"f": storage("FloatStorage"), "i": storage("LongStorage")}

    def _rebuild_tensor_v2(*parts):
        return parts

    _rebuild_tensor_v2.__module__, _rebuild_tensor_v2.__qualname__ = utils.__name__, (
        "_rebuild_tensor_v2")  # fmt: skip
    utils._rebuild_tensor_v2 = _rebuild_tensor_v2
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setitem(sys.modules, "torch._utils", utils)

    class Tensor:
        def __init__(self, key, array):
            self.key, self.array = key, array

        def __reduce__(self):
            steps = tuple(step // self.array.itemsize for step in self.array.strides)
            about = Stored(self.key, self.array)
            return _rebuild_tensor_v2, (about, 0, self.array.shape, steps, False,
                                        collections.OrderedDict())  # fmt: skip

    class Stored:
        def __init__(self, key, array):
            self.key, self.array = key, array

    class Writer(pickle.Pickler):
        def persistent_id(self, one):
            if isinstance(one, Stored):
                kind = kinds[one.array.dtype.kind]
                return ("storage", kind, one.key, "cpu", one.array.size, None)
            return None

    with path.open("wb") as file:
        for plain in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}):
            pickle.dump(plain, file, protocol=2)
        keys = [str(at) for at in range(len(arrays))]
        named = {name: Tensor(key, one) for key, (name, one) in
                 zip(keys, arrays.items(), strict=True)}  # fmt: skip
        Writer(file, protocol=2).dump(collections.OrderedDict([*named.items(), *more]))
        pickle.dump(keys, file, protocol=2)
        for one in arrays.values():
            file.write(one.size.to_bytes(8, "little"))
            file.write(one.tobytes(order="A" if one.flags.f_contiguous else "C"))


def test_weights_are_read_without_torch(tmp_path, monkeypatch):
    arrays = made_up_weights() | {"counter": np.array(7), "turned": np.ones((2, 3), np.float32).T}
    arrays["turned"][:] = np.arange(6).reshape(3, 2)
    path = tmp_path / "weights.pth"
    saved_as_torch_did(path, arrays, monkeypatch)
    found = read_weights(path)
    assert {name: one.tolist() for name, one in found.items()} == {
        name: one.tolist() for name, one in arrays.items()
    }
    whole = path.read_bytes()
    for cut in (0, 10, 200, len(whole) - 1):
        path.write_bytes(whole[:cut])
        with pytest.raises(DataError, match=r"weights.pth: arrays as PyTorch"):
            read_weights(path)


class Forged:
    """Makes a folder when it is unpickled."""

    def __reduce__(self):
        return os.mkdir, ("was-run",)


def test_nothing_in_a_file_of_weights_is_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "forged.pth"
    saved_as_torch_did(path, {}, monkeypatch, more=[("evil", Forged())])
    with pytest.raises(DataError, match=r"it names (posix|nt|os)\.mkdir, which arrays do not need"):
        read_weights(path)
    assert not Path("was-run").exists()


def test_an_array_outside_of_its_numbers_is_refused(tmp_path, monkeypatch):
    wide = np.lib.stride_tricks.as_strided(np.zeros(4, np.float32), (4, 4), (64, 4))
    wide.flags.writeable = False
    path = tmp_path / "wide.pth"
    saved_as_torch_did(path, {"wide": wide}, monkeypatch)
    with pytest.raises(DataError, match=r"expected"):
        read_weights(path)


def test_other_weights_than_those_known_are_refused(tmp_path, monkeypatch):
    path = pretrained.weights_path()
    monkeypatch.setattr(pretrained, "_SHA256", "0" * 64)
    with pytest.raises(DataError, match=r"not the weights of version 0\.1\.0.* again"):
        pretrained.weights_path()
    monkeypatch.setattr(pretrained, "_PACKAGE", "no_such_package")
    with pytest.raises(DataError, match=r"not installed: .*alsolike\[images\]"):
        pretrained.weights_path()
    assert path.name.endswith(".pth")


def test_the_network_knows_a_daisy_and_a_bell_tower():
    """The last layer, which is left out otherwise, names the classes of ImageNet."""
    from PIL import Image
    from sklearn.datasets import load_sample_image

    weights = read_weights(pretrained.weights_path())
    for name, classes in (("flower.jpg", {985}), ("china.jpg", {442, 449, 663, 698})):
        picture = Image.fromarray(load_sample_image(name)).resize((224, 224), Image.BICUBIC)
        vector = pretrained.efficientnet(224).vector(np.asarray(picture))
        scores = weights["_fc.weight"] @ vector + weights["_fc.bias"]
        assert int(scores.argmax()) in classes


def test_vectors_are_the_same_bytes_for_all_threads():
    vector = pretrained.efficientnet().vector
    rng = np.random.default_rng(5)
    pictures = [rng.integers(0, 256, (64, 64, 3)).astype(np.uint8) for _ in range(6)]
    found = [np.stack(LocalEngine(threads).each(vector, pictures)) for threads in (1, 2, 4)]
    assert found[0].tobytes() == found[1].tobytes() == found[2].tobytes()
