"""Builds routes, links and error pages, and reads the model, item or user of a request."""

import http
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

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
from alsolike.web.serving.item_cards import with_parameter
from alsolike.web.serving.registry import ModelRegistry, ServedModel
from alsolike.web.templating import below

# An address with a version never changes. Private: it may need a token.
FOREVER = "private, max-age=31536000, immutable"
SHORT_VERSION = 16

_MOST_OF_A_QUERY = 16_384  # ids, and links that hold them, may be this long
_MOST_DIGITS = 12


def page_route(
    path: str, handler: Callable[..., Response], parameters: QueryParameters, method: str = "GET"
) -> Route:
    """Return the route of a page; an AlsolikeError is rendered as an error page.

    `handler` gets the request and, for POST, its body.
    """
    _, template, _ = compile_path(path)

    def answered(request: Request, *body: bytes) -> Response:
        request.state.route = template
        try:
            parameters.check(name for name, _ in request.query_params.multi_items())
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
    """Return the model that the query names, or the default; raise UnknownModel."""
    return logged(request, service_of(request).registry.of(request.query_params.get("model")))


def logged(request: Request, served: ServedModel) -> ServedModel:
    """Return the model, and record its version for the access log."""
    request.state.version = served.version
    return served


def with_model(model: str | None, address: str) -> str:
    """Return an address with the parameter ``model``; None: the default model."""
    return address if model is None else with_parameter(address, "model", model)


def model_at_version(request: Request) -> ServedModel | None:
    """Return the model that the path names, or None if no such version is served there now."""
    served = service_of(request).registry.of(request.path_params["model"])
    asked = request.path_params["version"]
    both = (served, served.similar_model)
    return next((one for one in both if one.version[:SHORT_VERSION] == asked), None)


def row_of(text: str, served: ServedModel) -> int | None:
    """Parse a text as the row of an item; None if it is not one."""
    if not (text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS):
        return None
    return int(text) if int(text) < len(served.model.items) else None


def query_of(request: Request) -> str:
    """Return the text of the search field."""
    return request.query_params.get("q", "").strip()[:_MOST_OF_A_QUERY]


def outside_id(request: Request) -> str:
    """Return the id in the path, or in the query if a path cannot carry it."""
    found: str = request.path_params.get("outside_id") or request.query_params.get("id", "")
    return found


def field_of(outside_id: str) -> str:
    """Quote an id for a hidden field: browsers change plain line breaks."""
    return quote(outside_id, safe="")


def page(request: Request, template: str, *, status: int = 200, **context: Any) -> Response:
    """Render a page, with links to the map and to features in the menu if a model has them."""
    registry = service_of(request).registry
    menu = {"map_address": map_address(registry), "features_address": features_address(registry)}
    return templating.page(template, status=status, **menu, **context)


def map_address(registry: ModelRegistry) -> str | None:
    """Return the address of the map of the default model, or of the first that has one."""
    return _first_of(registry, lambda served: served.has_map, "/map")


def features_address(registry: ModelRegistry) -> str | None:
    """Return the address of the features of the default model, or of the first that has some."""
    return _first_of(registry, lambda served: served.has_item_features, "/features")


def _first_of(
    registry: ModelRegistry, is_able: Callable[[ServedModel], bool], path: str
) -> str | None:
    """Return a page of the default model, or else of the first that is able; None without one."""
    able = [name for name, served in registry.served.items() if is_able(served)]
    if not able:
        return None
    return with_model(None if registry.of(None).name in able else able[0], below(path))


def model_links(request: Request, address: str) -> list[tuple[str, str]]:
    """Return each model's name, and the address of a page with it."""
    return [(name, with_model(name, address)) for name in service_of(request).registry.served]


def missing(request: Request, what: str, why: str) -> Response:
    """Render the 404 page for a missing `what`."""
    texts = {"title": "Not found", "heading": f"No such {what}", "fault": clean(why)}
    return page(request, "error.html", status=404, **texts)


def problem_page(request: Request, problem: Problem) -> Response:
    """Render an error page."""
    heading = "Not found" if problem.status == http.HTTPStatus.NOT_FOUND else "This cannot be shown"
    fault = clean(problem.message)
    return page(request, "error.html", status=problem.status, heading=heading, fault=fault)


def not_found() -> Response:
    """Return a plain 404 for scripts."""
    return Response("Not found.", 404, media_type="text/plain")


def redirect(address: str) -> Response:
    """Redirect to another page (303)."""
    return RedirectResponse(address, status_code=303, headers={"Cache-Control": "no-store"})
