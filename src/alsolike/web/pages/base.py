"""What every page begins with: the route, the model that is asked, what is said of none."""

import http
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, unquote, urlencode

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route, compile_path

from alsolike.errors import AlsolikeError, UnknownModel
from alsolike.views.page import clean
from alsolike.web import templating
from alsolike.web.errors import Problem, problem_of
from alsolike.web.query_parameters import QueryParameters
from alsolike.web.service import service_of
from alsolike.web.serving.registry import ModelRegistry, ServedModel

# What is addressed by a version never changes. Private: a token may stand before it.
FOREVER = "private, max-age=31536000, immutable"
SHORT_VERSION = 16

_MOST_OF_A_QUERY = 16_384  # an id may be as long, and a link that holds one
_MOST_DIGITS = 12


def page_route(
    path: str, handler: Callable[..., Response], takes: QueryParameters, method: str = "GET"
) -> Route:
    """Return the route of a page; an error of ours is shown as a page, too.

    `handler` makes a response of a request and, under POST, of its body.
    """
    _, template, _ = compile_path(path)

    def answered(request: Request, *body: bytes) -> Response:
        request.state.route = template
        try:
            takes.check(name for name, _ in request.query_params.multi_items())
            return handler(request, *body)
        except UnknownModel as error:
            return missing(request, "model", str(error))
        except AlsolikeError as error:
            return problem_page(request, problem_of(error))

    async def posted(request: Request) -> Response:
        return await run_in_threadpool(answered, request, await request.body())

    endpoint = posted if method == "POST" else answered
    return Route(path, endpoint, methods=[method], include_in_schema=False)


def requested_model(request: Request) -> ServedModel:
    """Return the model that the query names, or the default; UnknownModel where there is none."""
    return logged(request, service_of(request).registry.of(request.query_params.get("model")))


def logged(request: Request, served: ServedModel) -> ServedModel:
    """Note the model for the access log, and return it."""
    request.state.version = served.version
    return served


def with_model(model: str | None, address: str) -> str:
    """Return the address of a page as one model sees it; None: the default."""
    if model is None:
        return address
    return f"{address}{'&' if '?' in address else '?'}{urlencode({'model': model})}"


def model_at_version(request: Request) -> ServedModel | None:
    """Return the model that the path names, None where that version is served no more."""
    served = service_of(request).registry.of(request.path_params["model"])
    asked = request.path_params["version"]
    return served if served.version[:SHORT_VERSION] == asked else None


def row_of(text: str, served: ServedModel) -> int | None:
    """Return a text as the row of an item, None where it is none."""
    if not (text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS):
        return None
    return int(text) if int(text) < len(served.model.items) else None


def query_of(request: Request) -> str:
    """Return what was typed into the search field."""
    return request.query_params.get("q", "").strip()[:_MOST_OF_A_QUERY]


def outside_id(request: Request) -> str:
    """Return the id that a path names, or the query where a path cannot carry it."""
    found: str = request.path_params.get("outside_id") or request.query_params.get("id", "")
    return found


def field_of(outside_id: str) -> str:
    """Return an id as a hidden field carries it: of a plain one, browsers change line breaks."""
    return quote(outside_id, safe="")


def id_of_field(field: str) -> str:
    """Return the id that a hidden field carries."""
    return unquote(field)


def page(request: Request, template: str, *, status: int = 200, **context: Any) -> Response:
    """Return a page of the service; the menu has what the models that are served can do."""
    registry = service_of(request).registry
    return templating.page(template, status=status, map_address=map_address(registry), **context)


def map_address(registry: ModelRegistry) -> str | None:
    """Return where the map is: of the default model, or of the first that has one; or nowhere."""
    mapped = [name for name, served in registry.served.items() if served.has_map]
    default = registry.of(None).name
    if not mapped:
        return None
    return with_model(None if default in mapped else mapped[0], "/map")


def choices(request: Request, address: str) -> list[tuple[str, str]]:
    """Return name and address of a page as each model sees it."""
    return [(name, with_model(name, address)) for name in service_of(request).registry.served]


def missing(request: Request, what: str, why: str = "") -> Response:
    """Return a page that says what there is not."""
    return page(request, "missing.html", status=404, what=what, why=clean(why))


def problem_page(request: Request, problem: Problem) -> Response:
    """Return a page that says why another cannot be shown."""
    heading = "Not found" if problem.status == http.HTTPStatus.NOT_FOUND else "This cannot be shown"
    fault = clean(problem.message)
    return page(request, "fault.html", status=problem.status, heading=heading, fault=fault)


def gone() -> Response:
    """Return an answer to scripts that ask for what is not there, or no more."""
    return Response("Not found.", 404, media_type="text/plain")


def away(address: str) -> Response:
    """Lead to another page, by GET."""
    return RedirectResponse(address, status_code=303, headers={"Cache-Control": "no-store"})
