"""What all addresses of the service have in common: HEAD, other methods, unknown parameters.

The addresses are taken from the tables themselves, so that a new one is held to the same.
"""

import http.client
import json
import re
from urllib.parse import quote, unquote

import pytest

pytest.importorskip("fastapi", reason="the extra 'serve' is not installed")

from fastapi import FastAPI
from starlette.routing import Match, Route
from starlette.testclient import TestClient

from alsolike.web import app
from alsolike.web.route_table import API, PAGES, mount
from alsolike.web.templating import static_files
from record_compatibility import PAGES as RECORDED_PAGES
from record_compatibility import REQUESTS
from serving import BASE, HOSTILE, bundle, client_of, running, settings_of

BARE = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
mount(BARE)
ROUTES = BARE.routes
TOKEN = "correct-horse-battery"
# What a GET cannot do without in its query.
NEEDED = {
    "/api/v1/similar": "item=i3",
    "/api/v1/item": "item=i3",
    "/api/v1/items": "q=i3",
    "/api/v1/recommendations": "user=u1",
    "/api/v1/features/items": "feature=castle",
    "/api/v1/features/recommendations": "feature=castle",
    "/api/v1/features/suggested": "item=i3",
    "/api/v1/items/{item_id}/explanations": "other=i4",
    "/api/v1/users/{user_id}/explanations": "item=i4",
    "/item": "id=i3",
    "/map/item/{model}/{version}": "row=1",
}
UNABLE = {"/api/v1/features/recommendations"}  # this kind of model knows no features of users
DRAWN = {"/random"}  # leads elsewhere each time
CHANGING = {"/metrics", "/compare", "/user"}  # what it says changes from one time to the next
PEOPLE = {"accept": "text/html,*/*"}
NO_PAGES = ("/api", "/static", "/healthz", "/readyz", "/openapi", "/metrics")


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("routes")
    one = bundle(folder / "one" / "model", ids=HOSTILE, tags=("castle", "sea", "<b>"))
    two = bundle(folder / "two", seed=1)
    (folder / "one" / "report.html").write_text("<!doctype html>", encoding="utf-8")
    (folder / "one" / "leaderboard.csv").write_text("rank\n1\n", encoding="utf-8")
    return one, two


@pytest.fixture(scope="module")
def client(models, tmp_path_factory):
    with client_of(settings_of(tmp_path_factory.mktemp("state"), *models)) as one:
        yield one


def paths_of(methods):
    """Return the template of each route that takes one of these methods."""
    return sorted({one.path_format for one in ROUTES if methods & (one.methods or set())})


def address(client, template, query="", verb="get"):
    """Return an address of a route that answers, with what it needs in its query."""
    served = client.app.state.service.registry.of(None)
    given = {
        "item_id": "i3",
        "user_id": "u1",
        "outside_id": "u1" if "user" in template else "i3",
        "model": served.name,
        "version": served.version[:16],
        "row": "0",
        "name": static_files()["app.css"].served_as,
    }
    path = re.sub(r"\{(\w+)\}", lambda found: quote(given[found[1]], safe=""), template)
    needed = NEEDED.get(template, "") if verb == "get" else ""
    whole = "&".join(filter(None, (needed, query)))
    return f"{path}?{whole}" if whole else path


def without_dates(answer):
    return {name: text for name, text in answer.headers.items() if name not in {"date"}}


def test_every_route_is_looked_at(client):
    def told(routes):
        return [(type(one), one.path, one.methods) for one in routes]

    assert all(isinstance(one, Route) for one in client.app.routes)
    assert told(client.app.routes) == told(ROUTES)
    assert len(ROUTES) == len(API) + len(PAGES) + 1
    assert len(paths_of({"GET"})) > 25


def test_what_is_recorded_for_compatibility_asks_every_address():
    asked = [(one[0], unquote(one[1].partition("?")[0])) for one in (*REQUESTS, *RECORDED_PAGES)]
    for route in ROUTES:
        for method in route.methods - {"HEAD"}:
            scopes = [{"type": "http", "method": verb, "path": path} for verb, path in asked]
            found = [one for one in scopes if one["method"] == method]
            assert any(route.matches(one)[0] is Match.FULL for one in found), (method, route.path)


