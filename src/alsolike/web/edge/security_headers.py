"""Middleware: tells browsers to load nothing from elsewhere and to run nothing but our own files.

References
----------
.. [1] https://www.w3.org/TR/CSP3/
.. [2] https://www.w3.org/TR/referrer-policy/
"""

from collections.abc import Awaitable, Callable, Iterable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

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


class SecurityHeadersMiddleware:
    """Adds header fields to every answer; a content policy of its own stays in force.

    `image_origins` says from where pages may load pictures just now, and returns the same object as
    long as that is the same. With `is_private` no cache on the way may keep an answer.
    """

    def __init__(
        self, app: ASGIApp, *, image_origins: Callable[[], frozenset[str]], is_private: bool
    ) -> None:
        self._app, self._image_origins, self._is_private = app, image_origins, is_private
        self._known: frozenset[str] | None = None
        self._all: tuple[Header, ...] = ()

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Answer one request."""

        def added(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start":
                message["headers"] = self._added_to(message.get("headers", ()))
            return send(message)

        return self._app(scope, receive, added)

    def _added_to(self, headers: Iterable[Header]) -> list[Header]:
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
