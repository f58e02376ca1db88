"""Stores and removes live likes."""

from typing import Annotated, Any, Literal

from fastapi import Query
from starlette.requests import Request

from alsolike.errors import InTrainingData, SettingError
from alsolike.models.als.normal_equations import checked_values
from alsolike.web.api import schemas
from alsolike.web.api.id_types import IdInPath, IdInQuery
from alsolike.web.api.parameters import Slot
from alsolike.web.api.routes import TWICE, requested_model
from alsolike.web.service import service_of
from alsolike.web.serving import queries
from alsolike.web.serving.registry import ServedModel
from alsolike.web.serving.user_queries import profile_of

_MOST_HINTS = 10  # each needs a search
_MOST_OF_A_MESSAGE = 300

Unknown = Annotated[
    Literal["keep", "refuse"],
    Query(
        description="likes of items that the model does not know: store them for the next model, "
        "or reject the whole batch"
    ),
]


def like(
    request: Request,
    user_id: IdInPath,
    body: schemas.Likes,
    unknown: Unknown = "keep",
    slot: Slot = None,
) -> dict[str, Any]:
    """Store likes of a user, on disk before the response; they count from the next request on.

    Likes of items that the model does not know are stored, too, and count once a model knows them.
    """
    served = requested_model(request, slot)
    likes = _checked_likes(served, user_id, body.likes)
    not_known = [item for item in likes if served.model.items.find(item) is None]
    if not_known and unknown == "refuse":
        queries.row_of(served, not_known[0])  # raises, with a hint
    service = service_of(request)
    service.state.add_likes(user_id, likes)
    service.metrics.count("likes", len(likes))
    hints = {item: queries.hint_of(served, item) for item in not_known[:_MOST_HINTS]}
    return {
        "model": queries.source_of(served),
        "user": served.model.users.id_from(user_id),
        "kept": len(likes),
        "unknown_items": list(map(served.model.items.id_from, not_known)),
        "hints": [
            f"{served.model.items.id_from(item)!r}: {hint}" for item, hint in hints.items() if hint
        ],
        **_counts(request, served, user_id),
    }


def like_by_query(
    request: Request,
    user: IdInQuery,
    body: schemas.Likes,
    unknown: Unknown = "keep",
    slot: Slot = None,
) -> dict[str, Any]:
    """Store likes of a user, with the id in the query."""
    return like(request, user, body, unknown, slot)


def take_like_back(
    request: Request, user_id: IdInPath, item_id: IdInPath, slot: Slot = None
) -> dict[str, Any]:
    """Remove a live like; it no longer counts from the next request on.

    Repeating it changes nothing. A like of the training data cannot be removed here (409).
    """
    served, service = requested_model(request, slot), service_of(request)
    trained = _is_trained(served, user_id, item_id)
    done = service.state.take_back(user_id, item_id)
    if not done and trained:
        raise InTrainingData(
            f"Model {served.name!r} was trained on this like; the service removes only likes that "
            "were sent to it. Remove it from the training data, train again and swap."
        )
    service.metrics.count("likes_taken_back", int(done))
    return {
        "model": queries.source_of(served),
        "user": served.model.users.id_from(user_id),
        "item": served.model.items.id_from(item_id),
        "taken_back": done,
        "in_training": trained,
        **_counts(request, served, user_id),
    }


def take_like_back_by_query(
    request: Request, user: IdInQuery, item: IdInQuery, slot: Slot = None
) -> dict[str, Any]:
    """Remove a live like, with the ids in the query."""
    return take_like_back(request, user, item, slot)


def _checked_likes(served: ServedModel, user: str, likes: list[schemas.Like]) -> dict[str, float]:
    """Return likes as texts of items to values.

    Raises
    ------
    SettingError
        An item comes twice, a value is zero, or an id can never be one of the model: such a like
        would spoil the next training.
    """
    users, items = served.model.users, served.model.items
    for known, given in ((users, user), *((items, one.item) for one in likes)):
        if misfit := known.misfit(given):
            raise SettingError(f"likes: {misfit[:_MOST_OF_A_MESSAGE]}")
    found = {str(one.item): one.value for one in likes}
    if len(found) < len(likes):
        raise SettingError(TWICE)
    checked_values(list(found.values()), len(found))
    return found


def _counts(request: Request, served: ServedModel, user: str) -> dict[str, int]:
    """Return how many live likes of a user count with a model, and how many do not."""
    profile = profile_of(served, user, service_of(request).state.likes_of(user))
    return {"live_likes": len(profile.live), "ignored_likes": profile.ignored}


def _is_trained(served: ServedModel, user: str, item: str) -> bool | None:
    """Return whether a model was trained on a like; None if it has no history."""
    model = served.model
    row, column = model.users.find(user), model.items.find(item)
    if row is None or column is None:
        return False
    if model.history is None:
        return None
    likes = model.history.user_items
    stored = likes.indices[likes.indptr[row] : likes.indptr[row + 1]]
    return bool((stored == column).any())
