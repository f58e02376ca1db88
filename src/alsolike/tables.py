"""Holds results as named columns of equal length: `Table`.

Needs no data-frame library; converts to the installed one.
"""

import html
import math
import re
import textwrap
import unicodedata
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from alsolike.errors import SettingError
from alsolike.usage_hints import did_you_mean

Column = npt.NDArray[Any]

_SHOWN_ROWS = 20
_SHOWN_CHARACTERS = 60
# Types of cells that need no conversion.
_PLAIN_CELLS = frozenset({str, int, float, bool, type(None)})

# Characters that a terminal acts on: controls, line ends of Unicode, and changes of the writing
# direction. Names of items come from strangers.
_ACTING = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def harmless(text: str, *, keep: str = "") -> str:
    r"""Return `text` with control characters escaped, except those in `keep`.

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
    def from_columns(cls, columns: Mapping[str, Column]) -> "Table":
        """Build a table from columns of a dtype that it keeps, unchecked: for single answers."""
        table = cls.__new__(cls)
        table._columns = dict(columns)
        for column in table._columns.values():
            column.flags.writeable = False
        return table

    @classmethod
    def from_rows(cls, rows: Sequence[Mapping[str, Any]]) -> "Table":
        """Build a table from one mapping per row; missing keys are None."""
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
        cells = [_cells(name, column) for name, column in self._columns.items()]
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

    def texts(self) -> dict[str, list[str]]:
        """Return the cells as printed, with equal decimals per column."""
        return {name: _texts(column) for name, column in self._columns.items()}

    def fitted(
        self,
        width: int,
        *,
        least: Sequence[str] = (),
        same: Sequence[str] = (),
        more: Sequence[str] = (),
        whole: str = "--verbose",
        in_blocks: Sequence[str] = (),
    ) -> str:
        """Return the table as text of at most `width` columns, without rules.

        Columns are left out until the rest fits, and named below. Rows are not wrapped. If the
        columns that must stay are too wide, each row becomes a block of one line per column.

        Parameters
        ----------
        width : int
            Columns of the terminal.
        least : sequence of str
            Columns that may be left out, the least important first.
        same : sequence of str
            Columns to print once, above, if all rows have one value or none.
        more : sequence of str
            Further names to list as not shown.
        whole : str
            Where to find all that.
        in_blocks : sequence of str
            Columns of `least` to keep if rows become blocks.

        Examples
        --------
        >>> table = Table({"rank": [1, 2], "score": [0.5, 0.25], "state": ["done", "done"]})
        >>> print(table.fitted(40, same=["state"]))
        The same in all rows: state done.
        rank  score
           1   0.50
           2   0.25
        >>> print(table.fitted(12, least=["state", "score"]))
        rank  score
           1   0.50
           2   0.25
        Not shown: state; --verbose has it.
        """
        shown, once = dict(self._columns), []
        for name in same:
            if len(self) > 1 and len(shown) > 1 and (value := _only(shown.get(name, ()))):
                once.append(f"{name} {value[0]}")
                del shown[name]
        cells = {name: _cells(name, column) for name, column in shown.items()}
        gone = []
        for name in least:
            if _total(cells) <= width:
                break
            if name in cells and len(cells) > 1:
                gone.append(name)
                del cells[name]
        if _total(cells) > width:
            gone = [name for name in gone if name not in in_blocks]
            kept = [name for name in shown if name not in gone]
            cells = {name: _cells(name, shown[name]) for name in kept}
        texts = {name for name in cells if any(isinstance(cell, str) for cell in shown[name])}
        lines = _aligned(cells, texts) if _total(cells) <= width else _blocks(cells)
        if once:
            lines.insert(0, wrapped(f"The same in all rows: {', '.join(once)}.", width, indent=2))
        if missing := [*(name for name in self._columns if name in gone), *more]:
            lines.append(left_out(missing, whole, width))
        if cut := [name for name in cells if any(map(_is_long, _texts(shown[name])))]:
            note = f"Cut at {_SHOWN_CHARACTERS} characters (…): {', '.join(cut)}."
            lines.append(wrapped(note, width, indent=2))
        return "\n".join(lines)

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


def wrapped(text: str, width: int, *, indent: int = 0) -> str:
    """Return prose in lines of at most `width` columns; further lines are indented."""
    return "\n".join(
        textwrap.wrap(
            text,
            max(width, indent + 10),
            subsequent_indent=" " * indent,
            break_long_words=False,
            break_on_hyphens=False,
        )
    )


def left_out(names: Sequence[str], whole: str, width: int) -> str:
    """Return the line that names the columns left out, and where to find them.

    Examples
    --------
    >>> print(left_out(["low", "high"], "leaderboard.csv", 80))
    Not shown: low, high; leaderboard.csv has them.
    """
    them = "it" if len(names) == 1 and not names[0].endswith("s") else "them"
    return wrapped(f"Not shown: {', '.join(names)}; {whole} has {them}.", width, indent=2)


def fixed(value: float, decimals: int = 4) -> str:
    """Return a number with `decimals`, or with more if needed for two digits.

    Zero has no sign, and only zero is written as zero.

    Examples
    --------
    >>> fixed(-0.00704), fixed(-0.0), fixed(-0.0000312), fixed(0.12345)
    ('-0.0070', '0.0000', '-0.000031', '0.1235')
    """
    if value == 0 or not math.isfinite(value) or round(value, decimals):
        return f"{value:z.{decimals}f}"
    return f"{value:.{1 - math.floor(math.log10(abs(value)))}f}"


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def _shown(cell: str) -> str:
    """Return a cell as one line, escaped and cut."""
    text = harmless(cell)
    return text[: _SHOWN_CHARACTERS - 1] + "…" if _is_long(text) else text


def _is_long(text: str) -> bool:
    return len(harmless(text)) > _SHOWN_CHARACTERS


def _width(text: str) -> int:
    """Return the columns that `text` fills: two for a wide letter, none for an accent."""
    if text.isascii():
        return len(text)
    accents = sum(unicodedata.category(letter) in ("Mn", "Me", "Cf") for letter in text)
    return (
        len(text) - accents + sum(unicodedata.east_asian_width(letter) in "WF" for letter in text)
    )


def _padded(text: str, width: int, *, to_the_left: bool) -> str:
    space = " " * (width - _width(text))
    return text + space if to_the_left else space + text


def _cells(name: str, column: Column) -> list[str]:
    return [_shown(cell) for cell in (name, *_texts(column))]


def _only(column: Sequence[Any] | Column) -> list[str]:
    """Return the only text among the cells, in a list; an empty list if there are several."""
    texts = {text for text in _texts(np.asarray(column, dtype=object)) if text}
    return list(texts) if len(texts) == 1 else []


def _total(cells: Mapping[str, list[str]]) -> int:
    return sum(max(map(_width, column)) for column in cells.values()) + 2 * (len(cells) - 1)


def _aligned(cells: Mapping[str, list[str]], texts: Collection[str]) -> list[str]:
    """Return the head and the rows, columns two spaces apart, texts left-aligned."""
    widths = {name: max(map(_width, column)) for name, column in cells.items()}
    return [
        "  ".join(
            _padded(cell, widths[name], to_the_left=name in texts)
            for name, cell in zip(cells, row, strict=True)
        ).rstrip()
        for row in zip(*cells.values(), strict=True)
    ]


def _blocks(cells: Mapping[str, list[str]]) -> list[str]:
    """Return each row as a block with a line per non-empty column."""
    heads, *rows = zip(*cells.values(), strict=True)
    most = max(map(_width, heads))
    return [
        "\n".join(
            f"{_padded(head, most, to_the_left=True)}  {cell}"
            for head, cell in zip(heads, row, strict=True)
            if cell
        )
        for row in rows
    ]


def _plain_column(column: Column) -> Any:
    return column if column.dtype.kind in "biuf" else column.tolist()


def _as_column(values: Sequence[Any] | Column) -> Column:
    column = values.view() if isinstance(values, np.ndarray) else np.asarray(values)
    if column.dtype.kind in "biuf" and column.ndim == 1:
        return column
    cells = np.empty(len(values), dtype=object)
    are_plain = _PLAIN_CELLS.issuperset(map(type, values))  # a tenth of the time of what follows
    cells[:] = values if are_plain else [_as_cell(value) for value in values]
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
    if value == 0 or 1e-3 <= abs(value) < 1e6:
        return f"{value:z.{decimals}f}"
    return f"{value:.3g}"


def _texts(column: Column) -> list[str]:
    """Return the cells as text, all floats of the column with equal decimals, up to four digits."""
    floats = [float(cell) for cell in column if isinstance(cell, (float, np.floating))]
    largest = max((abs(number) for number in floats if math.isfinite(number)), default=0.0)
    most = 4 if not 0 < largest < 0.1 else min(3 - math.floor(math.log10(largest)), 8)
    enough = (d for d in range(most) if all(round(x, d) == round(x, most + 2) for x in floats))
    decimals = next(enough, most)
    return [_plain(cell, decimals) for cell in column]
