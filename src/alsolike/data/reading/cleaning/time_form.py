"""Reads times in a given unit or a given format."""

import re
from dataclasses import dataclass
from typing import Literal

from alsolike.data.reading.cleaning.number_form import literal
from alsolike.data.reading.cleaning.time_units import DAYS, LARGE, PERHAPS, SECONDS
from alsolike.errors import SettingError
from alsolike.usage_hints import did_you_mean

UNITS = {unit.option: unit for unit in (SECONDS, *LARGE, *PERHAPS, *DAYS) if unit.option}
# What a part of a format matches. DuckDB's own parser is looser: it skips blanks, takes a year of
# three digits, and reads "infinity" as 1900.
_PARTS = {
    "Y": r"(?:[1-9]\d{3}|0[1-9]\d\d|00[1-9]\d|000[1-9])",
    "y": r"\d{2}",
    "b": "[A-Za-z]{3}",
    "B": "[A-Za-z]+",
    "a": "[A-Za-z]{3}",
    "A": "[A-Za-z]+",
    "p": "[AaPp][Mm]",
    "f": r"\d{1,6}",
    "z": r"[-+](?:0\d|1[0-8])(?::?[0-5]\d)?",
    "%": "%",
} | dict.fromkeys("mdHIMS", r"\d{1,2}")
_DIGITS = "YymdHIMSf"
_PART = re.compile("%-?(.?)", re.DOTALL)
_FIRST, _LAST = -62_135_596_800, 253_402_300_800  # the years 1 to 9999


@dataclass(frozen=True)
class TimeForm:
    """How times are written, as the caller says: a unit, or a format of dates.

    Examples
    --------
    >>> print(TimeForm.of("ms", None), TimeForm.of(None, "%d.%m.%Y"), sep="; ")
    time unit ms; time format '%d.%m.%Y'
    """

    kind: Literal["unit", "format"]
    given: str

    @classmethod
    def of(cls, unit: str | None, form: str | None, *, in_use: bool = True) -> "TimeForm | None":
        """Check the options; return None if none is given. `in_use`: whether there are times."""
        if unit is None and form is None:
            return None
        if not in_use:
            raise SettingError("time_unit= and time_format= are for the column of timestamp=.")
        if unit is not None and form is not None:
            raise SettingError("Give time_unit= for numbers or time_format= for dates, not both.")
        if form is not None:
            if not isinstance(form, str):
                raise SettingError(f"time_format={form!r}: a text expected.")
            _check(form)
            return cls("format", form)
        if unit not in UNITS:
            raise SettingError(
                f"time_unit={unit!r}: one of {', '.join(map(repr, UNITS))} expected."
                f"{did_you_mean(str(unit), list(UNITS))}"
            )
        return cls("unit", str(unit))

    def __str__(self) -> str:
        return f"time unit {self.given}" if self.kind == "unit" else f"time format {self.given!r}"

    @property
    def expected(self) -> str:
        """What is expected of a cell, in words."""
        if self.kind == "format":
            return f"a time written as {self.given!r}"
        return f"{UNITS[self.given].name} from the year 1 to 9999"

    @property
    def pattern(self) -> str:
        r"""The regular expression of a whole cell in this format.

        >>> TimeForm.of(None, "%d.%m.%y").pattern
        '\\d{1,2}\\.\\d{1,2}\\.\\d{2}'
        """
        pieces: list[str] = []
        end, digits_end = 0, -1
        for found in _PART.finditer(self.given):
            start, part = found.span()[0], found[1]
            meant, following = _PARTS[part], _PART.match(self.given, found.end())
            # Without a mark between them, numbers have all of their digits: 20260131.
            if part in _DIGITS and (digits_end == start or (following and following[1] in _DIGITS)):
                meant = meant.replace("{1,2}", "{2}").replace("{1,6}", "{6}")
            pieces += [re.escape(self.given[end:start]), meant]
            end = found.end()
            digits_end = end if part in _DIGITS else -1
        return "".join([*pieces, re.escape(self.given[end:])])

    def sql(self, cell: str, number: str) -> str:
        """Return the SQL expression of a cell as seconds since 1970, NULL if it does not fit.

        `cell` is its text, `number` its number, or NULL, both in SQL.
        """
        if self.kind == "unit":
            seconds = UNITS[self.given].formula.replace("column", f"({number})")
            return f"CASE WHEN {seconds} >= {_FIRST} AND {seconds} < {_LAST} THEN {seconds} END"
        text = cell
        if self.given.endswith("%z"):
            text = f"regexp_replace({cell}, '[Zz]$', '+00:00')"
        return (
            f"CASE WHEN regexp_full_match({text}, {literal(self.pattern)}) "
            f"THEN epoch(try_strptime({text}, {literal(self.given)})) END"
        )


def _check(form: str) -> None:
    """Raise SettingError if a format of dates is not understood, or is no date."""
    parts = _PART.findall(form)
    known = ", ".join(f"%{part}" for part in sorted(_PARTS, key=str.lower))
    for part in parts:
        if part not in _PARTS:
            raise SettingError(
                f"time_format={form!r}: %{part} is not understood; known are {known}."
            )
    dated = [part for part in parts if part != "%"]
    if again := next((part for part in dated if dated.count(part) > 1), ""):
        raise SettingError(f"time_format={form!r}: %{again} occurs twice.")
    if not {"Y", "y"} & {*dated}:
        raise SettingError(
            f"time_format={form!r}: a date with a year expected, such as '%d/%m/%Y %H:%M'."
        )
    for one, other in (("I", "p"), ("p", "I"), ("f", "S"), ("S", "M")):
        if one in dated and other not in dated:
            raise SettingError(f"time_format={form!r}: %{one} needs %{other}.")
    for pair in (("Y", "y"), ("H", "I"), ("m", "b"), ("m", "B"), ("b", "B"), ("a", "A")):
        if {*pair} <= {*dated}:
            raise SettingError(f"time_format={form!r}: %{pair[0]} and %{pair[1]} contradict.")