@pytest.mark.parametrize("template", paths_of({"GET"}))
@pytest.mark.parametrize("accept", ["*/*", PEOPLE["accept"]])
def test_head_says_what_get_says(client, template, accept):
    path, headers = address(client, template), {"accept": accept}
    if template == "/compare":
        headers["cookie"] = f"voter={'0' * 32}"
    got = client.get(path, headers=headers, follow_redirects=False)
    assert got.status_code < 400 or "/pictures/" in template or template in UNABLE, got.text
    head = client.head(path, headers=headers, follow_redirects=False)
    assert (head.status_code, head.content) == (got.status_code, b"")
    expected, told = without_dates(got), without_dates(head)
    if template in DRAWN:
        assert told.pop("location")
        del expected["location"]
    if template in CHANGING:
        assert int(told.pop("content-length")) > 0
        del expected["content-length"]
    assert told == expected
    if template not in DRAWN | CHANGING:
        assert int(told["content-length"]) == len(got.content)


@pytest.mark.parametrize(
    "template", [one for one in paths_of({"GET"}) if not one.startswith("/static")]
)
def test_head_of_what_is_wrong_is_that_error_without_its_body(client, template):
    path = address(client, template, "unheard_of=1")
    got, head = client.get(path), client.head(path)
    assert (head.status_code, head.content) == (got.status_code, b"") == (422, b"")
    assert without_dates(head) == without_dates(got)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/v1/items/none of these", 404),
        ("/api/v1/items/none of these/similar", 404),
        ("/nothing/here", 404),
        ("/items/none of these", 404),
        ("/static/none.css", 404),
        ("/api/v1/similar?item=i3&k=0", 422),
        ("/docs/", 307),
    ],
)
def test_head_of_other_addresses(client, path, status):
    got, head = (client.request(one, path, follow_redirects=False) for one in ("GET", "HEAD"))
    assert (got.status_code, head.status_code, head.content) == (status, status, b"")
    assert without_dates(head) == without_dates(got)


def test_head_asks_for_the_token_and_counts_as_get_does(models, tmp_path):
    settings = settings_of(tmp_path / "a", models[0], token=TOKEN, rate=1.0, burst=3)
    with client_of(settings) as client:
        assert client.head("/healthz").status_code == 200
        refused = client.head("/api/v1/model")
        assert (refused.status_code, refused.content) == (401, b"")
        assert refused.headers["www-authenticate"].startswith("Bearer")
        page = client.head("/", headers=PEOPLE)
        assert (page.status_code, page.content) == (401, b"")
        late = client.head("/healthz")
        assert (late.status_code, late.content) == (429, b"")
        assert int(late.headers["retry-after"]) > 0


def test_head_is_logged_and_counted(models, tmp_path):
    log = tmp_path / "access.jsonl"
    settings = settings_of(tmp_path / "state", models[0], log=str(log))
    with client_of(settings) as client:
        client.head("/healthz")
        client.head("/api/v1/items/i3/similar")
        told = client.get("/metrics").text
    for route in ("/healthz", "/api/v1/items/{item_id}/similar"):
        assert f'alsolike_requests_total{{method="HEAD",route="{route}",status="200"}} 1.0' in told
    lines = [json.loads(line) for line in log.read_text("ascii").splitlines()]
    assert [(one["method"], one["status"], one["bytes"]) for one in lines[:2]] == [
        ("HEAD", 200, 0),
        ("HEAD", 200, 0),
    ]


def test_nothing_follows_the_headers_of_a_head_on_the_wire(models, tmp_path):
    given = [str(models[0]), "--state", str(tmp_path / "state"), "--log", "", "--rate", "0"]
    with running(*given) as (address_of, _):
        connection = http.client.HTTPConnection(address_of.partition("//")[2], timeout=20)
        for path in ("/healthz", "/readyz", "/docs", "/openapi.json", "/metrics", "/",
                     "/api/v1/items/i3/similar", "/api/v1/items/none/similar"):  # fmt: skip
            for _ in range(2):  # on one connection: a body would be taken for the next answer
                connection.request("HEAD", path)
                answer = connection.getresponse()
                assert answer.status == (404 if "none" in path else 200), path
                assert (answer.read(), int(answer.headers["content-length"]) > 0) == (b"", True)
        connection.close()


