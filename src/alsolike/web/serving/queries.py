"""Questions to what is held, answered in the caller's ids; it knows no requests and no pages."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from alsolike.errors import UnknownId
from alsolike.recommending.explain import Explanation
from alsolike.recommending.fallback import Found, MostLiked, WithoutLikes
from alsolike.recommending.shared import MIN_COUNT, Mask, open_items
from alsolike.suggestions import suggestion
from alsolike.web.serving import user_queries
from alsolike.web.serving.registry import ServedModel
from alsolike.web.serving.similar_items import popular_rows
from alsolike.web.serving.user_queries import Profile, profile_of
from alsolike.web.settings import POPULARITY

_MOST_HINTS = 3
_MOST_NAMESAKES = 50
_MOST_OF_A_TEXT = 100

Ranking = Sequence[tuple[int, float]]  # rows of items and their scores


def source_of(served: ServedModel, name: str | None = None) -> dict[str, str]:
    """Return which model answers."""
    return {"name": name or served.name, "version": served.version}


def item_of(served: ServedModel, row: int) -> dict[str, Any]:
    """Return what is known of one item."""
    catalogue, model = served.model.catalogue, served.model
    said: dict[str, Any] = {"item": model.items.id_of(row), "name": _name(served, row)}
    said["likes"] = int(model.item_counts[row])
    for field, column in (("image", "images"), ("link", "links")):
        texts = getattr(catalogue, column, None)
        said[field] = (texts[row] or None) if texts is not None else None
    return said


def row_of(served: ServedModel, item: str) -> int:
    """Return the row of an item by its id; UnknownId where the model has none."""
    row = served.model.items.find(item)
    if row is None:
        words = (
            f"Model {served.name!r} knows no item with the id {_short(item)}.",
            hint_of(served, item),
            "Ids are found by names at /api/v1/items?q=NAME.",
        )
        raise UnknownId(" ".join(filter(None, words)))
    return row


def hint_of(served: ServedModel, item: str) -> str:
    """Return which ids may be meant by a text that is none: of items called so, or nearly so.

    Returns
    -------
    str
        A sentence, or nothing where there is no such item.
    """
    called = served.index.called(item)
    named = [row for row in called if _has_name(served, row)]
    ids = [repr(served.model.items.id_of(row)) for row in named]
    if len(ids) == 1:
        return f"That is a name, and ids are asked for here: the item of that name is {ids[0]}."
    if ids:
        more = f" and {len(ids) - _MOST_HINTS} more" if len(ids) > _MOST_HINTS else ""
        return (
            f"That is a name, and ids are asked for here: {len(ids)} items have that name, "
            f"{', '.join(ids[:_MOST_HINTS])}{more}."
        )
    near = called or served.index.find(item, limit=_MOST_HINTS)
    shown = [_with_name(served, row) for row in near[:_MOST_HINTS]]
    return suggestion(shown, plain=True).lstrip()


def _has_name(served: ServedModel, row: int) -> bool:
    """Tell whether an item is called by something else than its id."""
    name = _name(served, row)
    return name is not None and name.casefold() != served.model.items.id_of(row).casefold()


def _with_name(served: ServedModel, row: int) -> str:
    shown = _short(served.model.items.id_of(row))
    return f"{shown} ({_short(_name(served, row) or '')})" if _has_name(served, row) else shown


def _short(text: str) -> str:
    return repr(text if len(text) <= _MOST_OF_A_TEXT else f"{text[:_MOST_OF_A_TEXT]}…")


def found_of(ranking: Ranking) -> Found:
    """Return what is listed by popularity as all lists of recommendations are."""
    rows = np.array([row for row, _ in ranking], dtype=np.int32)
    scores = np.array([score for _, score in ranking], dtype=np.float32)
    return Found(rows, scores, "popularity", np.ones(len(rows), dtype=bool))


def recommended(served: ServedModel, found: Found) -> list[dict[str, Any]]:
    """Return a list of recommendations as its places, each with how it was found."""
    ranking = list(zip(found.rows.tolist(), found.scores.tolist(), strict=True))
    places = zip(ranked(served, ranking), found.bases.tolist(), strict=True)
    return [{**place, "basis": basis} for place, basis in places]


def ranked(served: ServedModel, ranking: Ranking) -> list[dict[str, Any]]:
    """Return rows and scores as places of a list."""
    model = served.model
    return [
        {
            "rank": place,
            "item": model.items.id_of(row),
            "name": _name(served, row),
            "likes": int(model.item_counts[row]),
            "score": float(score),
        }
        for place, (row, score) in enumerate(ranking, start=1)
    ]


def similar(
    served: ServedModel,
    row: int,
    k: int,
    *,
    min_count: int = MIN_COUNT,
    allow: Iterable[str] | None = None,
    deny: Iterable[str] | None = None,
) -> Ranking:
    """Return the items most similar to one; see `alsolike.similar`."""
    filters = None if allow is None and deny is None else _may_appear(served, allow, deny)
    rows, cosines = served.neighbours.similar(row, k, min_count=min_count, may_appear=filters)
    return list(zip(rows.tolist(), cosines.tolist(), strict=True))


def popular(
    served: ServedModel,
    k: int,
    *,
    without: Iterable[int] = (),
    allow: Iterable[str] | None = None,
    deny: Iterable[str] | None = None,
) -> Ranking:
    """Return the most liked items, each with its likes as its score."""
    counts = served.model.item_counts
    if allow is None and deny is None:
        rows = popular_rows(served, k, without=without)
    else:
        may_appear = _may_appear(served, allow, deny)
        may_appear[list(without)] = False
        rows = MostLiked.of(served.model, may_appear).order[:k].tolist()
    return [(row, float(counts[row])) for row in rows]


def recommendations(
    served: ServedModel,
    user: str,
    live: Mapping[str, float],
    k: int,
    *,
    exclude_seen: bool = True,
    allow: Iterable[str] | None = None,
    deny: Iterable[str] | None = None,
    without_likes: WithoutLikes = "popular",
    by_likes: bool = False,
) -> tuple[Found, Profile]:
    """Return what is recommended to a user, and what it was recommended for.

    Raises
    ------
    UnknownId
        Nothing is known of the user.
    """
    profile = profile_of(served, user, live)
    _refuse_unknown(served, profile, live)
    if by_likes:
        seen = {*profile.values, *profile.aside} if exclude_seen else ()
        return found_of(popular(served, k, without=seen, allow=allow, deny=deny)), profile
    may_appear = _may_appear(served, allow, deny)
    found = user_queries.recommend(
        served, profile, k, may_appear, exclude_seen=exclude_seen, without_likes=without_likes
    )
    return found, profile


def for_likes(
    served: ServedModel,
    values: Mapping[int, float],
    k: int,
    *,
    exclude: bool = True,
    allow: Iterable[str] | None = None,
    deny: Iterable[str] | None = None,
    without_likes: WithoutLikes = "popular",
) -> Found:
    """Return what is recommended for likes, rows to values, by fold-in."""
    may_appear = _may_appear(served, allow, deny)
    return user_queries.recommend_for(
        served, values, k, may_appear, exclude=exclude, without_likes=without_likes
    )


def explanation(
    served: ServedModel, user: str, item: str, live: Mapping[str, float]
) -> Explanation:
    """Return which likes carry a score, those told to the service among them.

    Raises
    ------
    UnknownId
        Nothing is known of the user, or the item is unknown.
    Unable
        The model does not score by single likes.
    SettingError
        The model was trained on this user and saved without its history.
    """
    target, profile = row_of(served, item), profile_of(served, user, live)
    _refuse_unknown(served, profile, live)
    return user_queries.explanation(served, profile, target)


def _refuse_unknown(served: ServedModel, profile: Profile, live: Mapping[str, float]) -> None:
    if not profile.known and not live:
        raise UnknownId(
            f"Model {served.name!r} knows no user {profile.user[:200]!r}, nor any like of it."
        )


def sentence(name: str, other: str, shared: int | None, likes: int) -> str:
    """Return why two items are neighbours, in words.

    Examples
    --------
    >>> sentence("Boots", "Laces", 3, 12)
    '3 of the 12 who like Laces also like Boots.'
    """
    if shared is None:
        return "The model was saved without its history, so nobody can be counted."
    return f"{shared:,} of the {likes:,} who like {other} also like {name}."


def _may_appear(
    served: ServedModel, allow: Iterable[str] | None, deny: Iterable[str] | None
) -> Mask:
    rows = [None if ids is None else [_meant(served, one) for one in ids] for ids in (allow, deny)]
    return open_items(len(served.model.items), *rows)


def _meant(served: ServedModel, item: str) -> int:
    """Return the row of an item by its id, or else by its name, as `FittedModel.item_index` does.

    The index of names is a file that all workers share; a dictionary would be one in each.
    """
    row = served.model.items.find(item)
    if row is not None:
        return row
    near = served.index.called(item) or served.index.find(item, limit=_MOST_NAMESAKES)
    names = {row: _name(served, row) or "" for row in near}
    same = [row for row, name in names.items() if name == item]
    same = same or [row for row, name in names.items() if name.casefold() == item.casefold()]
    if len(same) > 1:
        ids = ", ".join(repr(served.model.items.id_of(row)) for row in sorted(same)[:_MOST_HINTS])
        raise UnknownId(f"{len(same)} items are called {_short(item)}. Give an id of these: {ids}.")
    return same[0] if same else row_of(served, item)


def _name(served: ServedModel, row: int) -> str | None:
    names = getattr(served.model.catalogue, "names", None)
    return None if names is None else (names[row] or None)


def is_popularity(name: str | None) -> bool:
    """Tell whether popularity is asked for, which every service has."""
    return name == POPULARITY
