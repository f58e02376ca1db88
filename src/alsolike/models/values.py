"""Weights of values: as they are, binary, log, capped, tf-idf or BM25. A setting of every family.

Notation
--------
v : the size of a value; s : `value_scale`; b : `value_length`
N : items; L_u : likes of user u; n_i : likes of item i
r_u : ln(1 + (N - L_u + .5) / (L_u + .5)), the weight of a user by how few items he likes

========== ===================================================== =================================
name       weight of a value of size v                           source
========== ===================================================== =================================
given      v
binary     1
log        ln(1 + v / s)                                         Hu et al. 2008, section 6
capped     min(v / s, 1)
tf-idf     sqrt(v / s) r_u                                       Salton, Buckley 1988
bm25       (s + 1) v / (s (1 - b + b n_i / mean n) + v) r_u      Robertson, Zaragoza 2009, eq. 3.15
========== ===================================================== =================================

For the last two an item is a document and its users are the terms. A dislike, a value below zero,
keeps its sign.

Under a half-life of h days, each of these weights is multiplied by ``2 ** (-age / h)``: the age is
the time from the pair's last moment to the last moment of the table. Likes of which no time is
known, such as those of new people, have no age. Counts of likes, L_u and n_i, do not decay.
"""

from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from alsolike.data.interactions import Interactions
from alsolike.errors import DataError, SettingError
from alsolike.models.settings import check_choice, check_number, half_life_of

Values = Literal["given", "binary", "log", "capped", "tf-idf", "bm25"]

Doubles = npt.NDArray[np.float64]
Counts = npt.NDArray[np.integer[Any]]

_BY_COUNTS = ("tf-idf", "bm25")
# The share of the values at either end that is ignored.
_ODD = 0.01
_SECONDS = 86_400.0  # of a day
# Old likes weigh at least so much of a new one: products of two such remain normal in float32.
_LEAST = 2.0**-32


