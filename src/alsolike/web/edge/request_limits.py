"""Middlewares: limit the size and type of requests, and the time to send and receive.

`HeadLimitsMiddleware` needs only the headers. `BodyLimitsMiddleware` reads the body, so it comes
after the check of the token.
"""

import asyncio
from collections.abc import Awaitable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from alsolike.errors import Refusal
from alsolike.web.edge.exchange import ClientLeft, has_body, headers_of, path_of

MOST_ADDRESS = 32_768  # bytes of path and query

_ONCE = (b"host", b"authorization", b"origin", b"content-length", b"sec-fetch-site")
_OF_NEW_ITEMS = 32 << 20  # bytes of a body of new items
_DRAINED = 16  # times the longest body: read and discarded, so that the client reads the response
_DRAIN_SECONDS = 1.0


class HeadLimitsMiddleware:
    """Refuses long URLs (414), and repeated headers that must be unique (400).

    So are headers of a trusted proxy that `ForwardedMiddleware` could not read.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Check one request and pass it on."""
        if scope["type"] == "http":
            if (malformed := scope.get("state", {}).get("malformed")) is not None:
                raise malformed
            fields = scope["headers"]
            if len(headers_of(scope)) != len(fields):
                names = [name for name, _ in fields]
                if any(names.count(name) > 1 for name in _ONCE):
                    raise Refusal(400, "malformed", "A header that must be unique was sent twice.")
            path = scope.get("raw_path") or scope["path"]
            if len(path) + len(scope["query_string"]) > MOST_ADDRESS:
                raise Refusal(
                    414, "address_too_long", f"URLs may have at most {MOST_ADDRESS:,} bytes."
                )
        return self._app(scope, receive, send)


class BodyLimitsMiddleware:
    """Reads the whole body before passing it on, and drops clients that do not read a response.

    Refuses a body for the API that is not JSON (415), since a form of any page could send it, one
    of more than `most_bytes` (413), and one that takes longer than `patience` seconds (408). Each
    part of a response must be read in that time, too.
    """

    def __init__(self, app: ASGIApp, *, most_bytes: int, patience: float) -> None:
        self._app, self._most, self._patience = app, most_bytes, patience

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Check one request and pass it on."""
        if scope["type"] != "http":
            return self._app(scope, receive, send)

        def taken(message: Message) -> Awaitable[None]:
            return self._slow(send, message) if message.get("more_body") else send(message)

        if has_body(scope):
            return self._with_body(scope, receive, taken)
        return self._app(scope, receive, taken)

    async def _slow(self, send: Send, message: Message) -> None:
        """Send a part; the server waits until the client has read earlier parts."""
        try:
            async with asyncio.timeout(self._patience):
                await send(message)
        except TimeoutError:
            raise ClientLeft from None

    async def _with_body(self, scope: Scope, receive: Receive, send: Send) -> None:
        _check_type(scope)
        messages = [{"type": "http.request", "body": await self._body(scope, receive)}]

        async def read() -> Message:
            # After the body, the server reports a disconnect.
            return messages.pop() if messages else await receive()

        await self._app(scope, read, send)

    async def _body(self, scope: Scope, receive: Receive) -> bytes:
        """Return the whole body, within the limits of time and size."""
        declared = headers_of(scope).get(b"content-length", b"0")
        if not declared.isdigit():
            raise Refusal(400, "malformed", "Content-Length: a number of bytes expected.")
        parts: list[bytes] = []
        # Who has the swap token may send a whole table of new items.
        may_swap = scope.get("state", {}).get("may_swap", False)
        most = max(self._most, _OF_NEW_ITEMS) if may_swap else self._most
        size, more = int(declared[:12]), True
        try:
            if size <= most:
                size = 0
                async with asyncio.timeout(self._patience):
                    while more and size <= most:
                        part, more = await part_of(receive)
                        parts.append(part)
                        size += len(part)
        except TimeoutError:
            raise Refusal(
                408, "too_slow", f"The body must arrive within {self._patience:g} s."
            ) from None
        if size > most:
            if more:
                await _drain(receive, _DRAINED * most)
            raise Refusal(413, "body_too_large", f"Bodies may have at most {most:,} bytes.")
        return b"".join(parts)


async def part_of(receive: Receive) -> tuple[bytes, bool]:
    """Return the next part of a body, and whether more follows; raise ClientLeft."""
    message = await receive()
    if message["type"] == "http.disconnect":
        raise ClientLeft
    return message.get("body", b""), message.get("more_body", False)


async def _drain(receive: Receive, most: int) -> None:
    """Discard the rest of a body, within limits: a client that still sends reads no response."""
    try:
        async with asyncio.timeout(_DRAIN_SECONDS):
            size, more = 0, True
            while more and size < most:
                part, more = await part_of(receive)
                size += len(part)
    except TimeoutError:
        return


def _check_type(scope: Scope) -> None:
    kind = headers_of(scope).get(b"content-type", b"").partition(b";")[0].strip().lower()
    if path_of(scope).startswith("/api/") and kind != b"application/json":
        raise Refusal(415, "not_json", "The API accepts JSON: send Content-Type: application/json.")
