"""The whole API against its own description: made-up requests, good and bad, in this process."""

import random

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode, openapi
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from starlette.testclient import TestClient

from alsolike.web.app import create_app
from serving import BASE, HOSTILE, bundle, settings_of

CHECKS = (
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
)
HEADERS = {"host": BASE.removeprefix("http://")}
OPERATIONS = (
    "GET /api/v1/items",
    "GET /api/v1/items/{item_id}",
    "GET /api/v1/item",
    "GET /api/v1/items/{item_id}/similar",
    "GET /api/v1/similar",
    "POST /api/v1/similar",
    "GET /api/v1/items/{item_id}/explanations",
    "GET /api/v1/users/{user_id}/recommendations",
    "GET /api/v1/recommendations",
    "GET /api/v1/users/{user_id}/explanations",
    "POST /api/v1/recommendations",
    "POST /api/v1/users/{user_id}/likes",
    "POST /api/v1/likes",
    "DELETE /api/v1/users/{user_id}/likes/{item_id}",
    "DELETE /api/v1/likes",
    "GET /api/v1/features",
    "GET /api/v1/features/items",
    "GET /api/v1/features/recommendations",
    "GET /api/v1/features/suggested",
    "GET /api/v1/items/{item_id}/features/suggested",
    "POST /api/v1/items",
    "GET /api/v1/model",
    "POST /api/v1/model/swap",
    "GET /healthz",
    "GET /readyz",
)
KNOWN_ITEMS = (*HOSTILE, "i8", "i9", "i10")
TAGS = ("castle", "a/b", "<i>", "sea")
# Without a swap token, and of a model that knows no features of users.
REFUSED = {
    "POST /api/v1/model/swap",
    "POST /api/v1/items",
    "GET /api/v1/features/recommendations",
}
KNOWN_USERS = ("u1", "u2", "nobody yet")


@pytest.fixture(scope="module")
def described(tmp_path_factory):
    folder = tmp_path_factory.mktemp("schema")
    model = bundle(folder / "model", ids=HOSTILE, tags=TAGS)
    app = create_app(settings_of(folder / "state", model))

    async def running(scope, receive, send):
        # The client starts and stops an application for each request; this one goes on.
        if scope["type"] != "lifespan":
            await app(scope, receive, send)
            return
        for step in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{step}.complete"})

    with TestClient(app, base_url=BASE):
        yield openapi.from_asgi("/openapi.json", running, headers=HEADERS)


def operations_of(described):
    return {one.ok().label: one.ok() for one in described.get_all_operations()}


def test_every_operation_is_asked(described):
    assert set(operations_of(described)) == set(OPERATIONS)


@pytest.mark.parametrize("mode", GenerationMode, ids=lambda mode: mode.value)
@pytest.mark.parametrize("label", OPERATIONS)
def test_answers_are_as_described(described, label, mode):
    operation = operations_of(described)[label]
    seen = []

    @seed(1)
    @settings(
        max_examples=16 if mode is GenerationMode.POSITIVE else 4,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def asked(case):
        if mode is GenerationMode.POSITIVE:
            with_known_ids(case, random.Random(len(seen)))
        answer = case.call(headers=HEADERS)
        seen.append(answer.status_code)
        case.validate_response(answer, checks=CHECKS)

    try:
        asked()
    except Unsatisfiable:  # nothing can be wrong with a request without any parameter
        assert mode is GenerationMode.NEGATIVE
        return
    if mode is GenerationMode.POSITIVE and label not in REFUSED:
        assert min(seen) < 300, f"no request of {len(seen)} got through: {sorted(set(seen))}"


def with_known_ids(case: schemathesis.Case, rng: random.Random) -> None:
    """Ask for what there is in most cases: made-up ids alone would all be unknown."""
    if rng.random() < 0.25:
        return
    query = case.query if isinstance(case.query, dict) else {}
    for place in (case.path_parameters or {}, query):
        for name in place.keys() & {"item_id", "item", "other"}:
            place[name] = rng.choice(KNOWN_ITEMS)
        for name in place.keys() & {"user_id", "user"}:
            place[name] = rng.choice(KNOWN_USERS)
    for name in query.keys() & {"allow", "deny"}:
        query[name] = rng.sample(KNOWN_ITEMS, 3)
    for name in query.keys() & {"model"}:
        query[name] = rng.choice(["als", "popularity"])
    for name in query.keys() & {"k", "limit"}:
        query[name] = rng.randint(1, 100)
    if "feature" in query:
        query["feature"] = rng.sample(TAGS, 2)
    if "block" in query:
        query["block"] = ["tag"]
    if isinstance(case.body, dict) and case.body.get("items") and "renew" not in case.body:
        case.body["items"] = rng.sample(KNOWN_ITEMS, min(len(case.body["items"]), 4))
        for name in case.body.keys() & {"allow", "deny"}:
            case.body[name] = rng.sample(KNOWN_ITEMS, 2)
        if "k" in case.body:
            case.body["k"] = rng.randint(1, 100)
    if isinstance(case.body, dict) and case.body.get("likes"):
        items = rng.sample(KNOWN_ITEMS, min(len(case.body["likes"]), 4))
        case.body["likes"] = [{"item": item, "value": rng.choice([1, 2.5])} for item in items]
        for name in case.body.keys() & {"allow", "deny"}:
            case.body[name] = rng.sample(KNOWN_ITEMS, 2)
        if "k" in case.body:
            case.body["k"] = rng.randint(1, 100)
