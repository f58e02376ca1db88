"""What the middlewares let through, what they refuse and how, and what the log says of either."""

import asyncio
import base64
import hmac
import json
import os
import re
import time
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="the extra 'serve' is not installed")

from itsdangerous import TimestampSigner
from starlette.websockets import WebSocketDisconnect

from alsolike.errors import Refusal, WritingError
from alsolike.web.edge import auth
from alsolike.web.edge.auth import AuthenticationMiddleware, LoginMiddleware, own_path
from alsolike.web.edge.cors import CorsMiddleware
from alsolike.web.edge.forwarded import ForwardedMiddleware
from alsolike.web.edge.head import HeadMiddleware
from alsolike.web.edge.host import HostMiddleware
from alsolike.web.edge.origin import OriginMiddleware, check_origin
from alsolike.web.edge.rate_limit import RateLimitMiddleware
from alsolike.web.edge.request_limits import BodyLimitsMiddleware, HeadLimitsMiddleware
from alsolike.web.edge.security_headers import SecurityHeadersMiddleware, content_policy
from alsolike.web.errors import ErrorMiddleware
from alsolike.web.monitoring.access_log import AccessLog, AccessLogMiddleware
from alsolike.web.settings import Settings, Slot
from serving import bundle, client_of, settings_of, stacked

TOKEN, SWAP = "correct-horse-battery", "swap-horse-battery-9"
NOWHERE: frozenset[str] = frozenset()
JSON = {"content-type": "application/json"}
Message = MutableMapping[str, Any]


@dataclass
class Answered:
    """An answer, as the client sees it."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def code(self) -> str:
        told = json.loads(self.body)
        assert set(told) == {"error"}
        assert set(told["error"]) == {"code", "message", "field"}
        return str(told["error"]["code"])


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Answer with the body that came."""
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    headers = [(b"content-type", b"text/plain"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


class Asking:
    """The middlewares around `app`, and how to ask them."""

    def __init__(self, folder: Path, app: Any = echo, origins: Any = None, **more: Any) -> None:
        self.log = folder / "access.jsonl"
        named = {"rate": 0, "log": str(self.log), "state": folder / "state"} | more
        self.settings = Settings(models=(Slot("a", folder),), **named)
        self.app = stacked(app, self.settings, image_origins=origins or (lambda: NOWHERE))

    def __call__(
        self,
        path: str = "/",
        method: str = "GET",
        headers: dict[str, str] | Iterable[tuple[str, str]] = (),
        body: bytes | list[bytes] | None = None,
        **scope: Any,
    ) -> Answered:
        return asyncio.run(self.ask(path, method, headers, body, **scope))

    async def ask(
        self,
        path: str = "/",
        method: str = "GET",
        headers: dict[str, str] | Iterable[tuple[str, str]] = (),
        body: bytes | list[bytes] | Callable[[], Awaitable[Message]] | None = None,
        **more: Any,
    ) -> Answered:
        pairs = list(headers.items() if isinstance(headers, dict) else headers)
        names = {name for name, _ in pairs}
        if "host" not in names:
            pairs.append(("host", "localhost:8000"))
        if isinstance(body, bytes) and "content-length" not in names:
            pairs.append(("content-length", str(len(body))))
        if isinstance(body, list) and "content-length" not in names:
            pairs.append(("transfer-encoding", "chunked"))
        path, _, query = path.partition("?")
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "raw_path": path.encode("utf-8", "replace"),
            "query_string": query.encode(),
            "root_path": "",
            "scheme": "http",
            "client": ("192.0.2.7", 4000),
            "headers": [(name.encode(), value.encode("latin-1")) for name, value in pairs],
            "state": {},
        } | more
        answered = Answered()

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                assert not answered.status
                answered.status = message["status"]
                answered.headers = {n.decode(): v.decode() for n, v in message["headers"]}
            else:
                answered.body += message.get("body", b"")

        await self.app(scope, body if callable(body) else receiving(body), send)
        return answered

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text("ascii").splitlines()]


