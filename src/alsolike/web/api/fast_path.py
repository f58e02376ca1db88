"""Middleware: answers plain requests for similar items, several times faster than FastAPI.

All other requests, and those with any error, are passed on.
"""

import re

from starlette.types import ASGIApp, Receive, Scope, Send

from alsolike.errors import AlsolikeError
from alsolike.models.similarity.config import SimilarityConfig
from alsolike.recommending.shared import MIN_COUNT
from alsolike.web.api.path_ids import ends_so
from alsolike.web.serving.answer_cache import AnswerCache
from alsolike.web.serving.registry import ModelRegistry, ServedModel

DEFAULT_K = 10

_START, _END = "/api/v1/items/", "/similar"
_ROUTE = f"{_START}{{item_id}}{_END}"
# A mark of the dial as people write it; other spellings of numbers take the usual way.
_QUERY = re.compile(
    rb"(?:k=(?P<k>[1-9][0-9]{0,3}))?(?:(?(k)&)popularity_bias=(?P<bias>0|1|0?\.[0-9]{1,6}))?"
)


class FastPath:
    """Answers plain requests for similar items, and passes on all others."""

    def __init__(
        self, app: ASGIApp, *, registry: ModelRegistry, most_k: int, answers: AnswerCache
    ) -> None:
        self._app, self._registry, self._most_k, self._answers = app, registry, most_k, answers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or pass it on."""
        content = self._ready(scope) if scope["type"] == "http" else None
        if content is None:
            await self._app(scope, receive, send)
            return
        length = b"%d" % len(content)
        headers = [(b"content-type", b"application/json"), (b"content-length", length)]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    def _ready(self, scope: Scope) -> bytes | None:
        """Return the response, or None to pass the request on."""
        path: str = scope["path"]
        if not (path.startswith(_START) and path.endswith(_END) and scope["method"] == "GET"):
            return None
        query = _QUERY.fullmatch(scope["query_string"])
        if query is None or scope.get("root_path") or not ends_so(scope, _END):
            return None
        k = int(query["k"] or DEFAULT_K)
        served = self._registry.of(None).similar_model
        row = served.model.items.find(path[len(_START) : -len(_END)])
        if k > self._most_k or row is None:
            return None
        bias = query["bias"]
        try:
            similarity = served.similarity(popularity_bias=float(bias)) if bias else None
            if not self._is_fast(served, row, k, similarity):
                return None
            content = self._answers.similar(served, row, k, MIN_COUNT, similarity)
        except AlsolikeError:  # raised again by the usual route
            return None
        state = scope.setdefault("state", {})
        state["route"], state["version"] = _ROUTE, served.version
        return content

    def _is_fast(
        self, served: ServedModel, row: int, k: int, similarity: SimilarityConfig | None
    ) -> bool:
        """Return whether an answer is ready, or found fast enough for the event loop."""
        return (
            self._answers.has(served, (row, k, MIN_COUNT, similarity))
            or served.neighbours.is_precomputed(row, k, similarity)
            or served.compares_fast([row])
        )
