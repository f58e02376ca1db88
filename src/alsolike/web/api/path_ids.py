"""Registers ``{item_id:outside}``: ids of any text in paths, line breaks included."""

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
        """Return the id in the path."""
        return value

    def to_string(self, value: str) -> str:
        """Return the text of an id in a path."""
        return value


class OutsideRoute(CheckedRoute):
    """A route that tells the id ``x/similar`` from the items similar to ``x``, by its quoting."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Return whether a request is for this route."""
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
    """Return whether a path ends so before unquoting; True if the server does not say."""
    sent: bytes | None = scope.get("raw_path")
    return sent is None or sent.endswith(end.encode("ascii"))


def _two_ids(scope: Mapping[str, Any], template: str) -> dict[str, str] | None:
    """Return both ids of a path as it was sent; None if it is ambiguous."""
    start, first, between, second, _ = re.split(r"[{}]", template)
    sent: bytes | None = scope.get("raw_path")
    if sent is None:
        return {}
    ids = sent.decode("latin-1").partition(start)[2].split(between)
    return dict(zip((first, second), map(unquote, ids), strict=True)) if len(ids) == 2 else None


register_url_convertor("outside", OutsideId())
