"""Ground truth: the relevant items of users, and the items to leave out of their lists."""

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from alsolike.data.interactions import Interactions
from alsolike.data.validation import expect_interactions
from alsolike.engines.base import Engine
from alsolike.errors import DataError, SettingError
from alsolike.evaluation.metrics.among_items import among_items
from alsolike.models.history_model import likes_of
from alsolike.models.protocols import HasFactors, Recommender, expect_model
from alsolike.progress import SILENT, Observer
from alsolike.recommending.batch import top_items
from alsolike.recommending.ranking.exclusion import with_excluded
from alsolike.recommending.ranking.scan import Ranked

Indices = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class GroundTruth:
    """Users with their relevant items.

    Parameters
    ----------
    held_out : Interactions
        Source of the relevant items.
    users : int64, (n,)
        Rows of the users, each with a relevant item.
    wanted : CSR, (n, n_items)
        Their relevant items, as ones.
    exclude : Interactions or None
        Pairs to leave out; `aside` are the rows of these users, (n, n_items).
    without_relevant : int
        Requested users who have no relevant item.
    among : int64, (n_items,), or None
        Rows of the only items that lists are of, in a model; all the above is over them then. None:
        all items of a model.
    """

    held_out: Interactions
    users: Indices
    wanted: sp.csr_array
    exclude: Interactions | None
    aside: sp.csr_array | None
    without_relevant: int
    among: Indices | None = None

    @classmethod
    def of(
        cls,
        held_out: Interactions,
        exclude: Interactions | None,
        user_indices: npt.ArrayLike | None,
        *,
        among: Indices | None = None,
    ) -> "GroundTruth":
        """Collect the relevant items; errors as of `evaluate`.

        `among` are rows of the only items to list, ascending.
        """
        if among is not None:
            everybody = np.arange(held_out.n_users)
            held_out = held_out.subset(everybody, among)
            exclude = None if exclude is None else exclude.subset(everybody, among)
        relevant = likes_of(held_out)
        users, without_relevant = _measured_users(relevant, user_indices)
        wanted, aside = relevant[users], None
        if exclude is not None:
            aside = exclude.user_items[users]
            _none_excluded(wanted, aside, users, held_out)
        return cls(held_out, users, wanted, exclude, aside, without_relevant, among)

    def asked(self, model: Recommender) -> Recommender:
        """Return the model as it is asked for these lists: of some items, or as it is."""
        return model if self.among is None else among_items(model, self.among)

    @functools.cached_property
    def user_ids(self) -> npt.NDArray[np.object_]:
        """The ids of `users`."""
        return self.held_out.users.ids_of(self.users)

    @functools.cached_property
    def weights(self) -> npt.NDArray[np.float64]:
        """Held-out values of the items of `wanted`, float64, (n_wanted,)."""
        values: npt.NDArray[np.float64] = self.held_out.user_items[self.users].data.astype(float)
        return values[values > 0]

    def ranked(
        self, model: Recommender, k: int, engine: Engine, observer: Observer = SILENT
    ) -> Ranked:
        """Return the `k` best items of each user."""
        exclude = None if self.exclude is None else self.exclude.user_items
        model = self.asked(model)
        return top_items(model, self.users, k=k, exclude=exclude, engine=engine, observer=observer)

    def ranked_with_excluded(
        self, model: HasFactors, lists: Ranked, k: int, engine: Engine
    ) -> Ranked:
        """Return the lists with nothing excluded, derived from those of `ranked`."""
        if self.exclude is None:
            return lists
        seen = self.exclude.user_items
        return with_excluded(model, self.users, lists, seen, k=k, engine=engine)

    def needs_same_lists(self, other: "GroundTruth") -> bool:
        """Return whether both need the same lists."""
        if self.among is not None or other.among is not None:
            return self is other
        return self.exclude is other.exclude and self.has_same_users(other)

    def has_same_users(self, other: "GroundTruth") -> bool:
        """Return whether both have the same users."""
        return np.array_equal(self.users, other.users)


def check_matching_ids(model: Recommender, purpose: str, **given: Any) -> None:
    """Check that a model is one, and that interactions are over its users and items.

    Parameters
    ----------
    model : Recommender
    purpose : str
        Use of the model, in words.
    **given
        Interactions by the names of the arguments; only `exclude` may be None.

    Raises
    ------
    SettingError
        It is not a model.
    DataError
        Something is not an `Interactions`, or has other users or items.
    """
    expect_model(model, purpose)
    for name, interactions in given.items():
        if interactions is None and name == "exclude":
            continue
        expect_interactions(interactions, name)
        if interactions.users != model.users or interactions.items != model.items:
            raise DataError(
                f"The {name} interactions ({interactions.n_users:,} users, "
                f"{interactions.n_items:,} items) and the model ({len(model.users):,} users, "
                f"{len(model.items):,} items) do not have the same users and items. Take both from "
                "the same Split."
            )


def checked_rows(user_indices: npt.ArrayLike, n_users: int) -> Indices:
    """Return rows of users as int64; raise SettingError for an invalid or repeated one."""
    rows = np.asarray(user_indices)
    if rows.ndim != 1 or (rows.size and rows.dtype.kind not in "iu"):
        raise SettingError("user_indices must be row numbers, integers in one dimension.")
    rows = rows.astype(np.int64)
    if rows.size and not 0 <= rows.min() <= rows.max() < n_users:
        raise SettingError(f"user_indices must be from 0 to {n_users - 1:,}.")
    if len(np.unique(rows)) < len(rows):
        raise SettingError("user_indices must name each user once.")
    return rows


def _measured_users(
    relevant: sp.csr_array, user_indices: npt.ArrayLike | None
) -> tuple[Indices, int]:
    has_relevant = np.diff(relevant.indptr) > 0
    if user_indices is None:
        users, n_given = np.flatnonzero(has_relevant), 0
    else:
        rows = checked_rows(user_indices, len(has_relevant))
        users, n_given = rows[has_relevant[rows]], len(rows)
    if not users.size:
        raise DataError(
            f"None of the {n_given or len(has_relevant):,} users has a relevant held-out item "
            "(value above 0): there is nothing to measure."
        )
    return users, n_given - len(users) if n_given else 0


def _none_excluded(
    wanted: sp.csr_array, aside: sp.csr_array, users: Indices, held_out: Interactions
) -> None:
    taken = sp.csr_array((np.ones(aside.nnz), aside.indices, aside.indptr), aside.shape)
    both = (wanted * taken).tocoo()
    if both.nnz:
        user = held_out.users.id_of(int(users[both.row[0]]))
        item = held_out.items.id_of(int(both.col[0]))
        raise DataError(
            f"{both.nnz:,} held-out pairs are also excluded and can never be found; the first is "
            f"user {user!r} with item {item!r}. To score on training data, pass exclude=None."
        )


def as_lists(matrix: sp.csr_array) -> tuple[Indices, npt.NDArray[np.int32]]:
    """Return starts and columns of the rows in the types of the kernels."""
    return matrix.indptr.astype(np.int64), matrix.indices.astype(np.int32)
