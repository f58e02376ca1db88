"""Random baseline: a seeded random ranking of the items for each user."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from alsolike.data.interactions import Interactions
from alsolike.data.validation import check_whole, expect_interactions
from alsolike.errors import SettingError
from alsolike.models.base import FittedModel, Floats, Rows
from alsolike.models.family import Baseline, TrainingData
from alsolike.models.history_model import HistoryModel
from alsolike.models.settings import FamilyConfig
from alsolike.models.similarity.config import SimilarityScale

Hashes = npt.NDArray[np.uint64]

# SplitMix64's step (2**64 over the golden ratio) and the two factors of its finalizer.
_STEP = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)


@dataclass(frozen=True, kw_only=True)
class RandomConfig(FamilyConfig):
    """The settings of `fit_random`.

    Parameters
    ----------
    seed : int
        From 0 to 2**64 - 1.

    Raises
    ------
    SettingError
        The seed is out of its range.

    Examples
    --------
    >>> RandomConfig(seed=7).to_settings()
    {'model': 'random', 'seed': 7}
    """

    family: ClassVar[str] = "random"
    seed: int = 0

    def __post_init__(self) -> None:
        check_whole("seed", self.seed, least=0)
        if self.seed >= 2**64:
            raise SettingError(f"seed must be below 2**64, not {self.seed!r}.")


@dataclass(frozen=True, eq=False, kw_only=True)
class RandomModel(HistoryModel):
    """Scores every pair by a random number, always the same."""

    name: ClassVar[str] = "random"

    def scores(self, user_indices: Rows, item_indices: slice) -> Floats:
        """Return random numbers in [0, 1), each a function of the seed and of both rows."""
        rows = np.arange(len(self.users), dtype=np.uint64)[user_indices]
        return self._numbers(rows, item_indices)

    def user_scores(self, likes: sp.csr_array, item_indices: slice) -> Floats:
        """Return random numbers in [0, 1), (n, n_chosen_items), by the seed and the likes."""
        drawn = _mixed(likes.indices.astype(np.uint64) * _STEP)
        bounds = zip(likes.indptr[:-1].tolist(), likes.indptr[1:].tolist(), strict=True)
        # Equal likes give equal numbers; no likes give those of row 0.
        mixes = [np.bitwise_xor.reduce(drawn[start:end]) for start, end in bounds]
        rows = np.array(mixes, dtype=np.uint64)
        return self._numbers(rows, item_indices)

    @property
    def similarity(self) -> SimilarityScale:
        """A random number for two items."""
        return SimilarityScale("a random number", most=1.0)

    def item_scores(self, item_indices: Rows, other_indices: slice) -> Floats:
        """Return random numbers in [0, 1), each a function of the seed and of both rows."""
        rows = np.arange(len(self.items), dtype=np.uint64)[item_indices]
        return self._numbers(rows, other_indices)

    def _numbers(self, rows: Hashes, item_indices: slice) -> Floats:
        items = np.arange(len(self.items), dtype=np.uint64)[item_indices]
        seed = np.full(1, self.config.seed, dtype=np.uint64)
        of_rows = _mixed(_mixed(seed) + (rows + np.uint64(1)) * _STEP)
        pairs = _mixed(of_rows[:, None] + (items + np.uint64(1)) * _STEP)
        # The 24 bits that float32 holds exactly.
        numbers: Floats = (pairs >> np.uint64(40)).astype(np.float32) * np.float32(2.0**-24)
        return numbers

    def __repr__(self) -> str:
        return (
            f"RandomModel(seed {self.config.seed}: {len(self.users):,} users, "
            f"{len(self.items):,} items)"
        )


def fit_random(train: Interactions, config: RandomConfig) -> RandomModel:
    """Return random scores for all users and items of `train`.

    References
    ----------
    Steele, Lea, Flood 2014, "Fast Splittable Pseudorandom Number Generators": the hash.

    Examples
    --------
    >>> likes = Interactions.from_columns(["u1", "u2"], ["a", "b"])
    >>> model = fit_random(likes, RandomConfig(seed=1))
    >>> bool((model.scores([1], slice(None)) == model.scores(slice(None), slice(None))[1]).all())
    True
    """
    expect_interactions(train)
    return RandomModel.of(train, config)


def _mixed(state: Hashes) -> Hashes:
    """Return SplitMix64's output for each state; products wrap around, as they should."""
    mixed = state ^ (state >> np.uint64(30))
    mixed *= _FIRST
    mixed ^= mixed >> np.uint64(27)
    mixed *= _SECOND
    mixed ^= mixed >> np.uint64(31)
    return mixed


class RandomFamily(Baseline):
    """A random order for each user, a baseline."""

    name: ClassVar[str] = "random"
    config: ClassVar[type[Any]] = RandomConfig
    model: ClassVar[type[FittedModel]] = RandomModel

    def train(self, data: TrainingData, config: RandomConfig, **how: Any) -> RandomModel:
        """Return random scores over the ids."""
        return fit_random(data.interactions, config)

    def search_space(self, data: TrainingData, *, seed: int = 0) -> Sequence[RandomConfig]:
        """Return one configuration, with this seed."""
        return [RandomConfig(seed=seed)]
