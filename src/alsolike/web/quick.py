"""The question that is asked most, answered before the framework has looked at it.

What FastAPI does for one request (dependencies, validation, a task) takes several times as long as
finding a ready-made answer. So plain questions for similar items are answered here; all others, and
all that is wrong in any way, go the usual way, which is the only one that knows how to refuse.
"""

import re
from typing import Any

from fastapi import APIRouter
from starlette.convertors import Convertor, register_url_convertor
from starlette.routing import Match
from starlette.types import Receive, Scope, Send

from alsolike.recommending.answers import MIN_COUNT
from alsolike.web.answering import Shelves
from alsolike.web.holding import Held

USUAL_K = 10
LARGE = 4_000_000  # numbers in the item factors; a product of more is done beside the requests

_START, _END = "/api/v1/items/", "/similar"
_ROUTE = f"{_START}{{item_id}}{_END}"
_QUERY = re.compile(rb"k=([1-9][0-9]{0,3})|")


class _OutsideId(Convertor[str]):
    """Any text at all: that of the framework's own paths ends where a line does."""

    regex = r"[\s\S]*"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("outside", _OutsideId())


class QuickRouter(APIRouter):
    """A router that answers plain questions for similar items itself.

    Parameters
    ----------
    shelves : Shelves
        Where ready-made answers are.
    **settings
        As of `APIRouter`.
    """

    def __init__(self, shelves: Shelves, **settings: Any) -> None:
        super().__init__(**settings)
        self._shelves = shelves

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Take what looks plain without asking each route."""
        if _looks_plain(scope):
            return Match.FULL, {}
        return super().matches(scope)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer what is plain, and let the routes answer the others."""
        content = self._ready(scope) if _looks_plain(scope) else None
        if content is None:
            await super().handle(scope, receive, send)
            return
        length = str(len(content)).encode("ascii")
        headers = [(b"content-type", b"application/json"), (b"content-length", length)]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    def _ready(self, scope: Scope) -> bytes | None:
        """Return the answer, None where the usual way is the one to go."""
        service = scope["app"].state.service
        asked = _QUERY.fullmatch(scope["query_string"])
        if asked is None:
            return None
        k = int(asked[1] or USUAL_K)
        held: Held = service.holder.of(None)
        if k > service.settings.most_k or held.model.item_factors.size > LARGE:
            return None
        row = held.model.items.find(scope["path"][len(_START) : -len(_END)])
        if row is None:
            return None
        state = scope.setdefault("state", {})
        state["route"], state["version"] = _ROUTE, held.version
        return self._shelves.similar(held, row, k, MIN_COUNT)


def _looks_plain(scope: Scope) -> bool:
    path = scope.get("path", "")
    return (
        scope["type"] == "http"
        and scope["method"] == "GET"
        and path.startswith(_START)
        and path.endswith(_END)
        and not scope.get("root_path")
        and len(path) > len(_START) + len(_END)
    )
