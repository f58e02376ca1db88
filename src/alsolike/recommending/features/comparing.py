"""Compares items by their features, and by features and likes together. No Numba."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from alsolike.data.features.features import Features
from alsolike.data.interactions import masked
from alsolike.errors import SettingError
from alsolike.models.base import Floats
from alsolike.models.protocols import HasFactors, ItemScorer
from alsolike.recommending.features.aspects import By, aspects_of
from alsolike.recommending.features.names import item_features_of
from alsolike.recommending.ranking.narrowing import best_of, hidden
from alsolike.recommending.ranking.nearest import expect_item_scorer
from alsolike.recommending.ranking.prepared import prepared
from alsolike.recommending.ranking.score_blocks import ITEMS_PER_BLOCK, blocks_of, whole_rows
from alsolike.recommending.rules.limits import Limits
from alsolike.recommending.shared import (
    MIN_COUNT,
    Doubles,
    Indices,
    Mask,
    checked_k,
    likes_of_items,
    row_lengths,
)

WEIGHT = 0.5  # of features, where items are compared by likes and features

_LIKES_AND_FEATURES = "compare items by likes and features"


def check_weight(weight: object) -> float:
    """Return the weight of features, from 0 to 1; raise SettingError for anything else."""
    is_number = isinstance(weight, (int, float, np.number)) and not isinstance(weight, bool)
    if not is_number or not 0 <= float(weight) <= 1:  # type: ignore[arg-type]
        raise SettingError(f"The weight of features is a number from 0 to 1, not {weight!r}.")
    return float(weight)  # type: ignore[arg-type]


def unit_rows_of(features: Features) -> sp.csr_array:
    """Return rows of features of length 1, float64, for cosines; empty rows stay empty.

    Words weigh by their inverse document frequency, ``log((1 + n) / (1 + n_having))``, and all
    words of a row have length 1 together. So has a vector. Numbers and dates stay as they are,
    standardized. Parts of words are left out where there is anything else: they would take most of
    the memory, and the words say nearly the same.

    Examples
    --------
    >>> tags = Features.of_words("tag", [["rock", "folk"], ["rock"], []])
    >>> unit_rows_of(tags).toarray().round(3).tolist()
    [[0.924, 0.383], [0.0, 1.0], [0.0, 0.0]]
    """
    matrix, lengths = _weighed(features, _without_parts(features))
    return _divided(matrix, lengths)


def _weighed(features: Features, matrix: sp.csr_array) -> tuple[sp.csr_array, Doubles]:
    """Return rows whose words have length 1 together, as have vectors, and the rows' lengths."""
    kinds = np.array([block.kind for block in features.blocks] or ["set"])
    of_columns = np.repeat(np.arange(len(kinds)), np.diff(features.starts))
    kind_of_cells = kinds[of_columns[matrix.indices]] if matrix.nnz else kinds[:0]
    are_words = np.isin(kind_of_cells, ("set", "text"))
    having = np.bincount(matrix.indices, minlength=features.n_features)
    rare = np.log((1.0 + features.n_rows) / (1.0 + having))
    values = matrix.data.copy()
    values[are_words] *= rare[matrix.indices[are_words]]
    rows = np.repeat(np.arange(features.n_rows), np.diff(matrix.indptr))
    for part in (are_words, kind_of_cells == "vector"):
        lengths = np.sqrt(np.bincount(rows[part], values[part] ** 2, features.n_rows))
        values[part] /= np.where(lengths > 0, lengths, 1.0)[rows[part]]
    found: Doubles = np.sqrt(np.bincount(rows, values**2, features.n_rows))
    return sp.csr_array((values, matrix.indices, matrix.indptr), shape=matrix.shape), found


def _divided(matrix: sp.csr_array, lengths: Doubles) -> sp.csr_array:
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    values = matrix.data / np.where(lengths > 0, lengths, 1.0)[rows]
    return sp.csr_array((values, matrix.indices, matrix.indptr), shape=matrix.shape)


