"""Whether a request means this service, and whether a page of another site made it.

A browser sends requests for any page that it shows. Two of its lies are refused here: a stranger's
host name that was made to point at this machine (DNS rebinding: the Host field gives it away), and
a request that a page of another origin made (Sec-Fetch-Site and Origin, which pages cannot set).
Programs send neither field and are not affected.

References
----------
.. [1] https://fetch.spec.whatwg.org/#origin-header
.. [2] https://www.w3.org/TR/fetch-metadata/
"""

import ipaddress
import re
from collections.abc import Iterable, Mapping

from alsolike.web.refusals import Refusal

_LOCAL = ("localhost", "127.0.0.1", "[::1]")
_HOST = re.compile(rb"(?P<name>\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::\d{1,5})?")
_ORIGIN = re.compile(rb"(?P<scheme>https?)://(?P<host>[^/?#@]+)")
_DEFAULT_PORT = {b"http": b":80", b"https": b":443"}
_SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
_OURS = frozenset({b"same-origin", b"none"})  # none: the person typed it
_REMEMBERED = 64


class Hosts:
    """The host names that a request may carry.

    Parameters
    ----------
    names : iterable of str
        Besides the names of the loopback. A wildcard address is no name.

    Examples
    --------
    >>> hosts = Hosts(["likes.example"])
    >>> hosts.check(b"localhost:8000"), hosts.check(b"LIKES.example")
    (None, None)
    >>> hosts.check(b"rebound.example")
    Traceback (most recent call last):
    ...
    alsolike.web.refusals.Refusal: This service is not known by the name in ...
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._names = {name.encode("ascii") for name in _LOCAL}
        self._names |= {_bracketed(name) for name in names if not _is_wildcard(name)}
        self._good: set[bytes] = set()

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


def check_origin(method: str, headers: Mapping[bytes, bytes]) -> None:
    """Raise Refusal where a page of another origin made this request, unless it is a link.

    Parameters
    ----------
    method : str
    headers : mapping of bytes to bytes
        Names in lower case. Host has been checked.
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
        "A page of another origin made this request. Only this service's own pages, and programs, "
        "may do so.",
    )


def _bracketed(name: str) -> bytes:
    """Return a name as a Host field has it."""
    text = name.lower().strip("[]")
    return f"[{text}]".encode("ascii") if ":" in text else text.encode("ascii")


def _is_wildcard(name: str) -> bool:
    try:
        return ipaddress.ip_address(name.strip("[]")).is_unspecified
    except ValueError:
        return False
