"""Similar items and similar users for many rows at once, in blocks, by the compiled kernels."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from alsolike.data.vocabulary import Vocabulary
from alsolike.engines.base import Engine
from alsolike.engines.local import LocalEngine
from alsolike.models.base import Floats, HasFactors, ItemScorer, Rows, able
from alsolike.progress import SILENT, Observer
from alsolike.recommending.ranking.nearest import expect_cosines, expect_item_scorer
from alsolike.recommending.ranking.scan import (
    NotFiniteError,
    Plain,
    Products,
    Ranked,
    Scan,
    ScoreSource,
)
from alsolike.recommending.ranking.score_blocks import not_finite
from alsolike.recommending.shared import (
    MIN_COUNT,
    Counts,
    Indices,
    Mask,
    checked_indices,
    checked_k,
    directed_rows,
    likes_of_items,
    row_lengths,
    unit_rows,
    user_rows,
    with_direction,
)
from alsolike.tables import Table
from alsolike.usage_hints import with_example


def similar_indices(
    model: HasFactors | ItemScorer,
    item_indices: npt.ArrayLike,
    *,
    k: int,
    include_self: bool = False,
    min_count: int = MIN_COUNT,
    counts: Counts | None = None,
    engine: Engine | None = None,
    observer: Observer = SILENT,
) -> Ranked:
    """Rank the items most similar to items given by their rows.

    Models with factors compare items by their cosine; an item whose factors are all zero has no
    neighbours and is nobody's. All others use their own ``item_scores``, where -inf is not listed.

    Parameters
    ----------
    model : HasFactors or ItemScorer
    item_indices : int, (n_rows,)
        Rows of items; they may repeat.
    k : int
        Length of each list, at least 1.
    include_self : bool
        Put the item itself first, with cosine 1.
    min_count : int
        Least likes of a neighbour, see `alsolike.similar`.
    counts : int64, (n_items,), or None
        Likes of each item; None: the model's own counts.
    engine, observer
        As in `alsolike.recommending.batch.top_items`.

    Returns
    -------
    Ranked
        Scores are cosines in [-1, 1], or those of the model.

    Raises
    ------
    SettingError
        The model compares no items, or `include_self` for one without factors.
    FitError
        A score is NaN or infinite.
    """
    length = checked_k(k)
    rows = checked_indices(item_indices, len(model.items), kind="item")
    engine, task = engine or LocalEngine(), "Comparing items"
    shown = (likes_of_items(model) if counts is None else counts) >= min_count
    if isinstance(model, HasFactors):
        candidates = with_direction(model)
        usable = np.flatnonzero(candidates[rows])
        source = cosines_of(model, rows[usable], candidates)
        found = _others(source, rows[usable], candidates & shown, length).run(
            engine, observer, task
        )
        return _put_back(found, rows, usable, include_self=include_self)
    scorer: ItemScorer = expect_item_scorer(model, "compare items")
    if include_self:
        expect_cosines(model)
    try:
        return _others(Plain(rows, ItemsAsUsers(scorer)), rows, shown, length).run(
            engine, observer, task
        )
    except NotFiniteError as bad:
        item = scorer.items.id_of(int(rows[bad.query]))
        raise not_finite(scorer, bad.item, f"item {item!r}", bad.score) from None


def cosines_of(model: HasFactors, rows: Indices, candidates: Mask) -> Products:
    """Return the source of the cosines of items `rows` with `candidates`."""
    units = unit_rows(model.item_factors, model.item_norms)
    return Products(rows, units, units, candidates.astype(np.float32), ceiling=1.0)


@with_example('al.similar_users(model, ["u1"], k=10)')
def similar_users(
    model: HasFactors,
    users: str | Sequence[str] | None = None,
    *,
    k: int = 10,
    engine: Engine | None = None,
    observer: Observer = SILENT,
) -> Table:
    """Find the users most similar to users, by the cosine of their factors.

    Parameters
    ----------
    model : HasFactors
    users : str, sequence of str, or None
        Ids of users; None: all of them.
    k : int
        Similar users of each, or all if they are fewer. A user whose factors are all zero, as
        without likes, has none and is nobody's.
    engine, observer
        As in `alsolike.recommending.batch.top_items`.

    Returns
    -------
    Table
        Columns ``user``, ``rank`` (from 1), ``similar_user``, ``score`` in [-1, 1].

    Raises
    ------
    UnknownId
        A user is not in the model.
    SettingError
        The model has no factors, or `k` is below 1.
    FitError
        A user's factors are not finite.

    Examples
    --------
    >>> from alsolike.testing import tiny_model
    >>> similar_users(tiny_model(), "user 0", k=1)["similar_user"].tolist()
    ['user 3']
    """
    able(model, HasFactors, "compare users")
    known, factors = model.users, model.user_factors
    rows = user_rows(users, known)
    length = min(checked_k(k), max(len(known), 1))
    norms: Floats = row_lengths(factors).astype(np.float32)
    directed = directed_rows(norms, known)
    usable = np.flatnonzero(directed[rows])
    units = unit_rows(factors, norms)
    source = Products(rows[usable], units, units, directed.astype(np.float32), ceiling=1.0)
    found = _others(source, rows[usable], directed, length).run(
        engine or LocalEngine(), observer, "Comparing users"
    )
    owners, places = np.nonzero(found.indices >= 0)
    return Table(
        {
            "user": known.ids_of(rows[usable][owners]),
            "rank": (places + 1).astype(np.int32),
            "similar_user": known.ids_of(found.indices[owners, places]),
            "score": found.scores[owners, places],
        }
    )


def _others(source: ScoreSource, rows: Indices, may_appear: Mask, k: int) -> Scan:
    """Return the ranking for each row of all that may appear except the row itself."""
    itself = np.arange(len(rows) + 1, dtype=np.int64)
    return Scan(source, may_appear, rows, itself[:-1], itself[1:], k)


def _put_back(
    found: Ranked, rows: Indices, usable: npt.NDArray[np.intp], *, include_self: bool
) -> Ranked:
    """Place the lists of rows `usable` among empty ones for the others."""
    ranked = Ranked.empty(len(rows), found.indices.shape[1])
    if include_self:
        ranked.indices[usable, 0], ranked.scores[usable, 0] = rows[usable], 1.0
        ranked.indices[usable, 1:] = found.indices[:, :-1]
        ranked.scores[usable, 1:] = found.scores[:, :-1]
    else:
        ranked.indices[usable], ranked.scores[usable] = found.indices, found.scores
    return ranked


class OfModel:
    """Base of wrappers of a model, with its items and its name."""

    model: Any

    @property
    def items(self) -> Vocabulary:
        """The items of the model."""
        items: Vocabulary = self.model.items
        return items

    @property
    def name(self) -> str:
        """The name of the model."""
        return str(self.model.name)


@dataclass(frozen=True, eq=False)
class ItemsAsUsers(OfModel):
    """Adapter: ranks similar items as if items were users."""

    model: ItemScorer

    @property
    def users(self) -> Vocabulary:
        """The items."""
        return self.model.items

    def scores(self, user_indices: Rows, item_indices: slice) -> Floats:
        """Return the scores of items with items."""
        return self.model.item_scores(user_indices, item_indices)
