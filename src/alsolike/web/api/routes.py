"""The API: what programs ask about items, users and models, under ``/api/v1``.

Ids stand in paths, percent-encoded. One that a path cannot carry (``..``, which clients resolve) is
asked for by the query, at ``/item``, ``/similar`` and ``/recommendations``.
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
MinCount = Annotated[int, Query(ge=0, le=2**31, description="likes that an answer must have")]
Slot = Annotated[
    str | None,
    Query(alias="model", max_length=64, description="which model, by its name, or popularity"),
]
Ids = list[schemas.OutsideId] | None
Allowed = Annotated[
    Ids, Query(max_length=schemas.MOST_IDS, description="only these ids; may be given again")
]
Denied = Annotated[
    Ids, Query(max_length=schemas.MOST_IDS, description="none of these ids; may be given again")
]
WithoutLikes = Annotated[
    fallback.WithoutLikes,
    Query(description="where the model knows no like: the most liked items, or none"),
]
ExcludeSeen = Annotated[bool, Query(description="leave out what the user likes already")]


@dataclass(frozen=True)
class _Filters:
    """What a list is made of, as the query of a request says."""

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


async def similar_items(request: Request, item_id: OutsideId, asked: SimilarQuery) -> Response:
    """Return the items most similar to one."""
    return await _similar(request, item_id, asked)


async def similar_items_by_query(request: Request, item: IdInQuery, asked: SimilarQuery) -> Response:
    """Return the items most similar to one, whatever its id."""
    return await _similar(request, item, asked)


def explain_neighbours(
    request: Request, item_id: OutsideId, other: IdInQuery, slot: Slot = None
) -> dict[str, Any]:
    """Say why two items are neighbours."""
    served = requested_model(request, slot)
    row, near = queries.row_of(served, item_id), queries.row_of(served, other)
    both = queries.ranked(served, [(row, 0.0), (near, 0.0)])
    shared = None if served.likers is None else served.likers.shared(row, near)
    only = queries.similar(served, row, 1, min_count=0, allow=[other]) if row != near else []
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
        Query(max_length=schemas.MOST_OF_AN_ID, description="a name or part of one, an id, a link"),
    ],
    limit: K = 20,
    slot: Slot = None,
) -> dict[str, Any]:
    """Search over names and ids."""
    served = requested_model(request, slot)
    rows = served.index.find(q, limit=_checked(request, limit))
    return {
        "model": queries.source_of(served),
        "items": [queries.item_of(served, row) for row in rows],
    }


def one_item(request: Request, item_id: OutsideId, slot: Slot = None) -> dict[str, Any]:
    """Return what is known of one item."""
    return _item(request, item_id, slot)


def one_item_by_query(request: Request, item: IdInQuery, slot: Slot = None) -> dict[str, Any]:
    """Return what is known of one item, whatever its id."""
    return _item(request, item, slot)


def recommend_to_user(
    request: Request, user_id: OutsideId, asked: RecommendedQuery
) -> dict[str, Any]:
    """Recommend to a user; likes that the service was told count at once."""
    return _recommended(request, user_id, asked)


def recommend_to_user_by_query(
    request: Request, user: IdInQuery, asked: RecommendedQuery
) -> dict[str, Any]:
    """Recommend to a user, whatever the id."""
    return _recommended(request, user, asked)


async def recommend_for_these(request: Request, wish: schemas.Wish, slot: Slot = None) -> Response:
    """Recommend for likes, of somebody whom the model need not know; nothing is stored."""
    served, k = requested_model(request, slot), _checked(request, wish.k)
    filters = {"allow": wish.allow, "deny": wish.deny}

    def answered() -> bytes:
        likes = distinct(wish.likes)
        values = {queries.row_of(served, item): value for item, value in likes.items()}
        checked_values(list(likes.values()), len(likes))
        if queries.is_popularity(slot):
            without = values if wish.exclude_seen else ()
            found = queries.found_of(queries.popular(served, k, without=without, **filters))
        else:
            found = queries.for_likes(
                served, values, k, exclude=wish.exclude_seen, without_likes=wish.without_likes,
                **filters,
            )  # fmt: skip
        return schemas.told(
            schemas.Recommended,
            model=queries.source_of(served, slot),
            user=None,
            basis=found.basis,
            recommendations=queries.recommended(served, found),
            training_likes=0,
            live_likes=0,
            ignored_likes=0,
        )

    return await _soon(answered, is_fast=served.is_fast(len(wish.likes)))


def explain_recommendation(
    request: Request, user_id: OutsideId, item: IdInQuery, slot: Slot = None
) -> dict[str, Any]:
    """Say which likes carry the score of an item; their contributions add up to it."""
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
    """Say what is served: versions, fingerprints, metrics, settings."""
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
    """Return the model that a request names, the default where it names none or popularity."""
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


async def _similar(request: Request, item: str, asked: _SimilarQuery) -> Response:
    served, k = requested_model(request, asked.slot), _checked(request, asked.k)
    row, by_likes = queries.row_of(served, item), queries.is_popularity(asked.slot)
    filters = {"allow": asked.allow, "deny": asked.deny}
    answers = service_of(request).answers

    def answered() -> bytes:
        if filters == {"allow": None, "deny": None} and not by_likes:
            return answers.similar(served, row, k, asked.min_count)
        if by_likes:
            ranking = queries.popular(served, k, without=(row,), **filters)
        else:
            ranking = queries.similar(served, row, k, min_count=asked.min_count, **filters)
        return schemas.told(
            schemas.Similar,
            model=queries.source_of(served, asked.slot),
            item=item,
            similar=queries.ranked(served, ranking),
        )

    return await _soon(answered, is_fast=served.is_fast())


async def _soon(answered: Callable[[], bytes], *, is_fast: bool) -> Response:
    """Return an answer: at once where that takes a moment, else beside other requests."""
    content = answered() if is_fast else await asyncio.to_thread(answered)
    return Response(content, media_type="application/json")


def _item(request: Request, item: str, slot: str | None) -> dict[str, Any]:
    served = requested_model(request, slot)
    known = queries.item_of(served, queries.row_of(served, item))
    return {"model": queries.source_of(served), **known}


def _recommended(request: Request, user: str, asked: _RecommendedQuery) -> dict[str, Any]:
    served, service = requested_model(request, asked.slot), service_of(request)
    found, profile = queries.recommendations(
        served,
        user,
        service.state.likes_of(user),
        _checked(request, asked.k),
        exclude_seen=asked.exclude_seen,
        allow=asked.allow,
        deny=asked.deny,
        without_likes=asked.without_likes,
        by_likes=queries.is_popularity(asked.slot),
    )
    return {
        "model": queries.source_of(served, asked.slot),
        "user": user,
        "basis": found.basis,
        "recommendations": queries.recommended(served, found),
        "training_likes": profile.trained,
        "live_likes": len(profile.live),
        "ignored_likes": profile.ignored,
    }


def distinct(likes: list[schemas.Like]) -> dict[str, float]:
    """Return likes as items to values; SettingError where an item comes twice."""
    found = {one.item: one.value for one in likes}
    if len(found) < len(likes):
        raise SettingError("likes: an item is given more than once. Give each item one value.")
    return found
