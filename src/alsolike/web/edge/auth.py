"""Middlewares: check the token, sent as a bearer token or as a signed cookie.

Tokens are checked only here. Tokens and signatures are compared in constant time.
"""

import enum
import hashlib
import hmac
import re
import urllib.parse
from collections.abc import Awaitable, Mapping

from itsdangerous import TimestampSigner
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from alsolike.errors import Refusal
from alsolike.web.edge.exchange import client_of, headers_of, path_of
from alsolike.web.edge.rate_limit import Limiter
from alsolike.web.edge.request_limits import part_of
from alsolike.web.query_parameters import QueryParameters
from alsolike.web.templating import STATIC, base_path, below, render

LOGIN_PATH = "/login"
# What the swap token is for: it changes what is served, for everybody.
SWAP_REQUESTS = frozenset({("POST", "/api/v1/model/swap"), ("POST", "/api/v1/items")})
LASTS = 30 * 24 * 3600  # seconds until a login expires
WRONG_TOKEN_COST = 10.0  # requests that a wrong token counts as

_ASKS = 'Bearer realm="alsolike"'
_OWN_PATH = re.compile(r"/(?![/\\])[!-\[\]-~]*")
_MOST_PATH = 2000
# Open without a token: the liveness check, and static files, which the login page needs.
_OPEN = frozenset({"/healthz", LOGIN_PATH})


class Access(enum.Enum):
    """The result of checking a request's credentials."""

    ADMITTED = "admitted"
    MAY_SWAP = "admitted, and may swap models"
    NOTHING = "no credentials"
    WRONG = "a wrong token"


class Tokens:
    """Checks the credentials of requests.

    Parameters
    ----------
    token : str or None
        Required for every request; None: everybody is admitted.
    swap_token : str or None
        Required for swaps and for new items, and good for nothing else.
    cookie : str
        Name of the cookie; with the port in it, since browsers share cookies between ports.

    Examples
    --------
    >>> tokens = Tokens("0123456789abcdef", None, "alsolike-8000")
    >>> tokens.access("GET", "/", {b"authorization": b"Bearer 0123456789abcdef"}).name
    'ADMITTED'
    >>> cookie = tokens.cookie(is_secure=False).encode()
    >>> tokens.access("GET", "/", {b"cookie": cookie.partition(b";")[0]}).name
    'ADMITTED'
    >>> tokens.access("GET", "/", {}).name
    'NOTHING'
    """

    def __init__(self, token: str | None, swap_token: str | None, cookie: str) -> None:
        self._token, self._swap = _digest(token), _digest(swap_token)
        self._cookie = cookie
        # Signed with a key derived from the token: a new token ends all logins, and a leaked cookie
        # does not reveal the token.
        self._signer = TimestampSigner(
            token or "", b"alsolike login", key_derivation="hmac", digest_method=hashlib.sha256
        )

    def access(self, method: str, path: str, headers: Mapping[bytes, bytes]) -> Access:
        """Check the credentials of a request; `headers`: names in lower case."""
        scheme, _, token = headers.get(b"authorization", b"").partition(b" ")
        given = token.strip() if scheme.lower() == b"bearer" else None
        if (method, path) in SWAP_REQUESTS and _matches(given, self._swap):
            return Access.MAY_SWAP
        if self._token is None:
            return Access.ADMITTED
        if given is not None:
            return Access.ADMITTED if self.fits(given) else Access.WRONG
        shown = self._shown(headers.get(b"cookie", b""))
        good = self._signer.validate(shown, max_age=LASTS)
        return Access.ADMITTED if good else Access.NOTHING

    def fits(self, token: str | bytes) -> bool:
        """Return whether this is the token, in constant time."""
        return _matches(token, self._token)

    def cookie(self, *, is_secure: bool) -> str:
        """Return the Set-Cookie field of a login, unreadable by scripts."""
        value = self._signer.sign("login").decode("ascii")
        path = base_path() or "/"
        field = f"{self._cookie}={value}; Path={path}; Max-Age={LASTS}; HttpOnly; SameSite=Strict"
        return f"{field}; Secure" if is_secure else field

    def _shown(self, cookies: bytes) -> bytes:
        for part in cookies.split(b";"):
            name, _, value = part.strip().partition(b"=")
            if name == self._cookie.encode("ascii"):
                return value
        return b""


