"""Exact sums over users of the values of many candidates.

Values are kept as whole numbers so small that no sum of them, with signs or over some users,
exceeds 2^53. Such sums are exact in any order: the linear algebra library and its threads cannot
change a bit, and equal sums are equal here.
"""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from alsolike.errors import DataError

Values = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]

# Resamples and users of one block: 8 MB of signs, and the sums of 180 candidates in a core's cache.
_RESAMPLES, _USERS = 256, 4096

# Sums of larger ones would overflow.
_LARGEST = 1e300


class ExactValues:
    """Values per candidate and user, rounded to whole multiples of one power of two.

    Users are sorted by their values. Rounding is by less than ``2 * n`` parts in 2^52 of the
    largest value: the twelfth digit for 3,000 users, the tenth for a million. Smaller differences
    count as none.

    Parameters
    ----------
    values : float64, (n_candidates, n)
        Finite, at least one.
    block : int
        Users taken at once.

    Attributes
    ----------
    sums : float64, (n_candidates,)
        Sum over users, in the unit of all results here; see `scaled`.
    best : int
        The candidate with the largest sum, the first of several.
    n : int
        Users.

    Raises
    ------
    DataError
        There are no values, not in two dimensions, or some are not finite.
    """

    def __init__(self, values: npt.ArrayLike, *, block: int = _USERS) -> None:
        self._block = block
        numbers = np.asarray(values, dtype=np.float64)
        if numbers.ndim != 2 or not numbers.size:
            raise DataError(
                "Values of at least one candidate (rows) and one user (columns) are needed, not "
                f"shape {numbers.shape}."
            )
        is_usable = np.abs(numbers) < _LARGEST
        if not is_usable.all():
            candidate, user = map(int, np.argwhere(~is_usable)[0])
            raise DataError(
                f"Values must be finite and below {_LARGEST:g}; candidate {candidate} has "
                f"{numbers[candidate, user]} for user {user}."
            )
        self.n = numbers.shape[1]
        bits = 52 - (self.n - 1).bit_length()
        self._exponent = math.frexp(float(np.abs(numbers).max()))[1] - bits
        self._whole = np.ldexp(numbers, -self._exponent)
        np.rint(self._whole, out=self._whole)
        # Resamples do not depend on the order of the users.
        self._whole = np.ascontiguousarray(self._whole[:, np.lexsort(self._whole[::-1])])
        sums = self._whole.sum(axis=1)
        self.best = int(self.first_largest(sums))
        # Sums that differ from the best only by rounding are equal to it.
        self.sums: Values = np.where(sums >= sums.max() - self.n, sums[self.best], sums)

    def __len__(self) -> int:
        return len(self._whole)

    def scaled(self, numbers: Any) -> Any:
        """Convert to the unit of the given values."""
        return np.ldexp(numbers, self._exponent) + 0.0  # never -0.0

    def first_largest(self, sums: Values) -> Any:
        """Return the first candidate with the largest sum; sums are (n_candidates, ...)."""
        return (sums >= sums.max(axis=0) - self.n).argmax(axis=0)

    def squared_differences(self) -> Values:
        """Return the sums of squared differences of any two candidates; not exact, 0 for copies."""
        squares = np.zeros((len(self), len(self)))
        for first in range(0, self.n, self._block // 8):
            some = self._whole[:, first : first + self._block // 8]
            for i in range(len(self) - 1):
                differences = some[i + 1 :] - some[i]
                # Not by the linear algebra library: squares are too large to be exact.
                squares[i, i + 1 :] += np.einsum("cu,cu->c", differences, differences)
        squares[squares <= self.n] = 0  # no user differs by more than rounding
        return squares + squares.T

    def signed(
        self, rng: np.random.Generator, resamples: int
    ) -> Iterator[tuple[slice, Values, Values]]:
        """Draw a random sign per user, the same for all candidates, in each resample.

        Yields
        ------
        which : slice
            The resamples of a block.
        sums : float64, (n_candidates, n_block)
            Sums over users of the values with these signs.
        sign_sums : float64, (n_block,)
            Sums of the signs.
        """
        for first in range(0, resamples, _RESAMPLES):
            rows = min(_RESAMPLES, resamples - first)
            sums, sign_sums = np.zeros((len(self), rows)), np.zeros(rows)
            for start in range(0, self.n, self._block):
                some = self._whole[:, start : start + self._block]
                width = some.shape[1]
                bits = rng.integers(0, 256, size=(rows, -(-width // 8)), dtype=np.uint8)
                signs = np.where(np.unpackbits(bits, axis=1, count=width), 1.0, -1.0)
                sums += some @ signs.T
                sign_sums += signs.sum(axis=1)
            yield slice(first, first + rows), sums, sign_sums

    def split(self, rng: np.random.Generator, splits: int, parts: int) -> Iterator[Values]:
        """Split the users randomly into equal parts, `splits` times; yield the sums of each part.

        A block is float64, (n_candidates, n_block, parts).
        """
        step = max(_RESAMPLES * self._block // self.n, 1)
        labels = np.arange(self.n, dtype=np.uint8) % parts
        for first in range(0, splits, step):
            rows = min(step, splits - first)
            lots = rng.permuted(np.broadcast_to(labels, (rows, self.n)), axis=1)
            sums = np.zeros((len(self), rows, parts))
            for start in range(0, self.n, self._block):
                users = slice(start, start + self._block)
                for part in range(parts):
                    is_in = (lots[:, users] == part).astype(np.float64)
                    sums[:, :, part] += self._whole[:, users] @ is_in.T
            yield sums
