"""Middleware: refuses cross-origin requests of browsers.

Browsers name the origin of a request in Sec-Fetch-Site and Origin, which pages cannot set. Programs
send neither header and are not affected.

References
----------
.. [1] https://fetch.spec.whatwg.org/#origin-header
.. [2] https://www.w3.org/TR/fetch-metadata/
"""

import re
from collections.abc import Awaitable, Mapping

from starlette.types import ASGIApp, Receive, Scope, Send

from alsolike.errors import Refusal
from alsolike.web.edge.cors import CrossOrigin, answer_preflight, is_preflight
from alsolike.web.edge.exchange import headers_of, path_of

_ORIGIN = re.compile(rb"(?P<scheme>https?)://(?P<host>[^/?#@]+)")
_DEFAULT_PORT = {b"http": b":80", b"https": b":443"}
_SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
_OURS = frozenset({b"same-origin", b"none"})  # none: typed or bookmarked


class OriginMiddleware:
    """Refuses cross-origin requests, except followed links and those to the path `login` (403).

    Those that `cross_origin` allows pass, too, and their preflights are answered.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        login: str | None = None,
        cross_origin: CrossOrigin | None = None,
    ) -> None:
        self._app, self._login, self._cross_origin = app, login, cross_origin

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Check one request and pass it on."""
        if scope["type"] != "http":
            return self._app(scope, receive, send)
        if self._cross_origin is not None and self._cross_origin.allowed_origin(scope):
            if is_preflight(scope):
                return answer_preflight(send)
            return self._app(scope, receive, send)
        if not (self._login and path_of(scope) == self._login):
            check_origin(scope["method"], headers_of(scope))
        return self._app(scope, receive, send)


def check_origin(method: str, headers: Mapping[bytes, bytes]) -> None:
    """Raise Refusal for a cross-origin request that is not a followed link.

    `headers` has names in lower case; Host has been checked.
    """
    site = headers.get(b"sec-fetch-site")
    if site is not None and site not in _OURS:
        followed = headers.get(b"sec-fetch-mode") == b"navigate"
        if not (followed and method in _SAFE):
            raise _foreign()
    if method in _SAFE:
        return
    origin = headers.get(b"origin")
    if origin is None or (origin == b"null" and site == b"same-origin"):
        return
    found = _ORIGIN.fullmatch(origin.lower())
    if found is None:
        raise _foreign()
    port = _DEFAULT_PORT[found["scheme"]]
    host = headers.get(b"host", b"").lower()
    if found["host"].removesuffix(port) != host.removesuffix(port):
        raise _foreign()


def _foreign() -> Refusal:
    return Refusal(
        403,
        "foreign_origin",
        "Cross-origin request. Only this service's own pages, and programs, may send it.",
    )
