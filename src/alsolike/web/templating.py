"""Renders templates, makes addresses below the base path, and serves static files from memory.

The address of a static file has a hash of its content, so that browsers may cache it for ever.
"""

import functools
import hashlib
import importlib.resources
import re
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import jinja2
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from alsolike.views.page import asset
from alsolike.views.templating import environment

STATIC = "/static/"

_TYPES = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
_FOREVER = "public, max-age=31536000, immutable"
_BASE_PATH = re.compile(r"(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9._~-]{1,64}){1,8}")
# Of the request that is being answered: a proxy may serve the same service under several.
_base_path: ContextVar[str] = ContextVar("base path", default="")
_IMPORTED = re.compile(r'(?<=from "\./)[a-z]+\.js(?=")')


@dataclass(frozen=True)
class StaticFile:
    """A static file; `served_as`: its name with a hash, such as ``app.3f9a12c4d5e6.css``."""

    served_as: str
    content: bytes
    media_type: str


def is_base_path(text: str) -> bool:
    """Return whether `text` can be a base path.

    Examples
    --------
    >>> [is_base_path(text) for text in ("/rec", "/shop/rec", "/", "rec", "/rec/", "/a/../b")]
    [True, True, False, False, False, False]
    """
    return _BASE_PATH.fullmatch(text) is not None


def set_base_path(path: str) -> None:
    """Set the path under which clients reach the service, for this request; empty: the root."""
    _base_path.set(path)


def base_path() -> str:
    """Return the path under which the client of this request reaches the service, or empty."""
    return _base_path.get()


def below(address: str) -> str:
    """Return the address of a page or file of this service, as clients reach it."""
    return f"{_base_path.get()}{address}"


@functools.cache
def static_files() -> Mapping[str, StaticFile]:
    """Return all static files by the names that templates use."""
    folder = importlib.resources.files(__package__) / "static"
    sources = {
        entry.name: entry.read_bytes() for entry in folder.iterdir() if _kind(entry.name) in _TYPES
    }
    # The style sheet of the report comes first.
    sources["app.css"] = asset("page.css").encode("utf-8") + sources["app.css"]
    done: dict[str, StaticFile] = {}

    def hashed(name: str) -> StaticFile:
        if name not in done:
            content = sources[name]
            if _kind(name) == "js":
                # The hash of a module depends on those that it imports.
                content = _IMPORTED.sub(
                    lambda found: hashed(found[0]).served_as, content.decode("utf-8")
                ).encode("utf-8")
            stem, _, kind = name.rpartition(".")
            digest = hashlib.sha256(content).hexdigest()[:12]
            done[name] = StaticFile(f"{stem}.{digest}.{kind}", content, _TYPES[kind])
        return done[name]

    return MappingProxyType({name: hashed(name) for name in sorted(sources)})


def static(name: str) -> str:
    """Return the address of a static file; raise KeyError if there is none."""
    return below(STATIC + static_files()[name].served_as)


@functools.cache
def _served() -> Mapping[str, StaticFile]:
    return {file.served_as: file for file in static_files().values()}


async def serve_static(request: Request) -> Response:
    """Send a static file from memory."""
    request.state.route = f"{STATIC}{{name}}"
    file = _served().get(request.path_params["name"])
    if file is None:
        return Response("Not found.", 404, media_type="text/plain")
    return Response(file.content, media_type=file.media_type, headers={"Cache-Control": _FOREVER})


def static_route() -> Route:
    """Return the route of all static files."""
    return Route(f"{STATIC}{{name}}", serve_static, methods=["GET"])


@functools.cache
def _templates() -> jinja2.Environment:
    made = environment(__package__)
    made.globals["below"] = below  # a global, since imported macros see no other names
    return made


def render(template: str, **context: Any) -> str:
    """Render a template; texts in `context` are escaped, ``Markup`` is not."""
    return _templates().get_template(template).render(**context, static=static)


def page(template: str, *, status: int = 200, **context: Any) -> HTMLResponse:
    """Render a page as a response that is not cached."""
    return HTMLResponse(render(template, **context), status, headers={"Cache-Control": "no-store"})


def _kind(name: str) -> str:
    return name.rpartition(".")[2]