def _without_parts(features: Features, blocks: Sequence[int] | None = None) -> sp.csr_array:
    """Return the matrix in float64 of some blocks, without parts of words if there are others."""
    chosen = range(len(features.blocks)) if blocks is None else blocks
    kept = [at for at in chosen if features.blocks[at].encoding.get("parts") != "grams"]
    kept = kept or list(chosen)
    matrix = sp.csr_array(features.matrix, dtype=np.float64)
    if len(kept) == len(features.blocks):
        return matrix
    are_kept = np.isin(np.arange(len(features.blocks)), kept)
    of_columns = np.repeat(are_kept, np.diff(features.starts))
    return masked(matrix, of_columns[matrix.indices])


@dataclass(frozen=True, eq=False)
class UnitRows:
    """Rows of length 1 of all items, of which vectors are held apart.

    Parameters
    ----------
    rows, columns : sparse, float64, (n_items, n_features) and (n_features, n_items)
        All but vectors, by rows and by columns.
    vectors : float32, (n_items, n_components)
        Those of all blocks of vectors, one after another: a vector fills its row, and would take
        four times the memory among the others.
    """

    rows: sp.csr_array
    columns: sp.csr_array
    vectors: Floats

    @classmethod
    def of(cls, features: Features, blocks: Sequence[int] | None = None) -> "UnitRows":
        """Calculate them of the features of items, or of some blocks of these."""
        chosen = list(range(len(features.blocks)) if blocks is None else blocks)
        dense = [at for at in chosen if features.blocks[at].kind == "vector"]
        rest = [at for at in chosen if at not in dense]
        if rest or not chosen:
            matrix, lengths = _weighed(features, _without_parts(features, rest))
        else:
            matrix = sp.csr_array((features.n_rows, features.n_features), dtype=np.float64)
            lengths = np.zeros(features.n_rows)
        vectors = np.zeros((features.n_rows, 0), dtype=np.float32)
        if dense:
            parts = [features.matrix[:, features.columns_of(at)].toarray() for at in dense]
            vectors = np.ascontiguousarray(np.concatenate(parts, axis=1), dtype=np.float32)
            own = row_lengths(vectors).astype(np.float64)
            lengths = np.sqrt(lengths**2 + (own > 0))
            vectors /= np.where(own > 0, own * lengths, 1.0).astype(np.float32)[:, np.newaxis]
        rows = _divided(matrix, lengths)
        return cls(rows, sp.csr_array(rows.T), vectors)

    def cosines(self, row: int) -> Doubles:
        """Return the cosines of an item with all items, float64, (n_items,)."""
        found: Doubles = (self.rows[[row]] @ self.columns).toarray()[0]
        if self.vectors.shape[1]:
            # Not by BLAS, whose threads would decide the order of a sum.
            found += np.einsum("if,f->i", self.vectors, self.vectors[row])
        return found


def unit_rows_of_items(
    model: Any, features: Features, blocks: tuple[int, ...] | None = None
) -> UnitRows:
    """Return the rows of length 1 of a model's item features, or of some blocks, prepared once."""
    name = "unit rows of item features" + ("" if blocks is None else f" {blocks}")
    return prepared(model, name, lambda: UnitRows.of(features, blocks))


