"""Fits a drawing into a page: two sizes, the page's colours, and texts for the pointer."""

import copy
import re
from collections.abc import Container, Iterator, Mapping

from alsolike.views.figures.marks import PHONE, ROLES, Row, Spec
from alsolike.views.page import rounded


def traces(spec: Spec) -> dict[str, Row]:
    """Return the texts of each line and each point of `spec`, by the name of its trace.

    A line has the sweeps and values of its corners, without gaps; a point has a text.
    """
    found: dict[str, Row] = {}
    for layer, points in _layers(spec):
        is_point = layer["mark"]["type"] == "point"
        if "description" not in layer.get("encoding", {}):
            continue
        for point in points:
            if is_point:
                found[point["trace"]] = {"label": point["label"], "text": point["text"]}
                continue
            fresh = {"label": point["label"], "measure": point["measure"], "points": []}
            trace = found.setdefault(point["trace"], fresh)
            if point["value"] is not None:
                trace["points"].append((point["sweep"], float(rounded(point["value"]))))
    return found


def numbers(shown: Mapping[str, Row]) -> dict[int, list[float | None]]:
    """Return the value of each line at each sweep, or None."""
    columns = [dict(trace["points"]) for trace in shown.values()]
    sweeps = sorted({sweep for column in columns for sweep in column})
    return {sweep: [column.get(sweep) for column in columns] for sweep in sweeps}


def bare(spec: Spec, *, narrow: bool) -> Spec:
    """Return `spec` for a page: without title and background, and in one column on a phone."""
    stripped = copy.deepcopy(spec)
    del stripped["title"]
    stripped |= {"background": None, "padding": 2}
    if narrow:
        stripped["config"]["legend"]["columns"] = 1
        if "concat" in stripped:
            stripped["columns"] = 1
        for view in stripped.get("concat", [stripped]):
            view["width"], view["height"] = PHONE[0], min(view["height"], PHONE[1])
    return stripped


def themed(svg: str, shown: Container[str]) -> str:
    """Return `svg` in the page's colours, hidden from screen readers; traces `shown` keep names."""
    return re.sub(r"<[^>]+>", lambda tag: _themed_tag(tag[0], shown), svg)


def _layers(spec: Spec) -> Iterator[tuple[Spec, list[Row]]]:
    """Yield each layer of each view, with its data."""
    for view in spec.get("concat", [spec]):
        for layer in view["layer"]:
            yield layer, layer.get("data", view.get("data", {"values": []}))["values"]


def _themed_tag(tag: str, shown: Container[str]) -> str:
    named = re.search(r' aria-label="([^"]*)" [^>]*roledescription="(line mark|point)"', tag)
    tag = re.sub(r' (?:aria-[a-z]+|role|class|font-family|xmlns:xlink)="[^"]*"', "", tag)
    tag = re.sub(r"(\.\d\d)\d+", r"\1", tag.replace(' opacity="1"', ""))
    if named and named[1] in shown and tag.startswith("<path"):
        kind = "trace" if named[2] == "line mark" else "point"
        tag = tag.replace("<path", f'<path data-{kind}="{named[1]}"', 1)
    if tag.startswith("<svg"):
        tag = tag.replace("<svg", '<svg aria-hidden="true" focusable="false"', 1)
    return re.sub(
        r'(fill|stroke)="(#[0-9a-f]{6})"',
        lambda paint: (
            f'{paint[1]}="var(--als-{ROLES[paint[2]]})"' if paint[2] in ROLES else paint[0]
        ),
        tag,
    )
