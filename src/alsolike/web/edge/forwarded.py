"""Middleware: serves below a base path, and reads what trusted proxies say of a request.

A proxy may tell the client's address, the scheme and the path under which clients reach the service
(``X-Forwarded-For``, ``-Proto`` and ``-Prefix``). Anybody can send these fields, so they count only
from trusted addresses.
"""

import ipaddress
from collections.abc import Iterable

from starlette.types import ASGIApp, Receive, Scope, Send

from alsolike.errors import Refusal
from alsolike.web.templating import is_base_path, set_base_path

_SCHEMES = (b"http", b"https")
_SHORT = 60

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class ForwardedMiddleware:
    """Removes the base path from paths, and takes over what trusted proxies say.

    A request without the base path in its path is served, too, for checks of health on this machine
    and proxies that remove it. Fields of a trusted proxy that make no sense are refused by
    `alsolike.web.edge.request_limits.HeadLimitsMiddleware` (400).

    Parameters
    ----------
    app : ASGIApp
    base_path : str
        Such as ``/rec``, or empty.
    trusted : iterable of str
        Addresses and networks of proxies.
    """

    def __init__(self, app: ASGIApp, *, base_path: str = "", trusted: Iterable[str] = ()) -> None:
        self._app, self._base = app, base_path
        self._trusted: tuple[Network, ...] = tuple(map(ipaddress.ip_network, trusted))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on."""
        if scope["type"] == "http":
            base = self._base
            _remove(scope, base)
            if self._trusted and self._trusts(_address((scope.get("client") or ("",))[0])):
                try:
                    base = self._take_over(scope)
                except Refusal as refusal:
                    scope.setdefault("state", {})["malformed"] = refusal
            set_base_path(base)
        await self._app(scope, receive, send)

    def _take_over(self, scope: Scope) -> str:
        """Set client and scheme of a request, and return the base path."""
        chain = _values(scope, b"x-forwarded-for")
        # Each proxy appends whom it saw; what comes before the first foreign one may be made up.
        while chain:
            text = chain.pop().decode("latin-1")
            client = _address(text)
            if client is None:
                raise _malformed("X-Forwarded-For", "an address", text)
            scope["client"] = (str(client), 0)
            if not self._trusts(client):
                break
        scheme = _only(scope, b"x-forwarded-proto", "http or https").lower()
        if scheme and scheme not in _SCHEMES:
            raise _malformed("X-Forwarded-Proto", "http or https", scheme.decode("latin-1"))
        if scheme:
            scope["scheme"] = scheme.decode("ascii")
        prefix = _only(scope, b"x-forwarded-prefix", "a path").decode("latin-1").rstrip("/")
        if prefix and not is_base_path(prefix):
            raise _malformed("X-Forwarded-Prefix", "a path such as /rec", prefix)
        return prefix or self._base

    def _trusts(self, client: Address | None) -> bool:
        return client is not None and any(client in network for network in self._trusted)


def _remove(scope: Scope, base: str) -> None:
    """Remove the base path from the path of a request, decoded and raw, if it is there."""
    path: str = scope["path"]
    if not base or not (path == base or path.startswith(f"{base}/")):
        return
    raw: bytes = scope.get("raw_path") or path.encode("utf-8", "surrogatepass")
    start = base.encode("ascii")
    if raw == start or raw.startswith((start + b"/", start + b"?")):
        scope["path"] = path[len(base) :] or "/"
        scope["raw_path"] = raw[len(start) :] or b"/"


def _address(text: str) -> Address | None:
    """Return an address, perhaps with a port behind it; None if it is none."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return mapped or found


def _values(scope: Scope, name: bytes) -> list[bytes]:
    """Return the values of a header, in order; it may come several times, or have commas."""
    fields = (value for key, value in scope["headers"] if key == name)
    return [one.strip() for field in fields for one in field.split(b",") if one.strip()]


def _only(scope: Scope, name: bytes, expected: str) -> bytes:
    """Return the value of a header that comes at most once; empty if it does not come."""
    values = _values(scope, name)
    if len(values) > 1:
        found = b", ".join(values).decode("latin-1")
        raise _malformed(name.decode("ascii").title(), f"{expected} once", found)
    return values[0] if values else b""


def _malformed(name: str, expected: str, found: str) -> Refusal:
    return Refusal(
        400, "malformed", f"{name}: {expected} expected of the proxy, not {found[:_SHORT]!r}."
    )
