"""Answers queries to a served model in ids: similar items, recommendations, explanations."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from alsolike.data.vocabulary import Id, Vocabulary
from alsolike.errors import SettingError, UnknownId
from alsolike.models.similarity.config import FEW_LIKES, SimilarityConfig
from alsolike.recommending.explain import Explanation
from alsolike.recommending.rules.rules import Allowed, Rules
from alsolike.recommending.shared import MIN_COUNT, open_items
from alsolike.recommending.unknown.fallback import (
    Fallback,
    ForUnknown,
    MostLiked,
    RankedList,
    WithoutLikes,
)
from alsolike.usage_hints import suggestion
from alsolike.web.serving import user_queries
from alsolike.web.serving.registry import ServedModel
from alsolike.web.serving.similar_items import popular_rows
from alsolike.web.serving.user_queries import Profile, profile_of
from alsolike.web.settings import POPULARITY
from alsolike.web.templating import below

_MOST_HINTS = 3
_MOST_NAMED = 10
_MOST_NAMESAKES = 50
_MOST_OF_A_TEXT = 100

Ranking = Sequence[tuple[int, float]]  # rows of items and their scores


def source_of(served: ServedModel, name: str | None = None) -> dict[str, str]:
    """Return name and version of the model, for responses."""
    return {"name": name or served.name, "version": served.version}


def facts_of(served: ServedModel) -> dict[str, Any]:
    """Return what a model is: version, size, metrics and settings."""
    manifest, similarity = served.manifest, served.own_similarity
    return {
        "name": served.name,
        "version": served.version,
        "fingerprint": manifest.data_fingerprint,
        "users": manifest.n_users,
        "items": manifest.n_items,
        "family": manifest.family,
        "factors": manifest.factors,
        "metrics": dict(manifest.metrics),
        "settings": dict(manifest.settings),
        "similarity": {} if similarity is None else similarity.to_settings(),
        "affinities": list(served.affinities),
    }


def item_of(served: ServedModel, row: int) -> dict[str, Any]:
    """Return the facts about one item."""
    catalogue, model = served.model.catalogue, served.model
    found: dict[str, Any] = {"item": model.items.id_of(row), "name": name_of(served, row)}
    found["likes"] = int(model.item_counts[row])
    found["new"] = served.is_new(row)
    for field, column in (("image", "images"), ("link", "links")):
        texts = getattr(catalogue, column, None)
        found[field] = (texts[row] or None) if texts is not None else None
    return found


def row_of(served: ServedModel, item: Id) -> int:
    """Return the row of an item by its id; raise UnknownId with a hint."""
    row = served.model.items.find(item)
    if row is None:
        words = (
            f"Model {served.name!r} has no item with the id {_short(item)}.",
            _misfit(served.model.items, item),
            hint_of(served, str(item)),
            f"Find ids by name at {below('/api/v1/items?q=NAME')}.",
        )
        raise UnknownId(" ".join(filter(None, words)))
    return row


def hint_of(served: ServedModel, item: str) -> str:
    """Return a sentence with ids of items whose name or id is like an unknown id, or nothing."""
    called = served.index.called(item)
    named = [row for row in called if _has_name(served, row)]
    ids = [repr(served.model.items.id_of(row)) for row in named]
    if len(ids) == 1:
        return f"That is a name; an id is needed here. The item with that name is {ids[0]}."
    if ids:
        more = f" and {len(ids) - _MOST_HINTS} more" if len(ids) > _MOST_HINTS else ""
        return (
            f"That is a name; an id is needed here. {len(ids)} items have that name: "
            f"{', '.join(ids[:_MOST_HINTS])}{more}."
        )
    near = called or served.index.find(item, limit=_MOST_HINTS)
    shown = [_with_name(served, row) for row in near[:_MOST_HINTS]]
    return suggestion(shown, plain=True).lstrip()


def _has_name(served: ServedModel, row: int) -> bool:
    """Return whether an item has a name other than its id."""
    name = name_of(served, row)
    return name is not None and name.casefold() != served.model.items.text_of(row).casefold()


def _with_name(served: ServedModel, row: int) -> str:
    shown = _short(served.model.items.id_of(row))
    return f"{shown} ({_short(name_of(served, row) or '')})" if _has_name(served, row) else shown


def _misfit(known: Vocabulary, given: Id) -> str:
    """Return why `given` cannot be an id, as a sentence of an answer, or an empty text."""
    found = known.misfit(given if isinstance(given, int) else given[:_MOST_OF_A_TEXT])
    return f"{found[:1].upper()}{found[1:]}"


def _short(text: Id) -> str:
    if isinstance(text, int):
        return repr(text)
    return repr(text if len(text) <= _MOST_OF_A_TEXT else f"{text[:_MOST_OF_A_TEXT]}…")


def found_of(ranking: Ranking) -> RankedList:
    """Return a list by popularity in the form of recommendations."""
    rows = np.array([row for row, _ in ranking], dtype=np.int32)
    scores = np.array([score for _, score in ranking], dtype=np.float32)
    return RankedList(rows, scores, "popularity", np.ones(len(rows), dtype=bool))


def recommended(served: ServedModel, found: RankedList) -> list[dict[str, Any]]:
    """Return recommendations as entries of a list, each with its basis."""
    ranking = list(zip(found.rows.tolist(), found.scores.tolist(), strict=True))
    entries = zip(ranked(served, ranking), found.bases.tolist(), strict=True)
    return [{**entry, "basis": basis} for entry, basis in entries]


def ranked(served: ServedModel, ranking: Ranking) -> list[dict[str, Any]]:
    """Return rows and scores as entries of a list."""
    model = served.model
    return [
        {
            "rank": rank,
            "item": model.items.id_of(row),
            "name": name_of(served, row),
            "likes": int(model.item_counts[row]),
            "new": served.is_new(row),
            "score": float(score),
        }
        for rank, (row, score) in enumerate(ranking, start=1)
    ]


def similar(
    served: ServedModel,
    row: int,
    k: int,
    *,
    similarity: SimilarityConfig | None = None,
    min_count: int = MIN_COUNT,
    allowed: Allowed | None = None,
) -> Ranking:
    """Return the items most similar to one; see `alsolike.similar`."""
    rows, scores = served.neighbours.similar(
        row, k, similarity=similarity, min_count=min_count, **_among(allowed)
    )
    return list(zip(rows.tolist(), scores.tolist(), strict=True))


def similar_to_set(
    served: ServedModel,
    given: Sequence[int],
    k: int,
    *,
    similarity: SimilarityConfig | None = None,
    min_count: int = MIN_COUNT,
    allowed: Allowed | None = None,
) -> Ranking:
    """Return the items most similar to a set of distinct items (rows); see `similar` for one."""
    if len(given) == 1:
        return similar(
            served, given[0], k,
            similarity=similarity, min_count=min_count, allowed=allowed,
        )  # fmt: skip
    chosen = np.sort(np.array(given, dtype=np.int32))  # sums do not depend on the order
    rows, scores = served.neighbours.similar_to_set(
        chosen, k, similarity=similarity, min_count=min_count, **_among(allowed)
    )
    return list(zip(rows.tolist(), scores.tolist(), strict=True))


def similar_basis(
    served: ServedModel, given: Sequence[int], similarity: SimilarityConfig | None = None
) -> dict[str, Any]:
    """Return what similar items of these items (rows) rest on, as fields of a response."""
    likes = sum(int(served.model.item_counts[row]) for row in given)
    config = similarity or served.own_similarity
    return {
        "likes": likes,
        "weakly_founded": likes <= FEW_LIKES,
        "affinity": None if config is None else config.affinity,
        "popularity_bias": None if config is None else config.popularity_bias,
        "scale": served.scale(similarity).words,
        "counts_as_of": f"{served.counts_as_of:%Y-%m-%dT%H:%M:%SZ}",
    }


def popular_basis(served: ServedModel, given: Sequence[int]) -> dict[str, Any]:
    """Return the fields of `similar_basis` for items listed by popularity."""
    return {
        **similar_basis(served, given),
        "affinity": None,
        "popularity_bias": None,
        "scale": "the number of likes",
    }


def rows_of(served: ServedModel, items: Sequence[Id]) -> list[int]:
    """Return the rows of distinct items by their ids.

    Raises
    ------
    UnknownId
        Some are unknown; the message names them, with a hint for a single one.
    SettingError
        An item is given more than once.
    """
    unknown = [item for item in items if served.model.items.find(item) is None]
    if len(unknown) == 1:
        row_of(served, unknown[0])  # raises, with a hint
    if unknown:
        more = f" and {len(unknown) - _MOST_NAMED} more" if len(unknown) > _MOST_NAMED else ""
        names = ", ".join(_short(item) for item in unknown[:_MOST_NAMED])
        raise UnknownId(
            f"Model {served.name!r} has no items with the ids {names}{more}. Find ids by name at "
            f"{below('/api/v1/items?q=NAME')}."
        )
    rows = [served.model.items.index_of(item) for item in items]
    twice = [row for row, times in Counter(rows).items() if times > 1]
    if twice:
        again = _short(served.model.items.id_of(twice[0]))
        raise SettingError(f"items: {again} is given more than once. Give it once.")
    return rows


def popular(
    served: ServedModel,
    k: int,
    *,
    without: Iterable[int] = (),
    allowed: Allowed | None = None,
) -> Ranking:
    """Return the most liked items; the score is the number of likes."""
    counts = served.model.item_counts
    if allowed is None:
        rows = popular_rows(served, k, without=without)
    else:
        left = user_queries.without(served, allowed, without)
        nothing = np.empty(0, dtype=np.int32)
        rows = MostLiked.of(served.model, left).after(nothing, k, nothing, allowed.limits).tolist()
    return [(row, float(counts[row])) for row in rows]


def recommendations(
    served: ServedModel,
    user: str,
    live: Mapping[str, float],
    k: int,
    *,
    exclude_seen: bool = True,
    allowed: Allowed | None = None,
    without_likes: WithoutLikes = "popular",
    by_likes: bool = False,
    fallback: Fallback = "error",
) -> tuple[RankedList, Profile, ForUnknown | None]:
    """Return recommendations for a user, the profile that they are based on, and the fallback.

    The last is what a user gets who is not in the model and has no like that counts; None for
    others.

    Raises
    ------
    UnknownId
        There is no other fallback than "error", and the user is unknown and has no live likes.
    """
    profile = profile_of(served, user, live)
    if fallback == "error":
        _refuse_unknown(served, profile, live)
    if fallback != "error" and not profile.known and not profile.live:
        left_out = profile.aside if exclude_seen else ()
        length = k if fallback == "popular" else 0
        ranking = popular(served, length, without=left_out, allowed=allowed)
        return found_of([one for one in ranking if one[1] > 0]), profile, fallback
    if by_likes:
        seen = {*profile.values, *profile.aside} if exclude_seen else ()
        return found_of(popular(served, k, without=seen, allowed=allowed)), profile, None
    found = user_queries.recommend(
        served, profile, k, allowed, exclude_seen=exclude_seen, without_likes=without_likes
    )
    return found, profile, None


def explanation(
    served: ServedModel, user: str, item: str, live: Mapping[str, float]
) -> Explanation:
    """Return the contributions of a user's likes, live ones included, to a score.

    Raises
    ------
    UnknownId
        The item is unknown, or the user is and has no live likes.
    Unable, SettingError
        As of `user_queries.explanation`.
    """
    target, profile = row_of(served, item), profile_of(served, user, live)
    _refuse_unknown(served, profile, live)
    return user_queries.explanation(served, profile, target)


def _refuse_unknown(served: ServedModel, profile: Profile, live: Mapping[str, float]) -> None:
    if not profile.known and not live:
        raise UnknownId(
            f"Model {served.name!r} has no user {profile.user[:200]!r}, and no likes of this user. "
            f"{_misfit(served.model.users, profile.user)}".rstrip()
        )


def allowed(
    served: ServedModel,
    allow: Iterable[Id] | None,
    deny: Iterable[Id] | None,
    rules: Rules | None = None,
) -> Allowed | None:
    """Return the items that may be listed; None: all items.

    Raises
    ------
    UnknownId
        An id or name is unknown.
    SettingError
        A rule asks for a column or value that is not there.
    """
    if allow is None and deny is None and rules is None:
        return None
    rows = [
        None if ids is None else [_row_by_any(served, one) for one in ids] for ids in (allow, deny)
    ]
    may_appear = open_items(len(served.model.items), *rows)
    if rules is None:
        return Allowed(may_appear)
    by_rules = rules.of(served.model)
    return replace(by_rules, may_appear=by_rules.may_appear & may_appear)


def note_on(allowed: Allowed | None, rules: Rules | None, k: int, found: int) -> str | None:
    """Return why rules make a list shorter than `k`; None if they do not, or there are none."""
    return None if allowed is None or rules is None else allowed.shortfall(k, found) or None


def _among(allowed: Allowed | None) -> dict[str, Any]:
    return {} if allowed is None else {"may_appear": allowed.may_appear, "limits": allowed.limits}


def _row_by_any(served: ServedModel, item: Id) -> int:
    """Return the row of an item by its id, or else by its name, as `FittedModel.item_index` does.

    Names are looked up in the search index, which all workers share, not in a dictionary.
    """
    row = served.model.items.find(item)
    if row is not None or isinstance(item, int):
        return row_of(served, item) if row is None else row
    near = served.index.called(item) or served.index.find(item, limit=_MOST_NAMESAKES)
    names = {row: name_of(served, row) or "" for row in near}
    same = [row for row, name in names.items() if name == item]
    same = same or [row for row, name in names.items() if name.casefold() == item.casefold()]
    if len(same) > 1:
        ids = ", ".join(repr(served.model.items.id_of(row)) for row in sorted(same)[:_MOST_HINTS])
        raise UnknownId(f"{len(same)} items have the name {_short(item)}. Give one id: {ids}.")
    return same[0] if same else row_of(served, item)


def name_of(served: ServedModel, row: int) -> str | None:
    """Return the name of an item; None without one."""
    names = getattr(served.model.catalogue, "names", None)
    return None if names is None else (names[row] or None)


def is_popularity(name: str | None) -> bool:
    """Return whether a model name means popularity, which every service has."""
    return name == POPULARITY
