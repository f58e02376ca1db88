"""Recognizes times that are not seconds since 1970, and explains how to have them read."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Likes happened in these years: a unit that gives other years is not meant.
_FROM, _TO = 631_152_000, 2_524_608_000  # 1990 to 2050


@dataclass(frozen=True)
class Digits:
    """A date and time of day written as one number, such as "yyyymmddHH".

    `parts` are the upper limits of the pairs of digits after the day; 1000 for milliseconds.
    """

    name: str
    parts: tuple[int, ...] = ()

    @property
    def format(self) -> str:
        """The same as ``time_format=``, or "" if it cannot be written so: milliseconds."""
        return "" if 1000 in self.parts else "%Y%m%d%H%M%S"[: 6 + 2 * len(self.parts)]

    @property
    def condition(self) -> str:
        """SQL on the whole number `n`: whether it can be read so."""
        limits, divisor = [], 1
        for limit in reversed(self.parts):
            width = 1000 if limit == 1000 else 100
            limits.append(f"n // {divisor} % {width} < {limit}")
            divisor *= width
        day = f"(n // {divisor})"
        return " AND ".join(
            [
                f"{day} BETWEEN 19000101 AND 20991231",
                f"{day} // 100 % 100 BETWEEN 1 AND 12",
                f"{day} % 100 BETWEEN 1 AND 31",
                *limits,
            ]
        )

    def written(self, digits: str) -> str:
        """Return the time as an ISO date.

        Examples
        --------
        >>> Digits("yyyymmddHHMM", (24, 60)).written("201404071051")
        '2014-04-07 10:51'
        """
        day, rest = digits[:8], digits[8:]
        clock = ":".join(rest[place : place + 2] for place in range(0, min(len(rest), 6), 2))
        clock += ":00" if len(rest) == 2 else ""
        clock += f".{rest[6:]}" if len(rest) > 6 else ""
        return f"{day[:4]}-{day[4:6]}-{day[6:]} {clock}".strip()


DIGITS = (
    Digits("yyyymmdd"),
    Digits("yyyymmddHH", (24,)),
    Digits("yyyymmddHHMM", (24, 60)),
    Digits("yyyymmddHHMMSS", (24, 60, 60)),
    Digits("yyyymmddHHMMSS and milliseconds", (24, 60, 60, 1000)),
)


@dataclass(frozen=True)
class Unit:
    """A count of time units since a zero: seconds since 1970 are ``(n - zero) * factor``.

    `option` is its name as ``time_unit=``, if it has one.
    """

    name: str
    formula: str
    factor: float
    zero: float = 0.0
    option: str = ""

    @property
    def way(self) -> str:
        """How to have the column read, in words."""
        if self.option:
            return f"Pass time_unit={self.option!r}"
        return f"Seconds are {self.formula}"

    def seconds(self, number: float) -> float:
        """Return the seconds since 1970."""
        return (number - self.zero) * self.factor

    @property
    def condition(self) -> str:
        """SQL on `number`: whether it is then a time from 1990 to 2050."""
        low, high = (seconds / self.factor + self.zero for seconds in (_FROM, _TO))
        return f"number BETWEEN {low!r} AND {high!r}"


SECONDS = Unit("seconds since 1970", "column", 1.0, option="s")
# Beyond the year 2200 if they were seconds.
LARGE = (
    Unit("milliseconds since 1970", "column / 1000", 1e-3, option="ms"),
    Unit("microseconds since 1970", "column / 1000000", 1e-6, option="us"),
    Unit("nanoseconds since 1970", "column / 1000000000", 1e-9, option="ns"),
    Unit(".NET ticks", "(column - 621355968000000000) / 10000000", 1e-7, 621_355_968_000_000_000),
    Unit(
        "Windows file times",
        "(column - 116444736000000000) / 10000000",
        1e-7,
        116_444_736_000_000_000,
    ),
    Unit(
        "microseconds since 1601",
        "(column - 11644473600000000) / 1000000",
        1e-6,
        11_644_473_600_000_000,
    ),
)
# In 1970 if they were seconds, and hardly ever anything else.
DAYS = (
    Unit("serial days of Excel", "(column - 25569) * 86400", 86400.0, 25569.0, "excel"),
    Unit("Julian days", "(column - 2440587.5) * 86400", 86400.0, 2_440_587.5),
)
# In 1970 if they were seconds, but steps or places in an order may look like that, too.
PERHAPS = (
    Unit("days since 1970", "column * 86400", 86400.0, option="days"),
    Unit("hours since 1970", "column * 3600", 3600.0),
    Unit("minutes since 1970", "column * 60", 60.0),
)


def shown(seconds: float) -> str:
    """Return a time for people, or the bare number if it is outside the calendar.

    Examples
    --------
    >>> shown(1396867860), shown(86400.5), shown(1e18)
    ('2014-04-07 10:51:00', '1970-01-02 00:00:00', '1000000000000000000')
    """
    try:
        moment = _EPOCH + timedelta(seconds=float(seconds) // 1)
    except OverflowError:
        return f"{seconds:.0f}"
    return moment.strftime("%Y-%m-%d %H:%M:%S").rjust(19, "0")
