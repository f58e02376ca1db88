"""Computes convolutions of one picture with NumPy: full, depthwise, and of single pixels.

Arrays are rows x columns x channels, float32. A convolution of single pixels is a matrix product,
which takes most of the time. Depthwise ones go by offsets of the window: each multiplies whole rows
at once, since a window with stride 1 moves along a row of neighbouring numbers.

Padding is that of TensorFlow's "same", in which the networks here were trained: a side of n pixels
has ``ceil(n / stride)`` after it, and an odd row of zeros goes below and to the right.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.float32]

_HIGHEST = 6.0  # of ReLU6
# Numbers that a depthwise convolution works on at once: 256 kB, which stay in the cache of a core.
_AT_ONCE = 65_536


@dataclass(frozen=True, eq=False)
class Convolution:
    """A convolution, with its batch normalization folded in.

    Parameters
    ----------
    kind : {"full", "depthwise", "pointwise"}
    weights : float32
        Full: (side, side, n_in, n_out). Depthwise: (side, side, n_channels). Pointwise:
        (n_in, n_out).
    bias : float32, (n_out,)
    stride : int
    is_clipped : bool
        Whether values are limited to 0 to 6 after it.
    """

    kind: Literal["full", "depthwise", "pointwise"]
    weights: Pixels
    bias: Pixels
    stride: int = 1
    is_clipped: bool = True

    def of(self, pixels: Pixels) -> Pixels:
        """Return the values after it, float32, (height, width, n_out)."""
        if self.kind == "pointwise":
            height, width, channels = pixels.shape
            found = pixels.reshape(-1, channels) @ self.weights
            found += self.bias
            found = found.reshape(height, width, -1)
        elif self.kind == "depthwise":
            found = _depthwise(pixels, self.weights, self.bias, self.stride)
        else:
            found = _full(pixels, self.weights, self.stride)
            found += self.bias
        return np.clip(found, 0.0, _HIGHEST, out=found) if self.is_clipped else found


def after(size: int, stride: int) -> int:
    """Return how many pixels a side has after a convolution.

    Examples
    --------
    >>> after(128, 2), after(5, 2), after(5, 1)
    (64, 3, 5)
    """
    return -(-size // stride)


def padded(pixels: Pixels, side: int, stride: int) -> Pixels:
    """Return the pixels with the zeros around them that a window of this side needs.

    Examples
    --------
    >>> padded(np.ones((4, 4, 1), dtype=np.float32), 3, 2)[..., 0].astype(int).tolist()
    [[1, 1, 1, 1, 0], [1, 1, 1, 1, 0], [1, 1, 1, 1, 0], [1, 1, 1, 1, 0], [0, 0, 0, 0, 0]]
    """
    height, width, channels = pixels.shape
    down, right = (
        max((after(size, stride) - 1) * stride + side - size, 0) for size in (height, width)
    )
    found = np.zeros((height + down, width + right, channels), dtype=np.float32)
    found[down // 2 : down // 2 + height, right // 2 : right // 2 + width] = pixels
    return found


def _depthwise(pixels: Pixels, weights: Pixels, bias: Pixels, stride: int) -> Pixels:
    """Convolve each channel with a window of its own."""
    side, _, channels = weights.shape
    height, width = after(pixels.shape[0], stride), after(pixels.shape[1], stride)
    around = padded(pixels, side, stride)
    if stride == 1:
        return _along_rows(around, weights, bias, height, width)
    found = np.empty((height, width, channels), dtype=np.float32)
    found[:] = bias
    product = np.empty_like(found)
    for down in range(side):
        for right in range(side):
            part = around[
                down : down + stride * height : stride, right : right + stride * width : stride
            ][:height, :width]
            np.multiply(part, weights[down, right], out=product)
            found += product
    return found


def _along_rows(around: Pixels, weights: Pixels, bias: Pixels, height: int, width: int) -> Pixels:
    """Convolve each channel with stride 1: rows as they lie in memory, a few at a time."""
    side, _, channels = weights.shape
    size = width * channels
    rows = around.reshape(len(around), -1)
    # (side * side, size): what each number of a row is multiplied by, for each offset.
    tiled = np.tile(weights.reshape(side * side, 1, channels), (1, width, 1)).reshape(-1, size)
    found = np.empty((height, size), dtype=np.float32)
    found[:] = np.tile(bias, width)
    step = max(1, _AT_ONCE // size)
    product = np.empty((min(step, height), size), dtype=np.float32)
    for top in range(0, height, step):
        part = found[top : top + step]
        added = product[: len(part)]
        for offset in range(side * side):
            down, right = divmod(offset, side)
            shifted = rows[top + down : top + down + len(part), right * channels :][:, :size]
            np.multiply(shifted, tiled[offset], out=added)
            part += added
    return found.reshape(height, width, channels)


def _full(pixels: Pixels, weights: Pixels, stride: int) -> Pixels:
    """Convolve all channels together: a matrix product of all windows, laid out as rows."""
    side, _, channels, n_out = weights.shape
    height, width = after(pixels.shape[0], stride), after(pixels.shape[1], stride)
    around = padded(pixels, side, stride)
    windows = np.empty((height, width, side, side, channels), dtype=np.float32)
    for down in range(side):
        for right in range(side):
            windows[:, :, down, right] = around[
                down : down + stride * height : stride, right : right + stride * width : stride
            ][:height, :width]
    found = windows.reshape(height * width, -1) @ weights.reshape(-1, n_out)
    return found.reshape(height, width, n_out)
