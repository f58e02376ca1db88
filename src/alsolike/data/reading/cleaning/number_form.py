"""Reads numbers written with a given decimal mark and a given mark between thousands."""

import re
from dataclasses import dataclass

from alsolike.errors import SettingError

_NAMES = {"comma": ",", "point": ".", "space": " "}
_MARKED = re.compile(r"[-+]?\d{1,3}([^\w+-])\d{3}")
# Marks that are written in several ways: a blank, often one that does not break; an apostrophe.
_ALIKE = {" ": " \u00a0\u2000-\u200a\u202f\u205f", "'": "'\u2019"}


@dataclass(frozen=True)
class NumberForm:
    r"""How numbers are written in text, as the caller says; then nothing is guessed.

    `thousands` may be empty: there is no such mark. A blank stands for any kind of blank.

    Examples
    --------
    >>> form = NumberForm.of(",", ".")
    >>> print(form)
    decimal ',', thousands '.'
    >>> [re.fullmatch(form.pattern, text) is not None for text in ("1.234,5", "1234,5", "1.5")]
    [True, True, False]
    """

    decimal: str
    thousands: str = ""

    @classmethod
    def of(
        cls, decimal: str | None, thousands: str | None, *, in_use: bool = True
    ) -> "NumberForm | None":
        """Check the options; return None if none is given. `in_use`: whether there are numbers."""
        if decimal is None and thousands is None:
            return None
        if not in_use:
            raise SettingError(
                "decimal= and thousands= are for the column of value= or timestamp=. Name one."
            )
        decimal = _mark("decimal", "." if decimal is None else decimal)
        thousands = "" if thousands is None else _mark("thousands", thousands)
        if decimal == thousands:
            other = "," if decimal == "." else "."
            raise SettingError(
                f"decimal={decimal!r} and thousands={thousands!r}: two marks are needed. If "
                f"{thousands!r} is between thousands, pass decimal={other!r}, too."
            )
        return cls(decimal, thousands)

    def __str__(self) -> str:
        between = f", thousands {self.thousands!r}" if self.thousands else ""
        return f"decimal {self.decimal!r}{between}"

    @property
    def expected(self) -> str:
        """What is expected of a cell, in words."""
        between = f" and {self.thousands!r} between thousands" if self.thousands else ""
        return f"a number with {self.decimal!r} before decimals{between}"

    def way_out(self, text: str) -> str:
        """Return which option reads a number with a mark between thousands, in brackets, or "".

        Examples
        --------
        >>> NumberForm(",").way_out("1.234,5")
        " (if '.' is between thousands, pass thousands='.', too)"
        """
        found = None if self.thousands else _MARKED.match(text.strip())
        if found is None or found[1] == self.decimal:
            return ""
        mark = next((one for one in _ALIKE if re.fullmatch(_any_of(one), found[1])), found[1])
        if re.fullmatch(NumberForm(self.decimal, mark).pattern, text) is None:
            return ""
        return f" (if {mark!r} is between thousands, pass thousands={mark!r}, too)"

    @property
    def pattern(self) -> str:
        """The regular expression of a whole cell, for RE2 and Python; blanks around it count."""
        whole, point = r"\d+", re.escape(self.decimal)
        if self.thousands:
            mark = _any_of(self.thousands)
            whole = rf"\d{{1,3}}(?:{mark}\d{{3}})+|{whole}"
            if self.thousands == ",":  # as in India: 1,23,456
                whole = rf"\d{{1,2}}(?:,\d\d)+,\d{{3}}|{whole}"
        number = rf"(?:(?:{whole})(?:{point}\d*)?|{point}\d+)(?:[eE][-+]?\d+)?"
        return rf"[ \t]*[-+]?{number}[ \t]*"

    def sql(self, cell: str) -> str:
        """Return the SQL expression of a text cell as DOUBLE; NULL if it is not written so."""
        text = cell
        if self.thousands:
            text = f"regexp_replace({text}, {literal(_any_of(self.thousands))}, '', 'g')"
        text = f"replace({text}, {literal(self.decimal)}, '.')"
        return (
            f"CASE WHEN regexp_full_match({cell}, {literal(self.pattern)}) "
            f"THEN TRY_CAST({text} AS DOUBLE) END"
        )


def literal(text: str) -> str:
    """Return a text as SQL.

    >>> print(literal("it's"))
    'it''s'
    """
    return "'" + text.replace("'", "''") + "'"


def _any_of(mark: str) -> str:
    return f"[{_ALIKE[mark]}]" if mark in _ALIKE else re.escape(mark)


def _mark(option: str, given: str) -> str:
    mark = _NAMES.get(given.lower(), given) if isinstance(given, str) else ""
    if len(mark) != 1 or mark.isalnum() or mark in "+-\r\n\0":
        raise SettingError(
            f"{option}={given!r}: one character expected, such as ',' or '.', not a digit, "
            "letter or sign."
        )
    return mark
