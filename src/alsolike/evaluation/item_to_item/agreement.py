"""Agreement of similar items with features that no model was trained on, such as tags."""

import functools
import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from alsolike.data.catalogue import Catalogue
from alsolike.data.interactions import Interactions
from alsolike.data.reading.read import read
from alsolike.data.vocabulary import Vocabulary
from alsolike.errors import DataError, SettingError
from alsolike.evaluation.item_to_item.item_queries import Items, Mask
from alsolike.usage_hints import did_you_mean

# A feature of fewer items compares next to none.
_LEAST_ITEMS = 3
# Cells of items x items, and pairs of items, compared at once.
_CELLS_PER_BLOCK = 1 << 22
_PAIRS_PER_BLOCK = 1 << 17


@dataclass(frozen=True)
class Agreement:
    """How far similar items agree in their features.

    Parameters
    ----------
    mean : float
        Mean cosine; see `FeatureVectors.agreement`.
    floor : float
        The same of random items.
    ceiling : float
        The same of the nearest items by the features themselves.
    sources_without : float
        Share of the items with a list that have no features, or none of whose shown items have.
    shown_without : float
        Share of the shown items that have no features.
    """

    mean: float
    floor: float
    ceiling: float
    sources_without: float
    shown_without: float

    def __str__(self) -> str:
        return (
            f"{self.mean:.4f} (random items {self.floor:.4f}, nearest by features "
            f"{self.ceiling:.4f}; {100 * self.sources_without:.3g} % of the items cannot be "
            f"compared, {100 * self.shown_without:.3g} % of the shown ones have no features)"
        )


@dataclass(frozen=True, eq=False)
class FeatureVectors:
    """Features of items, as tf-idf vectors of length 1.

    Parameters
    ----------
    vectors : CSR of float64, (n_items, n_features)
        ``log(1 + count) log(N / df)`` over the length of the row, with N items of the vocabulary,
        df of which have the feature; features of at least 3 items. Items without features have an
        empty row.
    unknown_items : int
        Ids that are not items here; they are left out.
    rare_features : int
        Features of fewer than 3 items; they are left out.
    """

    vectors: sp.csr_array
    unknown_items: int = 0
    rare_features: int = 0
    _bounds: dict[tuple[bytes, int], tuple[float, float]] = field(
        default_factory=dict, repr=False, compare=False
    )

    @classmethod
    def of(cls, counts: sp.csr_array, *, unknown_items: int = 0) -> "FeatureVectors":
        """Weigh counts, (n_items, n_features), each at least 0.

        Raises
        ------
        DataError
            No feature is left that some items have and others have not.

        Examples
        --------
        >>> counts = sp.csr_array(np.float64([[1, 0], [1, 0], [2, 1], [0, 0]]))
        >>> features = FeatureVectors.of(counts)
        >>> features.vectors.toarray().ravel().tolist(), features.rare_features
        ([1.0, 1.0, 1.0, 0.0], 1)
        """
        by_feature = sp.csc_array(counts, dtype=np.float64)
        by_feature.eliminate_zeros()
        items_of = np.diff(by_feature.indptr)
        kept = by_feature[:, items_of >= _LEAST_ITEMS]
        rarity = np.log(counts.shape[0] / np.maximum(np.diff(kept.indptr), 1))
        kept.data = np.log1p(kept.data) * np.repeat(rarity, np.diff(kept.indptr))
        kept.eliminate_zeros()
        vectors = kept.tocsr()
        if not vectors.nnz:
            raise DataError(
                f"No feature is left to compare items by: {len(items_of):,} were found, and each "
                f"must be of at least {_LEAST_ITEMS} items here, and not of all "
                f"({unknown_items:,} ids are not among the {counts.shape[0]:,} items)."
            )
        lengths = np.sqrt(np.bincount(_rows(vectors), vectors.data**2, vectors.shape[0]))
        vectors.data /= lengths[_rows(vectors)]
        rare = int(np.count_nonzero((items_of > 0) & (items_of < _LEAST_ITEMS)))
        return cls(vectors, unknown_items, rare)

    @functools.cached_property
    def fingerprint(self) -> str:
        """SHA-256 over the vectors."""
        digest = hashlib.sha256()
        vectors = self.vectors
        for part in (vectors.indptr.astype(np.int64), vectors.indices.astype(np.int64),
                     vectors.data):  # fmt: skip
            digest.update(np.ascontiguousarray(part).tobytes())
        return digest.hexdigest()

    @property
    def has(self) -> Mask:
        """Which items have features, bool, (n_items,)."""
        has: Mask = np.diff(self.vectors.indptr) > 0
        return has

    def agreement(self, sources: Items, lists: Items, may_show: Mask) -> Agreement:
        """Return how far items agree with those shown beside them.

        For each source item with features, the mean cosine over the shown items with features;
        then the mean over the source items.

        Parameters
        ----------
        sources : int32, (n,)
            All items that have a list.
        lists : int32, (n, k)
            Shown items; -1 where a list has ended.
        may_show : bool, (n_items,)
            Items that may be shown, for the floor and the ceiling.
        """
        mean, compared = self._mean(sources, lists)
        floor, ceiling = self.bounds(may_show, lists.shape[1])
        shown = lists[lists >= 0]
        without = np.count_nonzero(~self.has[shown]) / max(len(shown), 1)
        return Agreement(mean, floor, ceiling, 1 - compared / max(len(sources), 1), float(without))

    def bounds(self, may_show: Mask, k: int) -> tuple[float, float]:
        """Return the agreement of `k` random items, and of the `k` nearest by the features."""
        key = np.packbits(may_show).tobytes(), k
        if key not in self._bounds:
            sources = np.flatnonzero(may_show & self.has).astype(np.int32)
            floor, _ = self._mean(sources, _random_lists(sources, k))
            ceiling, _ = self._mean(sources, self._nearest(sources, k))
            self._bounds[key] = floor, ceiling
        return self._bounds[key]

    def _mean(self, sources: Items, lists: Items) -> tuple[float, int]:
        """Return the mean over the sources that can be compared, and how many they are."""
        has = self.has
        may = (lists >= 0) & has[lists] & has[sources][:, None]
        rows, places = np.nonzero(may)
        cosines = np.empty(len(rows))
        for first in range(0, len(rows), _PAIRS_PER_BLOCK):
            own = slice(first, first + _PAIRS_PER_BLOCK)
            left = self.vectors[sources[rows[own]]]
            right = self.vectors[lists[rows[own], places[own]]]
            cosines[own] = left.multiply(right).sum(axis=1)
        counts = np.bincount(rows, minlength=len(sources))
        compared = counts > 0
        if not compared.any():
            return 0.0, 0
        sums = np.bincount(rows, cosines, minlength=len(sources))
        return float((sums[compared] / counts[compared]).mean()), int(np.count_nonzero(compared))

    def _nearest(self, sources: Items, k: int) -> Items:
        """Return the `k` nearest of `sources` to each of them, in any order."""
        vectors = self.vectors[sources]
        by_feature = vectors.T.tocsr()
        lists = np.full((len(sources), k), -1, dtype=np.int32)
        depth = min(k, len(sources) - 1)
        step = max(_CELLS_PER_BLOCK // max(len(sources), 1), 1)
        for first in range(0, len(sources) if depth > 0 else 0, step):
            block = (vectors[first : first + step] @ by_feature).toarray()
            own = np.arange(len(block))
            block[own, first + own] = -1.0
            found = np.argpartition(-block, depth - 1, axis=1)[:, :depth]
            lists[first : first + step, :depth] = sources[found]
        return lists


def _random_lists(sources: Items, k: int) -> Items:
    """Return `k` items of `sources` at random for each of them, itself left out; may repeat."""
    if len(sources) < 2:
        return np.full((len(sources), k), -1, dtype=np.int32)
    drawn = np.random.default_rng(0).integers(0, len(sources) - 1, size=(len(sources), k))
    drawn += drawn >= np.arange(len(sources))[:, None]
    lists: Items = sources[drawn]
    return lists


def _rows(matrix: sp.csr_array) -> npt.NDArray[np.int64]:
    return np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))


