"""Cross-origin requests of named origins: a shop's pages may read from the service.

References
----------
.. [1] https://fetch.spec.whatwg.org/#http-cors-protocol
"""

import re
from collections.abc import Awaitable, Iterable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from alsolike.web.edge.exchange import headers_of, path_of

_ORIGIN = re.compile(r"https?://(?:[a-z0-9._-]{1,253}|\[[0-9a-f:.]{2,45}\])(?::[0-9]{1,5})?")
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}
_API = "/api/v1/"
# These only read, although they have a body.
_READ_BY_POST = frozenset({"/api/v1/similar", "/api/v1/recommendations"})
_SECONDS = b"600"  # that browsers may remember the answer to a preflight


def as_origin(text: str) -> str | None:
    """Return an origin as browsers send it; None if `text` is no origin.

    Examples
    --------
    >>> as_origin("https://Shop.example:443"), as_origin("https://shop.example/"), as_origin("*")
    ('https://shop.example', None, None)
    """
    origin = text.lower()
    if not _ORIGIN.fullmatch(origin):
        return None
    return origin.removesuffix(_DEFAULT_PORTS[origin.partition(":")[0]])


class CrossOrigin:
    """Tells which requests of pages of other origins are allowed: reads of the API by named ones.

    Cookies are never sent with them: the header that would allow that is not sent.
    """

    def __init__(self, origins: Iterable[str]) -> None:
        self._origins = {origin.encode("ascii") for origin in origins}

    def allowed_origin(self, scope: Scope) -> bytes | None:
        """Return the origin of a request that is allowed, else None."""
        origin = headers_of(scope).get(b"origin")
        return origin if origin in self._origins and is_read(scope) else None


def is_preflight(scope: Scope) -> bool:
    """Tell whether a browser asks whether it may send a request."""
    asks = b"access-control-request-method" in headers_of(scope)
    return scope["method"] == "OPTIONS" and asks


def is_read(scope: Scope) -> bool:
    """Tell whether a request only reads from the API, or asks whether it may."""
    method, path = scope["method"], path_of(scope)
    if is_preflight(scope):
        method = headers_of(scope)[b"access-control-request-method"].decode("latin-1")
    if method in ("GET", "HEAD"):
        return path.startswith(_API)
    return method == "POST" and path in _READ_BY_POST


class CorsMiddleware:
    """Adds the headers that let pages of allowed origins read a response, errors included."""

    def __init__(self, app: ASGIApp, *, cross_origin: CrossOrigin) -> None:
        self._app, self._cross_origin = app, cross_origin

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Answer one request."""
        if scope["type"] != "http" or not path_of(scope).startswith(_API):
            return self._app(scope, receive, send)
        origin = self._cross_origin.allowed_origin(scope)

        def added(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start":
                headers = [*message.get("headers", ()), (b"vary", b"Origin")]
                if origin is not None:
                    headers.append((b"access-control-allow-origin", origin))
                message["headers"] = headers
            return send(message)

        return self._app(scope, receive, added)


async def answer_preflight(send: Send) -> None:
    """Tell a browser that it may send the request; `CorsMiddleware` names the origin."""
    headers = [
        (b"access-control-allow-methods", b"GET, HEAD, POST"),
        (b"access-control-allow-headers", b"Authorization, Content-Type"),
        (b"access-control-max-age", _SECONDS),
    ]
    await send({"type": "http.response.start", "status": 204, "headers": headers})
    await send({"type": "http.response.body", "body": b""})
