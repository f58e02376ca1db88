"""Weighs events: each row counts by its kind, such as view, cart or purchase."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import duckdb

from alsolike.data.reading.source_table import SourceTable, label_of, where
from alsolike.errors import DataError, SettingError
from alsolike.usage_hints import did_you_mean

OTHER = "other"
_EXAMPLE = "weights='view=1,cart=3,purchase=10'"
_MOST_NAMED = 20
_MOST_OTHERS = 5
_MOST_KINDS = 30
_WORD = re.compile(r"[^\W\d][^\n]{0,39}")


class EventCount(NamedTuple):
    """The rows of an event, and the weight of each."""

    event: str
    rows: int
    weight: float


@dataclass(frozen=True)
class EventWeights:
    """Weights of events by name; `other` is that of all others, or None if there must be none.

    Examples
    --------
    >>> EventWeights.of("view=1, purchase=10,other=0")
    EventWeights(known={'view': 1.0, 'purchase': 10.0}, other=0.0)
    """

    known: dict[str, float] = field(default_factory=dict)
    other: float | None = None

    @classmethod
    def of(cls, given: Mapping[str, float] | str) -> "EventWeights":
        """Check weights, given as a mapping or as text; SettingError if they are none."""
        pairs = _pairs(given) if isinstance(given, str) else list(given.items())
        known: dict[str, float] = {}
        for name, weight in pairs:
            if not isinstance(name, str):
                raise SettingError(f"weights=: names of events expected, found {name!r}.")
            if name in known:
                raise SettingError(f"weights=: {name!r} is given twice. Give each event once.")
            try:
                known[name] = float(weight)
            except (TypeError, ValueError):
                known[name] = math.nan
            if not math.isfinite(known[name]):
                raise SettingError(
                    f"weights=: a number for {name!r} expected, found {weight!r}, such as in "
                    f"{_EXAMPLE}."
                )
        other = known.pop(OTHER, None)
        if not any([*known.values(), other]):
            raise SettingError(
                f"weights={given!r}: at least one weight that is not 0 expected, such as in "
                f"{_EXAMPLE}."
            )
        return cls(known, other)

    def expression(self, column: str) -> str:
        """Return the SQL expression of the weight of an event; NULL for one without."""
        cases = [
            f"WHEN {_quoted(name)} THEN {_double(weight)}" for name, weight in self.known.items()
        ]
        rest = "NULL" if self.other is None else _double(self.other)
        return f"(CASE {column} {' '.join(cases)} ELSE {rest} END)" if cases else rest


def weights_of(event: object, weights: Mapping[str, float] | str | None) -> EventWeights | None:
    """Return checked weights; SettingError for weights without the column of events."""
    if weights is None:
        return None
    if event is None:
        raise SettingError(
            "weights= needs event=, the column that names the event of each row, such as "
            f"event='action' with {_EXAMPLE}."
        )
    return EventWeights.of(weights)


def weigh(
    connection: duckdb.DuckDBPyConnection,
    loaded: SourceTable,
    place: int,
    weights: EventWeights | None,
) -> tuple[str, tuple[EventCount, ...]]:
    """Return the SQL expression of each row's weight, and the rows per event, the most first.

    Rows of weight 0 go into the table ``dropped``, before their other cells are looked at. All
    events without a weight of their own are counted as one, with an empty name, unless they are
    few. Raises DataError for an event without a weight, SettingError without `weights`.
    """
    column = f"CAST(c{place} AS VARCHAR)"
    found = connection.execute(
        f"SELECT coalesce({column}, ''), count(*), min(rowid) FROM {loaded.table} "  # noqa: S608
        f"WHERE rowid >= {loaded.skip} GROUP BY 1 ORDER BY 2 DESC, 1"
    ).fetchall()
    label = label_of(loaded, place)
    listed = _listed([(name, rows) for name, rows, _ in found])
    if weights is None:
        raise SettingError(
            f"event={label} needs a weight for each event, such as {_EXAMPLE}. The events of "
            f"{loaded.name} are {listed}."
        )
    missing = [(row, name) for name, _, row in found if name not in weights.known]
    if missing and weights.other is None:
        row, name = min(missing)
        hint = did_you_mean(name, list(weights.known)) if name else ""
        raise DataError(
            f"{where(loaded, row)}, column {label}: the event {name!r} is not among the weights, "
            f"{', '.join(map(repr, weights.known))}.{hint} The events of the table are {listed}. "
            "Give it a weight, or add other=0 to the weights to drop all events that are not "
            "listed."
        )
    events = {name for name, _, _ in found}
    for name in weights.known:
        if name not in events:
            loaded.warnings.append(
                f"column {label}: no row has the event {name!r}, which weights= lists."
                f"{did_you_mean(name, sorted(events - {*weights.known}))} The events are {listed}."
            )
    weight = weights.expression(f"coalesce({column}, '')")
    connection.execute(
        f"INSERT INTO dropped SELECT rowid FROM {loaded.table} WHERE rowid >= {loaded.skip} "  # noqa: S608
        f"AND {weight} = 0"
    )
    return weight, _counts([(name, rows) for name, rows, _ in found], weights)


def _counts(found: list[tuple[str, int]], weights: EventWeights) -> tuple[EventCount, ...]:
    others = [(name, rows) for name, rows in found if name not in weights.known]
    counts = [
        EventCount(name, rows, weights.known[name]) for name, rows in found if name in weights.known
    ]
    if weights.other is not None:
        counts += [EventCount(name, rows, weights.other) for name, rows in others[:_MOST_OTHERS]]
        if rest := sum(rows for _, rows in others[_MOST_OTHERS:]):
            kinds = len(others) - _MOST_OTHERS
            counts.append(EventCount(f"{kinds:,} further events", rest, weights.other))
    return tuple(counts)


def hint_of_events(
    connection: duckdb.DuckDBPyConnection, loaded: SourceTable, place: int, shown: str | None
) -> str:
    """Return how to weigh events if a column of values holds names of events, or nothing."""
    if not shown or not _WORD.fullmatch(shown) or loaded.types[place] != "VARCHAR":
        return ""
    found = connection.execute(
        f"SELECT c{place}, count(*), bool_or(TRY_CAST(c{place} AS DOUBLE) IS NOT NULL) "  # noqa: S608
        f"FROM {loaded.table} WHERE rowid >= {loaded.skip} AND c{place} IS NOT NULL "
        f"GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {_MOST_KINDS + 1}"
    ).fetchall()
    if len(found) > _MOST_KINDS or any(is_number for *_, is_number in found):
        return ""
    names = [name for name, _, _ in found if not set(name) & set("=,'\n")][:4]
    example = ",".join(f"{name}=1" for name in names)
    events = _listed([(name, rows) for name, rows, _ in found])
    return (
        f" If the column names events ({events}), give each a weight of your choice: "
        f"event={label_of(loaded, place)} with weights={example!r}."
    )


def _listed(found: list[tuple[str, int]]) -> str:
    named = ", ".join(f"{name!r} ({rows:,})" for name, rows in found[:_MOST_NAMED])
    more = len(found) - _MOST_NAMED
    return f"{named}, and {more:,} more" if more > 0 else named


def _pairs(text: str) -> list[tuple[str, str]]:
    pairs = []
    for part in text.split(","):
        name, equals, weight = part.rpartition("=")
        if not equals:
            raise SettingError(
                f"weights={text!r}: NAME=WEIGHT with commas between them expected, found "
                f"{part!r}, such as {_EXAMPLE}."
            )
        pairs.append((name.strip(), weight.strip()))
    return pairs


def _quoted(text: str) -> str:
    doubled = text.replace("'", "''")
    return f"'{doubled}'"


def _double(number: float) -> str:
    return f"CAST({number!r} AS DOUBLE)"
