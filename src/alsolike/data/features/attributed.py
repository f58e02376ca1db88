"""Holds features that people gave, such as tags, so that those of some people can be left out.

Tags by the very users on whom a model is tested tell what these users like: they leak.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from alsolike.data.features.features import Block, Features
from alsolike.data.vocabulary import Id, Vocabulary
from alsolike.errors import DataError

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False, repr=False)
class AttributedFeatures(Features):
    """Features with the people who gave each.

    Parameters
    ----------
    matrix, blocks
        As of every `Features`.
    givers : Vocabulary
        All of these people, users or not.
    given : CSR of bool, (n_cells, n_givers)
        Who gave each stored cell of the matrix, in the order of ``matrix.data``. A cell without
        givers is a fact of its own, and always stays.

    Raises
    ------
    DataError
        The parts do not fit each other.

    Examples
    --------
    >>> items = Vocabulary.of(["m1", "m2"], kind="item")
    >>> tags = AttributedFeatures.of_rows(
    ...     "tag", ["ann", "bob", "ann"], ["m1", "m1", "m2"], ["rock", "rock", "folk"], items)
    >>> tags.matrix.toarray().tolist(), tags.without(["ann"]).matrix.toarray().tolist()
    ([[0.0, 1.0], [1.0, 0.0]], [[0.0, 1.0], [0.0, 0.0]])
    """

    givers: Vocabulary
    given: sp.csr_array

    def __post_init__(self) -> None:
        super().__post_init__()
        expected = self.matrix.nnz, len(self.givers)
        if self.given.format != "csr" or self.given.shape != expected:
            raise DataError(
                f"The givers of features must be a scipy.sparse.csr_array, {expected[0]:,} cells x "
                f"{expected[1]:,} people, not {self.given.shape}."
            )

    @classmethod
    def of_rows(
        cls,
        name: str,
        users: Sequence[Id],
        items: Sequence[Id],
        words: Sequence[str],
        ids: Vocabulary,
    ) -> "AttributedFeatures":
        """Build one block of rows that name a user, an item and a word, each row once or more.

        Rows of items that are not among `ids` are left out.
        """
        if not len(users) == len(items) == len(words):
            raise DataError(
                f"{len(users):,} users, {len(items):,} items and {len(words):,} features: they "
                "must be as many."
            )
        givers = Vocabulary.of(users, kind="user")
        known = Vocabulary.of(words, kind="feature")
        rows = ids.places_of(items)
        here = rows >= 0
        columns, by = known.places_of(words)[here], givers.places_of(users)[here]
        keys, cells = np.unique(rows[here] * max(len(known), 1) + columns, return_inverse=True)
        places = keys // max(len(known), 1), keys % max(len(known), 1)
        matrix = sp.csr_array(
            sp.coo_array((np.ones(len(keys), np.float32), places), shape=(len(ids), len(known)))
        )
        matrix.sum_duplicates()
        given = sp.csr_array(
            sp.coo_array((np.ones(len(cells), bool), (cells, by)), shape=(len(keys), len(givers)))
        )
        return cls(matrix, (Block(name, "set", known.ids),), givers, given)

    def without(self, people: Iterable[Id]) -> Features:
        """Return what others gave, with the same columns: cells of these people alone are gone."""
        left_out = np.zeros(len(self.givers), dtype=bool)
        places = self.givers.places_of(people)
        left_out[places[places >= 0]] = True
        return self._kept(~left_out[self.given.indices])

    def without_pairs(self, users: Vocabulary, liked: sp.csr_array) -> Features:
        """Return what others gave of items: each person's words for what he likes are left out.

        Parameters
        ----------
        users : Vocabulary
        liked : CSR, (n_users, n_rows)
            Stored where a user likes an item.
        """
        places = self.givers.places_of(users)
        cells = sp.coo_array(liked)
        by = places[cells.coords[0]]
        pairs = cells.coords[1].astype(np.int64)[by >= 0] * len(self.givers) + by[by >= 0]
        row_of_cell = np.repeat(np.arange(self.n_rows), np.diff(self.matrix.indptr))
        rows = np.repeat(row_of_cell, np.diff(self.given.indptr))
        return self._kept(~np.isin(rows * len(self.givers) + self.given.indices, pairs))

    def take(self, rows: npt.ArrayLike) -> "AttributedFeatures":
        """Return these rows, in that order; nothing is known of a row -1."""
        numbered = sp.csr_array(
            (np.arange(1, self.matrix.nnz + 1, dtype=np.float64), self.matrix.indices,
             self.matrix.indptr),
            shape=self.matrix.shape,
        )  # fmt: skip
        places = np.asarray(rows, dtype=np.int64)
        padded = sp.csr_array(sp.vstack([numbered, sp.csr_array((1, self.n_features))]))
        cells = padded[np.where(places < 0, self.n_rows, places)]
        chosen = cells.data.astype(np.int64) - 1
        matrix = sp.csr_array(
            (self.matrix.data[chosen], cells.indices, cells.indptr), shape=cells.shape
        )
        return AttributedFeatures(
            matrix, self.blocks, self.givers, sp.csr_array(self.given[chosen])
        )

    def _kept(self, remains: Mask) -> Features:
        """Keep the cells that a remaining person gave, or that nobody is named for."""
        counts = np.concatenate(([0], np.cumsum(remains)))
        starts = self.given.indptr
        kept = (counts[starts[1:]] > counts[starts[:-1]]) | (np.diff(starts) == 0)
        ends = np.concatenate(([0], np.cumsum(kept)))[self.matrix.indptr]
        values, left = self.matrix.data, counts[starts[1:]] - counts[starts[:-1]]
        # A value that counts the people counts those who remain.
        values = np.where(values == np.diff(starts), left, values).astype(np.float32)
        cells = values[kept], self.matrix.indices[kept]
        indptr = ends.astype(self.matrix.indptr.dtype)
        return Features(sp.csr_array((*cells, indptr), shape=self.matrix.shape), self.blocks)
