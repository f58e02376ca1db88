"""Serves operators: swap, health, metrics, and the API's description."""

import re
from pathlib import Path
from typing import Annotated, Any

from fastapi import Header
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from alsolike.errors import AlsolikeError, Forbidden, Starting, UnknownId
from alsolike.web.api import reference, schemas
from alsolike.web.monitoring.metrics import CONTENT_TYPE
from alsolike.web.pages.base import page
from alsolike.web.service import service_of
from alsolike.web.serving.deploy import swap
from alsolike.web.serving.registry import ServedModel
from alsolike.web.serving.similar_items import popular_rows
from alsolike.web.settings import Settings
from alsolike.web.templating import base_path

_EXAMPLES = 100
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,40}")


def swap_model(
    request: Request,
    body: schemas.Swap,
    authorization: Annotated[str, Header(max_length=1000)] = "",  # checked by a middleware
) -> dict[str, Any]:
    """Switch a slot to another bundle, or to the models of a run; nothing if a check fails."""
    service = service_of(request)
    settings: Settings = service.settings
    if settings.swap_token is None:
        raise Forbidden("Started without a swap token, so swaps are disabled.")
    if not request.state.may_swap:
        raise Forbidden("Swap token expected: Authorization: Bearer TOKEN.")
    slot = settings.slot(body.model or settings.default)
    folder = slot.folder if body.bundle is None else _bundle(settings, body.bundle)
    try:
        done = swap(settings, service.state, slot.name, folder)
    except AlsolikeError:
        service.metrics.count("swaps", result="refused")
        raise
    service.metrics.count("swaps", result="done" if done.changed else "same")
    service.registry.follow()
    return {
        "name": done.name,
        "version": done.version,
        "before": done.before,
        "seconds": done.seconds,
        "similar": done.similar,
        "similar_before": done.similar_before,
        "new_items": done.carried.items,
        "new_items_left": list(done.carried.left),
        "why_left": done.carried.why or None,
    }


async def alive(request: Request) -> dict[str, Any]:
    """Check that the process answers."""
    return _health(request)


async def ready(request: Request) -> dict[str, Any]:
    """Check that all workers run; list the served models, and those that could not be loaded."""
    service = service_of(request)
    if not service.has_begun:
        raise Starting(
            f"{service.metrics.serving()} of {service.settings.workers} workers have started."
        )
    return _health(request)


def measured(request: Request) -> Response:
    """Send the counts and times of all workers, for Prometheus."""
    text = service_of(request).metrics.exposition()
    return Response(text, headers={"Content-Type": CONTENT_TYPE})


def description(request: Request) -> Response:
    """Send the OpenAPI description."""
    described = request.app.openapi()
    root = request.scope.get("root_path", "").rstrip("/") + base_path()
    return JSONResponse(described | ({"servers": [{"url": root}]} if root else {}))


def documentation(request: Request) -> Response:
    """Show the reference of the API, from its OpenAPI description."""
    settings: Settings = service_of(request).settings
    described = request.app.openapi()
    return page(
        request,
        "documentation.html",
        endpoints=reference.endpoints(described),
        schemas=reference.schemas(described),
        base=str(request.base_url).rstrip("/") + base_path(),
        item=_plain_id(service_of(request).registry.of(None)),
        most_k=settings.most_k,
        most_bytes=settings.most_bytes,
        rate=settings.rate,
        burst=settings.burst,
    )


def _plain_id(served: ServedModel) -> str:
    """Return the id of a much liked item that can be typed as it is, or a word in its slot."""
    ids = (served.model.items.text_of(row) for row in popular_rows(served, _EXAMPLES))
    return next((one for one in ids if _PLAIN.fullmatch(one)), "ITEM")


def _health(request: Request) -> dict[str, Any]:
    registry = service_of(request).registry
    return {
        "ready": True,
        "models": {name: served.version for name, served in registry.served.items()},
        "similar": {
            name: served.companion.version
            for name, served in registry.served.items()
            if served.companion is not None
        },
        "failures": dict(registry.failures),
    }


def _bundle(settings: Settings, name: str) -> Path:
    """Return the folder of a bundle or run by comparing names: no text becomes a path."""
    if settings.bundles is None:
        raise Forbidden("Started without --bundles, so bundles cannot be named.")
    for entry in sorted(settings.bundles.iterdir()):
        if entry.name == name and entry.is_dir() and not entry.is_symlink():
            return entry
    raise UnknownId(f"No bundle named {name[:200]!r}.")
