"""`outside`: the part of a route that is somebody's id, which may be any text.

The framework's own ``path`` ends where a line does. Whoever writes ``{item_id:outside}`` imports
this module, which makes the name known.
"""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from starlette.convertors import Convertor, register_url_convertor
from starlette.routing import Match
from starlette.types import Scope

from alsolike.web.query_parameters import CheckedRoute


class OutsideId(Convertor[str]):
    """Any text at all."""

    regex = r"[\s\S]*"

    def convert(self, value: str) -> str:
        """Return the id as it stands in the address."""
        return value

    def to_string(self, value: str) -> str:
        """Return what stands in an address for an id."""
        return value


class OutsideRoute(CheckedRoute):
    """A route whose end is no part of an id.

    Where both are unquoted, the item ``x/similar`` cannot be told from the question for what is
    similar to ``x``.
    """

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Tell whether a request is for this route."""
        found, child = super().matches(scope)
        _, has_id, end = self.path_format.rpartition("}")
        if found is Match.NONE or (has_id and not ends_so(scope, end)):
            return Match.NONE, {}
        if self.path_format.count("{") > 1:
            ids = _two_ids(scope, self.path_format)
            if ids is None:
                return Match.NONE, {}
            child["path_params"] = {**child["path_params"], **ids}
        return found, child


def ends_so(scope: Mapping[str, Any], end: str) -> bool:
    """Tell whether an address ends so as it was sent; servers need not say how that was."""
    sent: bytes | None = scope.get("raw_path")
    return sent is None or sent.endswith(end.encode("ascii"))


def _two_ids(scope: Mapping[str, Any], template: str) -> dict[str, str] | None:
    """Return both ids of an address as it was sent; None where it may be read in two ways.

    What stands between them is told from an id that holds the same by how it is quoted.
    """
    start, first, between, second, _ = re.split(r"[{}]", template)
    sent: bytes | None = scope.get("raw_path")
    if sent is None:
        return {}
    ids = sent.decode("latin-1").partition(start)[2].split(between)
    return dict(zip((first, second), map(unquote, ids), strict=True)) if len(ids) == 2 else None


register_url_convertor("outside", OutsideId())
