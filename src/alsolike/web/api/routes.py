"""Answers requests about items, users and models.

Ids are in paths, percent-encoded. One that a path cannot carry (``..``, which clients resolve) goes
into the query of ``/item``, ``/similar`` and ``/recommendations``.
"""

import asyncio
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import Query
from starlette.requests import Request
from starlette.responses import Response

from alsolike.errors import SettingError, Unable
from alsolike.models.als.normal_equations import checked_values
from alsolike.models.similarity.config import SimilarityConfig
from alsolike.web.api import schemas
from alsolike.web.api.id_types import MOST_OF_AN_ID, IdInPath, IdInQuery
from alsolike.web.api.parameters import (
    K,
    PopularityBias,
    RecommendedQuery,
    SimilarQuery,
    Slot,
    WantedAffinity,
)
from alsolike.web.api.schema_bases import to_json
from alsolike.web.service import service_of
from alsolike.web.serving import feature_queries, pair_queries, queries
from alsolike.web.serving.registry import ServedModel
from alsolike.web.serving.user_queries import recommend_for
from alsolike.web.settings import POPULARITY

TWICE = "likes: the same item is given more than once. Give it once."


async def similar_items(request: Request, item_id: IdInPath, query: SimilarQuery) -> Response:
    """Return the items most similar to an item."""
    served, k = _comparing_by(request, query, item_id), checked_length(request, query.k)
    row, by_likes = queries.row_of(served, item_id), queries.is_popularity(query.slot)
    similarity = _similarity(served, query.slot, query.affinity, query.popularity_bias)
    if query.by != "likes":
        feature_queries.refuse_dial(query.by, query.affinity, query.popularity_bias)
        _refuse_popularity(query.slot, query.by)
    answers = service_of(request).answers

    def answered() -> bytes:
        allowed = queries.allowed(served, query.allow, query.deny, query.rules)
        if allowed is None and not by_likes and query.by == "likes":
            return answers.similar(served, row, k, query.min_count, similarity)
        if query.by != "likes":
            ranking = feature_queries.similar_by(
                served, row, query.by, k, weight=query.feature_weight, allowed=allowed
            )
            basis = feature_queries.basis_by(served, row, query.by)
        elif by_likes:
            ranking = queries.popular(served, k, without=(row,), allowed=allowed)
            basis = queries.popular_basis(served, [row])
        else:
            ranking = queries.similar(
                served, row, k,
                similarity=similarity, min_count=query.min_count, allowed=allowed,
            )  # fmt: skip
            basis = queries.similar_basis(served, [row], similarity)
        return to_json(
            schemas.Similar,
            model=queries.source_of(served, query.slot),
            item=served.model.items.id_of(row),
            **basis,
            similar=queries.ranked(served, ranking),
            note=queries.note_on(allowed, query.rules, k, len(ranking)),
        )

    is_fast = query.rules is None and query.by == "likes" and served.compares_fast([row])
    return await _answered(answered, is_fast=is_fast)


async def similar_items_by_query(
    request: Request, item: IdInQuery, query: SimilarQuery
) -> Response:
    """Return the items most similar to an item, with the id in the query."""
    return await similar_items(request, item, query)


async def similar_to_these(request: Request, basket: schemas.Basket, slot: Slot = None) -> Response:
    """Return the items most similar to a set of items, by those who like some of them.

    Those who like many of the set weigh more. The set itself is not listed.
    """
    served, k = _comparing(request, slot), checked_length(request, basket.k)
    rows = queries.rows_of(served, basket.items)
    similarity = _similarity(served, slot, basket.affinity, basket.popularity_bias)

    def answered() -> bytes:
        allowed = queries.allowed(served, basket.allow, basket.deny, basket.rules)
        if queries.is_popularity(slot):
            ranking = queries.popular(served, k, without=rows, allowed=allowed)
            basis = queries.popular_basis(served, rows)
        else:
            ranking = queries.similar_to_set(
                served, rows, k,
                similarity=similarity, min_count=basket.min_count, allowed=allowed,
            )  # fmt: skip
            basis = queries.similar_basis(served, rows, similarity)
        return to_json(
            schemas.SimilarToSet,
            model=queries.source_of(served, slot),
            items=[served.model.items.id_of(row) for row in rows],
            **basis,
            similar=queries.ranked(served, ranking),
            note=queries.note_on(allowed, basket.rules, k, len(ranking)),
        )

    is_fast = basket.rules is None and served.compares_fast(rows)
    return await _answered(answered, is_fast=is_fast)