def receiving(body: bytes | list[bytes] | None) -> Callable[[], Awaitable[Message]]:
    parts = list(body) if isinstance(body, list) else [body or b""]

    async def receive() -> Message:
        if not parts:
            return {"type": "http.disconnect"}
        part = parts.pop(0)
        return {"type": "http.request", "body": part, "more_body": bool(parts)}

    return receive


@pytest.fixture
def asking(tmp_path: Path) -> Asking:
    return Asking(tmp_path)


@pytest.fixture
def closed(tmp_path: Path) -> Asking:
    return Asking(tmp_path, token=TOKEN, swap_token=SWAP)


STEPS = {
    "forwarded": ForwardedMiddleware,
    "access log": AccessLogMiddleware,
    "HEAD": HeadMiddleware,
    "security headers": SecurityHeadersMiddleware,
    "CORS": CorsMiddleware,
    "errors": ErrorMiddleware,
    "rate limit": RateLimitMiddleware,
    "head of the request": HeadLimitsMiddleware,
    "host": HostMiddleware,
    "origin": OriginMiddleware,
    "token": AuthenticationMiddleware,
    "body": BodyLimitsMiddleware,
    "login": LoginMiddleware,
}


def test_the_documentation_lists_the_middlewares_in_their_order(tmp_path: Path) -> None:
    page = Path(__file__).parents[3] / "docs" / "serving.md"
    text = page.read_text(encoding="utf-8").partition("### What each request passes")[2]
    steps = re.findall(r"^\| ([^|]+?) \|", text.partition("\n\n**")[0], re.MULTILINE)[1:]
    asking = Asking(tmp_path, token=TOKEN, rate=1.0, cors_origins=("https://shop.example",))
    found, app = [], asking.app
    while app is not echo:
        found.append(type(app))
        app = app._app
    assert found == [STEPS[step] for step in steps]


# Headers


def test_every_answer_has_the_policy(asking: Asking) -> None:
    for answered in (asking(), asking(headers={"host": "evil.example"}), asking("/metrics")):
        policy = answered.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'; ")
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert "http" not in policy
        assert answered.headers["x-content-type-options"] == "nosniff"
        assert answered.headers["cross-origin-resource-policy"] == "same-origin"
        assert answered.headers["referrer-policy"] == "same-origin"


def test_remote_images_open_the_policy_for_exactly_their_hosts(tmp_path: Path) -> None:
    origins = [
        frozenset({"https://i.example", "http://j.example:81"}),
        frozenset({"http://k.example"}),
    ]
    asking = Asking(tmp_path, origins=lambda: origins[0])
    policy = asking().headers["content-security-policy"]
    assert "img-src 'self' data: http://j.example:81 https://i.example;" in policy
    del origins[0]
    assert "img-src 'self' data: http://k.example;" in asking().headers["content-security-policy"]
    hostile = ["https://x; script-src *", "https://y\r\nset-cookie: a=b", "data:", "*", "https://*"]
    assert content_policy(hostile) == content_policy()


def test_an_answer_keeps_a_policy_of_its_own(tmp_path: Path) -> None:
    async def report(scope: Any, receive: Any, send: Any) -> None:
        headers = [(b"Content-Security-Policy", b"sandbox"), (b"cache-control", b"no-store")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"x"})

    asking = Asking(tmp_path, report, token=TOKEN)
    headers = asking(headers={"authorization": f"Bearer {TOKEN}"}).headers
    assert headers["Content-Security-Policy"] == "sandbox"
    assert "content-security-policy" not in headers
    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"


def test_what_is_behind_a_token_is_for_no_shared_cache(closed: Asking, asking: Asking) -> None:
    shown = {"authorization": f"Bearer {TOKEN}"}
    assert closed(headers=shown).headers["cache-control"] == "private, no-cache"
    assert "cache-control" not in asking().headers


# Host and origin


@pytest.mark.parametrize(
    "host",
    ["localhost", "LOCALHOST:8000", "127.0.0.1:8000", "[::1]:8000", "likes.example", "10.0.0.9"],
)
def test_hosts_that_are_ours(tmp_path: Path, host: str) -> None:
    asking = Asking(tmp_path, host="10.0.0.9", hosts=("Likes.Example",), token=TOKEN)
    assert asking("/healthz", headers={"host": host}).status == 200


