"""Finds the items most similar to a set of items, such as a basket, in plain NumPy. No Numba."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from alsolike.data.vocabulary import Id
from alsolike.errors import SettingError
from alsolike.models.base import FittedModel
from alsolike.models.protocols import HasAffinities, able
from alsolike.models.similarity.config import Affinity
from alsolike.recommending.affinities import affinity_terms_of, similarity_with
from alsolike.recommending.ranking.nearest import Neighbours, expect_item_scorer
from alsolike.recommending.rules.rules import Rules, allowed_neighbours
from alsolike.recommending.shared import MIN_COUNT, Indices, checked_k, known_items, lists_table
from alsolike.tables import Table
from alsolike.usage_hints import with_example


@with_example('al.similar_to_set(model, ["i1", "i2"], k=10)')
def similar_to_set(
    model: FittedModel,
    items: Sequence[Id] | Indices,
    *,
    k: int = 10,
    affinity: Affinity | None = None,
    popularity_bias: float | None = None,
    prior_strength: float | None = None,
    min_count: int = MIN_COUNT,
    rules: Rules | None = None,
) -> Table:
    """Find the items most similar to a set of items, such as a basket.

    As for one item: those who like some of the set count, weighed by how many of it they like. The
    set itself is not listed. A set of one item has the list of `alsolike.similar`.

    Parameters
    ----------
    model : FittedModel
        For several items, one with a dial: with factors, or item-knn.
    items : sequence of str or int (ids or names), or int32, (n,) (rows)
        Distinct items, at least one.
    k, affinity, popularity_bias, prior_strength, min_count, rules
        As in `alsolike.similar`.

    Returns
    -------
    Table
        Columns ``rank`` (from 1), ``similar_item``, ``name`` if names are known, ``score``.

    Raises
    ------
    UnknownId
        An item is neither an id nor exactly one item's name.
    SettingError
        There is no item, one is given twice, or a setting is wrong, see `alsolike.similar`.
    Unable
        The model compares no items, or several, or a setting, are given and it has no dial.

    Examples
    --------
    >>> from alsolike.testing import tiny_likes
    >>> from alsolike.models.fit import fit
    >>> model = fit(tiny_likes(), factors=4)
    >>> near = similar_to_set(model, ["a0", "Item 6 ♪"], k=3)
    >>> near.column_names
    ('rank', 'similar_item', 'name', 'score')
    """
    length = checked_k(k)
    expect_item_scorer(model, "compare items")
    config = similarity_with(
        model, affinity=affinity, popularity_bias=popularity_bias, prior_strength=prior_strength
    )
    # In the order of the model: a set has none, and sums of floats do.
    rows = np.sort(known_items(model, [items] if isinstance(items, (str, int)) else items))
    if not len(rows):
        raise SettingError("The ids or names of at least one item expected, an empty set given.")
    if len(rows) > 1 and affinity_terms_of(model, config) is None:
        able(model, HasAffinities, "compare a set of items")
    neighbours, allowed = Neighbours(model, config), allowed_neighbours(model, rules)
    among: dict[str, Any] = {"may_appear": allowed.may_appear, "limits": allowed.limits}
    if len(rows) > 1:
        found, scores = neighbours.similar_to_set(rows, length, min_count=min_count, **among)
    else:
        found, scores = neighbours.similar(int(rows[0]), length, min_count=min_count, **among)
    return lists_table(model, None, "similar_item", found[None], scores[None])
