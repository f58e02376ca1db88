"""Middleware: adds security headers; browsers load and run only our own files.

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
# Not "no-referrer": with it, browsers send our own forms with "Origin: null", as they do for other
# sites. Other hosts get no referrer.
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
    """Return the content policy of a page that may load images from these hosts.

    Texts that are not origins as of `web_origin`, which an item table may hold, are left out.

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
    """Adds headers to every response; keeps a content policy that it has.

    `image_origins` returns the current hosts of images, the same object while they do not change.
    With `is_private`, shared caches must not store responses.
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