STRANGERS = "evil.example localhost.evil.example evil.example:8000 localhost: localhost:x [::] [::1"
STRANGERS += " localhost@evil.example 127.0.0.1. \xff"


@pytest.mark.parametrize("host", ["", "localhost ", *STRANGERS.split(" ")])
def test_hosts_that_are_not(asking: Asking, host: str) -> None:
    answered = asking(headers={"host": host})
    assert (answered.status, answered.code) == (400, "unknown_host")
    assert host == "" or host not in answered.body.decode("ascii")


def test_wildcard_addresses_are_no_names() -> None:
    hosts = HostMiddleware(echo, names=["0.0.0.0", "::", "::1", "2001:db8::7"])  # noqa: S104 - as a name, not to bind to
    hosts.check(b"[2001:db8::7]:80")
    for name in (b"0.0.0.0", b"[::]", None):
        with pytest.raises(Refusal):
            hosts.check(name)


def test_host_must_be_there_once(asking: Asking) -> None:
    twice = [("host", "localhost"), ("host", "evil.example")]
    assert asking(headers=twice).code == "malformed"
    assert asking(headers=[("accept", "a"), ("accept", "b")]).status == 200


FOREIGN = [
    {"origin": "https://evil.example"},
    {"origin": "http://localhost:9000"},  # another service of the same machine
    {"origin": "http://127.0.0.1:8000"},  # the same by another name
    {"origin": "http://localhost:8000.evil.example"},
    {"origin": "http://evil@localhost:8000"},
    {"origin": "null"},
    {"origin": ""},
    {"origin": "null", "sec-fetch-site": "none"},
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site", "origin": "http://localhost:8000"},
    {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"},
    {"sec-fetch-site": "same-origin", "origin": "https://evil.example"},
]


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
def test_pages_of_other_origins_can_do_nothing(asking: Asking, headers: dict[str, str]) -> None:
    for path in ("/api/v1/model/swap", "/api/v1/users/u/likes", "/compare"):
        answered = asking(path, "POST", headers | JSON, b"{}")
        assert (answered.status, answered.code) == (403, "foreign_origin")
        assert answered.headers["connection"] == "close"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": "http://localhost:8000"},
        {"origin": "http://localhost:8000", "sec-fetch-site": "same-origin"},
        {"origin": "null", "sec-fetch-site": "same-origin"},
        {"sec-fetch-site": "none"},
    ],
    ids=str,
)
def test_our_own_pages_and_programs_can(asking: Asking, headers: dict[str, str]) -> None:
    assert asking("/api/v1/users/u/likes", "POST", headers | JSON, b"{}").body == b"{}"


def test_default_ports_are_the_same_origin() -> None:
    for origin, host in (
        (b"https://a.example", b"a.example"),
        (b"http://a.example:80", b"a.example"),
    ):
        check_origin("POST", {b"origin": origin, b"host": host})
    with pytest.raises(Refusal):
        check_origin("POST", {b"origin": b"http://a.example:443", b"host": b"a.example"})


def test_other_pages_may_link_here_but_embed_nothing(asking: Asking) -> None:
    followed = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    assert asking(headers=followed).status == 200
    for mode in ("no-cors", "cors", "websocket"):
        answered = asking(headers=followed | {"sec-fetch-mode": mode})
        assert answered.code == "foreign_origin"


@pytest.mark.parametrize("kind", ["", "text/plain", "application/x-www-form-urlencoded", "jsonx"])
def test_the_api_takes_json_alone(asking: Asking, kind: str) -> None:
    answered = asking("/api/v1/recommendations", "POST", {"content-type": kind}, b'{"likes":[]}')
    assert (answered.status, answered.code) == (415, "not_json")
    assert asking("/compare", "POST", {"content-type": kind}, b"a=b").status == 200