@dataclass(frozen=True, kw_only=True)
class ValueWeights:
    """How values become weights.

    Parameters
    ----------
    values : {"given", "binary", "log", "capped", "tf-idf", "bm25"}
        See the table of `alsolike.models.values`.
    value_scale : float
        s, above 0.
    value_length : float
        b, from 0 to 1.
    half_life : float or None
        h in days, above 0; None: weights do not decay. Also a text such as ``"90d"``.

    Raises
    ------
    SettingError
        A setting is out of its range.
    """

    values: Values = "given"
    value_scale: float = 1.0
    value_length: float = 0.0
    half_life: float | None = None

    def __post_init__(self) -> None:
        check_choice("values", self.values, get_args(Values))
        check_number("value_scale", self.value_scale, above_zero=True)
        check_number("value_length", self.value_length)
        if self.value_length > 1:
            raise SettingError(f"value_length must be at most 1, not {self.value_length!r}.")
        object.__setattr__(self, "half_life", half_life_of(self.half_life))

    @property
    def need_counts(self) -> bool:
        """Whether the weight of a value depends on how much its user and item are liked."""
        return self.values in _BY_COUNTS

    @property
    def are_ones(self) -> bool:
        """Whether all likes weigh 1."""
        return self.values == "binary" and self.half_life is None

    def ages(self, likes: Interactions, *, until: Interactions | None = None) -> Doubles | None:
        """Return the ages of likes by which they are weighed; None without a half-life.

        See `ages_of`.
        """
        return None if self.half_life is None else ages_of(likes, until=until)

    def of(self, values: npt.NDArray[Any], ages: Doubles | None = None) -> npt.NDArray[Any]:
        """Weigh values that need no counts; float64, or as they are for ``"given"``.

        `ages`, float64 (n,), are in days; None: all are new.
        """
        return self._decayed(self._of(values), ages)

    def _decayed(self, weights: npt.NDArray[Any], ages: Doubles | None) -> npt.NDArray[Any]:
        if self.half_life is None or ages is None:
            return weights
        with np.errstate(over="ignore"):  # of a tiny half-life
            decay = np.exp2(-ages / self.half_life)
        decayed: Doubles = weights * np.maximum(decay, _LEAST)
        return decayed

    def _of(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        if self.values == "given":
            return values
        if self.values == "binary":
            signs: npt.NDArray[Any] = np.sign(values)
            return signs
        sizes = np.abs(values).astype(np.float64) / self.value_scale
        weights = np.log1p(sizes) if self.values == "log" else np.minimum(sizes, 1.0)
        signed: Doubles = np.copysign(weights, values)
        return signed

    def of_cells(
        self,
        values: npt.NDArray[Any],
        user_likes: Counts,
        item_likes: Counts,
        *,
        n_items: int,
        mean_likes: float,
        ages: Doubles | None = None,
    ) -> npt.NDArray[Any]:
        """Weigh the values of cells, float64 (n,), or as they are for ``"given"``.

        Parameters
        ----------
        values : (n,)
        user_likes, item_likes : int, (n,)
            L_u and n_i of each cell's user and item.
        n_items : int
        mean_likes : float
            The mean of n_i over all items.
        ages : float64, (n,), or None
            In days; None: all are new.
        """
        if not self.need_counts:
            return self.of(values, ages)
        rarity = np.log1p((n_items - user_likes + 0.5) / (user_likes + 0.5))
        sizes = np.abs(values).astype(np.float64)
        if self.values == "tf-idf":
            weights = np.sqrt(sizes / self.value_scale)
        else:
            share = item_likes / max(mean_likes, 1e-9)
            length = 1 - self.value_length + self.value_length * share
            # (s + 1) v / (s length + v), without overflow for a large s.
            part = self.value_scale / (self.value_scale + 1)
            weights = sizes / (part * length + sizes / (self.value_scale + 1))
        return self._decayed(np.copysign(weights * rarity, values), ages)


def ages_of(likes: Interactions, *, until: Interactions | None = None) -> Doubles:
    """Return how old each like is, in days and at least 0, float64 (n_interactions,).

    Parameters
    ----------
    likes : Interactions
    until : Interactions or None
        Ages are counted back from the last moment of these; None: of `likes` themselves.

    Raises
    ------
    DataError
        There are no timestamps, or some are not finite.

    Examples
    --------
    >>> from dataclasses import replace
    >>> likes = Interactions.from_columns(["ann", "ann", "bob"], ["m1", "m2", "m1"])
    >>> ages_of(replace(likes, timestamps=np.array([0.0, 86_400.0, 43_200.0])))
    array([1. , 0. , 0.5])
    """
    times, ends = (_checked_times(one) for one in (likes, likes if until is None else until))
    ages: Doubles = np.maximum((ends.max(initial=-np.inf) - times) / _SECONDS, 0.0)
    return ages


def _checked_times(likes: Interactions) -> Doubles:
    times = likes.timestamps
    if times is None:
        raise DataError(
            "half_life needs the time of each like, and these likes have no times. Name the column "
            "that holds them, such as timestamp='time', or leave half_life out."
        )
    if unknown := len(times) - np.count_nonzero(np.isfinite(times)):
        raise DataError(
            f"half_life needs the time of each like, and {unknown:,} of {len(times):,} times are "
            "not finite numbers. Leave these likes out."
        )
    return times


def ages_by_item(likes: Interactions, ages: Doubles | None) -> Doubles | None:
    """Return ages in the order of ``likes.item_users.data`` instead of ``user_items.data``."""
    if ages is None:
        return None
    turned: Doubles = with_ages(likes, ages).T.tocsr().data
    return turned


def timed(likes: Interactions, history: Interactions) -> Interactions:
    """Return likes without times as of the last moment of a history, so that they are new."""
    if likes.timestamps is not None or history.timestamps is None or not history.n_interactions:
        return likes
    end = history.timestamps.max()
    return replace(likes, timestamps=np.full(likes.n_interactions, end))


def aged_by(model: Any, ages: Doubles | None) -> dict[str, Doubles]:
    """Return ages of likes as the argument of a model that weighs likes by them, else nothing."""
    if ages is None or getattr(model, "ages", None) is None:
        return {}
    return {"ages": ages}


def with_ages(likes: Interactions, ages: Doubles) -> sp.csr_array:
    """Return a matrix with an age in the place of each like, zeros stored, CSR of float64."""
    matrix = likes.user_items
    return sp.csr_array((ages, matrix.indices, matrix.indptr), shape=matrix.shape)


def changed_users(
    before: Interactions | None,
    now: Interactions,
    ages_before: Doubles | None = None,
    ages: Doubles | None = None,
) -> npt.NDArray[np.intp]:
    """Return the rows of users whose likes, or their ages, differ; all, if none were known."""
    if before is None:
        return np.arange(now.n_users)
    changed = np.diff((before.user_items != now.user_items).tocsr().indptr) > 0
    if ages is not None and ages_before is not None:
        aged = with_ages(now, ages) != with_ages(before, ages_before)
        changed |= np.diff(aged.tocsr().indptr) > 0
    return np.flatnonzero(changed)


def forms_to_try(values: npt.NDArray[Any]) -> list[ValueWeights]:
    """Return the forms that a search tries: binary, and the logarithm where values differ.

    Its unit is a small value of the table, so that it does not matter whether hours or seconds were
    counted. A hundredth at either end is ignored: one odd row of a billionth must not set the unit
    of all others, and a few likes given twice are likes all the same.

    Examples
    --------
    >>> [one.values for one in forms_to_try(np.ones(5))]
    ['binary']
    >>> forms_to_try(np.array([2.0, 30.0, 4.0]))[1]
    ValueWeights(values='log', value_scale=2.0, value_length=0.0, half_life=None)
    """
    binary = ValueWeights(values="binary")
    sizes = np.abs(values)
    if not sizes.size:
        return [binary]
    small, large = map(float, np.quantile(sizes, (_ODD, 1 - _ODD), method="nearest"))
    if small == large:
        return [binary]
    # Six digits: the float32 nearest to 0.1 is to be shown as 0.1.
    return [binary, ValueWeights(values="log", value_scale=float(f"{small:.6g}"))]


def weighted(
    user_items: sp.csr_array,
    item_likes: Counts,
    weights: ValueWeights,
    ages: Doubles | None = None,
) -> sp.csr_array:
    """Weigh a matrix of values, CSR float64 of the same cells.

    Parameters
    ----------
    user_items : CSR, (n, n_items)
        Rows of users, perhaps new ones.
    item_likes : int, (n_items,)
        Likes of each item in the training data.
    weights : ValueWeights
    ages : float64, (n_cells,), or None
        Of the stored values, in days; None: all are new.

    Examples
    --------
    >>> hours = sp.csr_array([[1.0, 3.0], [0.0, 7.0]])
    >>> weighted(hours, np.array([1, 2]), ValueWeights(values="capped", value_scale=4)).toarray()
    array([[0.25, 0.75],
           [0.  , 1.  ]])
    """
    data = weights.of_cells(
        user_items.data,
        likes_by_cell(user_items),
        item_likes[user_items.indices] if weights.need_counts else item_likes[:0],
        n_items=int(user_items.shape[1]),
        mean_likes=float(item_likes.mean()) if item_likes.size else 0.0,
        ages=ages,
    ).astype(np.float64)
    return sp.csr_array((data, user_items.indices, user_items.indptr), shape=user_items.shape)


def likes_by_row(matrix: sp.csr_array) -> Counts:
    """Count the values above zero of each row, int64 (n_rows,)."""
    starts = np.concatenate(([0], np.cumsum(matrix.data > 0)))
    counts: Counts = np.diff(starts[matrix.indptr])
    return counts


def likes_by_cell(matrix: sp.csr_array) -> Counts:
    """Return for each cell the likes of its row, int64 (n_cells,)."""
    return np.repeat(likes_by_row(matrix), np.diff(matrix.indptr))
