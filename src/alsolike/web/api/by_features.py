"""Answers requests by features, such as tags: items for tags, tags for items, new items."""

from typing import Annotated, Any

from fastapi import Header, Query
from pydantic import BaseModel, Field, FiniteFloat
from starlette.requests import Request

from alsolike.errors import AlsolikeError, Forbidden, SettingError
from alsolike.recommending.features.answers import cold_user_scores, ranked_scores
from alsolike.recommending.features.suggesting import MIN_SUPPORT
from alsolike.web.api import schemas
from alsolike.web.api.id_types import AnsweredId, IdInPath, IdInQuery, OutsideId
from alsolike.web.api.parameters import K, ListQuery, Slot
from alsolike.web.api.routes import checked_length, requested_model
from alsolike.web.api.rules import NOTE, Text
from alsolike.web.api.schema_bases import Answer, Taken
from alsolike.web.service import service_of
from alsolike.web.serving import feature_queries, queries
from alsolike.web.serving.new_items import MOST, NewItem, add
from alsolike.web.serving.registry import ServedModel

_MOST_WANTED = 50
_MOST_WORDS = 1_000
_NAME = 'name of a feature, or "block: name", such as "tag: castle"'

Wanted = Annotated[
    list[Text], Query(min_length=1, max_length=_MOST_WANTED, description=f"{_NAME}; repeatable")
]
Value = Text | FiniteFloat | Annotated[list[Text | FiniteFloat], Field(max_length=_MOST_WORDS)]


class FeatureAnswer(BaseModel):
    """A feature of items, such as a tag."""

    feature: str = Field(description="name with that of its block, as it can be asked for")
    block: str
    name: str
    items: int = Field(description="how many items have it")


class SuggestedFeature(FeatureAnswer):
    """A feature that an item may be lacking."""

    rank: int
    votes: float = Field(
        description="how much the nearest items speak for it, comparable within the list of an item"
    )


class FoundFeatures(Answer):
    """Features whose name contains a text, the most frequent first."""

    features: list[FeatureAnswer]


class ItemsForFeatures(Answer):
    """Items that fit features, best first."""

    features: list[str]
    items: list[schemas.Ranked]
    note: str | None = NOTE


class ItemFeatures(Answer):
    """Features of an item, and further ones that it may be lacking, best first."""

    item: AnsweredId
    features: list[FeatureAnswer]
    suggested: list[SuggestedFeature]


class NewItemSent(Taken):
    """An item that the model does not have likes of."""

    id: OutsideId
    name: Text | None = None
    image: Text | None = None
    link: Text | None = None
    columns: dict[Text, Text] = Field(
        {}, max_length=100, description="further columns of the item table, for rules"
    )
    features: dict[Text, Value | None] = Field(
        max_length=100,
        description="what is known of it, by the model's blocks of features: a list of words of a "
        "set such as tags, a text, a number, a date, a vector as a list of numbers",
    )


class NewItemsSent(Taken):
    """New items, with their features."""

    items: list[NewItemSent] = Field(min_length=1, max_length=MOST)
    renew: bool = Field(
        False, description="take new features of items that the model has likes of, too"
    )


class NewItemsAnswer(Answer):
    """What became of new items."""

    added: list[AnsweredId] = Field(description="items now in the model, and on disk")
    renewed: list[AnsweredId] = Field(description="items that it had, with new features now")
    without_features: list[AnsweredId] = Field(
        description="items of which this model knows no feature: stored for the next model"
    )
    unknown_features: dict[str, int] = Field(
        description="by block: words that the model does not know, which do not count"
    )
    not_similar: str | None = Field(
        description="why the slot's second model, which similar items are of, did not take them; "
        "null if it did, or there is none"
    )


def find_features(
    request: Request,
    q: Annotated[str, Query(max_length=1_000, description="part of a name")] = "",
    limit: K = 20,
    slot: Slot = None,
) -> dict[str, Any]:
    """Search features of items, such as tags, by name; without one, list the most frequent."""
    served = requested_model(request, slot)
    found = feature_queries.find_features(served, q, checked_length(request, limit))
    return {
        "model": queries.source_of(served),
        "features": [one.to_plain() for one in found],
    }


def items_for_features(request: Request, feature: Wanted, query: ListQuery) -> dict[str, Any]:
    """Return the items that fit all of these features, such as tags."""
    served, k = requested_model(request, query.slot), checked_length(request, query.k)
    columns = feature_queries.wanted_columns(served, feature)
    allowed = queries.allowed(served, query.allow, query.deny, query.rules)
    ranking = feature_queries.items_for(served, columns, k, allowed)
    return {
        "model": queries.source_of(served),
        "features": [feature_queries.feature_at(served, int(one)).label for one in columns],
        "items": queries.ranked(served, ranking),
        "note": queries.note_on(allowed, query.rules, k, len(ranking)),
    }


