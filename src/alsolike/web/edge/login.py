"""The page where a person shows the token, for browsers cannot send it as programs do."""

import re
import urllib.parse
from collections.abc import Iterable, Mapping

from alsolike.web.edge.auth import Door
from alsolike.web.refusals import Headers, Message, answer
from alsolike.web.templating import render

LOGIN_PATH = "/login"

_HTML = b"text/html; charset=utf-8"
_ASKS: Headers = (
    (b"www-authenticate", b'Bearer realm="alsolike"'),
    (b"cache-control", b"no-store"),
)
_OWN_PATH = re.compile(r"/(?![/\\])[!-\[\]-~]*")
_MOST_PATH = 2000


def is_reader(method: str, path: str, headers: Mapping[bytes, bytes]) -> bool:
    """Tell whether a person's browser asks for a page, and can be shown one in which to log in."""
    wants = b"text/html" in headers.get(b"accept", b"")
    return method == "GET" and wants and not path.startswith("/api/")


def own_path(text: str) -> str:
    r"""Return `text` where it is an address within this service, else the start page's.

    Examples
    --------
    >>> own_path("/items/a?k=5"), own_path("//evil.example"), own_path("/\\evil.example")
    ('/items/a?k=5', '/', '/')
    """
    good = len(text) <= _MOST_PATH and _OWN_PATH.fullmatch(text)
    return text if good else "/"


def login_page(onward: str, *, failed: bool = False) -> Iterable[Message]:
    """Return the page as an answer; the person goes on to the path `onward` from there."""
    body = render("login.html", onward=own_path(onward), failed=failed).encode("utf-8")
    return answer(401, _HTML, body, _ASKS)


def logged_in(door: Door, body: bytes, *, is_secure: bool) -> tuple[Iterable[Message], bool]:
    """Return the answer to the form of `login_page`, and whether the token was right.

    Parameters
    ----------
    door : Door
    body : bytes
        Urlencoded: ``token`` and ``onward``.
    is_secure : bool
        Whether the request came over TLS; the cookie is then kept to that.
    """
    try:
        form = urllib.parse.parse_qs(body.decode("utf-8", "replace"), max_num_fields=8)
    except ValueError:
        form = {}
    onward = own_path(form.get("onward", ["/"])[0])
    if not door.fits(form.get("token", [""])[0].strip()):
        return login_page(onward, failed=True), False
    headers = (
        (b"location", onward.encode("ascii")),
        (b"set-cookie", door.cookie(is_secure=is_secure)),
        (b"cache-control", b"no-store"),
    )
    return answer(303, b"text/plain; charset=utf-8", b"", headers), True
