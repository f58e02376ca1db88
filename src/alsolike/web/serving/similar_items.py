"""Builds the lists of similar items on an item's page, one per model, and of popular items."""

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from alsolike.errors import Unable
from alsolike.models.base import Floats
from alsolike.recommending.ranking.nearest import expect_item_scorer
from alsolike.recommending.shared import MIN_COUNT, why_no_neighbours
from alsolike.views.page import clean
from alsolike.web.serving.item_cards import ItemCard, card_of
from alsolike.web.serving.registry import ServedModel


@dataclass(frozen=True)
class Entry:
    """One card of a list.

    Parameters
    ----------
    card : ItemCard
    score : str
        Printed similarity, or empty.
    bar : int
        Length of its bar, 0 to 100.
    shared, likers : int or None
        Users who like both items, and this one; None if unknown.
    """

    card: ItemCard
    score: str = ""
    bar: int = 0
    shared: int | None = None
    likers: int | None = None


@dataclass(frozen=True)
class ItemList:
    """The list of one model, best first; `empty` is shown if there are no entries."""

    title: str
    about: str
    entries: tuple[Entry, ...]
    empty: str = ""


def lists_for(models: Mapping[str, ServedModel], item: str, *, k: int) -> list[ItemList]:
    """Return a list for each model, and one of the most liked items of the first model."""
    lists = [_similar(served, item, k) for served in models.values()]
    first = next(iter(models.values()))
    row = first.model.items.find(item)
    rows = popular_rows(first, k, without=() if row is None else (row,))
    about = "The most liked items, the same for every item."
    entries = tuple(_entry(first, row, int(other)) for other in rows)
    return [*lists, ItemList("popularity", about, entries, "No other item has likes yet.")]


def popular_rows(served: ServedModel, k: int, *, without: Iterable[int] = ()) -> list[int]:
    """Return the rows of the most liked items, except some; ties by row."""
    left_out = set(without)
    kept = (row for row in map(int, served.most_liked) if row not in left_out)
    return list(itertools.islice(kept, k))


def _similar(served: ServedModel, item: str, k: int) -> ItemList:
    row = served.model.items.find(item)
    if row is None:
        return ItemList(served.name, _about(served), (), "This model does not have the item.")
    try:
        model = expect_item_scorer(served.model, "compare items")
        rows, scores = served.neighbours.similar(row, k)
    except Unable as error:
        return ItemList(served.name, "", (), clean(str(error)))
    most = served.model.similarity.most
    entries = tuple(
        _entry(served, row, int(other), score_text(float(score), most), bar)
        for other, score, bar in zip(rows, scores, _bars(served, scores), strict=True)
    )
    empty = "" if entries else why_no_neighbours(model, row, MIN_COUNT)
    return ItemList(served.name, _about(served), entries, empty)


def _about(served: ServedModel) -> str:
    """Return family and factors of the model, and the meaning of the bars."""
    scale, manifest = served.model.similarity, served.manifest
    # A slot keeps its name after a swap to another family.
    what = [manifest.family] * (manifest.family != served.name)
    what += [f"{manifest.factors} factors"] * bool(manifest.factors)
    kind = f"{', '.join(what)}. " if what else ""
    most = "relative to the first item" if scale.most is None else f"at most {scale.most:g}"
    return f"{kind}The bar shows {scale.words}, {most}."


def _bars(served: ServedModel, scores: Floats) -> list[int]:
    """Return the lengths of the bars, 0 to 100."""
    most = served.model.similarity.most
    if most is None:
        most = max((float(score) for score in scores), default=0.0)
    if most <= 0:
        return [0] * len(scores)
    return [round(min(max(100 * float(score) / most, 0.0), 100.0)) for score in scores]


def score_text(score: float, most: float | None) -> str:
    """Format a score with significant digits; `most`: as in `SimilarityScale`.

    Examples
    --------
    >>> score_text(0.031, 1.0), [score_text(one, None) for one in (0.031, 1234.0, 12.345)]
    ('0.03', ['0.031', '1,234', '12.35'])
    """
    if most is None and abs(score) < 0.1:
        return f"{score:z.3f}"
    return f"{score:,.0f}" if most is None and score.is_integer() else f"{score:z.2f}"


def _entry(
    served: ServedModel, row: int | None, other: int, score: str = "", bar: int = 0
) -> Entry:
    card = card_of(served, other)
    if row is None or served.likers is None:
        return Entry(card, score, bar)
    return Entry(card, score, bar, served.likers.shared(row, other), served.likers.count(other))
