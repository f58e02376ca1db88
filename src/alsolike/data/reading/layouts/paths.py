"""Parses paths into objects and arrays, such as ``products[].product_id``.

A path begins with a column. ``.name`` is a field of an object (``."a.b"`` if its name has a point),
``[]`` stands for each element of an array, and ``[key=text]`` for the first element whose field
``key`` is ``text``.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from alsolike.errors import SettingError

_STEP = re.compile(
    r'\."(?P<quoted>[^"]+)"|\.(?P<name>[^.\[\]"]+)|(?P<each>\[\])'
    r"|\[(?P<key>[^\[\]=]+)=(?P<text>[^\]]*)\]"
)


class Field(NamedTuple):
    """A field of an object."""

    name: str


class Element(NamedTuple):
    """The first element of an array whose field `key` is `text`."""

    key: str
    text: str


Steps = tuple[Field | Element, ...]


@dataclass(frozen=True)
class Path:
    """A path from the column `root`, split at each ``[]``.

    `levels` holds the steps to each array whose elements become rows, each from the element before
    it; `tail` the steps from the last of these elements, or from the column if there are none.
    """

    text: str
    root: int
    levels: tuple[Steps, ...]
    tail: Steps


def resolve(names: Sequence[str], ref: str | int | None) -> Path | None:
    """Return the path that `ref` means in a table with columns `names`, or None for a column.

    A column of exactly that name wins over a path, and the longest name that a path begins with
    over shorter ones. Raises SettingError if the rest after the column is no path.

    Examples
    --------
    >>> resolve(["user", "cart"], "cart.products[].id")
    ... # doctest: +NORMALIZE_WHITESPACE
    Path(text='cart.products[].id', root=1, levels=((Field(name='products'),),),
         tail=(Field(name='id'),))
    >>> resolve(["user", "item.id"], "item.id") is None
    True
    """
    if not isinstance(ref, str) or ref in names:
        return None
    roots = [name for name in names if name and ref.startswith((f"{name}.", f"{name}["))]
    if not roots:
        return None
    root = max(roots, key=len)
    levels: list[Steps] = []
    steps: list[Field | Element] = []
    position = len(root)
    while position < len(ref):
        found = _STEP.match(ref, position)
        if found is None:
            raise SettingError(
                f"{ref!r}: no path after {ref[:position]!r}. A path is a column and steps: .name "
                "into an object, [] for each element of an array, [key=text] for the element "
                "whose field key is text; such as products[].product_id."
            )
        position = found.end()
        if found["each"]:
            levels.append(tuple(steps))
            steps = []
        elif found["key"]:
            steps.append(Element(found["key"], found["text"]))
        else:
            steps.append(Field(found["quoted"] or found["name"]))
    return Path(ref, list(names).index(root), tuple(levels), tuple(steps))


def array_of(path: Path) -> str:
    """Return the text of a path up to its last ``[]``.

    Examples
    --------
    >>> array_of(resolve(["orders"], "orders[].lines[].sku"))
    'orders[].lines[]'
    """
    return path.text[: path.text.rindex("[]") + 2]


def deepest(paths: Sequence[Path]) -> Path | None:
    """Return the path through the most arrays, or None if there are none.

    Raises SettingError if two paths lead through different arrays, since their elements do not
    belong together.
    """
    through = sorted((path for path in paths if path.levels), key=lambda path: len(path.levels))
    for path in through[:-1]:
        last = through[-1]
        if path.root != last.root or path.levels != last.levels[: len(path.levels)]:
            raise SettingError(
                f"{path.text!r} and {last.text!r} lead through two arrays, {array_of(path)} and "
                f"{array_of(last)}, whose elements do not belong together. Take both from one "
                "array, or give a column of the row."
            )
    return through[-1] if through else None