def read_features(
    path: str | os.PathLike[str], item_column: str, feature_column: str, items: Vocabulary
) -> FeatureVectors:
    """Read the features of items from a table with a row for each item and feature.

    A pair that is in several rows counts so often. Read as `alsolike.read` reads likes.

    Parameters
    ----------
    path : path
        Delimited text, Parquet or JSON lines.
    item_column, feature_column : str
    items : Vocabulary
        The items of the models.

    Raises
    ------
    DataError
        The table cannot be read, or no feature is left.
    """
    try:
        pairs, _ = read(
            path, user=item_column, item=feature_column, duplicates="keep", repeats="count"
        )
    except DataError as error:  # which names the columns of likes
        raise DataError(
            f"{error} This is the table of features: the user's column is that of the items here, "
            "the item's column that of the features."
        ) from None
    return _matched(pairs, items)


def _matched(pairs: Interactions, items: Vocabulary) -> FeatureVectors:
    """Return the features of `items`, given as interactions of items with features."""
    places = items.places_of(pairs.users)
    cells = pairs.user_items.tocoo()
    rows = places[cells.row]
    is_known = rows >= 0
    counts = sp.coo_array(
        (cells.data[is_known].astype(np.float64), (rows[is_known], cells.col[is_known])),
        shape=(len(items), pairs.n_items),
    )
    return FeatureVectors.of(sp.csr_array(counts), unknown_items=int(np.count_nonzero(places < 0)))


def features_of_column(
    catalogue: Catalogue | None, column: str, items: Vocabulary, *, separator: str = "|"
) -> FeatureVectors:
    """Return the features of items by a column of the item table.

    Parameters
    ----------
    catalogue : Catalogue or None
    column : str
        A column of the item table.
    items : Vocabulary
    separator : str
        Between the features of an item, each counted once; blanks around one do not count.

    Raises
    ------
    SettingError
        There is no such column, or the separator is empty.
    DataError
        No feature is left.
    """
    columns = {} if catalogue is None else catalogue.columns()
    if column not in columns:
        known = f"its columns are {', '.join(columns)}" if columns else "there is no item table"
        raise SettingError(
            f"The item table has no column {column!r}: {known}.{did_you_mean(column, columns)}"
        )
    if not separator:
        raise SettingError("The separator of features is empty; a text such as '|' expected.")
    of_items = [_parts(text, separator) for text in columns[column]]
    known_features = Vocabulary.of({one for parts in of_items for one in parts}, kind="feature")
    rows = np.repeat(np.arange(len(items)), [len(parts) for parts in of_items])
    places = known_features.places_of([one for parts in of_items for one in parts])
    shape = len(items), len(known_features)
    return FeatureVectors.of(
        sp.csr_array(sp.coo_array((np.ones(len(rows)), (rows, places)), shape=shape))
    )


def _parts(text: str, separator: str) -> Sequence[str]:
    """Return the distinct features in a text, in their order."""
    return list(dict.fromkeys(part for one in text.split(separator) if (part := one.strip())))