def explain_neighbours(
    request: Request,
    item_id: IdInPath,
    other: IdInQuery,
    slot: Slot = None,
    popularity_bias: PopularityBias = None,
    affinity: WantedAffinity = None,
) -> dict[str, Any]:
    """Explain why an item is similar to another: how many of those who like it like the other."""
    served = _comparing(request, slot)
    row, near = queries.row_of(served, item_id), queries.row_of(served, other)
    if row == near:
        raise SettingError(f"other: another item than {item_id[:200]!r} expected.")
    similarity = _similarity(served, None, affinity, popularity_bias)
    only = queries.similar(
        served, row, 1, similarity=similarity, min_count=0,
        allowed=queries.allowed(served, [other], None),
    )  # fmt: skip
    score = only[0][1] if only else 0.0
    cosine = pair_queries.cosine(served, row, near)
    basis = queries.similar_basis(served, [row], similarity)
    return {
        "model": queries.source_of(served),
        "item": served.model.items.id_of(row),
        "other": served.model.items.id_of(near),
        "cosine": score if cosine is None else cosine,
        "similarity": score,
        **basis,
        "likes_of_other": int(served.model.item_counts[near]),
        **pair_queries.pair_why(served, row, near),
    }


def find_items(
    request: Request,
    q: Annotated[
        str,
        Query(max_length=MOST_OF_AN_ID, description="a name, part of a name, an id or a link"),
    ],
    limit: K = 20,
    slot: Slot = None,
) -> dict[str, Any]:
    """Search items by name or id."""
    served = requested_model(request, slot)
    rows = served.index.find(q, limit=checked_length(request, limit))
    return {
        "model": queries.source_of(served),
        "items": [queries.item_of(served, row) for row in rows],
    }


def one_item(request: Request, item_id: IdInPath, slot: Slot = None) -> dict[str, Any]:
    """Return the details of an item."""
    served = requested_model(request, slot)
    known = queries.item_of(served, queries.row_of(served, item_id))
    return {"model": queries.source_of(served), **known}


def one_item_by_query(request: Request, item: IdInQuery, slot: Slot = None) -> dict[str, Any]:
    """Return the details of an item, with the id in the query."""
    return one_item(request, item, slot)


def recommend_to_user(
    request: Request, user_id: IdInPath, query: RecommendedQuery
) -> dict[str, Any]:
    """Recommend to a user; live likes count at once."""
    served, service = requested_model(request, query.slot), service_of(request)
    k, allowed = (
        checked_length(request, query.k),
        queries.allowed(served, query.allow, query.deny, query.rules),
    )
    found, profile, fallen_back = queries.recommendations(
        served,
        user_id,
        service.state.likes_of(user_id),
        k,
        exclude_seen=query.exclude_seen,
        allowed=allowed,
        without_likes=query.without_likes,
        by_likes=queries.is_popularity(query.slot),
        fallback=query.fallback,
    )
    return {
        "model": queries.source_of(served, query.slot),
        "user": served.model.users.id_from(user_id),
        "basis": found.basis,
        "fallback": fallen_back,
        "recommendations": queries.recommended(served, found),
        "training_likes": profile.trained,
        "live_likes": len(profile.live),
        "ignored_likes": profile.ignored,
        "note": queries.note_on(allowed, query.rules, k, len(found.rows)),
    }


def recommend_to_user_by_query(
    request: Request, user: IdInQuery, query: RecommendedQuery
) -> dict[str, Any]:
    """Recommend to a user, with the id in the query."""
    return recommend_to_user(request, user, query)


