"""Compares items by their features, and by features and likes together. No Numba."""

import functools
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from alsolike.data.features.features import Features
from alsolike.data.interactions import masked
from alsolike.errors import SettingError
from alsolike.models.base import Floats
from alsolike.models.protocols import HasFactors, ItemScorer, compares_items
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
from alsolike.usage_hints import did_you_mean

By = Literal["likes", "features", "both"]
SCALES: dict[By, str] = {
    "features": "the cosine of the features of both items, rare ones weighing more",
    "both": "the mean of the scores by likes and by features, each in standard deviations",
}
WEIGHT = 0.5  # of features, where items are compared by both

_LIKES_AND_FEATURES = "compare items by likes and features"


def check_by(by: object) -> By:
    """Return what items are compared by; raise SettingError for anything else."""
    if by not in get_args(By):
        known = get_args(By)
        raise SettingError(
            f"by must be one of {', '.join(known)}, not {by!r}.{did_you_mean(by, known)}"
        )
    return by  # type: ignore[return-value]


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
    matrix = _without_parts(features)
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
    lengths = np.sqrt(np.bincount(rows, values**2, features.n_rows))
    values /= np.where(lengths > 0, lengths, 1.0)[rows]
    return sp.csr_array((values, matrix.indices, matrix.indptr), shape=matrix.shape)


def _without_parts(features: Features) -> sp.csr_array:
    """Return the matrix in float64, without the cells of parts of words if there are others."""
    matrix = sp.csr_array(features.matrix, dtype=np.float64)
    are_parts = [block.encoding.get("parts") == "grams" for block in features.blocks]
    if not any(are_parts) or all(are_parts):
        return matrix
    of_columns = np.repeat(np.array(are_parts), np.diff(features.starts))
    return masked(matrix, ~of_columns[matrix.indices])


@dataclass(frozen=True, eq=False)
class UnitRows:
    """Rows of length 1 of all items, and the same by columns."""

    rows: sp.csr_array
    columns: sp.csr_array

    @classmethod
    def of(cls, features: Features) -> "UnitRows":
        """Calculate them of the features of items."""
        rows = unit_rows_of(features)
        return cls(rows, sp.csr_array(rows.T))

    def cosines(self, rows: Indices) -> sp.csr_array:
        """Return the cosines of items with all items, float64, (n_rows, n_items)."""
        return self.rows[rows] @ self.columns


def unit_rows_of_items(model: Any, features: Features) -> UnitRows:
    """Return the rows of length 1 of a model's item features, prepared once."""
    return prepared(model, "unit rows of item features", lambda: UnitRows.of(features))


class FeatureComparison:
    """Finds items similar to one by its features, or by likes and features.

    By features: the cosine of the rows of `unit_rows_of`; items that share nothing are not listed,
    new items without likes are. By both: the mean of the two scores after each was standardized
    over all other items; items of fewer than `MIN_COUNT` likes have the mean score by likes.

    Parameters
    ----------
    model : FittedModel
        One that knows features of its items; for "both", one that compares items, too.
    by : {"features", "both"}
    weight : float
        Of features, from 0 to 1, for "both".

    Raises
    ------
    Unable
        The model knows no features, or compares no items.
    SettingError
        `weight` is out of its range.

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
        self._by_likes = by == "both"
        features = item_features_of(model, f"compare items by {'their ' * (by != 'both')}features")
        if self._by_likes:
            expect_item_scorer(model, _LIKES_AND_FEATURES)
        self._units = unit_rows_of_items(model, features)
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
        checked_k(k)
        scores = self.scores(row)
        shown: Mask = np.isfinite(scores)
        if may_appear is not None:
            shown &= may_appear
        owner = f"item {self._model.items.id_of(row)!r}"

        def best(among: Mask, n: int) -> tuple[Indices, Floats]:
            return best_of(self._model, scores, among, n, owner)

        return best(shown, k) if limits is None else limits.best(k, shown, best)

    def scores(self, row: int) -> Floats:
        """Return the score of all items beside one, float32, (n_items,); -inf: not to be listed."""
        cosines = self._units.cosines(np.array([row])).toarray()[0]
        if not self._by_likes:
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


def strips_of(model: Any) -> tuple[By, ...]:
    """Return by what a model can compare items.

    Examples
    --------
    >>> from alsolike.testing import tiny_model
    >>> strips_of(tiny_model())
    ('likes',)
    """
    features = getattr(model, "item_features", None)
    if features is None or not features.n_features:
        return ("likes",)
    return ("likes", "features", "both") if compares_items(model) else ("features",)
