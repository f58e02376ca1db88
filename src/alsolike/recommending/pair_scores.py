"""Scores of pairs of users and items, equal to those in lists. No Numba."""

from collections.abc import Callable, Sequence

import numpy as np

from alsolike.data.vocabulary import Id, Vocabulary
from alsolike.errors import SettingError, UnknownId
from alsolike.models.base import FittedModel, Floats
from alsolike.models.protocols import HasFactors, Recommender, expect_model
from alsolike.recommending.ranking.narrowing import dots
from alsolike.recommending.ranking.score_blocks import (
    block_of,
    blocks_of,
    blocks_of_items,
    not_finite,
    parts_of_rows,
)
from alsolike.recommending.shared import Indices, checked_ids, lifts_of, row_lengths
from alsolike.tables import Table
from alsolike.usage_hints import with_example

_PAIRS = 1 << 14  # products at a time
_USERS = 240  # at a time, as `alsolike.recommending.ranking.scan` ranks them


@with_example('al.scores(model, ["u1", "u2"], ["i1", "i1"])')
def scores(model: FittedModel, users: Sequence[Id], items: Sequence[Id]) -> Table:
    """Score pairs of users and items, as `alsolike.recommend` does.

    They are the model's own, even for users who get the most liked items instead. See
    `alsolike.recommend` for their meaning.

    Parameters
    ----------
    model : FittedModel
    users : sequence of str or int
        Ids of users; they may repeat.
    items : sequence of str or int
        Ids or names of items, one for each user.

    Returns
    -------
    Table
        Columns ``user``, ``item`` and ``score``, a row for each pair, in the order given.

    Raises
    ------
    SettingError
        The numbers of users and items differ.
    UnknownId
        A user or an item is not in the model; gives its position, from 0.
    FitError
        A score is NaN or +inf.

    Examples
    --------
    >>> from alsolike.data.interactions import Interactions
    >>> from alsolike.models.baselines.popularity import fit_popularity
    >>> likes = Interactions.from_columns(["u1", "u1", "u2", "u3"], ["a", "b", "b", "c"])
    >>> print(scores(fit_popularity(likes), ["u1", "u3"], ["b", "a"]))
    +------+------+-------+
    | user | item | score |
    +------+------+-------+
    | u1   | b    |     2 |
    | u3   | a    |     1 |
    +------+------+-------+
    """
    expect_model(model, "score pairs")
    whose, of_what = checked_ids(users, model.users), checked_ids(items, model.items)
    if len(whose) != len(of_what):
        raise SettingError(
            f"The same number of users and items expected: {len(whose):,} users and "
            f"{len(of_what):,} items given. Repeat the user's id for each item."
        )
    user_rows = _rows(model.users, whose, model.users.index_of)
    # Other models may know no names.
    item_rows = _rows(model.items, of_what, getattr(model, "item_index", model.items.index_of))
    return Table(
        {
            "user": model.users.ids_of(user_rows),
            "item": model.items.ids_of(item_rows),
            "score": scores_of_pairs(model, user_rows, item_rows),
        }
    )


def scores_of_pairs(model: Recommender, users: Indices, items: Indices) -> Floats:
    """Return the scores of pairs given by rows, float32, (n,).

    Raises
    ------
    FitError
        A score is NaN or +inf.
    """
    if isinstance(model, HasFactors):
        found = _products(model, users, items)
    else:
        found = _looked_up(model, users, items)
    bad = np.flatnonzero(~(found < np.inf))
    if len(bad):
        user = model.users.id_of(int(users[bad[0]]))
        raise not_finite(model, int(items[bad[0]]), f"user {user!r}", float(found[bad[0]]))
    return found


def _products(model: HasFactors, users: Indices, items: Indices) -> Floats:
    """Return the products of rows of factors as `Products` has them."""
    norms = model.item_norms
    raised = int(lifts_of(np.float64(norms.max(initial=0.0, where=np.isfinite(norms)))))
    found = np.empty(len(users), dtype=np.float32)
    for part in blocks_of(len(users), _PAIRS):
        left, right = model.user_factors[users[part]], model.item_factors[items[part]]
        lifts = lifts_of(row_lengths(left))
        products = dots(np.ldexp(right, raised), np.ldexp(left, lifts[:, None]))
        found[part] = np.ldexp(products, -(raised + lifts))
    return found


def _looked_up(model: Recommender, users: Indices, items: Indices) -> Floats:
    """Return scores from the blocks that lists are ranked by; only computes blocks with a pair."""
    found = np.empty(len(users), dtype=np.float32)
    distinct, places = np.unique(users, return_inverse=True)
    if not len(distinct):
        return found
    blocks, at_once = blocks_of_items(model), min(parts_of_rows(model, _USERS)[0].stop, _USERS)
    cells = places // at_once * len(blocks) + items // blocks[0].stop
    order = np.argsort(cells, kind="stable")
    for cell in np.split(order, np.flatnonzero(np.diff(cells[order])) + 1):
        if not len(cell):
            continue
        group, block = divmod(int(cells[cell[0]]), len(blocks))
        rows, columns = distinct[group * at_once : (group + 1) * at_once], blocks[block]
        scored = block_of(model.name, model.scores(rows, columns), len(rows), columns)
        found[cell] = scored[places[cell] - group * at_once, items[cell] - columns.start]
    return found


def _rows(known: Vocabulary, ids: list[Id], row_of: Callable[[Id], int]) -> Indices:
    """Return the rows of ids; UnknownId names the position of the first unknown one."""
    rows = known.places_of(ids)
    for position in np.flatnonzero(rows < 0).tolist():
        try:
            rows[position] = row_of(ids[position])
        except UnknownId as error:
            raise UnknownId(f"{error} (At position {position} of the {known.kind}s.)") from None
    return rows.astype(np.int32)
