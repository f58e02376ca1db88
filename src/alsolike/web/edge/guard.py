"""`guarded`: what every request passes on its way in, and every answer on its way out.

In this order: how many this client has asked; which host is meant; which origin's page asks; who
asks; how long the address and the body are, what kind the body is, and whether it comes in time.
Whatever is refused is refused in one shape. Every answer gets the headers of `policies`, a line in
the access log and a place in the metrics.
"""

import asyncio
import logging
import time
import urllib.parse
from collections.abc import Callable, Iterable, Mapping

from alsolike.views.page import clean
from alsolike.web.edge.auth import Door, Verdict
from alsolike.web.edge.exchange import (
    Answer,
    App,
    ClientLeft,
    Receive,
    Replayed,
    Scope,
    Send,
    drain,
    part_of,
)
from alsolike.web.edge.login import LOGIN_PATH, is_reader, logged_in, login_page
from alsolike.web.edge.origin import Hosts, check_origin
from alsolike.web.edge.rate_limit import Limiter
from alsolike.web.edge.security_headers import Policies
from alsolike.web.errors import UnknownParameter
from alsolike.web.monitoring.access_log import AccessLog
from alsolike.web.monitoring.metrics import CONTENT_TYPE, Metrics
from alsolike.web.query_parameters import Takes
from alsolike.web.refusals import Refusal, answer
from alsolike.web.settings import Settings
from alsolike.web.templating import STATIC

METRICS_PATH = "/metrics"
MOST_ADDRESS = 32_768  # bytes of path and query
WRONG_TOKEN_COST = 10.0  # requests that a wrong token counts for
REFUSED, UNMATCHED = "(refused)", "(unmatched)"  # routes of what no route answered
CLIENT_LEFT = 499  # no status of HTTP: in the log alone, as other servers have it

# Liveness must be askable without the token; static files are the same in every installation, and
# the page for logging in needs them.
_OPEN = frozenset({"/healthz", LOGIN_PATH})
_ONCE = (b"host", b"authorization", b"origin", b"content-length", b"sec-fetch-site")
_DRAINED = 16  # times the longest body, read and thrown away so that the answer can be read

_log = logging.getLogger(__name__)


def guarded(
    app: App,
    settings: Settings,
    *,
    image_origins: Callable[[], frozenset[str]],
    metrics: Metrics | None = None,
) -> "Guard":
    """Return `app` behind the guard that `settings` ask for.

    Parameters
    ----------
    app : ASGI application
        It may put into ``scope["state"]``: "version", of the model that answered, for the log;
        "route", the template of the address, where its router leaves no ``scope["route"]``.
    settings : Settings
    image_origins : callable
        From where pages may load pictures just now. The same object as long as that is the same.
    metrics : Metrics or None
        Where likes, votes and swaps are counted; made here, in the state folder, where missing.

    Raises
    ------
    WritingError
        The access log or the state folder cannot be written.
    """
    return Guard(app, settings, image_origins=image_origins, metrics=metrics)


