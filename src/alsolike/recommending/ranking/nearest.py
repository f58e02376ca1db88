"""The items most similar to one item, or to a few, in plain NumPy. No Numba."""

import functools
from typing import Any, Protocol

import numpy as np

from alsolike.errors import SettingError, Unable
from alsolike.models.base import FittedModel, Floats
from alsolike.models.protocols import HasAffinities, HasFactors, ItemScorer, able
from alsolike.models.similarity.config import SimilarityConfig
from alsolike.recommending.affinities import affinity_terms_of
from alsolike.recommending.ranking.affinity_single import SingleAffinities
from alsolike.recommending.ranking.narrowing import best_of
from alsolike.recommending.ranking.prepared import prepared
from alsolike.recommending.ranking.score_blocks import ITEMS_PER_BLOCK, blocks_of, whole_rows
from alsolike.recommending.ranking.stages import stages_of
from alsolike.recommending.rules.limits import Limits
from alsolike.recommending.shared import MIN_COUNT, Indices, Mask, likes_of_items

_AT_ONCE = 1 << 19  # products of a few items with all, within the caches of a core


def expect_item_scorer(model: Any, purpose: str) -> Any:
    """Return `model` if it compares items by cosine or ``item_scores``; else raise SettingError."""
    return model if isinstance(model, HasFactors) else able(model, ItemScorer, purpose)


def expect_cosines(model: Any, similarity: SimilarityConfig | None = None) -> HasFactors:
    """Return `model`; raise SettingError unless it compares items by the cosine."""
    is_cosine = True
    if isinstance(model, HasAffinities):
        config = similarity or model.similarity_config
        affinity = config.affinity or model.affinities[0]
        is_cosine = affinity == "cosine" and config.popularity_bias == 0
    if is_cosine and isinstance(model, HasFactors):
        return model
    raise SettingError(
        "include_self needs the cosine, with popularity_bias 0: the score of an item with itself "
        f"has no meaning otherwise. {model.name!r} compares by something else. Leave out "
        "include_self."
    )