class AuthenticationMiddleware:
    """Refuses requests without the token (401), and shows browsers the login page.

    ``scope["state"]["may_swap"]``: whether the swap token was sent.
    """

    def __init__(self, app: ASGIApp, *, tokens: Tokens, limiter: Limiter | None) -> None:
        self._app, self._tokens, self._limiter = app, tokens, limiter

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Check one request and pass it on, or show the login page."""
        if scope["type"] == "http" and not self._admits(scope):
            scope["state"]["route"] = LOGIN_PATH
            return login_page(address_of(scope))(scope, receive, send)
        return self._app(scope, receive, send)

    def _admits(self, scope: Scope) -> bool:
        """Return False for a browser that needs to log in; raise Refusal for other clients."""
        path = path_of(scope)
        if path in _OPEN or path.startswith(STATIC):
            return True
        access = self._tokens.access(scope["method"], path, headers_of(scope))
        scope["state"]["may_swap"] = access is Access.MAY_SWAP
        if access in (Access.ADMITTED, Access.MAY_SWAP):
            return True
        if access is Access.WRONG:
            _charge(self._limiter, scope)
        elif is_reader(scope):
            return False
        raise Refusal(
            401,
            "token_needed",
            "This service needs a token: Authorization: Bearer TOKEN.",
            headers={"WWW-Authenticate": _ASKS},
        )


class LoginMiddleware:
    """Serves the login page, and sends a cookie for the right token."""

    def __init__(self, app: ASGIApp, *, tokens: Tokens, limiter: Limiter | None) -> None:
        self._app, self._tokens, self._limiter = app, tokens, limiter

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Answer one request, or pass it on."""
        if scope["type"] == "http" and path_of(scope) == LOGIN_PATH:
            return self._answer(scope, receive, send)
        return self._app(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] not in ("GET", "POST"):
            raise HTTPException(405, headers={"Allow": "GET, HEAD, POST"})
        query = urllib.parse.parse_qsl(scope["query_string"].decode("latin-1"), True)
        QueryParameters().check(name for name, _ in query)
        scope["state"]["route"] = LOGIN_PATH
        response = (
            login_page("/") if scope["method"] == "GET" else await self._login(scope, receive)
        )
        await response(scope, receive, send)

    async def _login(self, scope: Scope, receive: Receive) -> Response:
        """Answer the form of the login page."""
        body, _ = await part_of(receive)
        try:
            form = urllib.parse.parse_qs(body.decode("utf-8", "replace"), max_num_fields=8)
        except ValueError:
            form = {}
        onward = own_path(form.get("onward", ["/"])[0])
        if not self._tokens.fits(form.get("token", [""])[0].strip()):
            _charge(self._limiter, scope)
            return login_page(onward, failed=True)
        headers = {
            "Location": below(onward),
            "Set-Cookie": self._tokens.cookie(is_secure=scope["scheme"] == "https"),
            "Cache-Control": "no-store",
        }
        return Response(status_code=303, headers=headers, media_type="text/plain")


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
    return HTMLResponse(page, 401, {"WWW-Authenticate": _ASKS, "Cache-Control": "no-store"})


def _charge(limiter: Limiter | None, scope: Scope) -> None:
    if limiter is not None:
        limiter.check(client_of(scope), WRONG_TOKEN_COST)


def _digest(token: str | bytes | None) -> bytes | None:
    """Return a hash to compare in place of a token, so that its length is not revealed."""
    if token is None:
        return None
    text = token.encode("utf-8", "surrogatepass") if isinstance(token, str) else token
    return hashlib.sha256(text).digest()


def _matches(given: str | bytes | None, expected: bytes | None) -> bool:
    found = _digest(given)
    return found is not None and expected is not None and hmac.compare_digest(found, expected)