def test_json_with_a_charset_is_json(asking: Asking) -> None:
    headers = {"content-type": "Application/JSON; charset=utf-8"}
    assert asking("/api/v1/recommendations", "POST", headers, b"{}").status == 200


# Bodies and addresses


def test_bodies_are_bounded_however_they_come(asking: Asking) -> None:
    most = asking.settings.most_bytes
    for fits in (b"x" * most, [b"x" * (most // 2)] * 2, [b"", b"x" * most, b""]):
        assert len(asking("/", "POST", body=fits).body) == most
    one_more: list[Any] = [b"x" * (most + 1), [b"x" * most, b"x"], [b"x"] * (most + 1)]
    for longer in one_more:
        answered = asking("/", "POST", body=longer)
        assert (answered.status, answered.code) == (413, "body_too_large")
        assert answered.headers["connection"] == "close"
    assert asking("/", "GET", body=b"x" * (most + 1)).code == "body_too_large"


def test_a_long_body_is_refused_by_what_it_declares(asking: Asking) -> None:
    asked = []

    async def never() -> Message:
        asked.append(1)
        return {"type": "http.disconnect"}

    headers = {"content-length": str(10**15)}
    asyncio.run(asking.ask("/", "POST", headers, never))
    assert asking.lines()[-1]["status"] == 499  # gone while the rest was thrown away
    assert len(asked) == 1


def test_what_is_thrown_away_is_bounded(asking: Asking) -> None:
    taken = []

    async def endless() -> Message:
        taken.append(65_536)
        return {"type": "http.request", "body": b"x" * 65_536, "more_body": True}

    answered = asyncio.run(asking.ask("/", "POST", {"transfer-encoding": "chunked"}, endless))
    assert answered.status == 413
    assert sum(taken) <= 20 * asking.settings.most_bytes


def test_a_slow_body_is_refused_in_time(tmp_path: Path) -> None:
    asking = Asking(tmp_path, patience=0.2)

    async def drop_by_drop() -> Message:
        await asyncio.sleep(0.05)
        return {"type": "http.request", "body": b"x", "more_body": True}

    headers = {"content-length": "1000"}
    answered = asyncio.run(asking.ask("/", "POST", headers, drop_by_drop))
    assert (answered.status, answered.code) == (408, "too_slow")
    assert asking.lines()[-1]["ms"] < 1000


def test_an_answer_that_is_not_taken_is_given_up(tmp_path: Path) -> None:
    async def endless(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while True:
            await send({"type": "http.response.body", "body": b"x" * 1000, "more_body": True})

    async def send(message: Message) -> None:
        if message["type"] == "http.response.body":
            await asyncio.sleep(60)

    asking = Asking(tmp_path, endless, patience=0.2)
    scope = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "client": None}
    scope |= {"headers": [(b"host", b"localhost")]}
    asyncio.run(asyncio.wait_for(asking.app(scope, receiving(None), send), 10))
    assert asking.lines()[-1]["client"] == "local"


def test_the_address_is_bounded(asking: Asking) -> None:
    assert asking("/items/" + "x" * 32_000).status == 200
    assert asking("/items/" + "x" * 33_000).code == "address_too_long"
    assert asking("/items?q=" + "x" * 33_000).status == 414


@pytest.mark.parametrize("declared", ["-1", "1e3", "0x10", " 5", "\xb2"])
def test_a_length_is_a_number(asking: Asking, declared: str) -> None:
    assert asking("/", "POST", {"content-length": declared}, b"x").code == "malformed"


# Tokens


def test_without_the_token_there_is_nothing(closed: Asking) -> None:
    for path in (
        "/",
        "/api/v1/items",
        "/metrics",
        "/openapi.json",
        "/readyz",
        "/login/",
        "/static",
    ):
        answered = closed(path)
        assert (answered.status, answered.code) == (401, "token_needed")
        assert answered.headers["www-authenticate"].startswith("Bearer")
    assert closed("/healthz").status == 200
    assert closed("/static/app.0.css").status == 200


@pytest.mark.parametrize(
    "shown", [TOKEN[:-1], TOKEN + "x", "", "\xff", TOKEN.upper(), SWAP, f"{TOKEN} {TOKEN}"]
)
def test_wrong_tokens(closed: Asking, shown: str) -> None:
    assert closed(headers={"authorization": f"Bearer {shown}"}).status == 401
    assert closed(headers={"authorization": f"Basic {TOKEN}"}).status == 401


def test_the_right_token(closed: Asking) -> None:
    for scheme in ("Bearer", "bearer", "BEARER "):
        assert closed(headers={"authorization": f"{scheme} {TOKEN}"}).status == 200


def test_the_swap_token_opens_its_own_endpoints_alone(closed: Asking) -> None:
    shown = {"authorization": f"Bearer {SWAP}"} | JSON
    for method, path in auth.SWAP_REQUESTS:
        assert closed(path, method, shown, b"{}").status == 200
        assert closed(f"{path}/", method, shown, b"{}").status == 401
    assert closed("/api/v1/items", headers=shown).status == 401


def test_paths_are_compared_as_routers_see_them(closed: Asking) -> None:
    # Mounted under /x, a router takes "/x/healthz" for "/healthz" and "/healthz" for itself.
    assert closed("/x/healthz", root_path="/x").status == 200
    assert closed("/healthz/../api/v1/items").status == 401
    assert closed("/healthzx").status == 401


def test_tokens_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[int, int]] = []

    def spy(one: bytes, other: bytes) -> bool:
        compared.append((len(one), len(other)))
        return one == other

    monkeypatch.setattr(hmac, "compare_digest", spy)
    checked = auth.Tokens(TOKEN, SWAP, "c")
    for shown in ("", "x", TOKEN, TOKEN * 9):
        assert checked.fits(shown) is (shown == TOKEN)
    swap = {b"authorization": f"Bearer {SWAP}".encode()}
    assert checked.access(*next(iter(auth.SWAP_REQUESTS)), swap) is auth.Access.MAY_SWAP
    assert compared == [(32, 32)] * 5, "lengths do not depend on what was shown"
    cookie = checked.cookie(is_secure=False).partition(";")[0].encode()
    assert checked.access("GET", "/", {b"cookie": cookie}) is auth.Access.ADMITTED
    assert compared[5:] == [(32, 32)], "nor does the signature of a cookie"


def test_wrong_tokens_count_for_more(tmp_path: Path) -> None:
    asking = Asking(tmp_path, token=TOKEN, rate=1.0, burst=25)
    wrong = {"authorization": "Bearer xxxxxxxxxxxxxxxxx"}
    assert [asking(headers=wrong).status for _ in range(4)] == [401, 401, 429, 429]


# Logging in


def form(**fields: str) -> bytes:
    from urllib.parse import urlencode

    return urlencode(fields).encode()


def log_in(asking: Asking, onward: str = "/", **scope: Any) -> Answered:
    return asking("/login", "POST", body=form(token=TOKEN, onward=onward), **scope)


def test_a_browser_is_shown_where_to_log_in(closed: Asking) -> None:
    reader = {"accept": "text/html,*/*"}
    answered = closed('/items/a"><script>?k=5', headers=reader)
    assert answered.status == 401
    page = answered.body.decode()
    assert 'action="/login"' in page
    assert "<script>" not in page
    assert "/items/a%22%3E%3Cscript%3E?k=5" in page
    assert TOKEN not in page
    assert closed("/api/v1/items", headers=reader).code == "token_needed"
    assert closed("/login").status == 401


def test_the_cookie_lets_a_browser_in(closed: Asking) -> None:
    answered = log_in(closed, "/items/x?k=5")
    assert (answered.status, answered.headers["location"]) == (303, "/items/x?k=5")
    given = answered.headers["set-cookie"]
    assert TOKEN not in given
    assert re.search(r"^alsolike-8000=\S+; Path=/; Max-Age=\d+; HttpOnly; SameSite=Strict$", given)
    cookie = given.partition(";")[0]
    assert closed(headers={"cookie": f"theme=dark; {cookie}; x"}).status == 200
    assert log_in(closed, scheme="https").headers["set-cookie"].endswith("; Secure")


def test_cookies_cannot_be_made_up_and_end(
    closed: Asking, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cookie = log_in(closed).headers["set-cookie"].partition(";")[0]
    name, _, value = cookie.partition("=")
    said, when, signature = value.split(".")
    later = TimestampSigner("another key").sign("login").decode().split(".")[1][:-1] + "_"
    old = f"{int(time.time()) + 999}.{'0' * 64}"  # as it was before signatures of itsdangerous
    for bad in (
        f"{said}.{later}.{signature}",
        f"{said}x.{when}.{signature}",
        f"{said}.{when}.{'0' * 43}",
        f"{said}.{when}.",
        f"{said}.{signature}",
        f"{said}..{signature}",
        TimestampSigner(TOKEN).sign("login").decode(),
        "\xff.\xff.\xff",
        "." * 9000,
        old,
        TOKEN,
        "",
    ):
        assert closed(headers={"cookie": f"{name}={bad}"}).status == 401, bad
        reader = {"cookie": f"{name}={bad}", "accept": "text/html"}
        assert b'action="/login"' in closed(headers=reader).body
    assert closed(headers={"cookie": cookie, "authorization": "Bearer nonsense"}).status == 401
    other = Asking(tmp_path / "other", token=TOKEN[::-1])
    assert other(headers={"cookie": cookie}).status == 401
    now = TimestampSigner("any").get_timestamp()
    for seconds, status in ((-9, 401), (auth.LASTS - 9, 200), (auth.LASTS + 9, 401)):
        monkeypatch.setattr(TimestampSigner, "get_timestamp", lambda _, at=now + seconds: at)
        assert closed(headers={"cookie": cookie}).status == status, seconds
    assert auth.LASTS == 30 * 86400


def test_a_cookie_is_signed_with_sha_256(closed: Asking) -> None:
    cookie = log_in(closed).headers["set-cookie"].partition(";")[0]
    said, when, signature = cookie.partition("=")[2].split(".")
    key = hmac.digest(TOKEN.encode(), b"alsolike login", "sha256")
    expected = hmac.digest(key, f"{said}.{when}".encode(), "sha256")
    assert base64.urlsafe_b64decode(signature + "=") == expected


@pytest.mark.parametrize(
    "body", [b"", b"token=", b"token=wrong", b"&" * 5000, b"\xff=\xfe", b"%zz"]
)
def test_wrong_forms(closed: Asking, body: bytes) -> None:
    answered = closed("/login", "POST", body=body)
    assert answered.status == 401
    assert "set-cookie" not in answered.headers
    assert b"Wrong token" in answered.body


ELSEWHERE = ["//evil.example", "/\\evil.example", "https://evil.example", "javascript:alert(1)"]
NOT_AN_ADDRESS = ["/a\r\nset-cookie: x=y", "", "/ä", "/" + "x" * 5000, "/\t/evil.example"]


@pytest.mark.parametrize("onward", [*ELSEWHERE, *NOT_AN_ADDRESS])
def test_from_the_login_one_goes_nowhere_else(closed: Asking, onward: str) -> None:
    assert log_in(closed, onward).headers["location"] == "/"
    assert own_path(onward) == "/"


# The log


def test_a_line_for_each_request(tmp_path: Path) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        scope["state"]["version"] = "5f0c" * 16
        await echo(scope, receive, send)

    asking = Asking(tmp_path, app)
    asking("/items/a?token=secret", "POST", {"authorization": f"Bearer {TOKEN}"}, b"abc")
    asking(headers={"host": "evil.example"})
    one, other = asking.lines()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", one.pop("time"))
    assert one.pop("ms") >= 0
    assert one == {
        "client": "192.0.2.7",
        "method": "POST",
        "path": "/items/a",
        "status": 200,
        "bytes": 3,
        "version": ("5f0c" * 16)[:40],
    }
    assert other["status"] == 400


HOSTILE = [
    'a\n{"status":200}',
    "a\r\n\x1b[2J",
    "\u2028\u0085",
    '"},{"',
    "\\",
    "\x7f\x00",
    "\ud800",
    "é😀" * 5000,
]


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_no_request_writes_lines_of_its_own(asking: Asking, text: str) -> None:
    asking(f"/items/{text[:9000]}", text[:30], client=(text, 1))
    written = asking.log.read_bytes()
    assert written.count(b"\n") == 1
    assert re.fullmatch(rb"[\x20-\x7e]+", written[:-1])
    assert len(written) < 4096
    (line,) = asking.lines()
    assert line["path"][:20] == f"/items/{text}"[:20]


def test_no_secret_is_logged(closed: Asking) -> None:
    cookie = log_in(closed).headers["set-cookie"].partition(";")[0]
    closed(f"/?token={TOKEN}", headers={"authorization": f"Bearer {TOKEN}"})
    closed(f"/?token={TOKEN}", headers={"cookie": cookie})
    closed(headers={"authorization": f"Bearer {TOKEN}x"})
    text = closed.log.read_text("ascii")
    assert TOKEN not in text
    assert cookie.partition("=")[2] not in text
    assert len(closed.lines()) == 4


def test_a_log_that_nobody_reads_stops_nothing(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    log = AccessLog(str(pipe))
    written = [log.note("c", "GET", "/" + "x" * 150, 200, 0.1, 1, "") for _ in range(1000)]
    assert written[0] is True
    assert written[-1] is False
    content = b""
    while len(part := os.read(reader, 65_536)) == 65_536:
        content += part
    lines = (content + part).splitlines()
    assert len(lines) == sum(written)
    assert all(json.loads(line)["status"] == 200 for line in lines)
    log.close()
    os.close(reader)


def test_a_log_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(WritingError, match="access log"):
        AccessLog(str(tmp_path))
    full = AccessLog("/dev/full")
    assert full.note("c", "GET", "/", 200, 0.1, 1, "") is False
    full.close()
    quiet = AccessLog("")
    assert quiet.note("c", "GET", "/", 200, 0.1, 1, "") is True
    quiet.close()


# What goes wrong inside


def test_a_failure_tells_the_client_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def failing(scope: Any, receive: Any, send: Any) -> None:
        raise RuntimeError("the password is 1234")

    asking = Asking(tmp_path, failing)
    answered = asking("/items/a\nb")
    assert (answered.status, answered.code) == (500, "failed")
    assert b"1234" not in answered.body
    assert "content-security-policy" in answered.headers
    assert asking.lines()[-1]["status"] == 500
    assert "the password is 1234" in caplog.text
    assert "a\nb" not in caplog.messages[0]


def test_a_failure_in_the_middle_sends_nothing_twice(tmp_path: Path) -> None:
    async def failing(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise RuntimeError("in the middle")

    assert Asking(tmp_path, failing)().status == 200


def test_a_client_that_leaves_is_no_failure(asking: Asking) -> None:
    async def gone() -> Message:
        return {"type": "http.disconnect"}

    assert asyncio.run(asking.ask("/", "POST", {"content-length": "5"}, gone)).status == 0
    assert asking.lines()[-1]["status"] == 499


def open_files(folder: Path) -> set[str]:
    """Return the names of the files within a folder that this process has open."""
    links = [Path(one.path) for one in os.scandir("/proc/self/fd")]
    found = {one.readlink() for one in links if one.is_symlink()}
    return {one.name for one in found if one.is_relative_to(folder)}


def test_files_are_open_as_long_as_the_application_runs(tmp_path: Path) -> None:
    model, log = bundle(tmp_path / "model"), str(tmp_path / "access.jsonl")
    with client_of(settings_of(tmp_path / "state", model, rate=100.0, log=log)) as client:
        assert client.get("/healthz").status_code == 200
        opened = open_files(tmp_path)
        assert {"access.jsonl", "limits.bin"} <= opened
        with pytest.raises(WebSocketDisconnect), client.websocket_connect("/healthz"):
            pass  # nothing here speaks by web sockets
    assert not {"access.jsonl", "limits.bin"} & open_files(tmp_path)
