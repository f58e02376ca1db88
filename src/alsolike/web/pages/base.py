"""What every page begins with: the route, the model that is asked, what is said of none."""

import http
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, Concatenate, ParamSpec
from urllib.parse import quote, unquote, urlencode

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import compile_path

from alsolike.errors import AlsolikeError
from alsolike.views.page import clean
from alsolike.web import templating
from alsolike.web.errors import Problem, UnknownModel, problem_of
from alsolike.web.query_parameters import Takes
from alsolike.web.service import service_of
from alsolike.web.serving.registry import Held, Holder

# What is addressed by a version never changes. Private: a token may stand before it.
FOREVER = "private, max-age=31536000, immutable"
SHORT_VERSION = 16

_MOST_OF_A_QUERY = 16_384  # an id may be as long, and a link that holds one
_MOST_DIGITS = 12

Asked = ParamSpec("Asked")

router = APIRouter()


def answering(
    handler: Callable[Concatenate[Request, Asked], Response],
) -> Callable[Concatenate[Request, Asked], Response]:
    """Let a page that cannot be shown say so, instead of the whole."""

    @wraps(handler)
    def handled(request: Request, /, *args: Asked.args, **kwargs: Asked.kwargs) -> Response:
        try:
            return handler(request, *args, **kwargs)
        except UnknownModel as error:
            return missing(request, "model", str(error))
        except AlsolikeError as error:
            return problem_page(request, problem_of(error))

    return handled


def at(
    *paths: str, once: Sequence[str] = (), often: Sequence[str] = ()
) -> Callable[[Callable[[Request], Response]], Callable[[Request], Response]]:
    """Put a page at these paths.

    Parameters
    ----------
    *paths : str
    once, often : sequence of str
        The parameters that its query may have, once or again and again; any other is an error. A
        path that holds an id does not take ``id`` besides.
    """

    def put(handler: Callable[[Request], Response]) -> Callable[[Request], Response]:
        for path in paths:
            known = [name for name in once if name != "id" or "{outside_id" not in path]
            takes = Takes(tuple(known), tuple(often), for_people=True)
            handled = _noting(path, answering(_checking(takes, handler)))
            router.add_route(path, handled, methods=["GET"], include_in_schema=False)
        return handler

    return put


def _checking(
    takes: Takes, handler: Callable[[Request], Response]
) -> Callable[[Request], Response]:
    """Let a page refuse a query that it does not take."""

    @wraps(handler)
    def checked(request: Request) -> Response:
        takes.check(name for name, _ in request.query_params.multi_items())
        return handler(request)

    return checked


def _noting(path: str, handler: Callable[[Request], Response]) -> Callable[[Request], Response]:
    """Let metrics know which page it was: routes that are not the API's do not say so."""
    _, template, _ = compile_path(path)

    @wraps(handler)
    def noted(request: Request) -> Response:
        request.state.route = template
        return handler(request)

    return noted


def held_of(request: Request) -> Held:
    """Return the model that the query names, or the default; UnknownModel where there is none."""
    return answered_by(request, service_of(request).holder.of(request.query_params.get("model")))


def answered_by(request: Request, held: Held) -> Held:
    """Note the model for the access log, and return it."""
    request.state.version = held.version
    return held


def in_eyes_of(model: str | None, address: str) -> str:
    """Return the address of a page as one model sees it; None: the default."""
    if model is None:
        return address
    return f"{address}{'&' if '?' in address else '?'}{urlencode({'model': model})}"


def held_at_version(request: Request) -> Held | None:
    """Return the model that the path names, None where that version is served no more."""
    held = service_of(request).holder.of(request.path_params["model"])
    asked = request.path_params["version"]
    return held if held.version[:SHORT_VERSION] == asked else None


def row_of(text: str, held: Held) -> int | None:
    """Return a text as the row of an item, None where it is none."""
    if not (text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS):
        return None
    return int(text) if int(text) < len(held.model.items) else None


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
    holder = service_of(request).holder
    return templating.page(template, status=status, map_address=map_address(holder), **context)


def map_address(holder: Holder) -> str | None:
    """Return where the map is: of the default model, or of the first that has one; or nowhere."""
    mapped = [name for name, held in holder.held.items() if held.has_map]
    default = holder.of(None).name
    if not mapped:
        return None
    return in_eyes_of(None if default in mapped else mapped[0], "/map")


def choices(request: Request, address: str) -> list[tuple[str, str]]:
    """Return name and address of a page as each model sees it."""
    return [(name, in_eyes_of(name, address)) for name in service_of(request).holder.held]


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
