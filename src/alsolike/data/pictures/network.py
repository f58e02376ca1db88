"""Holds a network that turns pixels into a vector, and makes EfficientNet-Lite0 of its weights.

A block widens the channels, convolves each of them, and narrows them again; where shape and stride
allow it, its input is added. The vector is the mean over all places of the last layer.

References
----------
Tan, Le 2019, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks", table 1.
Sandler et al. 2018, "MobileNetV2: Inverted Residuals and Linear Bottlenecks", section 3.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from alsolike.data.pictures.convolutions import Convolution, Pixels

# Blocks of each stage of EfficientNet-B0, and the stride of the first of them. Lite0 has these,
# without squeeze-and-excitation and with ReLU6.
_STAGES = ((1, 1), (2, 2), (2, 2), (3, 2), (3, 1), (4, 2), (1, 1))
_VARIANCE = 1e-3  # that batch normalization adds


@dataclass(frozen=True, eq=False)
class Block:
    """Convolutions one after another; `is_added`: the input is added to what comes out."""

    convolutions: tuple[Convolution, ...]
    is_added: bool = False

    def of(self, pixels: Pixels) -> Pixels:
        """Return the values after the block."""
        found = pixels
        for one in self.convolutions:
            found = one.of(found)
        if self.is_added:
            found += pixels
        return found


@dataclass(frozen=True, eq=False)
class Network:
    """Turns the pixels of a picture into a vector.

    Parameters
    ----------
    blocks : tuple of Block
    mean, scale : float
        Bytes of a picture are taken as ``(byte - mean) / scale``.

    Examples
    --------
    >>> eye = Convolution("pointwise", np.eye(3, dtype=np.float32), np.zeros(3, np.float32))
    >>> Network((Block((eye,)),)).vector(np.full((2, 2, 3), 255, dtype=np.uint8)).tolist()
    [1.0, 1.0, 1.0]
    """

    blocks: tuple[Block, ...]
    mean: float = 127.0
    scale: float = 128.0

    def vector(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Return the vector of a picture, float32, (n_components,).

        Parameters
        ----------
        pixels : uint8, (height, width, 3)
            Red, green and blue.
        """
        found: Pixels = pixels.astype(np.float32)
        found -= np.float32(self.mean)
        found /= np.float32(self.scale)
        for block in self.blocks:
            found = block.of(found)
        pooled: npt.NDArray[np.float32] = found.mean(axis=(0, 1), dtype=np.float64)
        return pooled.astype(np.float32)


def efficientnet_lite(
    weights: Mapping[str, npt.NDArray[Any]], stages: Sequence[tuple[int, int]] = _STAGES
) -> Network:
    """Make an EfficientNet-Lite of its weights, without its last layer, which names classes.

    Parameters
    ----------
    weights : mapping of str to array
        By the names that PyTorch's port gives them, such as ``"_blocks.0._bn1.weight"``;
        convolutions are (n_out, n_in, side, side).
    stages : sequence of (int, int)
        Blocks of each stage, and the stride of its first one.

    Raises
    ------
    KeyError
        Weights are missing.
    """
    strides = [stride if place == 0 else 1 for blocks, stride in stages for place in range(blocks)]
    found = [Block((_folded(weights, "_conv_stem", "_bn0", stride=2),))]
    for number, stride in enumerate(strides):
        found.append(_block(weights, f"_blocks.{number}.", stride))
    found.append(Block((_folded(weights, "_conv_head", "_bn1"),)))
    return Network(tuple(found))


def _block(weights: Mapping[str, npt.NDArray[Any]], name: str, stride: int) -> Block:
    """Return a block: widened unless it is the first, depthwise, narrowed without a limit."""
    parts = []
    if f"{name}_expand_conv.weight" in weights:
        parts.append(_folded(weights, f"{name}_expand_conv", f"{name}_bn0"))
    parts.append(_folded(weights, f"{name}_depthwise_conv", f"{name}_bn1", stride=stride))
    parts.append(_folded(weights, f"{name}_project_conv", f"{name}_bn2", is_clipped=False))
    first = parts[0].weights
    n_in, n_out = first.shape[-1 if parts[0].kind == "depthwise" else 0], len(parts[-1].bias)
    return Block(tuple(parts), is_added=stride == 1 and n_in == n_out)


def _folded(
    weights: Mapping[str, npt.NDArray[Any]],
    convolution: str,
    normalization: str,
    *,
    stride: int = 1,
    is_clipped: bool = True,
) -> Convolution:
    """Return a convolution whose weights and bias have the batch normalization after it."""
    gain, shift, mean, variance = (
        weights[f"{normalization}.{part}"].astype(np.float64)
        for part in ("weight", "bias", "running_mean", "running_var")
    )
    gain = gain / np.sqrt(variance + _VARIANCE)
    kernel = weights[f"{convolution}.weight"] * gain[:, np.newaxis, np.newaxis, np.newaxis]
    bias = (shift - mean * gain).astype(np.float32)
    n_out, n_in, side, _ = kernel.shape
    laid = np.ascontiguousarray(kernel.transpose(2, 3, 1, 0).astype(np.float32))
    if side == 1:
        return Convolution("pointwise", laid[0, 0], bias, stride, is_clipped)
    if n_in == 1 and n_out > 1:
        return Convolution("depthwise", laid[:, :, 0], bias, stride, is_clipped)
    return Convolution("full", laid, bias, stride, is_clipped)
