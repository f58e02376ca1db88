"""Holds interactions: a sparse users x items table with ids, values and optional times."""

import decimal
import functools
import hashlib
import html
import numbers
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from alsolike.data.catalogue import Catalogue
from alsolike.data.features.features import Features
from alsolike.data.non_tabular import described
from alsolike.data.string_array import StringArray
from alsolike.data.vocabulary import Id, Vocabulary, check_ids, refuse_blank_ids
from alsolike.errors import DataError

Mask = npt.NDArray[np.bool_]

_COUNTED = 1 << 20  # pairs that are counted at a time


@dataclass(frozen=True, eq=False)
class Interactions:
    """A sparse users x items table, each pair at most once, with the ids of both sides.

    Parameters
    ----------
    user_items : scipy.sparse.csr_array of float32, (n_users, n_items)
        The values d_ui; columns ascend within a row, every stored value is finite and not zero.
        A value below zero is a dislike of that weight.
    users, items : Vocabulary
        The ids of the rows and of the columns.
    timestamps : float64, (n_interactions,), or None
        Seconds since 1970 of each stored value, in the order of ``user_items.data``.
    catalogue : Catalogue or None
        What to show of the items.
    item_features, user_features : Features or None
        What models can learn from besides: a row for each item or user.

    Raises
    ------
    DataError
        The parts do not fit each other.

    Examples
    --------
    >>> likes = Interactions.from_columns(["ann", "bob", "ann"], ["m1", "m1", "m2"], [1, 1, 3])
    >>> likes
    Interactions(2 users, 2 items, 3 interactions, 75 % filled)
    >>> likes.user_items.toarray()
    array([[1., 3.],
           [1., 0.]], dtype=float32)
    """

    user_items: sp.csr_array
    users: Vocabulary
    items: Vocabulary
    timestamps: npt.NDArray[np.float64] | None = None
    catalogue: Catalogue | None = None
    item_features: Features | None = None
    user_features: Features | None = None

    def __post_init__(self) -> None:
        matrix, shape = self.user_items, (len(self.users), len(self.items))
        if not sp.issparse(matrix) or matrix.format != "csr":
            raise DataError(
                f"user_items must be a scipy.sparse.csr_array, not {described(matrix)[0]}. "
                "Interactions.from_matrix(...) takes any SciPy matrix."
            )
        if matrix.shape != shape:
            raise DataError(
                f"The matrix is {matrix.shape[0]:,} x {matrix.shape[1]:,}, the ids are "
                f"{shape[0]:,} users and {shape[1]:,} items. Is it the wrong way round?"
            )
        if matrix.data.dtype != np.float32:
            raise DataError(f"Values must be float32, not {matrix.data.dtype}.")
        if not matrix.has_canonical_format:
            raise DataError("Each (user, item) pair may be stored only once, columns ascending.")
        self._refuse_odd_values()
        if self.timestamps is not None and len(self.timestamps) != matrix.nnz:
            raise DataError(f"{len(self.timestamps):,} timestamps for {matrix.nnz:,} interactions.")
        if self.catalogue is not None and self.catalogue.n_items != len(self.items):
            raise DataError(
                f"The catalogue has {self.catalogue.n_items:,} rows for {len(self.items):,} items."
            )
        for ids, features in ((self.items, self.item_features), (self.users, self.user_features)):
            if features is not None and features.n_rows != len(ids):
                raise DataError(
                    f"The features have {features.n_rows:,} rows for {len(ids):,} {ids.kind}s."
                )

    def _refuse_odd_values(self) -> None:
        matrix = self.user_items
        odd = np.flatnonzero(~np.isfinite(matrix.data) | (matrix.data == 0))
        if not len(odd):
            return
        row = int(np.searchsorted(matrix.indptr, odd[0], side="right")) - 1
        user, item = self.users.id_of(row), self.items.id_of(int(matrix.indices[odd[0]]))
        raise DataError(
            f"Values must be finite and not zero in float32; {len(odd):,} of {matrix.nnz:,} are "
            f"not, the first is {matrix.data[odd[0]]} of user {user!r} and item {item!r}. Leave "
            "such pairs out."
        )

    @classmethod
    def from_columns(
        cls,
        users: Iterable[Id],
        items: Iterable[Id],
        values: npt.ArrayLike | None = None,
    ) -> "Interactions":
        """Build from parallel columns of ids; values of repeated pairs are summed (default 1).

        A column holds texts or whole numbers, and its ids stay so.
        """
        users, items = _column(users, "user"), _column(items, "item")
        if len(users) != len(items):
            raise DataError(f"{len(users):,} users but {len(items):,} items.")
        user_ids = Vocabulary.of(users, kind="user")
        item_ids = Vocabulary.of(items, kind="item")
        for known, ids in ((user_ids, users), (item_ids, items)):
            if not known.are_whole:
                refuse_blank_ids(check_ids(ids, known.kind)[0], known.kind)
        amounts = np.ones(len(users)) if values is None else _numbers(values)
        if amounts.shape != (len(users),):
            raise DataError(f"Values of shape {amounts.shape} for {len(users):,} users.")
        rows, columns = user_ids.indices_of(users), item_ids.indices_of(items)
        matrix = sp.coo_array((amounts, (rows, columns)), shape=(len(user_ids), len(item_ids)))
        return cls(canonical(matrix), user_ids, item_ids)

    @classmethod
    def from_matrix(
        cls,
        matrix: Any,
        *,
        users: Sequence[Id] | None = None,
        items: Sequence[Id] | None = None,
    ) -> "Interactions":
        """Build from a users x items SciPy matrix; without ids, row numbers become the ids.

        Rows and columns are sorted by id, so row 0 of the result need not be row 0 of `matrix`.
        """
        check_matrix(matrix)
        rows, columns = matrix.shape
        user_ids, user_order = _named(users, rows, kind="user")
        item_ids, item_order = _named(items, columns, kind="item")
        turned = canonical(sp.csr_array(matrix))[user_order][:, item_order]
        return cls(canonical(turned), user_ids, item_ids)

    @property
    def n_users(self) -> int:
        """Rows of the table, those without interactions included."""
        return len(self.users)

    @property
    def n_items(self) -> int:
        """Columns of the table, those without interactions included."""
        return len(self.items)

    @property
    def n_interactions(self) -> int:
        """Stored (user, item) pairs."""
        return int(self.user_items.nnz)

    @property
    def density(self) -> float:
        """Filled share of the table, from 0 to 1."""
        cells = self.n_users * self.n_items
        return self.n_interactions / cells if cells else 0.0

    @functools.cached_property
    def item_users(self) -> sp.csr_array:
        """The transposed table: CSR, (n_items, n_users)."""
        return canonical(self.user_items.T.tocsr())

    @functools.cached_property
    def user_counts(self) -> npt.NDArray[np.int64]:
        """Interactions of each user, (n_users,)."""
        counts: npt.NDArray[np.int64] = np.diff(self.user_items.indptr).astype(np.int64)
        return counts

    @functools.cached_property
    def item_counts(self) -> npt.NDArray[np.int64]:
        """Interactions of each item, (n_items,)."""
        counts = np.zeros(self.n_items, dtype=np.int64)
        # In pieces: bincount converts its input to int64, as large as the table itself.
        for first in range(0, self.n_interactions, _COUNTED):
            indices = self.user_items.indices[first : first + _COUNTED]
            counts += np.bincount(indices, minlength=self.n_items)
        return counts

    @functools.cached_property
    def like_counts(self) -> npt.NDArray[np.int64]:
        """Users with a value above zero per item, (n_items,)."""
        values = self.user_items.data
        if not self.n_interactions or values.min() > 0:
            return self.item_counts
        liked = self.user_items.indices[values > 0]
        return np.bincount(liked, minlength=self.n_items).astype(np.int64)

    @functools.cached_property
    def fingerprint(self) -> str:
        """SHA-256 over ids, pairs, values, times and features: equal for equal interactions."""
        digest = hashlib.sha256()
        for part in (
            self.users.ids.offsets,
            self.users.ids.blob,
            self.items.ids.offsets,
            self.items.ids.blob,
            self.user_items.indptr.astype(np.int64),
            self.user_items.indices.astype(np.int32),
            self.user_items.data,
            self.timestamps if self.timestamps is not None else np.empty(0),
        ):
            digest.update(str(part.size).encode())
            digest.update(np.ascontiguousarray(part).tobytes())
        for label, features in (("items", self.item_features), ("users", self.user_features)):
            if features is not None:
                digest.update(f"{label} {features.fingerprint}".encode())
        return digest.hexdigest()

    def keep(self, mask: Mask) -> "Interactions":
        """Return the interactions where `mask` is true; users and items stay as they are.

        Parameters
        ----------
        mask : bool, (n_interactions,)
            In the order of ``user_items.data``.
        """
        kept = canonical(masked(self.user_items, mask))
        times = None if self.timestamps is None else self.timestamps[mask]
        return replace(self, user_items=kept, timestamps=times)

    def subset(
        self, user_indices: npt.NDArray[np.int64], item_indices: npt.NDArray[np.int64]
    ) -> "Interactions":
        """Return only these users and items (ascending rows and columns); ids follow."""
        keep_user = np.zeros(self.n_users, dtype=bool)
        keep_item = np.zeros(self.n_items, dtype=bool)
        keep_user[user_indices] = True
        keep_item[item_indices] = True
        matrix = self.user_items
        mask = np.repeat(keep_user, self.user_counts) & keep_item[matrix.indices]
        kept = self.keep(mask)
        catalogue, of_items, of_users = self.catalogue, self.item_features, self.user_features
        return Interactions(
            canonical(kept.user_items[user_indices][:, item_indices]),
            self.users.subset(user_indices),
            self.items.subset(item_indices),
            kept.timestamps,
            None if catalogue is None else catalogue.subset(item_indices),
            None if of_items is None else of_items.take(item_indices),
            None if of_users is None else of_users.take(user_indices),
        )

    def __repr__(self) -> str:
        return (
            f"Interactions({self.n_users:,} users, {self.n_items:,} items, "
            f"{self.n_interactions:,} interactions, {100 * self.density:.3g} % filled)"
        )

    def _repr_html_(self) -> str:
        return f"<p>{html.escape(repr(self))}</p>"


