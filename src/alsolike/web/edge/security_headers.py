"""What every answer tells browsers: load nothing from elsewhere, run nothing but our own files.

References
----------
.. [1] https://www.w3.org/TR/CSP3/
.. [2] https://www.w3.org/TR/referrer-policy/
"""

from collections.abc import Callable, Iterable

from alsolike.views.page import web_origin

Header = tuple[bytes, bytes]

_POLICY = b"content-security-policy"
# Not "no-referrer": under that, browsers say "Origin: null" when our own forms are sent, and a
# request of ours could not be told from a stranger's. No other host hears a referrer of this one.
_FIXED: tuple[Header, ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (
        b"permissions-policy",
        b"accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), "
        b"magnetometer=(), microphone=(), payment=(), usb=()",
    ),
)


def content_policy(image_origins: Iterable[str] = ()) -> str:
    """Return the content policy of a page that may load pictures from these hosts.

    Parameters
    ----------
    image_origins : iterable of str
        Scheme and host, as `web_origin` returns them; what is anything else is left out, since
        names of hosts come from a table of items.

    Examples
    --------
    >>> "img-src 'self' data: https://i.example;" in content_policy(["https://i.example"])
    True
    >>> "evil" in content_policy(["https://x; script-src evil"])
    False
    """
    hosts = sorted(origin for origin in image_origins if web_origin(origin) == origin)
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            " ".join(("img-src 'self' data:", *hosts)),
            "connect-src 'self'",
            "form-action 'self'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
        )
    )


class Policies:
    """The header fields that every answer gets.

    Parameters
    ----------
    image_origins : callable
        What pages may load pictures from just now; asked at each answer, compared by identity.
    is_private : bool
        Whether answers are for those with a token, so that no cache on the way may keep one.

    Examples
    --------
    >>> nowhere = frozenset()
    >>> policies = Policies(lambda: nowhere, is_private=False)
    >>> [name.decode() for name, _ in policies.added_to([(b"content-length", b"0")])][:2]
    ['content-length', 'x-content-type-options']
    """

    def __init__(self, image_origins: Callable[[], frozenset[str]], *, is_private: bool) -> None:
        self._image_origins = image_origins
        self._is_private = is_private
        self._known: frozenset[str] | None = None
        self._all: tuple[Header, ...] = ()

    def added_to(self, headers: Iterable[Header]) -> list[Header]:
        """Return an answer's own fields and ours; a content policy of its own stays in force."""
        origins = self._image_origins()
        if origins is not self._known:
            policy = content_policy(origins).encode("ascii")
            self._known, self._all = origins, (*_FIXED, (_POLICY, policy))
        whole = list(headers)
        names = {name.lower() for name, _ in whole}
        whole += _FIXED if _POLICY in names else self._all
        if self._is_private and b"cache-control" not in names:
            whole.append((b"cache-control", b"private, no-cache"))
        return whole
