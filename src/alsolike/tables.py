"""`Table`: named columns of equal length, the form in which results leave alsolike.

It needs no data-frame library and turns into the one that the caller has.
"""

import html
import math
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from alsolike.errors import SettingError
from alsolike.hints import did_you_mean

Column = npt.NDArray[Any]

_SHOWN_ROWS = 20
_SHOWN_CHARACTERS = 60

# What a terminal acts on instead of showing it: controls, line ends of Unicode, and what turns
# the direction of writing around. Names of items come from strangers.
_ACTING = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def harmless(text: str, *, keep: str = "") -> str:
    r"""Return `text` with each character that a terminal would act on written as an escape.

    Parameters
    ----------
    text : str
    keep : str
        Characters to leave as they are, such as a line end.

    Examples
    --------
    >>> print(harmless("red \x1b[31malert\nnext line"))
    red \x1b[31malert\nnext line
    """
    return _ACTING.sub(lambda found: found[0] if found[0] in keep else _escape(found[0]), text)


class Table:
    """A small read-only table.

    Parameters
    ----------
    columns : mapping of str to sequence, each (n_rows,)
        Numbers keep their dtype; a column with texts or gaps becomes an object column of plain
        Python values, with ``None`` for a gap.

    Examples
    --------
    >>> table = Table({"item": ["a", "b"], "score": [1.0, 0.5]})
    >>> print(table)
    +------+-------+
    | item | score |
    +------+-------+
    | a    |   1.0 |
    | b    |   0.5 |
    +------+-------+
    >>> len(table), table.column_names
    (2, ('item', 'score'))
    """

    def __init__(self, columns: Mapping[str, Sequence[Any] | Column]) -> None:
        self._columns: dict[str, Column] = {}
        for name, values in columns.items():
            column = _as_column(values)
            column.flags.writeable = False
            self._columns[name] = column
        lengths = {name: len(column) for name, column in self._columns.items()}
        if len(set(lengths.values())) > 1:
            raise SettingError(f"Columns of one table must be equally long; these are {lengths}.")

    @classmethod
    def from_rows(cls, rows: Sequence[Mapping[str, Any]]) -> "Table":
        """Build a table from one mapping per row; a key that a row lacks is None there."""
        names = list(dict.fromkeys(name for row in rows for name in row))
        return cls({name: [row.get(name) for row in rows] for name in names})

    @property
    def column_names(self) -> tuple[str, ...]:
        """The names of the columns, in order."""
        return tuple(self._columns)

    def __len__(self) -> int:
        return len(next(iter(self._columns.values()), ()))

    def __getitem__(self, name: str) -> Column:
        if name not in self._columns:
            hint = did_you_mean(name, self._columns)
            raise KeyError(f"no column {name!r}; the columns are {', '.join(self._columns)}.{hint}")
        return self._columns[name]

    def __contains__(self, name: object) -> bool:
        return name in self._columns

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield each row as a dict of plain Python values."""
        lists = [column.tolist() for column in self._columns.values()]
        for values in zip(*lists, strict=True):
            yield dict(zip(self._columns, values, strict=True))

    def to_dict(self) -> dict[str, Column]:
        """Return the columns, ready for ``pandas.DataFrame(...)`` or ``polars.DataFrame(...)``."""
        return dict(self._columns)

    def to_pandas(self) -> Any:
        """Return a ``pandas.DataFrame`` (pandas must be installed)."""
        import pandas as pd  # noqa: PLC0415 - optional, so imported where it is asked for

        return pd.DataFrame({name: column.copy() for name, column in self._columns.items()})

    def to_polars(self) -> Any:
        """Return a ``polars.DataFrame`` (Polars must be installed)."""
        import polars as pl  # noqa: PLC0415 - optional, so imported where it is asked for

        return pl.DataFrame({name: _plain_column(column) for name, column in self._columns.items()})

    def to_arrow(self) -> Any:
        """Return a ``pyarrow.Table`` (PyArrow must be installed)."""
        import pyarrow as pa  # noqa: PLC0415 - optional, so imported where it is asked for

        return pa.table(
            {name: pa.array(_plain_column(column)) for name, column in self._columns.items()}
        )

    def __str__(self) -> str:
        cells = [
            [_shown(cell) for cell in (name, *_texts(column))]
            for name, column in self._columns.items()
        ]
        widths = [max(map(_width, column)) for column in cells]
        left = [any(isinstance(cell, str) for cell in column) for column in self._columns.values()]
        rule = "+" + "+".join("-" * (width + 2) for width in widths) + "+"
        lines = [
            "| "
            + " | ".join(
                _padded(cell, width, to_the_left=is_text)
                for cell, width, is_text in zip(row, widths, left, strict=True)
            )
            + " |"
            for row in zip(*cells, strict=True)
        ]
        return "\n".join([rule, *lines[:1], rule, *lines[1:], rule])

    def __repr__(self) -> str:
        return f"Table({len(self):,} rows: {', '.join(self._columns)})"

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{html.escape(name)}</th>" for name in self._columns)
        shown = (_texts(column[:_SHOWN_ROWS]) for column in self._columns.values())
        body = "".join(
            "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>"
            for row in zip(*shown, strict=True)
        )
        rest = len(self) - _SHOWN_ROWS
        foot = f"<p>and {rest:,} more rows</p>" if rest > 0 else ""
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{foot}"


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def _shown(cell: str) -> str:
    """Return a cell as one line that no name can break out of or fill the screen with."""
    text = harmless(cell)
    return text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 1] + "…"


def _width(text: str) -> int:
    """Return how many columns `text` fills: two for a wide letter, none for an accent."""
    if text.isascii():
        return len(text)
    accents = sum(unicodedata.category(letter) in ("Mn", "Me", "Cf") for letter in text)
    return (
        len(text) - accents + sum(unicodedata.east_asian_width(letter) in "WF" for letter in text)
    )


def _padded(text: str, width: int, *, to_the_left: bool) -> str:
    space = " " * (width - _width(text))
    return text + space if to_the_left else space + text


def _plain_column(column: Column) -> Any:
    """Return numbers as they are, with their dtype, and other cells as a list."""
    return column if column.dtype.kind in "biuf" else column.tolist()


def _as_column(values: Sequence[Any] | Column) -> Column:
    column = values.view() if isinstance(values, np.ndarray) else np.asarray(values)
    if column.dtype.kind in "biuf" and column.ndim == 1:
        return column
    cells = np.empty(len(values), dtype=object)
    cells[:] = [_as_cell(value) for value in values]
    return cells


def _as_cell(value: Any) -> Any:
    plain = value.item() if isinstance(value, np.generic) else value
    return plain if plain is None or isinstance(plain, (str, bool, int, float)) else str(plain)


def _plain(value: Any, decimals: int = 4) -> str:
    if value is None:
        return ""
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    if isinstance(value, (float, np.floating)):
        return _plain_float(float(value), decimals)
    return str(value)


def _plain_float(value: float, decimals: int) -> str:
    """So many decimals where they say something, else the shortest form that does."""
    if value == 0 or 1e-3 <= abs(value) < 1e6:
        return f"{value:.{decimals}f}"
    return f"{value:.3g}"


def _texts(column: Column) -> list[str]:
    """Return the cells as text, all floats of the column with the same number of decimals.

    That is as many as all of them need, or as give the largest four significant digits.
    """
    floats = [float(cell) for cell in column if isinstance(cell, (float, np.floating))]
    largest = max((abs(number) for number in floats if math.isfinite(number)), default=0.0)
    most = 4 if not 0 < largest < 0.1 else min(3 - math.floor(math.log10(largest)), 8)
    enough = (d for d in range(most) if all(round(x, d) == round(x, most + 2) for x in floats))
    decimals = next(enough, most)
    return [_plain(cell, decimals) for cell in column]