def suggest_features(
    request: Request,
    item_id: IdInPath,
    k: K = 10,
    min_support: Annotated[
        int, Query(ge=0, le=2**31, description="least items that have a suggested feature")
    ] = MIN_SUPPORT,
    block: Annotated[
        list[Text] | None,
        Query(max_length=_MOST_WANTED, description="blocks to suggest from; without, all sets"),
    ] = None,
    slot: Slot = None,
) -> dict[str, Any]:
    """Return an item's features, and further ones that the nearest items have."""
    served = requested_model(request, slot)
    row = queries.row_of(served, item_id)
    found = feature_queries.suggested(served, row, checked_length(request, k), min_support, block)
    return {
        "model": queries.source_of(served),
        "item": served.model.items.id_of(row),
        "features": [one.to_plain() for one in feature_queries.features_of(served, row)],
        "suggested": [
            {**one.to_plain(), "rank": rank, "votes": votes}
            for rank, (one, votes) in enumerate(found, start=1)
        ],
    }


def suggest_features_by_query(
    request: Request,
    item: IdInQuery,
    k: K = 10,
    min_support: Annotated[int, Query(ge=0, le=2**31)] = MIN_SUPPORT,
    block: Annotated[list[Text] | None, Query(max_length=_MOST_WANTED)] = None,
    slot: Slot = None,
) -> dict[str, Any]:
    """Return an item's features and further ones, with the id in the query."""
    return suggest_features(request, item, k, min_support, block, slot)


def recommend_for_features(request: Request, feature: Wanted, query: ListQuery) -> dict[str, Any]:
    """Recommend to a person of whom only features are known; nothing is stored."""
    served, k = requested_model(request, query.slot), checked_length(request, query.k)
    labels, scores = cold_user_scores(served.model, list(feature))
    allowed = queries.allowed(served, query.allow, query.deny, query.rules)
    rows, found = ranked_scores(served.model, scores, k, allowed, "a person with these features")
    ranking = list(zip(rows.tolist(), found.tolist(), strict=True))
    return {
        "model": queries.source_of(served),
        "features": labels,
        "items": queries.ranked(served, ranking),
        "note": queries.note_on(allowed, query.rules, k, len(ranking)),
    }


def add_new_items(
    request: Request,
    body: NewItemsSent,
    slot: Slot = None,
    authorization: Annotated[str, Header(max_length=1000)] = "",  # checked by a middleware
) -> dict[str, Any]:
    """Add items by their features, on disk before the response; all workers follow in seconds.

    They are marked as new until a model is trained on likes of them. A later swap carries over
    those that the next model lacks.
    """
    service = service_of(request)
    if service.settings.swap_token is None:
        raise Forbidden("Started without a swap token, so new items are disabled.")
    if not request.state.may_swap:
        raise Forbidden("Swap token expected: Authorization: Bearer TOKEN.")
    served = requested_model(request, slot)
    items = _checked_items(served, body.items)
    try:
        done = add(service.settings, service.state, served.name, items, renew=body.renew)
    except AlsolikeError:
        service.metrics.count("new_items", len(items), result="refused")
        raise
    service.metrics.count("new_items", len(items), result="done")
    service.registry.follow()
    return {
        "model": {"name": served.name, "version": done.version},
        "added": list(done.items.added),
        "renewed": list(done.items.renewed),
        "without_features": list(done.items.without_features),
        "unknown_features": dict(done.items.unknown_features),
        "not_similar": done.why_not_similar or None,
    }


def _checked_items(served: ServedModel, sent: list[NewItemSent]) -> dict[Any, NewItem]:
    """Return items by id; raise SettingError for an id that can be none, or that comes twice."""
    known, found = served.model.items, {}
    for one in sent:
        if misfit := known.misfit(one.id):
            raise SettingError(f"items: {misfit[:300]}")
        texts = {"name": one.name, "image": one.image, "link": one.link, **one.columns}
        features = {name: value for name, value in one.features.items() if value is not None}
        columns = {name: text for name, text in texts.items() if text is not None}
        found[known.id_from(one.id)] = NewItem(features, columns)
    if len(found) < len(sent):
        raise SettingError("items: the same id is given more than once. Give it once.")
    return found
