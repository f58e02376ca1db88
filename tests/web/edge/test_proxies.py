"""Below a base path, behind trusted proxies, and asked by pages of other origins."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="the extra 'serve' is not installed")

from starlette.testclient import TestClient

from alsolike.errors import SettingError
from alsolike.web.app import create_app
from alsolike.web.settings import Settings
from serving import BASE, bundle, client_of, settings_of

TOKEN = "correct-horse-battery"
BEARER = {"authorization": f"Bearer {TOKEN}"}
SHOP = "https://shop.example"
ASKED = {"origin": SHOP, "sec-fetch-site": "cross-site", "sec-fetch-mode": "cors"}
PAGES = (
    "/", "/items/i1", "/users/u1", "/user", "/try?item=i1&item=i2", "/map?item=i1", "/compare",
    "/compare/result", "/about", "/docs", "/nothing",
)  # fmt: skip
_LINK = re.compile(r'(?:href|src|action)="(/[^"]*)"')


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bundle(tmp_path_factory.mktemp("proxies") / "model")


@pytest.fixture(scope="module")
def settings(model: Path) -> Settings:
    return settings_of(
        model.parent / "state", model, token=TOKEN, base_path="/rec/", hosts=("shop.example",),
        cors_origins=(f"{SHOP}:443",), trusted_proxies=("10.0.0.0/8", "::1"),
        log=str(model.parent / "access.log"),
    )  # fmt: skip


@pytest.fixture(scope="module")
def client(settings: Settings) -> Iterator[TestClient]:
    with client_of(settings) as found:
        found.follow_redirects = False
        yield found


@pytest.fixture(scope="module")
def proxied(settings: Settings, client: TestClient) -> TestClient:
    """Ask the same service from the address of a proxy."""
    return TestClient(client.app, base_url=BASE, client=("10.1.2.3", 7), follow_redirects=False)


@pytest.mark.parametrize("path", PAGES)
def test_all_links_are_below_the_base_path(client: TestClient, path: str) -> None:
    headers = BEARER | {"accept": "text/html"}
    text = client.get(f"/rec{path}", headers=headers).text
    links = _LINK.findall(text)
    assert links
    assert all(link.startswith("/rec/") for link in links)
    # A check on the machine itself needs no base path.
    assert client.get(path, headers=headers).text.count("/rec/") == text.count("/rec/")


def test_what_is_linked_is_there(client: TestClient) -> None:
    text = client.get("/rec/items/i1", headers=BEARER).text
    for link in dict.fromkeys(_LINK.findall(text)):
        assert client.get(link.replace("&amp;", "&"), headers=BEARER).status_code == 200, link
    assert client.get("/rec", headers=BEARER).text == client.get("/rec/", headers=BEARER).text
    assert client.get("/records", headers=BEARER).status_code == 404
    assert client.get("/rec/random", headers=BEARER).headers["location"].startswith("/rec/items/")
    assert client.get("/rec/openapi.json", headers=BEARER).json()["servers"] == [{"url": "/rec"}]
    assert "/rec/api/v1/items?q=" in client.get("/rec/api/v1/items/x", headers=BEARER).text
    assert "Path=/rec/compare" in client.get("/rec/compare", headers=BEARER).headers["set-cookie"]


def test_a_login_stays_below_the_base_path(client: TestClient) -> None:
    asked = client.get("/rec/items/i1?k=2", headers={"accept": "text/html"})
    assert 'action="/rec/login"' in asked.text
    assert 'value="/items/i1?k=2"' in asked.text
    done = client.post("/rec/login", data={"token": TOKEN, "onward": "/items/i1"})
    assert done.headers["location"] == "/rec/items/i1"
    assert "; Path=/rec; " in done.headers["set-cookie"]
    assert "Secure" not in done.headers["set-cookie"]


def test_a_trusted_proxy_says_who_asks_and_how(
    client: TestClient, proxied: TestClient, settings: Settings
) -> None:
    said = {
        "x-forwarded-for": "made up, 203.0.113.9, 10.9.9.9:5", "x-forwarded-proto": "https",
        "x-forwarded-prefix": "/shop/likes",
    }  # fmt: skip
    login = {"token": TOKEN, "onward": "/items/i1"}
    done = proxied.post("/login", data=login, headers=said)
    assert done.headers["location"] == "/shop/likes/items/i1"
    assert "; Path=/shop/likes; " in done.headers["set-cookie"]
    assert done.headers["set-cookie"].endswith("; Secure")
    assert '"client":"203.0.113.9"' in Path(settings.log).read_text().splitlines()[-1]
    # From anybody else, the same fields mean nothing.
    done = client.post("/login", data=login, headers=said)
    assert done.headers["location"] == "/rec/items/i1"
    assert "Secure" not in done.headers["set-cookie"]
    assert '"client":"testclient"' in Path(settings.log).read_text().splitlines()[-1]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X-Forwarded-For", "unknown"), ("X-Forwarded-Proto", "ftp"),
        ("X-Forwarded-Proto", "http, https"), ("X-Forwarded-Prefix", "//evil.example"),
        ("X-Forwarded-Prefix", "/a/../b"), ("X-Forwarded-Prefix", "/a b"),
    ],
)  # fmt: skip
def test_nonsense_of_a_trusted_proxy_is_refused(
    client: TestClient, proxied: TestClient, name: str, value: str
) -> None:
    refused = proxied.get("/healthz", headers={name: value})
    assert refused.status_code == 400
    assert name in refused.json()["error"]["message"]
    assert client.get("/healthz", headers={name: value}).status_code == 200


def test_a_client_whose_whole_chain_is_trusted_is_the_first(
    proxied: TestClient, settings: Settings
) -> None:
    proxied.get("/healthz", headers={"x-forwarded-for": "[::1]:80, 10.2.2.2"})
    assert '"client":"::1"' in Path(settings.log).read_text().splitlines()[-1]


@pytest.mark.parametrize("path", ["/rec/api/v1/items/i1/similar", "/rec/api/v1/items/nothing"])
def test_pages_of_a_named_origin_read_the_api(client: TestClient, path: str) -> None:
    found = client.get(path, headers=ASKED | BEARER)
    assert found.headers["access-control-allow-origin"] == SHOP
    assert "Origin" in found.headers["vary"]
    assert "access-control-allow-credentials" not in found.headers
    assert client.get(path, headers=ASKED).headers["access-control-allow-origin"] == SHOP  # 401
    plain = client.get(path, headers=BEARER)
    assert "access-control-allow-origin" not in plain.headers
    assert "Origin" in plain.headers["vary"]


def test_preflights_are_answered_without_a_token(client: TestClient) -> None:
    for path, method in (("/api/v1/similar", "POST"), ("/api/v1/items", "GET")):
        asks = {"access-control-request-method": method}
        found = client.options(f"/rec{path}", headers=ASKED | asks)
        assert (found.status_code, found.content) == (204, b"")
        assert found.headers["access-control-allow-origin"] == SHOP
    sent = client.post("/rec/api/v1/similar", json={"items": ["i1"]}, headers=ASKED | BEARER)
    assert (sent.status_code, sent.headers["access-control-allow-origin"]) == (200, SHOP)


@pytest.mark.parametrize(
    ("method", "path", "origin"),
    [
        ("POST", "/rec/api/v1/users/u1/likes", SHOP),
        ("DELETE", "/rec/api/v1/users/u1/likes/i1", SHOP),
        ("POST", "/rec/api/v1/model/swap", SHOP),
        ("GET", "/rec/items/i1", SHOP),
        ("GET", "/rec/metrics", SHOP),
        ("GET", "/rec/api/v1/items", "https://evil.example"),
        ("GET", "/rec/api/v1/items", "http://shop.example"),
        ("GET", "/rec/api/v1/items", "https://shop.example:8443"),
        ("GET", "/rec/api/v1/items", "null"),
    ],
)
def test_all_else_stays_closed_to_other_origins(
    client: TestClient, method: str, path: str, origin: str
) -> None:
    asked = ASKED | {"origin": origin}
    for sent in (
        client.request(method, path, headers=asked | BEARER),
        client.options(path, headers=asked | {"access-control-request-method": method}),
    ):
        assert sent.status_code == 403
        assert "access-control-allow-origin" not in sent.headers


@pytest.mark.parametrize(
    "given",
    [
        {"base_path": "rec"}, {"base_path": "/a//b"}, {"base_path": "/a/../b"},
        {"base_path": "/a?b"}, {"base_path": "/ä"}, {"trusted_proxies": ("proxy.example",)},
        {"trusted_proxies": ("10.0.0.1/8",)}, {"cors_origins": ("*",)},
        {"cors_origins": ("shop.example",)}, {"cors_origins": ("https://shop.example/",)},
    ],
)  # fmt: skip
def test_settings_of_another_form_are_refused(model: Path, given: dict) -> None:
    with pytest.raises(SettingError, match=next(iter(given))):
        settings_of(model.parent / "state", model, **given)


def test_settings_are_kept_in_their_file(model: Path, settings: Settings, tmp_path: Path) -> None:
    settings.to_file(tmp_path / "serve.json")
    again = Settings.from_file(tmp_path / "serve.json")
    assert (again.base_path, again.cors_origins) == ("/rec", (SHOP,))
    assert again.trusted_proxies == ("10.0.0.0/8", "::1/128")


def test_without_cors_no_answer_speaks_of_origins(model: Path, tmp_path: Path) -> None:
    app = create_app(settings_of(tmp_path / "state", model))
    with TestClient(app, base_url=BASE) as client:
        assert "vary" not in client.get("/api/v1/items/i1").headers
        assert client.get("/api/v1/items/i1", headers=ASKED).status_code == 403
