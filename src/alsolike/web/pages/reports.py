"""Reads a model's manifest, report and leaderboard for pages."""

import csv
import io
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from alsolike.views.labels import flat_settings
from alsolike.views.page import clean, finite
from alsolike.web.serving.registry import ServedModel

REPORT = "report.html"
LEADERBOARD = "leaderboard.csv"

_MOST_ROWS = 500
_MOST_COLUMNS = 40
_MOST_OF_A_CELL = 80

# The report has a policy of its own, by hashes. The sandbox gives it no origin: whatever the file
# holds, its scripts cannot send requests in the visitor's name.
_POLICY = (
    "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline'; "
    "style-src 'unsafe-inline'; img-src data: https: http:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)


@dataclass(frozen=True)
class Board:
    """A leaderboard for a page; `left_out`: number of further rows."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    left_out: int


def shown(served: ServedModel) -> list[dict[str, Any]]:
    """Return the facts about the models of a slot for the page About; texts are cleaned.

    The second, for similar items, comes last.
    """
    if served.companion is None:
        return [_shown(served, served.name)]
    second = _shown(served.companion, f"{served.name}: similar items")
    return [_shown(served, served.name), second]


def _shown(served: ServedModel, name: str) -> dict[str, Any]:
    manifest, similarity = served.manifest, served.own_similarity
    of_similar = {} if similarity is None else similarity.to_settings()
    return {
        "name": name,
        "slot": served.name,
        "version": served.version,
        "manifest": manifest,
        "metrics": {clean(label): _plain(value) for label, value in manifest.metrics.items()},
        "settings": {
            clean(label): _plain(value) for label, value in flat_settings(manifest.settings)
        },
        "similar": {label.replace("_", " "): value for label, value in of_similar.items()},
        "has_report": (served.aside / REPORT).is_file(),
        "has_leaderboard": (served.aside / LEADERBOARD).is_file(),
    }


def report(served: ServedModel) -> Response | None:
    """Return the run's report in a sandbox; None if there is none."""
    try:
        content = (served.aside / REPORT).read_bytes()
    except OSError:
        return None
    headers = {"Content-Security-Policy": _POLICY, "Cache-Control": "no-store"}
    return Response(content, media_type="text/html; charset=utf-8", headers=headers)


def leaderboard(served: ServedModel) -> Board | None:
    """Return the run's leaderboard; None if there is no readable one."""
    try:
        text = (served.aside / LEADERBOARD).read_text(encoding="utf-8-sig")
        head, *rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    except (OSError, ValueError, csv.Error):
        return None
    return Board(
        columns=tuple(_cell(name.replace("_", " ")) for name in head[:_MOST_COLUMNS]),
        rows=tuple(tuple(map(_cell, row[:_MOST_COLUMNS])) for row in rows[:_MOST_ROWS]),
        left_out=max(len(rows) - _MOST_ROWS, 0),
    )


def _cell(text: str) -> str:
    """Format a cell: whole numbers without a point, others with four digits."""
    try:
        number = finite(text)
    except ValueError:
        return clean(text, most=_MOST_OF_A_CELL)
    if number is None:
        return ""
    return f"{number:z.0f}" if number.is_integer() and abs(number) < 1e15 else f"{number:.4g}"


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, (bool, int, float)) else clean(str(value))
