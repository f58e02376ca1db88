"""Tokens, and the cookie that a browser gets for one; both compared in constant time."""

import enum
import hashlib
import hmac
import re
import time
from collections.abc import Callable, Mapping

SWAP_PATH = "/api/v1/model/swap"
LASTS = 30 * 24 * 3600  # seconds that a login holds

_PASS = re.compile(rb"(\d{1,12})\.([0-9a-f]{64})")


class Verdict(enum.Enum):
    """What came of looking at a request's credentials."""

    ADMITTED = "admitted"
    NOTHING = "nothing shown"
    WRONG = "something wrong shown"


def matches(given: str | bytes, expected: str) -> bool:
    """Tell whether a token is the expected one, in a time that depends on neither.

    Examples
    --------
    >>> matches("0123456789abcdef", "0123456789abcdef"), matches(b"0123", "0123456789abcdef")
    (True, False)
    """
    return hmac.compare_digest(_digest(given), _digest(expected))


def bearer(headers: Mapping[bytes, bytes]) -> bytes | None:
    """Return the token of ``Authorization: Bearer``, or None; `headers` has names in lower case."""
    scheme, _, token = headers.get(b"authorization", b"").partition(b" ")
    return token.strip() if scheme.lower() == b"bearer" else None


class Door:
    """Who may come in.

    Parameters
    ----------
    token : str
        Asked of every request.
    swap_token : str or None
        Lets in to the swap endpoint alone, which asks for it itself.
    cookie : str
        Name of the cookie. It should have the port in it, which cookies do not tell apart.
    clock : callable
        Seconds since 1970.

    Examples
    --------
    >>> door = Door("0123456789abcdef", None, "alsolike-8000", clock=lambda: 0.0)
    >>> door.verdict("/", {b"authorization": b"Bearer 0123456789abcdef"}).name
    'ADMITTED'
    >>> cookie = door.cookie(is_secure=False)
    >>> door.verdict("/", {b"cookie": cookie.partition(b";")[0]}).name, door.verdict("/", {}).name
    ('ADMITTED', 'NOTHING')
    """

    def __init__(
        self,
        token: str,
        swap_token: str | None,
        cookie: str,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._token, self._swap_token = _digest(token), swap_token
        self._cookie = cookie.encode("ascii")
        self._clock = clock
        # Signed with what follows from the token: a new token ends all logins, and a cookie that
        # gets out does not tell the token.
        self._key = hashlib.sha256(b"alsolike login: " + token.encode("utf-8")).digest()

    def verdict(self, path: str, headers: Mapping[bytes, bytes]) -> Verdict:
        """Return what the credentials of a request are worth."""
        token = bearer(headers)
        if token is not None:
            swaps = path == SWAP_PATH and self._swap_token and matches(token, self._swap_token)
            return Verdict.ADMITTED if swaps or self.fits(token) else Verdict.WRONG
        shown = self._shown(headers.get(b"cookie", b""))
        return Verdict.ADMITTED if self._is_good(shown) else Verdict.NOTHING

    def fits(self, token: str | bytes) -> bool:
        """Tell whether this is the token."""
        return hmac.compare_digest(_digest(token), self._token)

    def cookie(self, *, is_secure: bool) -> bytes:
        """Return the field that lets a browser in from now on, and no script see why."""
        until = b"%d" % (int(self._clock()) + LASTS)
        parts = [
            self._cookie + b"=" + until + b"." + self._signature(until),
            b"Path=/",
            b"Max-Age=%d" % LASTS,
            b"HttpOnly",
            b"SameSite=Strict",
        ]
        return b"; ".join([*parts, b"Secure"] if is_secure else parts)

    def _shown(self, cookies: bytes) -> bytes:
        for part in cookies.split(b";"):
            name, _, value = part.strip().partition(b"=")
            if name == self._cookie:
                return value
        return b""

    def _is_good(self, shown: bytes) -> bool:
        found = _PASS.fullmatch(shown)
        if found is None:
            return False
        until, signature = found.groups()
        signed = hmac.compare_digest(signature, self._signature(until))
        return signed and int(until) > self._clock()

    def _signature(self, until: bytes) -> bytes:
        return hmac.new(self._key, until, hashlib.sha256).hexdigest().encode("ascii")


def _digest(token: str | bytes) -> bytes:
    text = token.encode("utf-8", "surrogatepass") if isinstance(token, str) else token
    return hashlib.sha256(text).digest()