class Neighbours:
    """Finds the similar items of one model; prepares once what does not depend on the item.

    Parameters
    ----------
    model : HasAffinities, HasFactors or ItemScorer
        Compared by an affinity, the cosine of factors, or else by ``item_scores``.
    similarity : SimilarityConfig or None
        The affinity and the dial; None: the model's own.

    Raises
    ------
    SettingError
        The model compares no items, has no dial, or not that affinity.
    FitError
        An item's factors are not finite.

    Examples
    --------
    >>> from alsolike.testing import tiny_model
    >>> rows, cosines = Neighbours(tiny_model()).similar(0, 2)
    >>> len(rows), bool(cosines[0] >= cosines[1])
    (2, True)
    """

    def __init__(
        self,
        model: FittedModel | HasFactors | ItemScorer,
        similarity: SimilarityConfig | None = None,
    ) -> None:
        found = prepared(model, similarity, lambda: _by_affinity(model, similarity))
        self._comparison: _Comparison = found or _Scores(expect_item_scorer(model, "compare items"))

    def similar_to_set(
        self,
        rows: Indices,
        k: int,
        *,
        min_count: int = MIN_COUNT,
        may_appear: Mask | None = None,
        limits: Limits | None = None,
    ) -> tuple[Indices, Floats]:
        """Return the items most similar to a set of distinct items, as `similar` does for one.

        The users who like some of the set count by how many of it they like: counts, sizes and
        predictions are sums over the items of the set.

        Raises
        ------
        Unable
            The model has no affinities.
        """
        comparison = self._comparison
        if not isinstance(comparison, SingleAffinities):
            raise Unable("A model with affinities is needed to compare a set of items.")
        if limits is None:
            return comparison.similar_to_set(rows, k, min_count, may_appear)
        return limits.best(
            k,
            self._shown(may_appear),
            lambda shown, n: comparison.similar_to_set(rows, n, min_count, shown),
        )

    def similar(
        self,
        row: int,
        k: int,
        *,
        min_count: int = MIN_COUNT,
        may_appear: Mask | None = None,
        limits: Limits | None = None,
    ) -> tuple[Indices, Floats]:
        """Return the items most similar to one, and their scores, best first.

        Parameters
        ----------
        row : int
            The item, which is left out.
        k : int
            Most items, at least 1.
        min_count : int
            Least likes of a similar item.
        may_appear : bool, (n_items,), or None
            Items that may be returned; None: all.
        limits : Limits or None
            How many items of a kind may be returned.

        Returns
        -------
        int32 and float32, (n,)
            With cosines for models with factors, else with ``item_scores``. May be empty.

        Raises
        ------
        FitError
            A score is NaN or +inf.
        """
        comparison = self._comparison
        if limits is None:
            return comparison.similar(row, k, min_count, may_appear)
        return limits.best(
            k,
            self._shown(may_appear),
            lambda shown, n: comparison.similar(row, n, min_count, shown),
        )

    def _shown(self, may_appear: Mask | None) -> Mask:
        everything = np.ones(self._comparison.n_items, dtype=bool)
        return everything if may_appear is None else may_appear

    def similar_to_many(
        self, rows: Indices, k: int, *, block: int = _AT_ONCE
    ) -> tuple[Indices, Floats]:
        """Return the results of `similar` for several items.

        Parameters
        ----------
        rows : int32, (n,)
        k : int
            Most items for each, at least 1.
        block : int
            Scores held at once.

        Returns
        -------
        int32 and float32, (n, k)
            Best first; -1 and NaN where there are fewer.
        """
        items = np.full((len(rows), k), -1, dtype=np.int32)
        scores = np.full((len(rows), k), np.nan, dtype=np.float32)
        step = max(1, block // max(1, self._comparison.n_items))
        for start in range(0, len(rows), step):
            part = slice(start, start + step)
            self._comparison.fill(rows[part], items[part], scores[part])
        return items, scores


def _by_affinity(model: Any, similarity: SimilarityConfig | None) -> SingleAffinities | None:
    terms = affinity_terms_of(model, similarity)
    if terms is None:
        return None
    stages = functools.partial(stages_of, model)
    return SingleAffinities(model.items, likes_of_items(model), terms, stages)


class _Comparison(Protocol):
    """How to compare the items of a model."""

    n_items: int

    def similar(
        self, row: int, k: int, min_count: int, may_appear: Mask | None
    ) -> tuple[Indices, Floats]: ...

    def fill(self, rows: Indices, items: Indices, scores: Floats) -> None: ...


class _Scores:
    """Compares by a model's own scores; -inf is not listed."""

    def __init__(self, model: ItemScorer) -> None:
        self._model, self._counts = model, likes_of_items(model)
        self.n_items = len(model.items)

    def similar(
        self, row: int, k: int, min_count: int, may_appear: Mask | None
    ) -> tuple[Indices, Floats]:
        (scores,) = self._scores(np.array([row], dtype=np.int32))
        return self._best(row, scores, k, min_count, may_appear)

    def fill(self, rows: Indices, items: Indices, scores: Floats) -> None:
        """Fill in the neighbours of a few items."""
        for place, near in enumerate(self._scores(rows)):
            found, of_found = self._best(int(rows[place]), near, items.shape[1], MIN_COUNT, None)
            items[place, : len(found)], scores[place, : len(found)] = found, of_found

    def _scores(self, rows: Indices) -> Floats:
        name, ask = self._model.name, self._model.item_scores
        return whole_rows(
            name,
            lambda items: ask(rows, items),
            len(rows),
            blocks_of(self.n_items, ITEMS_PER_BLOCK),
        )

    def _best(
        self, row: int, scores: Floats, k: int, min_count: int, may_appear: Mask | None
    ) -> tuple[Indices, Floats]:
        shown: Mask = self._counts >= min_count
        if may_appear is not None:
            shown &= may_appear
        shown[row] = False
        return best_of(self._model, scores, shown, k, f"item {self._model.items.id_of(row)!r}")
