"""The question that is asked most, answered before the framework has looked at it.

What FastAPI does for one request (dependencies, validation, a task) takes several times as long as
finding a ready-made answer. So plain questions for similar items are answered here; all others, and
all that is wrong in any way, go the usual way, which is the only one that knows how to refuse.
"""

import json
import re
from collections.abc import Sequence
from weakref import WeakKeyDictionary

from starlette.types import ASGIApp, Receive, Scope, Send

from alsolike.errors import AlsolikeError
from alsolike.recommending.shared import MIN_COUNT
from alsolike.web.api.path_ids import ends_so
from alsolike.web.serving import queries
from alsolike.web.serving.registry import Held, Holder

USUAL_K = 10

_START, _END = "/api/v1/items/", "/similar"
_ROUTE = f"{_START}{{item_id}}{_END}"
_QUERY = re.compile(rb"k=([1-9][0-9]{0,3})|")
_MOST_KEPT = 64 << 20  # bytes
_MOST_PLACES = 100_000  # items whose texts are kept, some tens of megabytes
_OVERHEAD = 300  # bytes that keeping one takes besides


class Shelves:
    """Ready-made answers for one worker; each goes with the model that it was made from.

    Parameters
    ----------
    most_kept : int
        Bytes of answers of one model.
    """

    def __init__(self, *, most_kept: int = _MOST_KEPT) -> None:
        self._most_kept = most_kept
        self._made: WeakKeyDictionary[Held, _Made] = WeakKeyDictionary()

    def similar(self, held: Held, row: int, k: int, min_count: int) -> bytes:
        """Return the answer to `alsolike.web.serving.queries.similar` without filters, as JSON.

        Raises
        ------
        Unable
            The model compares no items.
        FitError
            A score is not finite.
        """
        made = self._made.get(held)
        if made is None:
            made = self._made[held] = _Made(held, self._most_kept)
        key = (row, k, min_count)
        content = made.answers.get(key)
        if content is None:
            ranking = queries.similar(held, row, k, min_count=min_count)
            content = made.told(held, row, ranking)
            made.keep(key, content)
        return content


class _Made:
    """What was made ready from one model."""

    def __init__(self, held: Held, most_kept: int) -> None:
        self._most_kept = most_kept
        self.answers: dict[tuple[int, int, int], bytes] = {}
        self._size = 0
        self._places: dict[int, bytes] = {}
        head = json.dumps({"model": queries.source_of(held)}, ensure_ascii=False)
        self._head = head[:-1].encode("utf-8")

    def keep(self, key: tuple[int, int, int], content: bytes) -> None:
        """Keep an answer; where there is no room, throw away the others."""
        size = len(content) + _OVERHEAD
        if self._size + size > self._most_kept:
            self.answers.clear()
            self._size = 0
        self.answers[key] = content
        self._size += size

    def told(self, held: Held, row: int, ranking: Sequence[tuple[int, float]]) -> bytes:
        """Return an answer: what `schemas.Similar` would make of it, in a tenth of the time."""
        parts = [
            b'{"rank":%d,%b,"score":%b}' % (rank, self._known(held, other), b"%r" % score)
            for rank, (other, score) in enumerate(ranking, start=1)
        ]
        asked = json.dumps(held.model.items.id_of(row), ensure_ascii=False).encode("utf-8")
        return b'%b,"item":%b,"similar":[%b]}' % (self._head, asked, b",".join(parts))

    def _known(self, held: Held, row: int) -> bytes:
        """Return what an answer says of an item, whatever its place."""
        text = self._places.get(row)
        if text is None:
            (known,) = queries.ranked(held, [(row, 0.0)])
            del known["rank"], known["score"]
            text = json.dumps(known, ensure_ascii=False)[1:-1].encode("utf-8")
            if len(self._places) >= _MOST_PLACES:
                self._places.clear()
            self._places[row] = text
        return text


class Quick:
    """An application that answers plain questions for similar items, and hands on all others.

    Parameters
    ----------
    app : ASGI application
    holder : Holder
    most_k : int
    shelves : Shelves
    """

    def __init__(self, app: ASGIApp, *, holder: Holder, most_k: int, shelves: Shelves) -> None:
        self._app, self._holder, self._most_k, self._shelves = app, holder, most_k, shelves

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or hand it on."""
        content = self._ready(scope) if scope["type"] == "http" else None
        if content is None:
            await self._app(scope, receive, send)
            return
        length = b"%d" % len(content)
        headers = [(b"content-type", b"application/json"), (b"content-length", length)]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    def _ready(self, scope: Scope) -> bytes | None:
        """Return the answer; None where the usual way is the one to go."""
        path: str = scope["path"]
        if not (path.startswith(_START) and path.endswith(_END) and scope["method"] == "GET"):
            return None
        asked = _QUERY.fullmatch(scope["query_string"])
        if asked is None or scope.get("root_path") or not ends_so(scope, _END):
            return None
        k = int(asked[1] or USUAL_K)
        held = self._holder.of(None)
        if k > self._most_k or not held.is_quick():
            return None
        row = held.model.items.find(path[len(_START) : -len(_END)])
        if row is None:
            return None
        try:
            content = self._shelves.similar(held, row, k, MIN_COUNT)
        except AlsolikeError:  # found again on the usual way, and told there
            return None
        state = scope.setdefault("state", {})
        state["route"], state["version"] = _ROUTE, held.version
        return content
