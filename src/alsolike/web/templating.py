"""What pages are drawn with: templates, and static files served from memory.

The address of a static file holds a hash of its content, so that browsers may keep it for ever
and still get a new one with a new release.
"""

import functools
import hashlib
import importlib.resources
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

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
_IMPORTED = re.compile(r'(?<=from "\./)[a-z]+\.js(?=")')


@dataclass(frozen=True)
class StaticFile:
    """One file as it is served.

    Parameters
    ----------
    served_as : str
        Its name with a hash of its content: ``app.3f9a12c4d5e6.css``.
    content : bytes
    media_type : str
    """

    served_as: str
    content: bytes
    media_type: str


@functools.cache
def static_files() -> Mapping[str, StaticFile]:
    """Return every static file by the name that templates give."""
    folder = importlib.resources.files(__package__) / "static"
    sources = {
        entry.name: entry.read_bytes() for entry in folder.iterdir() if _kind(entry.name) in _TYPES
    }
    # The pages look like the report: its style sheet comes first.
    sources["app.css"] = asset("page.css").encode("utf-8") + sources["app.css"]
    done: dict[str, StaticFile] = {}

    def hashed(name: str) -> StaticFile:
        if name not in done:
            content = sources[name]
            if _kind(name) == "js":
                # A module's own address changes with those that it imports.
                content = _IMPORTED.sub(
                    lambda found: hashed(found[0]).served_as, content.decode("utf-8")
                ).encode("utf-8")
            stem, _, kind = name.rpartition(".")
            digest = hashlib.sha256(content).hexdigest()[:12]
            done[name] = StaticFile(f"{stem}.{digest}.{kind}", content, _TYPES[kind])
        return done[name]

    return MappingProxyType({name: hashed(name) for name in sorted(sources)})


def static(name: str) -> str:
    """Return the address of a static file; KeyError for one that there is not."""
    return STATIC + static_files()[name].served_as


@functools.cache
def _served() -> Mapping[str, StaticFile]:
    return {file.served_as: file for file in static_files().values()}


async def serve_static(request: Request) -> Response:
    """Answer with a static file; nothing of the request reaches the disk."""
    request.state.route = f"{STATIC}{{name}}"
    file = _served().get(request.path_params["name"])
    if file is None:
        return Response("Not found.", 404, media_type="text/plain")
    return Response(file.content, media_type=file.media_type, headers={"Cache-Control": _FOREVER})


def static_route() -> Route:
    """Return the route under which all static files are found."""
    return Route(f"{STATIC}{{name}}", serve_static, methods=["GET"])


def render(template: str, **context: Any) -> str:
    """Return the page that a template gives; texts in `context` are escaped, ``Markup`` is not."""
    return environment(__package__).get_template(template).render(**context, static=static)


def page(template: str, *, status: int = 200, **context: Any) -> HTMLResponse:
    """Return `render`'s page as an answer that no cache keeps."""
    return HTMLResponse(render(template, **context), status, headers={"Cache-Control": "no-store"})


def _kind(name: str) -> str:
    return name.rpartition(".")[2]
