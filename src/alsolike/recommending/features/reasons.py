"""Explains similar items and scores by features in words: because of castle, medieval."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from alsolike.models.base import Floats
from alsolike.models.protocols import ExplainsByFeatures
from alsolike.recommending.features.comparing import unit_rows_of_items
from alsolike.recommending.features.names import names_of_items, words_by_block
from alsolike.recommending.shared import Indices

SHOWN = 5  # features in a sentence


def shared_words(
    model: Any, row: int, other: int, most: int = SHOWN, blocks: Sequence[int] | None = None
) -> tuple[str, ...]:
    """Return the features that are words of two items (rows), such as tags, the rarest first.

    `blocks` are those to take them from, texts included; None: all sets.

    Examples
    --------
    >>> from dataclasses import replace
    >>> from alsolike.data.features.features import Features
    >>> from alsolike.models.fit import fit
    >>> from alsolike.testing import tiny_likes
    >>> tags = Features.of_words("tag", [["x", "z"], ["y", "x"], ["y"], [], ["z", "x"]])
    >>> model = fit(replace(tiny_likes(4, 5), item_features=tags), family="item-knn")
    >>> shared_words(model, 0, 4), shared_words(model, 1, 3)
    (('z', 'x'), ())
    """
    features = getattr(model, "item_features", None)
    if features is None or not features.n_features:
        return ()
    units = unit_rows_of_items(model, features).rows
    names = names_of_items(model, features)
    both = units[[row]].multiply(units[[other]]).tocoo()
    may = np.zeros(features.n_features, dtype=bool)
    if blocks is None:
        for columns in words_by_block(features).values():
            may[columns] = True
    else:
        for at in blocks:
            block = features.blocks[at]
            may[features.columns_of(at)] = block.is_of_words and not block.is_of_parts
    columns = both.coords[1]
    kept = may[columns] & (features.matrix[[row]].toarray()[0, columns] != 0)
    columns, products = columns[kept], both.data[kept]
    order = np.lexsort((columns, names.counts[columns], -products))[:most]
    return tuple(features.name_of(int(one)) for one in columns[order])


def features_behind(
    model: Any, likes: Indices, values: Floats, item: int, most: int = SHOWN
) -> tuple[tuple[str, float], ...]:
    """Return the features behind an item's score for likes, with what each adds, the most first.

    Parameters
    ----------
    model : object
        Models that do not explain by features have no such reasons.
    likes : int32, (n_likes,)
        Rows of items, with their `values`.
    item : int
        Row of the item.
    most : int
    """
    if not isinstance(model, ExplainsByFeatures):
        return ()
    features = getattr(model, "item_features", None)
    if features is None or not features.n_features:
        return ()
    found = model.shared_features(likes, values, item)
    added = [(column, amount) for column, amount in found if amount > 0][:most]
    return tuple((features.label(column), float(amount)) for column, amount in added)


def because_of(features: tuple[tuple[str, float], ...]) -> str:
    """Return the reasons as a sentence, or an empty text.

    Examples
    --------
    >>> because_of((("tag: castle", 0.4), ("tag: medieval", 0.1))), because_of(())
    ('Because of: castle, medieval.', '')
    """
    names = [label.partition(": ")[2] or label for label, _ in features]
    return f"Because of: {', '.join(names)}." if names else ""


def nearer_than(name: str, score: float, scores: Floats) -> str:
    """Say how near two items are by vectors, such as those of pictures, among all items.

    Parameters
    ----------
    name : str
        Of the vectors.
    score : float
        Of the two.
    scores : float32, (n_items,)
        Of the first with all items; those that are not listed are below all others.

    Examples
    --------
    >>> scores = np.arange(1001, dtype=np.float32)
    >>> nearer_than("pictures", 1000.0, scores), nearer_than("images", 899.0, scores)
    ('The nearest of all by pictures.', 'Nearer by images than 89.9 % of all items.')
    """
    below = int(np.count_nonzero(scores < np.float32(score)))
    others = max(len(scores) - 1, 1)
    if below >= others:
        return f"The nearest of all by {name}."
    share = np.floor(1000 * below / others) / 10  # rounded down: 100 % would be the nearest
    return f"Nearer by {name} than {share:g} % of all items."