class Guard:
    """The application that `guarded` returns; one for each worker."""

    def __init__(
        self,
        app: App,
        settings: Settings,
        *,
        image_origins: Callable[[], frozenset[str]],
        metrics: Metrics | None,
    ) -> None:
        self._app, self._settings = app, settings
        self._given_metrics = metrics
        self._hosts = Hosts((settings.host, *settings.hosts))
        self._policies = Policies(image_origins, is_private=settings.token is not None)
        self._door: Door | None = None
        if settings.token is not None:
            cookie = f"alsolike-{settings.port}"
            self._door = Door(settings.token, settings.swap_token, cookie)
        self._open()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or hand one through."""
        if scope["type"] == "http":
            await self._exchange(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})  # there is nothing to talk about
        else:
            await self._live(scope, receive, send)

    async def _live(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Be there from the start of the application to its end."""
        if not self._is_open:
            self._open()
        try:
            await self._app(scope, receive, send)
        finally:
            self._close()

    def _open(self) -> None:
        settings = self._settings
        self.metrics = self._given_metrics or Metrics(settings.state / "metrics")
        self._accesses = AccessLog(settings.log)
        self._limiter: Limiter | None = None
        if settings.rate > 0:
            self._limiter = Limiter(settings.state / "limits.bin", settings.rate, settings.burst)
        self._is_open = True

    def _close(self) -> None:
        self._is_open = False
        self._accesses.close()
        if self._limiter is not None:
            self._limiter.close()
        if self._given_metrics is None:
            self.metrics.close()

    async def _exchange(self, scope: Scope, receive: Receive, send: Send) -> None:
        start = time.perf_counter()
        scope.setdefault("state", {})
        method = scope["method"]
        if method == "HEAD":
            # Whatever answers GET answers HEAD; the server's own scope must go on saying HEAD.
            scope = {**scope, "method": "GET"}
        going = Answer(send, self._policies, self._settings.patience, has_body=method != "HEAD")
        refused = False
        try:
            await self._admit(scope, receive, going)
        except Refusal as refusal:
            refused = True
            self.metrics.count("refused", reason=refusal.code)
            await _refuse(refusal, dict(scope["headers"]), going)
        except ClientLeft:
            going.status = going.status or CLIENT_LEFT
        except Exception as error:
            await self._failed(scope, error, going)
        finally:
            seconds = (going.ended or time.perf_counter()) - start
            self._note(scope, method, going, seconds, refused=refused)

    async def _admit(self, scope: Scope, receive: Receive, going: Answer) -> None:
        """Check a request from outside in, and have it answered."""
        client = _client(scope)
        self._count(client, 1.0)
        fields = scope["headers"]
        headers: dict[bytes, bytes] = dict(fields)
        if len(headers) != len(fields):
            _check_once(fields)
        method, path = scope["method"], _path(scope)
        self._hosts.check(headers.get(b"host"))
        if not (path == LOGIN_PATH and self._door):  # whoever has the token may come from anywhere
            check_origin(method, headers)
        asked = scope.get("raw_path") or scope["path"]
        if len(asked) + len(scope["query_string"]) > MOST_ADDRESS:
            raise Refusal(
                414, "address_too_long", f"An address has at most {MOST_ADDRESS:,} bytes."
            )
        if self._door is not None and not await self._let_in(scope, client, headers, going):
            return
        body = None
        if b"transfer-encoding" in headers or headers.get(b"content-length", b"0") != b"0":
            _check_kind(path, headers)
            body = await self._body(headers, receive)
        if path == LOGIN_PATH and self._door is not None:
            await self._login(scope, client, body, going)
        elif path == METRICS_PATH:
            _check_plain(scope, "GET, HEAD")
            text = await asyncio.to_thread(self.metrics.exposition)
            scope["state"]["route"] = METRICS_PATH
            await going.all(answer(200, CONTENT_TYPE.encode("ascii"), text))
        else:
            onward = receive if body is None else Replayed(body, receive)
            await self._app(scope, onward, going)

    def _count(self, client: str, cost: float) -> None:
        """Count a request; raise Refusal where there were too many."""
        early = self._limiter.take(client, cost) if self._limiter is not None else 0.0
        if early > 0:
            seconds = int(early) + 1
            raise Refusal(
                429,
                "too_many_requests",
                f"More than {self._settings.rate:g} requests a second came from this address. "
                f"Ask again in {seconds} s.",
                headers=[(b"retry-after", str(seconds).encode("ascii"))],
            )

    async def _let_in(
        self, scope: Scope, client: str, headers: Mapping[bytes, bytes], going: Answer
    ) -> bool:
        """Tell whether the request may go on; if not, it has been answered."""
        path = _path(scope)
        if self._door is None or path in _OPEN or path.startswith(STATIC):
            return True
        verdict = self._door.verdict(path, headers)
        if verdict is Verdict.ADMITTED:
            return True
        if verdict is Verdict.WRONG:
            self._count(client, WRONG_TOKEN_COST)
        elif is_reader(scope["method"], path, headers):
            scope["state"]["route"] = LOGIN_PATH
            await going.all(login_page(_address(scope)))
            return False
        raise Refusal(
            401,
            "token_needed",
            "This service asks for a token: Authorization: Bearer TOKEN.",
            headers=[(b"www-authenticate", b'Bearer realm="alsolike"')],
        )

    async def _login(self, scope: Scope, client: str, body: bytes | None, going: Answer) -> None:
        _check_plain(scope, "GET, HEAD, POST")
        scope["state"]["route"] = LOGIN_PATH
        if self._door is None or scope["method"] != "POST":
            await going.all(login_page("/"))
            return
        told, good = logged_in(self._door, body or b"", is_secure=scope["scheme"] == "https")
        if not good:
            self._count(client, WRONG_TOKEN_COST)
        await going.all(told)

    async def _body(self, headers: Mapping[bytes, bytes], receive: Receive) -> bytes:
        """Return the whole body, once it is here: in time, and no longer than allowed."""
        most = self._settings.most_bytes
        declared = headers.get(b"content-length", b"0")
        if not declared.isdigit():
            raise Refusal(400, "malformed", "Content-Length: a number of bytes expected.")
        parts: list[bytes] = []
        size, more = int(declared[:12]), True
        try:
            if size <= most:
                size = 0
                async with asyncio.timeout(self._settings.patience):
                    while more and size <= most:
                        part, more = await part_of(receive)
                        parts.append(part)
                        size += len(part)
        except TimeoutError:
            raise Refusal(
                408, "too_slow", f"A body must be here within {self._settings.patience:g} s."
            ) from None
        if size > most:
            if more:
                await drain(receive, _DRAINED * most)
            raise Refusal(413, "body_too_large", f"A body has at most {most:,} bytes.")
        return b"".join(parts)

    async def _failed(self, scope: Scope, error: Exception, going: Answer) -> None:
        """Log what nobody caught; answer where nothing has been."""
        # What the client asked for is escaped: it must not write lines of its own.
        _log.error("%s %r failed", scope["method"], scope["path"][:200], exc_info=error)
        if not going.status:
            await going.all(
                Refusal(
                    500, "failed", "This is a mistake of the service; its log says more."
                ).messages(closes=True)
            )

    def _note(
        self, scope: Scope, method: str, going: Answer, seconds: float, *, refused: bool
    ) -> None:
        state = scope["state"]
        route = REFUSED if refused else state.get("route")
        if route is None:
            route = getattr(scope.get("route"), "path_format", UNMATCHED)
        self.metrics.answered(method, route, going.status, seconds)
        written = self._accesses.note(
            _client(scope),
            method,
            scope["path"],
            going.status,
            seconds,
            going.size,
            state.get("version", ""),
        )
        if not written:
            self.metrics.count("lost_log_lines")