def check_matrix(matrix: Any) -> None:
    """Raise DataError if `matrix` is not a two-dimensional matrix of real numbers."""
    if not hasattr(matrix, "shape") or not hasattr(matrix, "dtype"):
        expected = "A SciPy sparse matrix, users x items, expected"
        if isinstance(matrix, Mapping) or hasattr(matrix, "columns"):
            raise DataError(
                f"{expected}, not {described(matrix)[0]}. Where each row of a frame is a user and "
                "an item, read it: alsolike.read(frame, user=..., item=...)."
            )
        raise DataError(
            f"{expected}, not {type(matrix).__name__}. Make one of it: scipy.sparse.csr_array(...)."
        )
    if len(matrix.shape) != 2:
        raise DataError(
            f"A matrix, users x items, expected, this is {len(matrix.shape)}-dimensional."
        )
    if matrix.dtype.kind not in "biuf":
        raise DataError(f"A matrix of real numbers expected; this is of {matrix.dtype}.")


def masked(matrix: sp.csr_array, mask: Mask) -> sp.csr_array:
    """Return the stored cells of a CSR matrix for which `mask`, bool, (nnz,), is true."""
    starts = np.concatenate(([0], np.cumsum(mask, dtype=np.int64)))[matrix.indptr]
    parts = matrix.data[mask], matrix.indices[mask], starts.astype(matrix.indptr.dtype)
    return sp.csr_array(parts, matrix.shape)


