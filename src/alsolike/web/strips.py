"""Strips of cards: what each model shows beside an item, and why."""

import itertools
import weakref
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from alsolike.recommending.answers import MIN_COUNT, Indices, why_no_neighbours
from alsolike.recommending.fallback import MostLiked
from alsolike.web.faces import Face, face_of
from alsolike.web.holding import Held

_popular: "weakref.WeakKeyDictionary[Held, Indices]" = weakref.WeakKeyDictionary()


@dataclass(frozen=True)
class Entry:
    """One card of a strip.

    Parameters
    ----------
    face : Face
    score : float or None
        Cosine; None where the strip has none.
    shared, likers : int or None
        How many like both this item and the one asked for, of how many who like this one; None
        where that is not known.
    """

    face: Face
    score: float | None = None
    shared: int | None = None
    likers: int | None = None


@dataclass(frozen=True)
class Strip:
    """What one model shows, best first.

    Parameters
    ----------
    title, about : str
    entries : tuple of Entry
    empty : str
        What to say where there are no entries.
    """

    title: str
    about: str
    entries: tuple[Entry, ...]
    empty: str = ""


def strips_of(models: Mapping[str, Held], item: str, *, k: int) -> list[Strip]:
    """Return a strip for each model, and one of the most liked items of the first model."""
    strips = [_similar(held, item, k) for held in models.values()]
    first = next(iter(models.values()))
    row = first.model.items.find(item)
    rows = popular_rows(first, k, without=() if row is None else (row,))
    about = "The most liked items, whatever is asked for."
    entries = tuple(_entry(first, row, int(other)) for other in rows)
    return [*strips, Strip("popularity", about, entries, "Nobody likes any other item yet.")]


def popular_rows(held: Held, k: int, *, without: Iterable[int] = ()) -> list[int]:
    """Return the rows of the most liked items but some; of equals, those that stand first."""
    if held not in _popular:
        _popular[held] = MostLiked.of(held.model).order
    left_out = set(without)
    kept = (row for row in map(int, _popular[held]) if row not in left_out)
    return list(itertools.islice(kept, k))


def _similar(held: Held, item: str, k: int) -> Strip:
    manifest = held.manifest
    about = f"{manifest.factors} factors. The bar is the cosine, 1 at most."
    row = held.model.items.find(item)
    if row is None:
        return Strip(held.name, about, (), "This model does not know the item.")
    rows, cosines = held.neighbours.similar(row, k)
    entries = tuple(
        _entry(held, row, int(other), float(cosine))
        for other, cosine in zip(rows, cosines, strict=True)
    )
    empty = "" if entries else why_no_neighbours(held.model, row, MIN_COUNT)
    return Strip(held.name, about, entries, empty)


def _entry(held: Held, row: int | None, other: int, cosine: float | None = None) -> Entry:
    face = face_of(held, other)
    if row is None or held.likers is None:
        return Entry(face, cosine)
    return Entry(face, cosine, held.likers.shared(row, other), held.likers.count(other))