async def _refuse(refusal: Refusal, headers: Mapping[bytes, bytes], going: Answer) -> None:
    # What is left of a body would be read as long as the client sends; without one, the connection
    # is as good as before.
    has_body = b"transfer-encoding" in headers or headers.get(b"content-length", b"0") != b"0"
    await going.all(refusal.messages(closes=has_body))


def _check_once(fields: Iterable[tuple[bytes, bytes]]) -> None:
    names = [name for name, _ in fields]
    if any(names.count(name) > 1 for name in _ONCE):
        raise Refusal(400, "malformed", "A field that must come once came twice.")


def _check_kind(path: str, headers: Mapping[bytes, bytes]) -> None:
    """Refuse what a form of any page could send to the API."""
    kind = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
    if path.startswith("/api/") and kind != b"application/json":
        raise Refusal(415, "not_json", "The API takes JSON: send Content-Type: application/json.")


def _check_plain(scope: Scope, methods: str) -> None:
    """Refuse methods other than these, and any query, at an address that takes none."""
    if scope["method"] not in methods.split(", "):
        raise Refusal(
            405,
            "method_not_allowed",
            "This address does not take this method; the field Allow says which it does.",
            headers=[(b"allow", methods.encode("ascii"))],
        )
    query = scope["query_string"].decode("latin-1")
    try:
        Takes().check(name for name, _ in urllib.parse.parse_qsl(query, keep_blank_values=True))
    except UnknownParameter as error:
        field = None if error.field is None else clean(error.field)
        raise Refusal(422, "unknown_parameter", clean(str(error)), field=field) from None


def _client(scope: Scope) -> str:
    client = scope.get("client")
    return client[0] if client else "local"


def _path(scope: Scope) -> str:
    """Return the path as routers see it: without the one under which the service is mounted."""
    path: str = scope["path"]
    root = scope.get("root_path", "")
    return path[len(root) :] if root and path.startswith(f"{root}/") else path


def _address(scope: Scope) -> str:
    query = scope["query_string"].decode("latin-1")
    path = urllib.parse.quote(_path(scope), safe="/!$&'()*+,;=:@~", errors="surrogatepass")
    return f"{path}?{query}" if query else path