async def recommend_for_these(request: Request, wish: schemas.Wish, slot: Slot = None) -> Response:
    """Recommend for the likes in the request, of any or a new user; nothing is stored."""
    served, k = requested_model(request, slot), checked_length(request, wish.k)

    def answered() -> bytes:
        likes = wish.likes
        values = {queries.row_of(served, one.item): one.value for one in likes}
        if len(values) < len(likes):
            raise SettingError(TWICE)
        checked_values(list(values.values()), len(values))
        allowed = queries.allowed(served, wish.allow, wish.deny, wish.rules)
        if queries.is_popularity(slot):
            without = values if wish.exclude_seen else ()
            ranking = queries.popular(served, k, without=without, allowed=allowed)
            found = queries.found_of(ranking)
        else:
            found = recommend_for(
                served, values, k, allowed,
                exclude=wish.exclude_seen, without_likes=wish.without_likes,
            )  # fmt: skip
        return to_json(
            schemas.Recommended,
            model=queries.source_of(served, slot),
            user=None,
            basis=found.basis,
            recommendations=queries.recommended(served, found),
            training_likes=0,
            live_likes=0,
            ignored_likes=0,
            note=queries.note_on(allowed, wish.rules, k, len(found.rows)),
        )

    is_fast = wish.rules is None and served.is_fast(len(wish.likes))
    return await _answered(answered, is_fast=is_fast)


def explain_recommendation(
    request: Request, user_id: IdInPath, item: IdInQuery, slot: Slot = None
) -> dict[str, Any]:
    """Return the contributions of a user's likes to an item's score; they add up to it."""
    served = requested_model(request, slot)
    live = service_of(request).state.likes_of(user_id)
    why = queries.explanation(served, user_id, item, live)
    return {
        "model": queries.source_of(served),
        "user": served.model.users.id_from(user_id),
        "item": why.item,
        "basis": why.basis,
        "score": why.score,
        "parts": [
            {"name": None}
            | row
            | {"members": {name: row[name] for name in why.members} if why.members else None}
            for row in why.parts.rows()
        ],
        "by_item": why.by_item,
        "features": [{"feature": label, "contribution": part} for label, part in why.features],
    }


def models(request: Request) -> dict[str, Any]:
    """List the served models: versions, fingerprints, metrics, settings."""
    return {
        "models": [
            {
                **queries.facts_of(served),
                "similar": None if served.companion is None else queries.facts_of(served.companion),
            }
            for served in service_of(request).registry.served.values()
        ]
    }


def requested_model(request: Request, slot: str | None) -> ServedModel:
    """Return the model that a request names; the default for none and for popularity."""
    return _logged(request, _named_model(request, slot))


def _comparing(request: Request, slot: str | None) -> ServedModel:
    """Return the model of the slot that a request names, for similar items."""
    return _logged(request, _named_model(request, slot).similar_model)


def _comparing_by(request: Request, query: SimilarQuery, item: str) -> ServedModel:
    """Return the model for similar items; by features, the slot's first one if need be."""
    one = _named_model(request, query.slot)
    second = one.similar_model
    is_able = second.has_item_features and second.model.items.find(item) is not None
    return _logged(request, second if query.by == "likes" or is_able else one)


def _named_model(request: Request, slot: str | None) -> ServedModel:
    return service_of(request).registry.of(
        None if queries.is_popularity(slot) else slot, others=[POPULARITY]
    )


def _logged(request: Request, served: ServedModel) -> ServedModel:
    request.state.version = served.version
    return served


def _refuse_popularity(slot: str | None, by: str) -> None:
    """Raise Unable if items are to be compared by features in a list by popularity."""
    if queries.is_popularity(slot):
        raise Unable(
            f"A model that knows features of items is needed for by={by}; 'popularity' knows none."
        )


def _similarity(
    served: ServedModel, slot: str | None, affinity: str | None, popularity_bias: float | None
) -> SimilarityConfig | None:
    """Return the settings that a request asks for; None: the model's own.

    Raises
    ------
    Unable
        A setting is given, and the model, or popularity, has no dial.
    SettingError
        The model does not have the affinity.
    """
    if queries.is_popularity(slot) and (affinity, popularity_bias) != (None, None):
        raise Unable(
            "A model with a dial from specific to popular items is needed to choose between "
            "specific and popular items; 'popularity' has none."
        )
    return served.similarity(affinity=affinity, popularity_bias=popularity_bias)


def checked_length(request: Request, k: int) -> int:
    """Return the length of a list; raise SettingError above the service's limit."""
    most = service_of(request).settings.most_k
    if k > most:
        raise SettingError(f"k is at most {most} here, not {k}.")
    return k


async def _answered(answered: Callable[[], bytes], *, is_fast: bool) -> Response:
    """Return a response, computed at once if fast, else in a thread."""
    content = answered() if is_fast else await asyncio.to_thread(answered)
    return Response(content, media_type="application/json")
