"""Reads headers, path and client of a request, and makes addresses below the base path."""

import re
from contextvars import ContextVar

from starlette.types import Scope

_HEADERS = "alsolike.headers"
_BASE_PATH = re.compile(r"(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9._~-]{1,64}){1,8}")
# Of the request that is being answered: a proxy may serve the same service under several.
_base_path: ContextVar[str] = ContextVar("base path", default="")


class ClientLeft(Exception):
    """The client disconnected, or does not read its response."""


def is_base_path(text: str) -> bool:
    """Return whether `text` can be a base path.

    Examples
    --------
    >>> [is_base_path(text) for text in ("/rec", "/shop/rec", "/", "rec", "/rec/", "/a/../b")]
    [True, True, False, False, False, False]
    """
    return _BASE_PATH.fullmatch(text) is not None


def set_base_path(path: str) -> None:
    """Set the path under which clients reach the service, for this request; empty: the root."""
    _base_path.set(path)


def base_path() -> str:
    """Return the path under which the client of this request reaches the service, or empty."""
    return _base_path.get()


def below(address: str) -> str:
    """Return the address of a page or file of this service, as clients reach it."""
    return f"{_base_path.get()}{address}"


def headers_of(scope: Scope) -> dict[bytes, bytes]:
    """Return the headers by name in lower case; cached in the scope."""
    found: dict[bytes, bytes] | None = scope.get(_HEADERS)
    if found is None:
        found = scope[_HEADERS] = dict(scope["headers"])
    return found


def has_body(scope: Scope) -> bool:
    """Return whether the headers announce a body."""
    headers = headers_of(scope)
    return b"transfer-encoding" in headers or headers.get(b"content-length", b"0") != b"0"


def path_of(scope: Scope) -> str:
    """Return the path without the one under which the service is mounted."""
    path: str = scope["path"]
    root = scope.get("root_path", "")
    return path[len(root) :] if root and path.startswith(f"{root}/") else path


def client_of(scope: Scope) -> str:
    """Return the address of the client."""
    client = scope.get("client")
    return client[0] if client else "local"
