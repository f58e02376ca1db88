"""Renders the login page, and checks the address to continue to."""

import re
import urllib.parse

from starlette.responses import HTMLResponse, Response
from starlette.types import Scope

from alsolike.web.edge.exchange import headers_of, path_of
from alsolike.web.templating import render

LOGIN_PATH = "/login"
ASKS = 'Bearer realm="alsolike"'

_OWN_PATH = re.compile(r"/(?![/\\])[!-\[\]-~]*")
_MOST_PATH = 2000


def is_reader(scope: Scope) -> bool:
    """Return whether a browser requests a page, so that the login page can be shown."""
    wants = b"text/html" in headers_of(scope).get(b"accept", b"")
    return scope["method"] == "GET" and wants and not path_of(scope).startswith("/api/")


def address_of(scope: Scope) -> str:
    """Return the address of a request, to continue to after the login."""
    query = scope["query_string"].decode("latin-1")
    path = urllib.parse.quote(path_of(scope), safe="/!$&'()*+,;=:@~", errors="surrogatepass")
    return f"{path}?{query}" if query else path


def own_path(text: str) -> str:
    r"""Return `text` if it is an address within this service, else the start page's.

    Examples
    --------
    >>> own_path("/items/a?k=5"), own_path("//evil.example"), own_path("/\\evil.example")
    ('/items/a?k=5', '/', '/')
    """
    good = len(text) <= _MOST_PATH and _OWN_PATH.fullmatch(text)
    return text if good else "/"


def login_page(onward: str, *, failed: bool = False) -> Response:
    """Return the login page, which continues to the path `onward`."""
    page = render("login.html", onward=own_path(onward), failed=failed)
    return HTMLResponse(page, 401, {"WWW-Authenticate": ASKS, "Cache-Control": "no-store"})
