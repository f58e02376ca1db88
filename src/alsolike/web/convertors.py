"""`outside`: the part of a route that is somebody's id, which may be any text.

The framework's own ``path`` ends where a line does. Whoever writes ``{item_id:outside}`` imports
this module, which makes the name known.
"""

from starlette.convertors import Convertor, register_url_convertor


class OutsideId(Convertor[str]):
    """Any text at all."""

    regex = r"[\s\S]*"

    def convert(self, value: str) -> str:
        """Return the id as it stands in the address."""
        return value

    def to_string(self, value: str) -> str:
        """Return what stands in an address for an id."""
        return value


register_url_convertor("outside", OutsideId())
