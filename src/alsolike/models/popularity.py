"""Popularity: the same list for everybody, and the line that every other model has to beat."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from alsolike.data.arguments import expect_interactions
from alsolike.data.interactions import Interactions
from alsolike.hints import with_example
from alsolike.models.base import Floats, Rows
from alsolike.models.historical import HistoricalModel
from alsolike.models.settings import known_settings


@dataclass(frozen=True, kw_only=True)
class PopularityConfig:
    """Popularity has no settings."""

    def to_settings(self) -> dict[str, Any]:
        """Return the name of the model alone."""
        return {"model": "popularity"}

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> Self:
        """Build from what `to_settings` gave; an unknown name is a SettingError."""
        return cls(**known_settings(cls, settings, model="popularity"))


@dataclass(frozen=True, eq=False)
class PopularityModel(HistoricalModel):
    """Scores an item by how many users like it.

    Parameters
    ----------
    history : Interactions
        The training data.
    counts : int64, (n_items,)
        Users with a positive value, per item.
    """

    name: ClassVar[str] = "popularity"
    score_of_nothing: ClassVar[float | None] = 0.0

    counts: npt.NDArray[np.int64]

    def scores(self, user_indices: Rows, item_indices: slice) -> Floats:
        """Return the items' counts, once per user, (n_chosen_users, n_chosen_items)."""
        if isinstance(user_indices, slice):
            n_rows = len(range(*user_indices.indices(len(self.users))))
        else:
            n_rows = len(user_indices)
        line = self._line[item_indices]
        return np.broadcast_to(line, (n_rows, len(line)))

    @functools.cached_property
    def _line(self) -> Floats:
        return as_scores(self.counts)

    def __repr__(self) -> str:
        return f"PopularityModel({len(self.users):,} users, {len(self.items):,} items)"


@with_example("model = al.fit_popularity(likes)")
def fit_popularity(train: Interactions) -> PopularityModel:
    """Count the users who like each item; dislikes do not count.

    Parameters
    ----------
    train : Interactions

    Returns
    -------
    PopularityModel

    Examples
    --------
    >>> likes = Interactions.from_columns(["u1", "u1", "u2"], ["a", "b", "b"], [9, 1, 1])
    >>> fit_popularity(likes).scores([0], slice(None))
    array([[1., 2.]], dtype=float32)
    """
    expect_interactions(train)
    return PopularityModel(train, train.like_counts)


def as_scores(counts: npt.NDArray[np.int64]) -> Floats:
    """Return counts as float32 in exactly their order.

    Counts up to 2**24 are float32 exactly. Above, float32 has gaps: a count that would round to no
    more than a smaller count gets the next float32 above that one's score, so that different
    counts never tie and no score is off by more than its rounding and the number of such steps.

    Parameters
    ----------
    counts : int64, (n,), not negative

    Returns
    -------
    float32, (n,)
    """
    distinct, place = np.unique(counts, return_inverse=True)
    # The bits of floats that are not negative ascend as the floats do, one by one.
    bits = distinct.astype(np.float32).view(np.int32).astype(np.int64)
    steps = np.arange(len(bits))
    ascending = np.maximum.accumulate(bits - steps) + steps
    spread: Floats = ascending.astype(np.int32).view(np.float32)
    return spread[place]
