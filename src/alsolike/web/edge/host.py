"""Middleware: refuses requests that mean another host.

A stranger's host name can be made to point at this machine (DNS rebinding), and a browser then
takes that stranger's pages for ours. The Host field gives it away.
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
    """Refuses a Host field with none of `names` and of the loopback's (400).

    A wildcard address is no name.

    Examples
    --------
    >>> hosts = HostMiddleware(None, names=["likes.example"])
    >>> hosts.check(b"localhost:8000"), hosts.check(b"LIKES.example")
    (None, None)
    >>> hosts.check(b"rebound.example")
    Traceback (most recent call last):
    ...
    alsolike.errors.Refusal: This service is not known by the name in the Host field. ...
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
        """Raise Refusal where `host`, the field of a request, is none of the names."""
        if host in self._good:
            return
        found = _HOST.fullmatch((host or b"").lower())
        if host is None or found is None or found["name"] not in self._names:
            raise Refusal(
                400,
                "unknown_host",
                "This service is not known by the name in the Host field. Whoever runs it can "
                "allow a name with --allow-host.",
            )
        if len(self._good) < _REMEMBERED:
            self._good.add(host)


def _bracketed(name: str) -> bytes:
    """Return a name as a Host field has it."""
    text = name.lower().strip("[]")
    return f"[{text}]".encode("ascii") if ":" in text else text.encode("ascii")


def _is_wildcard(name: str) -> bool:
    try:
        return ipaddress.ip_address(name.strip("[]")).is_unspecified
    except ValueError:
        return False