def canonical(matrix: Any) -> sp.csr_array:
    """Return CSR of float32 values: each pair once, columns ascending, int32 if possible.

    Values of repeated pairs are summed in float64, in their order.
    """
    csr = sp.csr_array(matrix)
    if not csr.has_canonical_format:
        csr = csr.astype(np.float64)
        csr.sum_duplicates()
    # One width for both: SciPy's own methods refuse a mixture, and the kernels compile once.
    wide = max(csr.nnz, *csr.shape) > np.iinfo(np.int32).max
    width = np.int64 if wide else np.int32
    indices, indptr = (part.astype(width, copy=False) for part in (csr.indices, csr.indptr))
    with np.errstate(over="ignore"):  # Interactions says which value is too large
        data = csr.data.astype(np.float32, copy=False)
    return sp.csr_array((data, indices, indptr), csr.shape)


def _column(ids: Iterable[Id], kind: str) -> list[Id]:
    """Return a column of ids as a list; refuse mappings and tables."""
    if isinstance(ids, (bytes, Mapping)) or not isinstance(ids, Iterable):
        raise DataError(
            f"A column of {kind} ids expected, one text or whole number for each interaction, not "
            f"{described(ids)[0]}. Pass a list of ids."
        )
    if len(getattr(ids, "shape", (0,))) != 1:
        raise DataError(
            f"A column of {kind} ids expected, not {described(ids)[0]}. Pass one of its columns, "
            "or read it as a table: alsolike.read(...)."
        )
    return list(ids)


def _named(
    ids: Sequence[Id] | None, count: int, *, kind: str
) -> tuple[Vocabulary, npt.NDArray[np.int64]]:
    """Return the vocabulary of `ids` and the order that sorts them."""
    given: list[Id] = list(range(count)) if ids is None else list(ids)
    if len(given) != count:
        raise DataError(f"{len(given):,} {kind} ids for {count:,} {kind}s of the matrix.")
    names, are_whole = check_ids(given, kind)
    refuse_blank_ids(names, kind)
    order = sorted(range(count), key=names.__getitem__)
    packed = StringArray.pack(names[row] for row in order)
    make = Vocabulary.of_digits if are_whole else Vocabulary
    ordered = make(packed, kind=kind)
    return ordered.checked(), np.array(order, dtype=np.int64)


def _numbers(values: npt.ArrayLike) -> npt.NDArray[np.float64]:
    given = np.asarray(values)
    if given.dtype.kind not in "biuf":
        odd = next((row for row, one in enumerate(given.flat) if not _is_real(one)), None)
        if odd is not None:
            raise DataError(f"Values must be numbers, but row {odd + 1} holds {given.item(odd)!r}.")
    return given.astype(np.float64)


def _is_real(one: object) -> bool:
    return isinstance(one, (numbers.Real, decimal.Decimal, np.bool_))
