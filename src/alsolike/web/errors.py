"""Turns every error into a response: one table of status codes, one body.

::

    {"error": {"code": "unknown_id", "message": "item 'x' is not among ...", "field": "item"}}

``field`` is null if the error is not in one part of the request.
"""

import http
import json
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from alsolike.errors import (
    AlsolikeError,
    BundleError,
    DataError,
    FitError,
    Forbidden,
    InTrainingData,
    Refusal,
    RepeatedParameter,
    SettingError,
    Starting,
    Unable,
    UnknownId,
    UnknownModel,
    UnknownParameter,
    WritingError,
)
from alsolike.views.page import clean
from alsolike.web.edge.exchange import ClientLeft, has_body
from alsolike.web.monitoring.metrics import Metrics

MOST_MESSAGE = 500
REFUSED = "(refused)"  # route of requests that a middleware refused

_log = logging.getLogger(__name__)

# The first matching class counts, so subclasses come first.
STATUSES: Mapping[type[Exception], tuple[int, str]] = {
    UnknownModel: (404, "unknown_model"),
    UnknownId: (404, "unknown_id"),
    Forbidden: (403, "forbidden"),
    Starting: (503, "starting"),
    InTrainingData: (409, "in_training_data"),
    UnknownParameter: (422, "unknown_parameter"),
    RepeatedParameter: (422, "repeated_parameter"),
    BundleError: (409, "bundle_refused"),
    WritingError: (503, "cannot_write"),
    FitError: (422, "no_finite_answer"),
    Unable: (422, "model_unable"),
    SettingError: (422, "unprocessable"),
    DataError: (422, "unprocessable"),
}


@dataclass(frozen=True)
class Problem:
    r"""An error as sent to a client: `code` for programs, `message` for people.

    `field` is the part of the request with the error.

    Examples
    --------
    >>> Problem(404, "unknown_id", "item 'x' is not here.", "item").to_bytes().decode()
    '{"error":{"code":"unknown_id","message":"item \'x\' is not here.","field":"item"}}'
    """

    status: int
    code: str
    message: str
    field: str | None = None

    def to_bytes(self) -> bytes:
        """Return the JSON body, of limited length and with cleaned texts."""
        body = {
            "code": self.code,
            "message": clean(self.message, most=MOST_MESSAGE),
            "field": None if self.field is None else clean(self.field),
        }
        return json.dumps({"error": body}, ensure_ascii=False, separators=(",", ":")).encode()


FAILED = Problem(500, "failed", "The service failed; see its log.")


def problem_of(error: Exception) -> Problem:
    """Return the problem of an error; unexpected errors reveal nothing."""
    if isinstance(error, HTTPException):
        return _of_framework(error)
    if isinstance(error, RequestValidationError):
        return _of_validation(error)
    if isinstance(error, Refusal):
        return Problem(error.status, error.code, str(error))
    for kind, (status, code) in STATUSES.items():
        if isinstance(error, kind):
            return Problem(status, code, str(error), getattr(error, "field", None))
    return FAILED


def response_of(problem: Problem, headers: Mapping[str, str] | None = None) -> Response:
    """Return a problem as a JSON response."""
    return Response(problem.to_bytes(), problem.status, headers, media_type="application/json")


Page = Callable[[Request, Problem], Response]


def install(app: FastAPI, page: Page) -> None:
    """Make all routes of `app` send errors as JSON, or with `page` as HTML to browsers.

    Under ``/api/`` it is always JSON.
    """

    def respond(request: Request, error: Exception) -> Response:
        problem = problem_of(error)
        if problem is FAILED:
            _log.error("%s %s failed.", request.method, clean(request.url.path), exc_info=error)
        headers = dict(getattr(error, "headers", None) or {})
        if problem.status == http.HTTPStatus.METHOD_NOT_ALLOWED:
            headers["Allow"] = allowed(app.routes, request.scope)
        if not _is_for_people(request):
            return response_of(problem, headers)
        response = page(request, problem)
        response.headers.update(headers)
        return response

    for kind in (HTTPException, RequestValidationError, AlsolikeError):
        app.add_exception_handler(kind, respond)


class ErrorMiddleware:
    """Turns errors of inner middlewares, and unexpected ones (500), into responses."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            await self._app(scope, receive, send)
        except ClientLeft:
            return
        except Exception as error:
            problem = problem_of(error)
            if problem is FAILED:
                # The path is escaped: a client must not forge lines of the log.
                _log.error("%s %r failed", scope["method"], scope["path"][:200], exc_info=error)
            else:
                scope["state"]["route"] = REFUSED
                self._metrics.count("refused", reason=problem.code)
            if scope["state"]["status"]:  # the response has begun
                return
            headers = {**(getattr(error, "headers", None) or {}), "Cache-Control": "no-store"}
            # Close the connection if an unread body may follow.
            if problem is FAILED or has_body(scope):
                headers["Connection"] = "close"
            await response_of(problem, headers)(scope, receive, send)


def allowed(routes: Iterable[BaseRoute], scope: Scope) -> str:
    """Return the methods of an address, for the header Allow."""
    methods: set[str] = set()
    for route in routes:
        if isinstance(route, Route) and route.matches(scope)[0] is not Match.NONE:
            methods |= route.methods or set()
    if "GET" in methods:
        methods.add("HEAD")  # a middleware answers it as GET
    return ", ".join(sorted(methods))


def _is_for_people(request: Request) -> bool:
    return not request.scope["path"].startswith("/api/") and "text/html" in request.headers.get(
        "accept", ""
    )


def _of_framework(error: HTTPException) -> Problem:
    phrase = http.HTTPStatus(error.status_code).phrase
    code = phrase.lower().replace(" ", "_").replace("-", "_")
    messages = {
        404: "There is nothing at this address. See /docs.",
        405: "This address does not support this method; see the header Allow.",
    }
    return Problem(error.status_code, code, messages.get(error.status_code, str(error.detail)))


def _of_validation(error: RequestValidationError) -> Problem:
    first: Mapping[str, Any] = error.errors()[0]
    place = first["loc"]
    field = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in place[1:])
    if first["type"] == "json_invalid":
        wrong = f"The body is not JSON: {first['ctx']['error']}."
        return Problem(422, "unprocessable", wrong, "body")
    # The value is not repeated: it may be large, or not valid in JSON.
    message = str(first["msg"]).removeprefix("Value error, ")
    named = field.lstrip(".") or str(place[0])
    return Problem(422, "unprocessable", f"{named}: {message.rstrip('.')}.", named)