@pytest.mark.parametrize("template", sorted({one.path_format for one in ROUTES}))
def test_other_methods_are_told_which_there_are(client, template):
    path = address(client, template)
    expected = {
        method
        for one in ROUTES
        if one.path_format == template
        for method in (one.methods or set()) | ({"HEAD"} if "GET" in one.methods else set())
    }
    for method in {"OPTIONS", "PUT", "PATCH", "DELETE", "POST", "TRACE", "BREW"} - expected:
        for headers in ({}, PEOPLE):
            answer = client.request(method, path, headers=headers, follow_redirects=False)
            assert answer.status_code == 405, (method, path, answer.text)
            assert set(answer.headers["allow"].split(", ")) == expected, (method, path)


def test_the_login_says_which_methods_it_takes(models, tmp_path):
    with client_of(settings_of(tmp_path / "state", models[0], token=TOKEN)) as client:
        assert client.head("/login").status_code == client.get("/login").status_code == 401
        answer = client.delete("/login")
        assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD, POST")
        assert client.get("/login?next=x").status_code == 422


def parameters_of(client):
    """Return the query parameters of each GET route of the API, and whether one may come again."""
    described = client.get("/openapi.json").json()["paths"]
    return {
        (path, verb): {
            one["name"]: "array" in json.dumps(one["schema"])
            for one in about.get("parameters", ())
            if one["in"] == "query"
        }
        for path, verbs in described.items()
        for verb, about in verbs.items()
    }


def test_an_unknown_parameter_of_the_api_names_the_known_ones(client):
    found = parameters_of(client)
    assert len(found) >= 15
    for (path, verb), known in found.items():
        for more in ("unheard_of=1", "=1", "utm_source=x"):
            answer = client.request(verb.upper(), address(client, path, more, verb))
            told = answer.json()["error"]
            name = more.partition("=")[0]
            assert (answer.status_code, told["code"]) == (422, "unknown_parameter"), (path, verb)
            assert (told["field"], repr(name) in told["message"]) == (name, True)
            for one in known:
                assert one in told["message"]
            assert ("has no parameters" in told["message"]) == (not known)


def test_a_misspelt_parameter_is_named(client):
    for path, wrong, meant in (
        ("/api/v1/items/i3/similar", "K=5", "'k'"),
        ("/api/v1/items/i3/similar", "min-count=5", "'min_count'"),
        ("/api/v1/items/i3/similar", "k=5&denny=i4", "'deny'"),
        ("/api/v1/users/u1/recommendations", "exclude_sen=false", "'exclude_seen' or 'exclude'"),
        ("/api/v1/items/i3/explanations", "othr=i4", "'other'"),
        ("/api/v1/similar", "itm=i4", "'item'"),
    ):
        told = client.get(f"{path}?{wrong}").json()["error"]
        assert told["code"] == "unknown_parameter"
        assert f"Did you mean {meant}?" in told["message"]
    long = client.get("/api/v1/model", params={"x" * 20_000: 1}).json()["error"]["message"]
    assert len(long) < 500


def test_a_parameter_with_one_value_is_given_once(client):
    for (path, verb), known in parameters_of(client).items():
        for name, may_come_again in known.items():
            twice = f"{name}=i3&{name}=i4" if may_come_again else f"{name}=5&{name}=5"
            is_needed = NEEDED.get(path, "").startswith(f"{name}=")
            at = address(client, path, twice, "post" if is_needed else verb)
            answer = client.request(verb.upper(), at, json={} if verb == "post" else None)
            if may_come_again:
                assert answer.json().get("error", {}).get("code") != "repeated_parameter"
            else:
                told = answer.json()["error"]
                assert (told["code"], told["field"]) == ("repeated_parameter", name), (path, name)


def test_an_unknown_part_of_a_body_names_the_known_ones(client):
    for given, words in (
        ({"likes": [{"itm": "i3"}]}, "likes[0]: Unknown field 'itm' of Like. Did you mean 'item'?"),
        ({"likes": [{"item": "i3"}], "K": 5}, "Unknown field 'K' of Wish. Did you mean 'k'?"),
        ({"lieks": []}, "Unknown field 'lieks' of Wish. Did you mean 'likes'? Known are: allow, "),
    ):
        answer = client.post("/api/v1/recommendations", json=given)
        assert answer.status_code == 422
        assert words in answer.json()["error"]["message"]
    path = "/api/v1/items/i3?model=al-2"
    message = client.get(path).json()["error"]["message"]
    assert "Models here: als, als-2, popularity. Did you mean 'als-2'" in message


