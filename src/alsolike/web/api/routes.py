"""Answers requests about items, users and models.

Ids are in paths, percent-encoded. One that a path cannot carry (``..``, which clients resolve) goes
into the query of ``/item``, ``/similar`` and ``/recommendations``.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Query
from fastapi import Path as InPath
from starlette.requests import Request
from starlette.responses import Response

from alsolike.errors import SettingError
from alsolike.models.als.normal_equations import checked_values
from alsolike.recommending import fallback
from alsolike.recommending.shared import MIN_COUNT
from alsolike.web.api import schemas
from alsolike.web.api.fast_path import DEFAULT_K
from alsolike.web.service import service_of
from alsolike.web.serving import queries
from alsolike.web.serving.registry import ServedModel
from alsolike.web.serving.user_queries import recommend_for
from alsolike.web.settings import POPULARITY

OutsideId = Annotated[
    str,
    InPath(
        min_length=1,
        max_length=schemas.MOST_OF_AN_ID,
        pattern=schemas.NO_NUL,
        description="your own id, percent-encoded",
    ),
]
IdInQuery = Annotated[
    str,
    Query(
        min_length=1,
        max_length=schemas.MOST_OF_AN_ID,
        pattern=schemas.NO_NUL,
        description="your own id",
    ),
]
K = Annotated[int, Query(ge=1, description="length of the list")]
MinCount = Annotated[int, Query(ge=0, le=2**31, description="minimum likes of a listed item")]
Slot = Annotated[
    str | None,
    Query(alias="model", max_length=64, description="model name, or popularity"),
]
Ids = list[schemas.OutsideId] | None
Allowed = Annotated[
    Ids, Query(max_length=schemas.MOST_IDS, description="only these ids; repeatable")
]
Denied = Annotated[
    Ids, Query(max_length=schemas.MOST_IDS, description="never these ids; repeatable")
]
WithoutLikes = Annotated[
    fallback.WithoutLikes,
    Query(description="for users without known likes: the most liked items, or an empty list"),
]
ExcludeSeen = Annotated[bool, Query(description="leave out items that the user already likes")]


@dataclass(frozen=True)
class _Filters:
    """Parameters of all lists."""

    slot: Slot = None
    allow: Allowed = None
    deny: Denied = None


@dataclass(frozen=True)
class _SimilarQuery(_Filters):
    k: K = DEFAULT_K
    min_count: MinCount = MIN_COUNT


@dataclass(frozen=True)
class _RecommendedQuery(_Filters):
    k: K = 10
    exclude_seen: ExcludeSeen = True
    without_likes: WithoutLikes = "popular"


SimilarQuery = Annotated[_SimilarQuery, Depends()]
RecommendedQuery = Annotated[_RecommendedQuery, Depends()]


async def similar_items(request: Request, item_id: OutsideId, query: SimilarQuery) -> Response:
    """Return the items most similar to an item."""
    served, k = requested_model(request, query.slot), _checked(request, query.k)
    row, by_likes = queries.row_of(served, item_id), queries.is_popularity(query.slot)
    answers = service_of(request).answers

    def answered() -> bytes:
        may_appear = queries.allowed(served, query.allow, query.deny)
        if may_appear is None and not by_likes:
            return answers.similar(served, row, k, query.min_count)
        if by_likes:
            ranking = queries.popular(served, k, without=(row,), may_appear=may_appear)
        else:
            ranking = queries.similar(
                served, row, k, min_count=query.min_count, may_appear=may_appear
            )
        return schemas.to_json(
            schemas.Similar,
            model=queries.source_of(served, query.slot),
            item=item_id,
            similar=queries.ranked(served, ranking),
        )

    return await _answered(answered, is_fast=served.is_fast())


async def similar_items_by_query(
    request: Request, item: IdInQuery, query: SimilarQuery
) -> Response:
    """Return the items most similar to an item, with the id in the query."""
    return await similar_items(request, item, query)


def explain_neighbours(
    request: Request, item_id: OutsideId, other: IdInQuery, slot: Slot = None
) -> dict[str, Any]:
    """Explain why two items are neighbours."""
    served = requested_model(request, slot)
    row, near = queries.row_of(served, item_id), queries.row_of(served, other)
    both = queries.ranked(served, [(row, 0.0), (near, 0.0)])
    shared = None if served.likers is None else served.likers.shared(row, near)
    only = (
        queries.similar(
            served, row, 1, min_count=0, may_appear=queries.allowed(served, [other], None)
        )
        if row != near
        else []
    )
    names = [one["name"] or one["item"] for one in both]
    score = only[0][1] if only else float(row == near)
    return {
        "model": queries.source_of(served),
        "item": item_id,
        "other": other,
        "cosine": score,
        "similarity": score,
        "scale": served.model.similarity.words,
        "likes": both[0]["likes"],
        "likes_of_other": both[1]["likes"],
        "shared": shared,
        "sentence": queries.sentence(names[0], names[1], shared, both[1]["likes"]),
    }


def find_items(
    request: Request,
    q: Annotated[
        str,
        Query(
            max_length=schemas.MOST_OF_AN_ID, description="a name, part of a name, an id or a link"
        ),
    ],
    limit: K = 20,
    slot: Slot = None,
) -> dict[str, Any]:
    """Search items by name or id."""
    served = requested_model(request, slot)
    rows = served.index.find(q, limit=_checked(request, limit))
    return {
        "model": queries.source_of(served),
        "items": [queries.item_of(served, row) for row in rows],
    }


def one_item(request: Request, item_id: OutsideId, slot: Slot = None) -> dict[str, Any]:
    """Return the details of an item."""
    served = requested_model(request, slot)
    known = queries.item_of(served, queries.row_of(served, item_id))
    return {"model": queries.source_of(served), **known}


def one_item_by_query(request: Request, item: IdInQuery, slot: Slot = None) -> dict[str, Any]:
    """Return the details of an item, with the id in the query."""
    return one_item(request, item, slot)


def recommend_to_user(
    request: Request, user_id: OutsideId, query: RecommendedQuery
) -> dict[str, Any]:
    """Recommend to a user; live likes count at once."""
    served, service = requested_model(request, query.slot), service_of(request)
    found, profile = queries.recommendations(
        served,
        user_id,
        service.state.likes_of(user_id),
        _checked(request, query.k),
        exclude_seen=query.exclude_seen,
        allow=query.allow,
        deny=query.deny,
        without_likes=query.without_likes,
        by_likes=queries.is_popularity(query.slot),
    )
    return {
        "model": queries.source_of(served, query.slot),
        "user": user_id,
        "basis": found.basis,
        "recommendations": queries.recommended(served, found),
        "training_likes": profile.trained,
        "live_likes": len(profile.live),
        "ignored_likes": profile.ignored,
    }


def recommend_to_user_by_query(
    request: Request, user: IdInQuery, query: RecommendedQuery
) -> dict[str, Any]:
    """Recommend to a user, with the id in the query."""
    return recommend_to_user(request, user, query)


async def recommend_for_these(request: Request, wish: schemas.Wish, slot: Slot = None) -> Response:
    """Recommend for the likes in the request, of any or a new user; nothing is stored."""
    served, k = requested_model(request, slot), _checked(request, wish.k)

    def answered() -> bytes:
        likes = distinct(wish.likes)
        values = {queries.row_of(served, item): value for item, value in likes.items()}
        checked_values(list(likes.values()), len(likes))
        may_appear = queries.allowed(served, wish.allow, wish.deny)
        if queries.is_popularity(slot):
            without = values if wish.exclude_seen else ()
            ranking = queries.popular(served, k, without=without, may_appear=may_appear)
            found = queries.found_of(ranking)
        else:
            found = recommend_for(
                served, values, k, may_appear,
                exclude=wish.exclude_seen, without_likes=wish.without_likes,
            )  # fmt: skip
        return schemas.to_json(
            schemas.Recommended,
            model=queries.source_of(served, slot),
            user=None,
            basis=found.basis,
            recommendations=queries.recommended(served, found),
            training_likes=0,
            live_likes=0,
            ignored_likes=0,
        )

    return await _answered(answered, is_fast=served.is_fast(len(wish.likes)))


def explain_recommendation(
    request: Request, user_id: OutsideId, item: IdInQuery, slot: Slot = None
) -> dict[str, Any]:
    """Return the contributions of a user's likes to an item's score; they add up to it."""
    served = requested_model(request, slot)
    live = service_of(request).state.likes_of(user_id)
    why = queries.explanation(served, user_id, item, live)
    return {
        "model": queries.source_of(served),
        "user": user_id,
        "item": item,
        "basis": why.basis,
        "score": why.score,
        "parts": [{"name": None} | row for row in why.parts.rows()],
    }


def models(request: Request) -> dict[str, Any]:
    """List the served models: versions, fingerprints, metrics, settings."""
    return {
        "models": [
            {
                "name": served.name,
                "version": served.version,
                "fingerprint": served.manifest.data_fingerprint,
                "users": served.manifest.n_users,
                "items": served.manifest.n_items,
                "family": served.manifest.family,
                "factors": served.manifest.factors,
                "metrics": dict(served.manifest.metrics),
                "settings": dict(served.manifest.settings),
            }
            for served in service_of(request).registry.served.values()
        ]
    }


def requested_model(request: Request, slot: str | None) -> ServedModel:
    """Return the model that a request names; the default for none and for popularity."""
    served = service_of(request).registry.of(
        None if queries.is_popularity(slot) else slot, others=[POPULARITY]
    )
    request.state.version = served.version
    return served


def _checked(request: Request, k: int) -> int:
    most = service_of(request).settings.most_k
    if k > most:
        raise SettingError(f"k is at most {most} here, not {k}.")
    return k


async def _answered(answered: Callable[[], bytes], *, is_fast: bool) -> Response:
    """Return a response, computed at once if fast, else in a thread."""
    content = answered() if is_fast else await asyncio.to_thread(answered)
    return Response(content, media_type="application/json")


def distinct(likes: list[schemas.Like]) -> dict[str, float]:
    """Return likes as items to values; raise SettingError if an item comes twice."""
    found = {one.item: one.value for one in likes}
    if len(found) < len(likes):
        raise SettingError("likes: the same item is given more than once. Give it once.")
    return found
