"""Items left out of lists, and lists with them derived from lists without."""

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from alsolike.engines.base import Engine
from alsolike.engines.local import LocalEngine
from alsolike.errors import DataError
from alsolike.models.protocols import HasFactors
from alsolike.recommending.ranking.scan import Bounds, NotFiniteError, Products, Ranked
from alsolike.recommending.shared import Indices, checked_indices, checked_k


def excluded_of(
    exclude: sp.csr_array | None, rows: Indices, shape: tuple[int, int]
) -> tuple[Bounds, Bounds, Indices]:
    """Return where each query's excluded items start and end, and the items."""
    if exclude is None:
        nowhere = np.zeros(len(rows), dtype=np.int64)
        return nowhere, nowhere, np.empty(0, dtype=np.int32)
    if exclude.shape != shape:
        raise DataError(
            f"exclude is {exclude.shape[0]:,} x {exclude.shape[1]:,}; the model knows "
            f"{shape[0]:,} users and {shape[1]:,} items."
        )
    pattern = sp.csr_array(exclude)
    if not pattern.has_sorted_indices:
        pattern = pattern.sorted_indices()
    bounds = np.asarray(pattern.indptr, dtype=np.int64)
    return bounds[rows], bounds[rows + 1], np.asarray(pattern.indices, dtype=np.int32)


def with_excluded(
    model: HasFactors,
    user_indices: npt.ArrayLike,
    ranked: Ranked,
    exclude: sp.csr_array,
    *,
    k: int,
    engine: Engine | None = None,
) -> Ranked:
    """Return lists with nothing excluded, derived from lists with `exclude`.

    Equals `top_items` for ``exclude=None``, to the last bit, but only scores the excluded items:
    the best of all items are among them and the best of the others.

    Parameters
    ----------
    model : HasFactors
    user_indices : int, (n_rows,)
        As given to `top_items`.
    ranked : Ranked, (n_rows, at least k)
        The result of `top_items`.
    exclude : scipy.sparse.csr_array, (n_users, n_items)
    k : int
        Length of each list, at least 1.
    engine : Engine or None
        None: all threads of this machine.

    Raises
    ------
    DataError
        `ranked` has lists shorter than `k`, or `exclude` another shape than the model.
    FitError
        A score is NaN or infinite.

    Examples
    --------
    >>> from alsolike.data.interactions import Interactions
    >>> from alsolike.models.als.train import fit
    >>> from alsolike.models.als.config import ALSConfig
    >>> from alsolike.recommending.batch import top_items
    >>> likes = Interactions.from_columns(["u1", "u1", "u2", "u3"], ["a", "b", "b", "c"])
    >>> model = fit(likes, ALSConfig(factors=2, iterations=3))
    >>> unseen = top_items(model, [0, 1], k=2, exclude=likes.user_items)
    >>> with_excluded(model, [0, 1], unseen, likes.user_items, k=2).indices
    array([[1, 0],
           [1, 0]], dtype=int32)
    """
    rows = checked_indices(user_indices, len(model.users), kind="user")
    shape = len(model.users), len(model.items)
    starts, ends, taken = excluded_of(exclude, rows, shape)
    if ranked.indices.shape[0] != len(rows) or ranked.indices.shape[1] < min(
        checked_k(k), shape[1]
    ):
        raise DataError(
            f"{len(rows):,} lists of at least {k} items expected, {ranked.indices.shape[0]:,} of "
            f"{ranked.indices.shape[1]} found."
        )
    is_listed = ranked.indices >= 0
    bounds = np.concatenate(([0], np.cumsum(ends - starts + is_listed.sum(axis=1))))
    few = np.empty(bounds[-1], dtype=np.int32)
    few[_places(bounds[:-1], ends - starts)] = taken[_places(starts, ends - starts)]
    few[_places(bounds[:-1] + ends - starts, is_listed.sum(axis=1))] = ranked.indices[is_listed]
    source = Products(rows, model.user_factors, model.item_factors, model.item_norms)
    try:
        return source.among(few, bounds, k, engine or LocalEngine())
    except NotFiniteError as bad:
        raise bad.as_fit_error(model, rows) from None


def _places(starts: Bounds, counts: Bounds) -> Bounds:
    """Return ``starts[r], ..., starts[r] + counts[r] - 1`` of each row r."""
    before = np.cumsum(counts) - counts
    places: Bounds = np.repeat(starts - before, counts) + np.arange(counts.sum())
    return places
