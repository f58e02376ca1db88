"""Reads headers, path and client of a request, for the middlewares."""

from starlette.types import Scope

_HEADERS = "alsolike.headers"


class ClientLeft(Exception):
    """The client disconnected, or does not read its response."""


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
