"""Renders the map page, and sends its points, names, and an item with its neighbours."""

from typing import Any
from urllib.parse import urlencode

import numpy as np
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from alsolike.errors import Unable
from alsolike.views.page import clean
from alsolike.web.pages.base import (
    FOREVER,
    SHORT_VERSION,
    model_at_version,
    model_links,
    not_found,
    page,
    query_of,
    redirect,
    requested_model,
    row_of,
    with_model,
)
from alsolike.web.serving.item_cards import address, name_of
from alsolike.web.serving.registry import ServedModel
from alsolike.web.serving.similar_items import popular_rows
from alsolike.web.templating import below

_NAMED = 250
_NEAR = 10


def map_page(request: Request) -> Response:
    """Show the map of the catalogue."""
    served, model = requested_model(request), request.query_params.get("model")
    wanted, query = request.query_params.get("item", ""), query_of(request)
    for row in served.index.find(query, limit=1) if query else ():
        found = urlencode({"item": served.model.items.text_of(row)})
        return redirect(with_model(model, below(f"/map?{found}")))
    here = below(f"/map?{urlencode({'item': wanted})}" if wanted else "/map")
    chosen = served.model.items.find(wanted) if wanted else None
    shares, fault = (0.0, 0.0), ""
    try:
        shares = served.item_map.shares
    except Unable as error:
        fault = clean(str(error))
    return page(
        request,
        "map.html",
        unknown=clean(query or wanted) if chosen is None else "",
        carried=model,
        data=f"{served.name}/{served.version[:SHORT_VERSION]}",
        model=served.name,
        models=model_links(request, here),
        chosen=chosen,
        fault=fault,
        shares=[round(100 * share) for share in shares],
        n_items=len(served.model.items),
    )


def map_points(request: Request) -> Response:
    """Send all points of one version: float32 (n, 2), then their likes, uint32 (n,).

    Both are little-endian.
    """
    served = model_at_version(request)
    if served is None:
        return not_found()
    likes = np.minimum(served.model.item_counts, np.iinfo(np.uint32).max)
    content = served.item_map.points.astype("<f4").tobytes() + likes.astype("<u4").tobytes()
    headers = {"Cache-Control": FOREVER}
    return Response(content, media_type="application/octet-stream", headers=headers)


def map_names(request: Request) -> Response:
    """Send rows and names of the most liked items, which the map labels."""
    served = model_at_version(request)
    if served is None:
        return not_found()
    named = [(row, name_of(served.model, row)) for row in popular_rows(served, _NAMED)]
    return JSONResponse(named, headers={"Cache-Control": FOREVER})


def map_item(request: Request) -> Response:
    """Send one item, by row or id, and its neighbours."""
    served = model_at_version(request)
    if served is None:
        return not_found()
    row = row_of(request.query_params.get("row", ""), served)
    if row is None:
        row = served.model.items.find(request.query_params.get("id", ""))
    if row is None:
        return not_found()
    shown = {**_shown(served, row), "near": [_shown(served, one) for one in _near(served, row)]}
    return JSONResponse(shown, headers={"Cache-Control": FOREVER})


def _near(served: ServedModel, row: int) -> list[int]:
    """Return the rows of similar items, those on the map, by the slot's model for them."""
    there = served.similar_model
    known = there.model.items.find(served.model.items.text_of(row))
    if known is None:
        return []
    rows, _ = there.neighbours.similar(known, _NEAR)
    ids = there.model.items.ids.cells(rows)
    return [one for one in map(served.model.items.find, ids) if one is not None]


def _shown(served: ServedModel, row: int) -> dict[str, Any]:
    return {
        "row": row,
        "name": name_of(served.model, row),
        "likes": int(served.model.item_counts[row]),
        "address": address("item", served.model.items.text_of(row)),
    }
