"""Similar items and similar users for many rows at once, in blocks, by the compiled kernels."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from alsolike.data.vocabulary import Id, Vocabulary
from alsolike.engines.base import Engine
from alsolike.engines.local import LocalEngine
from alsolike.models.base import FittedModel, Floats, Rows
from alsolike.models.protocols import (
    HasAffinities,
    HasFactors,
    HoldsFactors,
    ItemScorer,
    able,
    factor_model_of,
    user_directions,
)
from alsolike.models.similarity.config import SimilarityConfig, check_bias
from alsolike.models.similarity.terms import AffinityTerms
from alsolike.progress import SILENT, Observer
from alsolike.recommending.affinities import affinity_terms_of
from alsolike.recommending.ranking.affinity import AffinitySource, check_finite, rank_at_marks
from alsolike.recommending.ranking.nearest import Neighbours, expect_cosines, expect_item_scorer
from alsolike.recommending.ranking.scan import (
    NotFiniteError,
    Plain,
    Products,
    Ranked,
    Scan,
    ScoreSource,
)
from alsolike.recommending.ranking.score_blocks import not_finite
from alsolike.recommending.rules.rules import Allowed
from alsolike.recommending.shared import (
    MIN_COUNT,
    Counts,
    Indices,
    Mask,
    checked_indices,
    checked_k,
    directed_rows,
    likes_of_items,
    lists_table,
    row_lengths,
    unit_rows,
    user_rows,
)
from alsolike.tables import Table
from alsolike.usage_hints import with_example


def similar_indices(
    model: HasFactors | ItemScorer,
    item_indices: npt.ArrayLike,
    *,
    k: int,
    include_self: bool = False,
    similarity: SimilarityConfig | None = None,
    min_count: int = MIN_COUNT,
    counts: Counts | None = None,
    allowed: Allowed | None = None,
    engine: Engine | None = None,
    observer: Observer = SILENT,
) -> Ranked:
    """Rank the items most similar to items given by their rows.

    Models with a dial compare items by an affinity, and list no score that is not above 0; others
    with factors by their cosine. All others use their own ``item_scores``, where -inf is not
    listed.

    Parameters
    ----------
    model : HasAffinities, HasFactors or ItemScorer
    item_indices : int, (n_rows,)
        Rows of items; they may repeat.
    k : int
        Length of each list, at least 1.
    include_self : bool
        Put the item itself first, with cosine 1; only for the cosine.
    similarity : SimilarityConfig or None
        The affinity and the dial; None: the model's own.
    min_count : int
        Least likes of a neighbour, see `alsolike.similar`.
    counts : int64, (n_items,), or None
        Likes of each item; None: the model's own counts.
    allowed : Allowed or None
        Rules; not together with `include_self`. None: every item may be listed.
    engine, observer
        As in `alsolike.recommending.batch.top_items`.

    Returns
    -------
    Ranked
        With the scores of the affinity, or of the model.

    Raises
    ------
    SettingError
        The model compares no items, has no dial or not that affinity; or `include_self` for
        another affinity than the cosine.
    FitError
        A score is NaN or infinite.
    """
    length = checked_k(k)
    rows = checked_indices(item_indices, len(model.items), kind="item")
    engine = engine or LocalEngine()
    shown = (likes_of_items(model) if counts is None else counts) >= min_count
    how: dict[str, Any] = {"similarity": similarity, "engine": engine, "observer": observer}
    if allowed is not None:
        shown &= allowed.may_appear
    if allowed is None or allowed.limits is None:
        return _ranked(model, rows, shown, length, include_self=include_self, **how)
    neighbours = Neighbours(model, similarity)

    def many(part: Indices, n: int) -> tuple[Indices, Floats]:
        found = _ranked(model, rows[part], shown, n, include_self=False, **how)
        return found.indices, found.scores

    def one(place: int, among: Mask, n: int) -> tuple[Indices, Floats]:
        return neighbours.similar(int(rows[place]), n, min_count=0, may_appear=among)

    return Ranked(*allowed.limits.best_of_many(len(rows), length, shown, many, one))


def _ranked(
    model: HasFactors | ItemScorer,
    rows: Indices,
    shown: Mask,
    length: int,
    *,
    include_self: bool,
    similarity: SimilarityConfig | None,
    engine: Engine,
    observer: Observer,
) -> Ranked:
    """Rank the items that are shown, without limits, as `similar_indices`."""
    task = "Comparing items"
    terms = affinity_terms_of(model, similarity)
    if terms is not None:
        if include_self:
            expect_cosines(model, similarity)
        check_finite(terms, model.items)
        found = _others(AffinitySource(rows, terms), rows, shown, length).run(
            engine, observer, task
        )
        return _with_self(found, rows, terms) if include_self else found
    scorer: ItemScorer = expect_item_scorer(model, "compare items")
    if include_self:
        expect_cosines(model, similarity)
    try:
        return _others(Plain(rows, ItemsAsUsers(scorer)), rows, shown, length).run(
            engine, observer, task
        )
    except NotFiniteError as bad:
        item = scorer.items.id_of(int(rows[bad.query]))
        raise not_finite(scorer, bad.item, f"item {item!r}", bad.score) from None


def similar_at_marks(
    model: HasAffinities,
    item_indices: npt.ArrayLike,
    *,
    k: int,
    marks: Sequence[float],
    similarity: SimilarityConfig | None = None,
    min_count: int = MIN_COUNT,
    counts: Counts | None = None,
    engine: Engine | None = None,
    observer: Observer = SILENT,
) -> list[Ranked]:
    """Rank similar items as `similar_indices` at several marks of the dial, in one pass.

    Parameters
    ----------
    model : HasAffinities
    item_indices, k, similarity, min_count, counts, engine, observer
        As in `similar_indices`.
    marks : sequence of float
        Popularity biases, each from 0 to 1.

    Returns
    -------
    list of Ranked
        One for each mark.
    """
    able(model, HasAffinities, "choose between specific and popular items")
    rows = checked_indices(item_indices, len(model.items), kind="item")
    shown = (likes_of_items(model) if counts is None else counts) >= min_count
    terms = model.affinity_terms(similarity)
    check_finite(terms, model.items)
    biases = [check_bias(mark) for mark in marks]
    return rank_at_marks(
        terms, rows, shown, checked_k(k), biases, engine or LocalEngine(), observer
    )


@with_example('al.similar_users(model, ["u1"], k=10)')
def similar_users(
    model: HasFactors | HoldsFactors,
    users: Id | Sequence[Id] | None = None,
    *,
    k: int = 10,
    engine: Engine | None = None,
    observer: Observer = SILENT,
) -> Table:
    """Find the users most similar to users, by the cosine of their factors.

    Parameters
    ----------
    model : HasFactors or HoldsFactors
    users : str, int, sequence of them, or None
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
    own = factor_model_of(model, "compare users")
    known, factors = own.users, user_directions(own)
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


def _with_self(found: Ranked, rows: Indices, terms: AffinityTerms) -> Ranked:
    """Put each item first in its own list, with cosine 1, unless it has no direction."""
    ranked = Ranked.empty(len(rows), found.indices.shape[1])
    usable = np.flatnonzero(terms.queries(rows).any(axis=1))
    ranked.indices[usable, 0], ranked.scores[usable, 0] = rows[usable], 1.0
    ranked.indices[usable, 1:] = found.indices[usable, :-1]
    ranked.scores[usable, 1:] = found.scores[usable, :-1]
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


def nothing_similar(model: FittedModel) -> Table:
    """Return an empty table of `similar`, for a model that compares no items."""
    lists = np.empty((0, 1), dtype=np.int32)
    scores, items = lists.astype(np.float32), ("item", model.items.ids_of([]))
    return lists_table(model, items, "similar_item", lists, scores)
