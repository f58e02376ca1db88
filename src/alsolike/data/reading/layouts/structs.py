"""Writes SQL that follows paths into structs, maps and lists of Parquet files and frames."""

from typing import Any

import duckdb

from alsolike.data.reading.layouts.paths import Element, Path, Steps
from alsolike.errors import DataError
from alsolike.usage_hints import did_you_mean

_MOST_NAMED = 30


class StructQuery:
    """A query that gains a level for each array whose elements become rows.

    `sql` selects the columns of the source, ``origin`` (the row of the source), and ``e1``, ``e2``,
    ... (the elements). `title` names the source in errors.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, title: str, sql: str) -> None:
        self._connection = connection
        self._title = title
        self.sql = sql

    def unnest(self, path: Path) -> None:
        """Add a level for each array of `path`, which give one row for each element."""
        for level, steps in enumerate(path.levels, start=1):
            before = f"c{path.root}" if level == 1 else f"e{level - 1}"
            array = self._followed(before, steps, path)
            if (kind := self._type(array)).id not in ("list", "array"):
                raise DataError(
                    f"{self._title}: {path.text!r}: an array expected before '[]' number {level}, "
                    f"found {_shown(kind)}. Leave out that '[]'."
                )
            self.sql = f"SELECT *, unnest({array}) AS e{level} FROM ({self.sql})"  # noqa: S608

    def cell(self, path: Path) -> str:
        """Return the SQL expression of the cell that `path` leads to."""
        start = f"e{len(path.levels)}" if path.levels else f"c{path.root}"
        cell = self._followed(start, path.tail, path)
        kind = self._type(cell)
        if kind.id in ("list", "array"):
            raise DataError(
                f"{self._title}: {path.text!r} leads to an array. Add '[]' for each of its "
                "elements."
            )
        if kind.id in ("struct", "map"):
            raise DataError(
                f"{self._title}: {path.text!r} leads to an object. Add one of its fields"
                f"{_fields(kind)}."
            )
        return cell

    def _followed(self, start: str, steps: Steps, path: Path) -> str:
        expression = start
        for step in steps:
            kind = self._type(expression)
            if isinstance(step, Element):
                key = f"CAST(struct_extract(one, {literal(step.key)}) AS VARCHAR)"
                if kind.id != "list" or step.key not in _names(kind.children[0][1]):
                    raise DataError(
                        f"{self._title}: {path.text!r}: an array of objects with the field "
                        f"{step.key!r} expected, found {_shown(kind)}."
                    )
                expression = (
                    f"list_filter({expression}, lambda one: {key} = {literal(step.text)})[1]"
                )
            elif kind.id == "map":
                expression = f"{expression}[{literal(step.name)}]"
            elif step.name in _names(kind):
                expression = f"struct_extract({expression}, {literal(step.name)})"
            elif kind.id in ("list", "array"):
                raise DataError(
                    f"{self._title}: {path.text!r}: an object expected before .{step.name}, found "
                    "an array. Add '[]' for each of its elements."
                )
            else:
                raise DataError(
                    f"{self._title}: {path.text!r}: no field {step.name!r} in {_shown(kind)}"
                    f"{_fields(kind)}.{did_you_mean(step.name, _names(kind))}"
                )
        return expression

    def _type(self, expression: str) -> Any:
        return self._connection.sql(f"SELECT {expression} AS cell FROM ({self.sql})").types[0]  # noqa: S608


def literal(text: str) -> str:
    """Return a text as an SQL literal.

    >>> print(literal("it's"))
    'it''s'
    """
    doubled = text.replace("'", "''")
    return f"'{doubled}'"


def _names(kind: Any) -> list[str]:
    return [name for name, _ in kind.children] if kind.id == "struct" else []


def _fields(kind: Any) -> str:
    names = _names(kind)
    more = ", ..." if len(names) > _MOST_NAMED else ""
    return f": {', '.join(map(repr, names[:_MOST_NAMED]))}{more}" if names else ""


def _shown(kind: Any) -> str:
    known = {"struct": "an object", "list": "an array", "array": "an array", "map": "a map"}
    return known.get(kind.id, f"cells of type {kind}")
