"""Drops or refuses faulty values, duplicates, missing ids, zeros and negatives; counts each.

All of it happens in DuckDB, on the loaded source. The result is the table ``facts`` (row, user,
item, value, time); row is the row number in the source, user and item are the numbers of ids.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import duckdb
import numpy as np

from alsolike.data.reading.cleaning.aggregate import RULES
from alsolike.data.reading.cleaning.events import EventCount, EventWeights, hint_of_events, weigh
from alsolike.data.reading.cleaning.ids import (
    collect_ids,
    join_ids,
    refuse_missing,
    refuse_nul,
)
from alsolike.data.reading.cleaning.numbers import (
    fault,
    misfit,
    refuse_points_between_thousands,
)
from alsolike.data.reading.cleaning.ratings import (
    BELOW,
    MarkCounts,
    mark_likes,
    note_of_ratings,
)
from alsolike.data.reading.cleaning.timestamps import refuse_odd_times, seconds_of
from alsolike.data.reading.cleaning.warnings import warn_of_duplicates, warn_of_ids_like_nothing
from alsolike.data.reading.source_table import SourceTable, label_of, line_of, rejects_of, where
from alsolike.data.reading.sources import Ref, id_text, number_of, place_of
from alsolike.errors import DataError, SettingError
from alsolike.usage_hints import did_you_mean


@dataclass(frozen=True, kw_only=True)
class Rules:
    """How to treat odd rows; see `alsolike.data.reading.read.read`."""

    duplicates: str = "drop"
    repeats: str = "sum"
    missing_id: str = "error"
    negative: str = "error"
    on_error: str = "error"
    weights: EventWeights | None = None
    at_least: float | None = None
    below: str | None = None

    def __post_init__(self) -> None:
        _one_of("duplicates", self.duplicates, ("drop", "keep", "error"))
        _one_of("repeats", self.repeats, RULES)
        _one_of("missing_id", self.missing_id, ("error", "drop"))
        _one_of("negative", self.negative, ("error", "net", "dislike"))
        _one_of("on_error", self.on_error, ("error", "reject"))
        if self.negative == "net" and self.repeats != "sum":
            raise SettingError(
                f"negative='net' sums each pair, so it goes with repeats='sum', not "
                f"{self.repeats!r}."
            )
        if self.negative == "dislike" and self.repeats in ("count", "once"):
            raise SettingError(
                f"negative='dislike' keeps values, which repeats={self.repeats!r} throws away. "
                "Use repeats='sum', 'max' or 'error'."
            )
        self._check_mark()

    def _check_mark(self) -> None:
        if self.at_least is None:
            if self.below is not None:
                raise SettingError("below= needs at_least=, the least rating that is a like.")
            return
        if self.below is not None:
            _one_of("below", self.below, BELOW)
        if self.negative != "error":
            raise SettingError(
                f"at_least= decides about all values, so negative={self.negative!r} does not "
                "apply. Pass below='dislike' to take values below the mark as dislikes."
            )
        if self.weights is not None:
            raise SettingError(
                "at_least= takes values as ratings, weights= as amounts to multiply. Give one of "
                "them."
            )
        if self.below == "dislike" and self.repeats in ("count", "once"):
            raise SettingError(
                f"below='dislike' keeps values, which repeats={self.repeats!r} throws away. Use "
                "repeats='sum', 'max' or 'error'."
            )


@dataclass(frozen=True, kw_only=True)
class Roles:
    """The columns of user, item, value, timestamp and event."""

    user: Ref
    item: Ref
    value: Ref | None = None
    timestamp: Ref | None = None
    event: Ref | None = None

    def columns(self, others: Sequence[Ref] = ()) -> list[Ref]:
        """Return all columns in use, `others` included."""
        own = (self.user, self.item, self.value, self.timestamp, self.event)
        return [*(ref for ref in own if ref is not None), *others]


@dataclass
class DroppedRows:
    """Numbers of dropped rows, by reason; rows per event, and at and below the mark of ratings."""

    duplicates: int = 0
    missing: int = 0
    zeros: int = 0
    negatives: int = 0
    events: tuple[EventCount, ...] = ()
    marks: MarkCounts = field(default_factory=MarkCounts)
    notes: tuple[str, ...] = ()

    def reasons(self) -> str:
        """Return why rows were dropped, with the number of each, in words."""
        reasons = [f"{self.missing:,} lack an id", f"{self.zeros:,} have the value 0"]
        if weightless := sum(one.rows for one in self.events if not one.weight):
            reasons.append(f"{weightless:,} have events of weight 0")
        if self.marks.below:
            reasons.append(f"{self.marks.below:,} have ratings below the mark")
        return ", ".join(reasons)


def clean(
    connection: duckdb.DuckDBPyConnection, loaded: SourceTable, roles: Roles, rules: Rules
) -> DroppedRows:
    """Fill the table ``facts`` from `loaded`; add rows with faulty values to its rejects.

    Raises DataError for a row that the rules forbid, or a column of the wrong type.
    """
    refuse_no_rows(loaded)
    places = _places(loaded, roles)
    user = id_text(connection, loaded, places["user"], "user")
    item = id_text(connection, loaded, places["item"], "item")
    counts = DroppedRows()
    connection.execute("CREATE OR REPLACE TEMP TABLE dropped (row BIGINT)")
    weight = ""
    if "event" in places:
        weight, counts.events = weigh(connection, loaded, places["event"], rules.weights)
    if "value" in places:
        refuse_points_between_thousands(connection, loaded, places["value"])
    for role, kind in (("value", "a number"), ("timestamp", "a time")):
        if role in places:
            _refuse_faulty(connection, loaded, places[role], role, kind, rules)
    refuse_no_rows(loaded)
    if "timestamp" in places:
        loaded.time_words = refuse_odd_times(connection, loaded, places["timestamp"])
    _drop_duplicates(connection, loaded, rules, counts)
    warn_of_duplicates(loaded.source, counts.duplicates, rules.duplicates)
    value = number_of(loaded, places["value"]) if "value" in places else "CAST(1 AS DOUBLE)"
    value = f"{value} * {weight}" if weight else value
    time = seconds_of(loaded, places["timestamp"]) if "timestamp" in places else "NULL"
    kept = f"rowid >= {loaded.skip} AND rowid NOT IN (SELECT row FROM dropped)"  # noqa: S608
    ids = {"user": user, "item": item}
    collect_ids(connection, loaded.table, ids, kept)
    join_ids(
        connection,
        f"SELECT rowid AS row, {user} AS user_id, {item} AS item_id, {value} AS value, "  # noqa: S608
        f"{time} AS time FROM {loaded.table} WHERE {kept}",
    )
    counts.missing = refuse_missing(
        connection, loaded, places if rules.missing_id == "error" else {}
    )
    refuse_nul(connection, loaded)
    warn_of_ids_like_nothing(connection, loaded, places, ids)
    if rules.at_least is not None:
        counts.marks = mark_likes(connection, rules.at_least, rules.below or "drop")
        return counts
    _drop_zeros_and_check_negatives(connection, loaded, places, rules, counts)
    if "value" in places and not weight:
        note = note_of_ratings(connection, loaded, places["value"])
        counts.notes = (note,) if note else ()
    return counts


def _one_of(setting: str, given: str, allowed: tuple[str, ...]) -> None:
    if given not in allowed:
        raise SettingError(
            f"{setting}={given!r}: one of {', '.join(map(repr, allowed))} expected."
            f"{did_you_mean(given, allowed)}"
        )


def refuse_no_rows(loaded: SourceTable) -> None:
    """Raise DataError if no row is left to read."""
    if loaded.rejected and loaded.rows <= 0:
        first = min(loaded.rejected, key=lambda reject: reject.line)
        raise DataError(
            f"{first.file or loaded.name}, {loaded.unit} {first.line}: {first.reason}; so are all "
            f"of the {len(loaded.rejected):,} {loaded.unit}s. Nothing is left to read."
        )
    if loaded.rows <= 0:
        after = " after the header" if loaded.unit == "line" else ""
        raise DataError(f"{loaded.name}: no rows{after}.")


def _places(loaded: SourceTable, roles: Roles) -> dict[str, int]:
    places = {
        role: place_of(loaded, ref, role)
        for role in ("user", "item", "value", "timestamp", "event")
        if (ref := getattr(roles, role)) is not None
    }
    seen: dict[int, str] = {}
    for role, place in places.items():
        if place in seen:
            raise DataError(
                f"{loaded.name}: column {label_of(loaded, place)} is given as {seen[place]} and "
                f"as {role}; each needs a column of its own."
            )
        seen[place] = role
    return places


def _refuse_faulty(
    connection: duckdb.DuckDBPyConnection,
    loaded: SourceTable,
    place: int,
    role: str,
    kind: str,
    rules: Rules,
) -> None:
    """Raise for the first cell that is not a finite number or time, or reject all such rows."""
    expression = (number_of if role == "value" else seconds_of)(loaded, place)
    limit = "" if rules.on_error == "reject" else "LIMIT 1"
    rows = connection.execute(
        f"SELECT row, shown FROM (SELECT rowid AS row, CAST(c{place} AS VARCHAR) AS shown, "  # noqa: S608 - own names
        f"{expression} AS number FROM {loaded.table} WHERE rowid >= {loaded.skip} "
        "AND rowid NOT IN (SELECT row FROM dropped)) "
        f"WHERE number IS NULL OR NOT isfinite(number) ORDER BY row {limit}"
    ).fetchall()
    if not rows:
        return
    form = loaded.numbers if role == "value" else loaded.times
    explain = fault if form is None else misfit
    wanted = kind if form is None else form.expected
    reasons = [f"column {label_of(loaded, place)}: {explain(shown, wanted)}" for _, shown in rows]
    if role == "value" and loaded.numbers is not None:
        ways = (loaded.numbers.way_out(shown or "") for _, shown in rows)
        reasons = [reason + way for reason, way in zip(reasons, ways, strict=True)]
    if rules.on_error == "error":
        row, shown = rows[0]
        hint = _header_hint(loaded, row, shown)
        if role == "value" and rules.weights is None:
            hint += hint_of_events(connection, loaded, place, shown)
        elif role == "value" and not shown:
            hint += " To count each event once, whatever its amount, leave out value=."
        raise DataError(
            f"{where(loaded, row)}, {reasons[0]}.{hint} Fix it, choose another {role} column, or "
            "set such rows aside with on_error='reject', rejects='file'."
        )
    places, cells = [row for row, _ in rows], [shown for _, shown in rows]
    loaded.rejected += rejects_of(loaded, places, reasons, cells)
    loaded.rows -= len(rows)
    connection.executemany("INSERT INTO dropped VALUES (?)", [[row] for row, _ in rows])


def _header_hint(loaded: SourceTable, row: int, shown: str | None) -> str:
    if row == 0 and loaded.dialect is not None and not loaded.dialect.header and shown:
        return " If this line names the columns, pass header=True."
    return ""


def _drop_duplicates(
    connection: duckdb.DuckDBPyConnection, loaded: SourceTable, rules: Rules, counts: DroppedRows
) -> None:
    """Mark rows of the source equal to an earlier one in every column: by hash, then exactly."""
    if loaded.apart:
        return
    source = loaded.source
    left = f"rowid >= {source.skip} AND rowid NOT IN (SELECT row FROM dropped)"  # noqa: S608
    if loaded.base is not None:
        left = (
            f"rowid IN (SELECT origin FROM {loaded.table} WHERE rowid NOT IN "  # noqa: S608 - own names
            "(SELECT row FROM dropped))"
        )
    found = _equal_rows(connection, source, left)
    counts.duplicates = len(found["row"])
    if not counts.duplicates or rules.duplicates == "keep":
        return
    if rules.duplicates == "error":
        row, earlier = int(found["row"][0]), int(found["earlier"][0])
        line = line_of(source, earlier, beside=row)
        raise DataError(
            f"{where(source, row)}: equal in every column to {line}; "
            f"{counts.duplicates:,} rows are such duplicates. Pass duplicates='drop' or 'keep'."
        )
    connection.register("found", {"row": found["row"]})
    rows = "SELECT row FROM found"
    if loaded.base is not None:
        rows = f"SELECT rowid FROM {loaded.table} WHERE origin IN ({rows})"  # noqa: S608 - own name
    connection.execute(f"INSERT INTO dropped {rows}")
    connection.unregister("found")


def _equal_rows(
    connection: duckdb.DuckDBPyConnection, source: SourceTable, left: str
) -> dict[str, Any]:
    """Return the rows among those `left` that equal an earlier one, and the first such row."""
    whole = source.whole_row
    hashes = connection.execute(
        f"SELECT hash({whole}) AS hash FROM {source.table} WHERE {left}"  # noqa: S608 - own names
    ).fetchnumpy()["hash"]
    hashes.sort()
    again = np.unique(hashes[1:][hashes[1:] == hashes[:-1]])
    del hashes
    connection.register("again", {"hash": again})
    found: dict[str, Any] = connection.execute(
        "SELECT row, earlier FROM (SELECT rowid AS row, min(rowid) OVER same AS earlier "  # noqa: S608 - own names
        f"FROM {source.table} WHERE {left} AND hash({whole}) IN (SELECT hash FROM again) "
        f"WINDOW same AS (PARTITION BY {whole})) WHERE row > earlier ORDER BY row"
    ).fetchnumpy()
    connection.unregister("again")
    return found


def _drop_zeros_and_check_negatives(
    connection: duckdb.DuckDBPyConnection,
    loaded: SourceTable,
    places: dict[str, int],
    rules: Rules,
    counts: DroppedRows,
) -> None:
    found = connection.execute(
        "SELECT count(*) FILTER (value = 0), count(*) FILTER (value < 0), "
        "min(row) FILTER (value < 0), arg_min(value, row) FILTER (value < 0) FROM facts"
    ).fetchone()
    if found is None:
        return
    counts.zeros, counts.negatives = int(found[0]), int(found[1])
    if counts.negatives and rules.negative == "error":
        place = places["value"] if "value" in places else places["event"]
        many = counts.negatives
        are_negative = "1 row is negative" if many == 1 else f"{many:,} rows are negative"
        raise DataError(
            f"{where(loaded, found[2])}, column {label_of(loaded, place)}: a value "
            f"above 0 expected, found {found[3]:g}; {are_negative}. Pass "
            "negative='net' if they take back earlier rows (returns), or negative='dislike'."
        )
    if counts.zeros:
        connection.execute("DELETE FROM facts WHERE value = 0")