def test_the_models_that_are_named_are_those_that_may_be_asked(client):
    told = client.get("/api/v1/items/i3/similar?model=popularty").json()["error"]["message"]
    assert "Models here: als, als-2, popularity. Did you mean 'popularity'?" in told
    assert client.get("/api/v1/items/i3/similar?model=popularity").status_code == 200


def test_every_address_names_the_field_that_it_does_not_take(client):
    for path in ("/healthz", "/metrics", "/api/v1/model"):
        told = client.get(f"{path}?zzz=1").json()["error"]
        assert (told["code"], told["field"]) == ("unknown_parameter", "zzz"), path


def test_an_empty_value_is_no_default(client):
    for query in ("k=", "min_count=", "allow=", "model=", "k", "deny"):
        assert client.get(f"/api/v1/items/i3/similar?{query}").status_code in (404, 422), query


def test_pages_refuse_what_they_do_not_take_as_pages(client):
    for template in paths_of({"GET"}):
        if template.startswith(NO_PAGES):
            continue
        answer = client.get(address(client, template, "unheard_of=1"), headers=PEOPLE)
        assert answer.status_code == 422, template
        assert answer.headers["content-type"].startswith("text/html")
        assert "unheard_of" in answer.text
        plain = client.get(address(client, template), follow_redirects=False)
        for more in ("utm_source=mail&utm_campaign=x", "fbclid=1", "gclid=1", "msclkid=1"):
            followed = client.get(address(client, template, more), follow_redirects=False)
            assert followed.status_code == plain.status_code, (template, more)
    assert "Did you mean" in client.get("/try?itm=i3").text
    assert client.get("/?q=a&q=b").status_code == 422
    assert client.get("/try?item=i3&item=i4&picked=i5&picked=i6").status_code == 200
    assert client.get("/items/i3?id=i4").status_code == 422
    style = static_files()["app.css"].served_as
    assert client.get(f"/static/{style}?v=2").status_code == 200


def test_every_link_and_form_of_the_pages_is_taken(client):
    """Follow what the pages offer: none leads to an address that refuses its own parameters."""
    seen, left = set(), ["/", "/try?item=i3", "/map?item=i3", "/items/i3", "/users/u1", "/compare"]
    while left and len(seen) < 150:
        path = left.pop()
        if path in seen:
            continue
        seen.add(path)
        answer = client.get(path, headers=PEOPLE)
        assert answer.status_code != 422, path
        text = answer.text.replace("&amp;", "&")
        left += [one for one in re.findall(r'href="(/[^"#]*)"', text) if one not in seen]
        for form in re.findall(r'<form[^>]*action="(/[^"]*)" method="get".*?</form>', text, re.S):
            assert form in ("/", "/try", "/map", "/user", "/features")
    assert len(seen) > 60


def test_the_map_finds_what_is_typed_without_a_script(client):
    found = client.get("/map?q=i3&model=als-2", follow_redirects=False)
    assert (found.status_code, found.headers["location"]) == (303, "/map?item=i3&model=als-2")
    assert "knows no item" in client.get("/map?q=qqqqqqqqq").text
    assert "knows no item" in client.get("/map?item=none").text
    assert "knows no item" not in client.get("/map?item=i3").text


def test_the_description_says_where_the_service_is_mounted(client, models, tmp_path):
    assert "servers" not in client.get("/openapi.json").json()
    inner = app.create_app(settings_of(tmp_path / "state", models[0]))
    with TestClient(inner, base_url=BASE, root_path="/shop") as mounted:
        assert mounted.get("/shop/openapi.json").json()["servers"] == [{"url": "/shop"}]
        assert mounted.head("/shop/healthz").status_code == 200
        assert mounted.get("/shop/healthz?x=1").status_code == 422
        assert mounted.post("/shop/healthz").headers["allow"] == "GET, HEAD"
