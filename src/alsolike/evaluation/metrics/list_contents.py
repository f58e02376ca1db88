"""Novelty of what is listed, and diversity within lists, as means over orders of equal scores.

Neither knows what users like: a random list is novel and diverse. They are read beside accuracy.

References
----------
.. [1] T. Zhou et al., "Solving the apparent diversity-accuracy dilemma of recommender systems",
   PNAS 107(10), 2010.
.. [2] S. Vargas, P. Castells, "Rank and relevance in novelty and diversity metrics for recommender
   systems", RecSys 2011.
.. [3] C.-N. Ziegler et al., "Improving recommendation lists through topic diversification",
   WWW 2005.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from alsolike.data.interactions import Interactions
from alsolike.data.validation import said
from alsolike.engines.base import Engine
from alsolike.errors import DataError, SettingError
from alsolike.evaluation.metrics.exposure import groups_of
from alsolike.evaluation.metrics.ground_truth import check_matching_ids
from alsolike.evaluation.metrics.ties import Indices, Members, Ties, Values
from alsolike.kernels.compiler.jit import plain
from alsolike.kernels.ranking.list_pairs import sum_pairs, sum_pairs_of_groups
from alsolike.models.history_model import likes_of
from alsolike.models.protocols import Recommender
from alsolike.recommending.ranking.scan import Ranked

CONTENTS = ("novelty", "diversity", "feature_diversity")

# Lists are measured in as many parts for any number of threads.
_PARTS = 16


class ItemVectors(Protocol):
    """Has vectors of items, such as `alsolike.evaluation.item_to_item.agreement.FeatureVectors`."""

    @property
    def vectors(self) -> sp.csr_array:
        """CSR of float64, (n_items, any); rows of length 1, or empty."""


@dataclass(frozen=True, eq=False)
class _Vectors:
    """Vectors of items in the types of the kernels, and their sum."""

    starts: Indices
    columns: npt.NDArray[np.int32]
    weights: Values
    total: Values

    @classmethod
    def of(cls, vectors: sp.csr_array) -> "_Vectors":
        columns, weights = vectors.indices.astype(np.int32), vectors.data.astype(np.float64)
        total = np.bincount(columns, weights, vectors.shape[1])
        arrays = vectors.indptr.astype(np.int64), columns, weights, total
        return cls(*map(plain, arrays))

    @property
    def cells(self) -> tuple[Indices, npt.NDArray[np.int32], Values]:
        return self.starts, self.columns, self.weights


@dataclass(frozen=True, eq=False)
class ItemContents:
    """What the metrics of `CONTENTS` know of the items.

    Parameters
    ----------
    information : float64, (n_items,)
        ``-log2(n / users)``, by the n likes of an item, at least 1, and the users with a like.
    vectors : mapping of str to _Vectors
        By metric: the items whose cosines are taken.
    """

    information: Values
    vectors: Mapping[str, _Vectors] = field(default_factory=dict)

    @classmethod
    def of(
        cls, names: Sequence[str], likes: Interactions, features: ItemVectors | None
    ) -> "ItemContents":
        """Collect what some of `CONTENTS` need.

        Parameters
        ----------
        names : sequence of str
        likes : Interactions
            Usually the training data. Values above 0 count, each once.
        features : ItemVectors or None
            For ``"feature_diversity"``.

        Raises
        ------
        SettingError
            Features are missing, or given without that metric.
        DataError
            Nobody has a like, or the features are of other items.

        Examples
        --------
        >>> likes = Interactions.from_columns(["u1", "u2", "u3", "u4"], ["a", "a", "b", "a"])
        >>> ItemContents.of(["novelty"], likes, None).information.round(3).tolist()
        [0.415, 2.0]
        """
        by_user = likes_of(likes)
        n_users = int(np.count_nonzero(np.diff(by_user.indptr)))
        if not n_users:
            raise DataError(
                "Novelty and diversity count likes, and there is none with a value above 0. Pass "
                "the training data: likes=split.train."
            )
        counts = np.maximum(np.bincount(by_user.indices, minlength=likes.n_items), 1)
        information = np.log2(n_users / counts)
        vectors = {}
        if "diversity" in names:
            by_item = by_user.T.tocsr()
            by_item.data = 1 / np.sqrt(np.repeat(counts, np.diff(by_item.indptr)))
            vectors["diversity"] = _Vectors.of(by_item)
        if features is not None:
            _check_features(names, features, likes.n_items)
            vectors["feature_diversity"] = _Vectors.of(features.vectors)
        elif "feature_diversity" in names:
            raise SettingError(
                "feature_diversity compares features of items, and none are given: pass features=, "
                "as alsolike.evaluation.item_to_item.agreement.read_features returns them. By "
                "likes: diversity."
            )
        return cls(information, vectors)


def likes_to_count(
    model: Recommender, likes: Interactions | None, exclude: Interactions | None
) -> Interactions:
    """Return the given likes, or else those excluded, or else the history of a model.

    Raises
    ------
    DataError
        There are none, or of other users or items.
    """
    if likes is not None:
        check_matching_ids(model, "count likes", likes=likes)
        return likes
    found = exclude if exclude is not None else getattr(model, "history", None)
    if not isinstance(found, Interactions):
        raise DataError(
            "Novelty and diversity count likes in the training data, and there is none: nothing is "
            "excluded, and the model has no history. Pass it: likes=split.train."
        )
    return found


def _check_features(names: Sequence[str], features: ItemVectors, n_items: int) -> None:
    if "feature_diversity" not in names:
        raise SettingError(
            f"Features are for the metric feature_diversity; {', '.join(names)} need none."
        )
    vectors = getattr(features, "vectors", None)
    if not isinstance(vectors, sp.csr_array):
        raise SettingError(
            "FeatureVectors expected, as alsolike.evaluation.item_to_item.agreement.read_features "
            f"returns them, not {said(features)}."
        )
    if vectors.shape[0] != n_items:
        raise DataError(
            f"Features of the model's {n_items:,} items expected; these are of "
            f"{vectors.shape[0]:,}. Read them with the model's items."
        )


class GroupContents:
    """Sums over groups of equal scores that reach beyond the end of a list, for `ties_of`.

    Parameters
    ----------
    contents : ItemContents
    ranked : Ranked
    longest : int
        Where the lists end.
    """

    def __init__(self, contents: ItemContents, ranked: Ranked, longest: int) -> None:
        self._contents, self._items = contents, ranked.indices[:, :longest]
        last = ranked.scores[:, longest - 1]
        self._before = np.count_nonzero(ranked.scores[:, :longest] > last[:, None], axis=1)
        self.n_sums = 1 + 2 * len(contents.vectors)

    def __call__(self, rows: Indices, members: Members) -> Values:
        """Return the sums of the groups of lists `rows`, float64, (n_sums, n).

        The information of their items; then, for each of the vectors, the cosines of their items
        with those before them, and among them.
        """
        sums = np.empty((self.n_sums, len(rows)))
        flags = [members.flags_of(at) for at in range(len(rows))]
        sums[0] = [self._contents.information[one].sum() for one in flags]
        items = plain(np.ascontiguousarray(self._items[rows]))
        before = plain(self._before[rows].astype(np.int64))
        for at, vectors in enumerate(self._contents.vectors.values()):
            lengths = np.diff(vectors.starts)
            is_rest = np.array([2 * lengths[one].sum() > vectors.starts[-1] for one in flags])
            groups = [np.flatnonzero(one ^ rest) for one, rest in zip(flags, is_rest, strict=True)]
            starts = np.cumsum([0, *map(len, groups)])
            group = np.concatenate(groups).astype(np.int32)
            sum_pairs_of_groups(
                items, before, plain(starts), plain(group), plain(is_rest), vectors.total,
                *vectors.cells, sums[1 + 2 * at : 3 + 2 * at],
            )  # fmt: skip
        return sums


def contents_of(
    contents: ItemContents,
    ranked: Ranked,
    ties: Ties,
    lengths: Sequence[int],
    names: Sequence[str],
    engine: Engine,
) -> dict[str, Values]:
    """Return the metrics of lists as columns, such as ``"novelty@10"``.

    Parameters
    ----------
    contents : ItemContents
    ranked : Ranked, (n_lists, at least the longest length)
    ties : Ties
        Of these lists, with the sums of `GroupContents`.
    lengths : sequence of int
        Ascending.
    names : sequence of str
        Those of `CONTENTS` are measured.
    engine : Engine
    """
    columns = {}
    places = _Places(ranked, ties, lengths[-1])
    for length in lengths:
        listed = np.minimum(places.listed, length)
        for name in names:
            if name == "novelty":
                found = places.mean(contents.information, length)
            elif name in contents.vectors:
                at = 1 + 2 * list(contents.vectors).index(name)
                sums = places.pairs(contents.vectors[name], at, length, engine)
                pairs = listed * (listed - 1) / 2
                cosines = np.divide(sums, pairs, out=np.ones(len(sums)), where=pairs > 0)
                found = np.clip(1 - cosines, 0.0, 1.0)  # by rounding, it might be outside
            else:
                continue
            columns[f"{name}@{length}"] = found
    return columns


class _Places:
    """Lists with their groups of equal scores.

    Parameters
    ----------
    ranked, ties, longest
        As of `contents_of`.
    """

    def __init__(self, ranked: Ranked, ties: Ties, longest: int) -> None:
        self.items = np.ascontiguousarray(ranked.indices[:, :longest])
        self._ties = ties
        self._firsts, self._sizes = groups_of(ranked.scores[:, :longest])
        self._is_hidden = (ties.sizes > 0)[:, None] & (self._firsts == ties.before[:, None])
        self.listed = np.count_nonzero(self.items >= 0, axis=1)

    def mean(self, values: Values, length: int) -> Values:
        """Return the expected mean of the items' values in the first `length` places; or else 0."""
        share = np.clip((length - self._firsts) / self._sizes, 0.0, 1.0)
        counts = (self.items >= 0) & ~self._is_hidden
        total = np.where(counts, share * values[self.items], 0.0).sum(axis=1)
        if self._ties.sums is not None:
            total += self._ties.share(length) * self._ties.sums[0]
        listed = np.minimum(self.listed, length)
        means: Values = np.divide(total, listed, out=np.zeros(len(total)), where=listed > 0)
        return means

    def pairs(self, vectors: _Vectors, at: int, length: int, engine: Engine) -> Values:
        """Return the expected sum of the cosines of all pairs in the first `length` places.

        `at` is where the sums of groups beyond the lists begin.
        """
        ties, n_lists = self._ties, len(self.items)
        first, size = self._firsts[:, length - 1], self._sizes[:, length - 1]
        is_full, is_hidden = self.listed >= length, self._is_hidden[:, length - 1]
        is_cut = is_full & ~is_hidden & (first + size > length)
        whole = np.where(is_full, length, self.listed)
        whole = np.where(is_cut | (is_full & is_hidden), first, whole)
        cut = np.where(is_cut, size, 0)
        single, double = _chances(np.where(is_cut, length - first, 0), cut)
        sums = np.empty(n_lists)
        bounds = np.linspace(0, n_lists, _PARTS + 1).astype(int)
        items = plain(self.items)
        whole, cut, single, double = map(plain, (whole, cut, single, double))

        def work(part: int) -> None:
            own = slice(bounds[part], bounds[part + 1])
            sum_pairs(
                items[own], whole[own], cut[own], single[own], double[own],
                *vectors.cells, len(vectors.total), sums[own],
            )  # fmt: skip

        engine.each(work, range(_PARTS))
        if ties.sums is not None:
            single, double = _chances(np.maximum(length - ties.before, 0), ties.sizes)
            sums += single * ties.sums[at] + double * ties.sums[at + 1]
        return sums


def _chances(slots: Indices, sizes: Indices) -> tuple[Values, Values]:
    """Return the probability that one item of a group has one of the slots, and that two have."""
    slots = np.minimum(slots, sizes)
    single = np.divide(slots, sizes, out=np.zeros(len(slots)), where=sizes > 0)
    others = np.divide(
        slots - 1, sizes - 1, out=np.zeros(len(slots)), where=(sizes > 1) & (slots > 0)
    )
    return single, single * others
