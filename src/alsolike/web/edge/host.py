"""Middleware: refuses requests with a foreign Host header (DNS rebinding).

An attacker's host name can resolve to this machine; browsers then treat the attacker's pages as
ours. The Host header shows it.
"""

import ipaddress
import re
from collections.abc import Awaitable, Iterable

from starlette.types import ASGIApp, Receive, Scope, Send

from alsolike.errors import Refusal
from alsolike.web.edge.exchange import headers_of

_LOCAL = ("localhost", "127.0.0.1", "[::1]")
_HOST = re.compile(rb"(?P<name>\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::\d{1,5})?")
_REMEMBERED = 64


class HostMiddleware:
    """Refuses a Host header other than `names` and the loopback's names (400).

    Wildcard addresses in `names` are ignored.

    Examples
    --------
    >>> hosts = HostMiddleware(None, names=["likes.example"])
    >>> hosts.check(b"localhost:8000"), hosts.check(b"LIKES.example")
    (None, None)
    >>> hosts.check(b"rebound.example")
    Traceback (most recent call last):
    ...
    alsolike.errors.Refusal: The Host header is not allowed. ...
    """

    def __init__(self, app: ASGIApp, *, names: Iterable[str]) -> None:
        self._app = app
        self._names = {name.encode("ascii") for name in _LOCAL}
        self._names |= {_bracketed(name) for name in names if not _is_wildcard(name)}
        self._good: set[bytes] = set()

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Check one request and pass it on."""
        if scope["type"] == "http":
            self.check(headers_of(scope).get(b"host"))
        return self._app(scope, receive, send)

    def check(self, host: bytes | None) -> None:
        """Raise Refusal unless `host`, the Host header, is one of the names."""
        if host in self._good:
            return
        found = _HOST.fullmatch((host or b"").lower())
        if host is None or found is None or found["name"] not in self._names:
            raise Refusal(
                400,
                "unknown_host",
                "The Host header is not allowed. The operator can allow it with --allow-host.",
            )
        if len(self._good) < _REMEMBERED:
            self._good.add(host)


def _bracketed(name: str) -> bytes:
    """Return a name in the form of a Host header."""
    text = name.lower().strip("[]")
    return f"[{text}]".encode("ascii") if ":" in text else text.encode("ascii")


def _is_wildcard(name: str) -> bool:
    try:
        return ipaddress.ip_address(name.strip("[]")).is_unspecified
    except ValueError:
        return False