class FeatureComparison:
    """Finds items similar to one by its features, by some blocks, or by likes and features.

    By features: the cosine of the rows of `unit_rows_of`; items that share nothing are not listed,
    new items without likes are. With likes: the mean of the two scores after each was standardized
    over all other items; items of fewer than `MIN_COUNT` likes have the mean score by likes.

    Parameters
    ----------
    model : FittedModel
        One that knows features of its items; with likes, one that compares items, too.
    by : str
        As in `aspects_of`.
    weight : float
        Of features, from 0 to 1, with likes.

    Raises
    ------
    Unable
        The model knows no features, or compares no items.
    SettingError
        `weight` is out of its range, or there is no such block.

    Examples
    --------
    >>> from alsolike.testing import tiny_likes
    >>> from dataclasses import replace
    >>> from alsolike.models.fit import fit
    >>> likes = tiny_likes(4, 5)
    >>> tags = Features.of_words("tag", [["x"], ["y", "x"], ["y"], [], ["z"]])
    >>> model = fit(replace(likes, item_features=tags), family="item-knn")
    >>> FeatureComparison(model, "features").similar(1, 3)[0].tolist()
    [0, 2]
    """

    def __init__(self, model: Any, by: By, weight: float = WEIGHT) -> None:
        self._model, self._weight = model, check_weight(weight)
        purpose = f"compare items by {'their features' if by == 'features' else by}"
        if by == "both":
            purpose = "compare items by features"
        features = item_features_of(model, purpose)
        self.aspects = aspects_of(features, by)
        if self.aspects.likes:
            expect_item_scorer(model, _LIKES_AND_FEATURES)
        self._units = unit_rows_of_items(model, features, self.aspects.blocks)
        self._counts = likes_of_items(model)

    def similar(
        self,
        row: int,
        k: int,
        *,
        may_appear: Mask | None = None,
        limits: Limits | None = None,
    ) -> tuple[Indices, Floats]:
        """Return the items most similar to one, and their scores, best first.

        Parameters and result are those of `Neighbours.similar`.
        """
        return self.best(self.scores(row), row, k, may_appear=may_appear, limits=limits)

    def best(
        self,
        scores: Floats,
        row: int,
        k: int,
        *,
        may_appear: Mask | None = None,
        limits: Limits | None = None,
    ) -> tuple[Indices, Floats]:
        """Return the best of the `scores` of an item, as `similar` does."""
        checked_k(k)
        shown: Mask = np.isfinite(scores)
        if may_appear is not None:
            shown &= may_appear
        owner = f"item {self._model.items.id_of(row)!r}"

        def among_these(among: Mask, n: int) -> tuple[Indices, Floats]:
            return best_of(self._model, scores, among, n, owner)

        if limits is None:
            return among_these(shown, k)
        return limits.best(k, shown, among_these)

    def scores(self, row: int) -> Floats:
        """Return the score of all items beside one, float32, (n_items,); -inf: not to be listed."""
        cosines = self._units.cosines(row)
        if not self.aspects.likes:
            listed = cosines > 0
        else:
            by_likes, known = self._scores_by_likes(row)
            listed = (cosines > 0) | known
            others = np.arange(len(cosines)) != row
            cosines = self._weight * standardized(cosines, others) + (1 - self._weight) * (
                standardized(by_likes, known)
            )
        listed[row] = False
        return hidden(cosines.astype(np.float32), listed)

    def _scores_by_likes(self, row: int) -> tuple[Doubles, Mask]:
        """Return the model's own scores, and which items have one that counts."""
        scores = _own_scores(self._model, row)
        known: Mask = np.isfinite(scores) & (self._counts >= MIN_COUNT)
        known[row] = False
        return np.where(known, scores, 0.0), known


def _own_scores(model: Any, row: int) -> Doubles:
    """Return a model's scores of all items as similar to one, float64, (n_items,)."""
    if isinstance(model, ItemScorer):
        rows, blocks = np.array([row], dtype=np.int32), blocks_of(len(model.items), ITEMS_PER_BLOCK)
        ask = functools.partial(model.item_scores, rows)
        scores: Doubles = whole_rows(model.name, ask, 1, blocks)[0].astype(np.float64)
        return scores
    factored: HasFactors = expect_item_scorer(model, _LIKES_AND_FEATURES)
    factors = factored.item_factors.astype(np.float64)
    lengths = row_lengths(factored.item_factors)
    products: Doubles = np.einsum("if,f->i", factors, factors[row])
    cosines = products / np.maximum(lengths * lengths[row], np.finfo(np.float64).tiny)
    found: Doubles = np.where(lengths > 0, cosines, -np.inf)
    return found


def standardized(scores: Doubles, among: Mask) -> Doubles:
    """Return scores minus their mean over their deviation among some items; 0 for all others.

    Examples
    --------
    >>> standardized(np.array([1.0, 3.0, 9.0]), np.array([True, True, False])).tolist()
    [-1.0, 1.0, 0.0]
    """
    if not among.any():
        return np.zeros_like(scores)
    mean, deviation = scores[among].mean(), scores[among].std()
    if not deviation > 0:
        return np.zeros_like(scores)
    found: npt.NDArray[np.float64] = np.where(among, (scores - mean) / deviation, 0.0)
    return found
