"""Warns of ids that look like missing values, and of many duplicate rows."""

import duckdb

from alsolike.data.reading.source_table import SourceTable, label_of

# As programs write a missing value; compared in lower case, blanks around it aside.
_NOTHING = (
    "nan",
    "null",
    "none",
    "nil",
    "na",
    "n/a",
    "#n/a",
    "#na",
    "#null!",
    "<na>",
    "<null>",
    "<none>",
    "(null)",
    "(none)",
    "[null]",
    "nat",
    "undefined",
    "\\n",
    "-",
    "--",
    "---",
    "\u2013",
    "\u2014",
    "?",
    ".",
    '""',
    "''",
    "00000000-0000-0000-0000-000000000000",
)
_MOST_NAMED = 3


def is_like_nothing(one: str) -> bool:
    """Return whether an id is a usual way to write a missing value.

    Examples
    --------
    >>> is_like_nothing(" NULL"), is_like_nothing("null and void")
    (True, False)
    """
    return one.strip().lower() in _NOTHING


def warn_of_ids_like_nothing(
    connection: duckdb.DuckDBPyConnection,
    loaded: SourceTable,
    places: dict[str, int],
    ids: dict[str, str],
) -> None:
    """Warn if an id is a usual way to write a missing value.

    `ids` holds the SQL of the ids of both sides; needs the tables ``users`` and ``items``. Rows
    are counted before duplicates are dropped.
    """
    counted = f"FROM {loaded.table} WHERE rowid >= {loaded.skip}"
    for side in ("user", "item"):
        marks = ", ".join("?" for _ in _NOTHING)
        known = connection.execute(
            f"SELECT id FROM {side}s WHERE lower(trim(id)) IN ({marks})",  # noqa: S608 - own names
            list(_NOTHING),
        ).fetchall()
        if not known:
            continue
        among = ", ".join("?" for _ in known)
        found = connection.execute(
            f"SELECT {ids[side]} AS id, count(*) AS rows, (SELECT count(*) {counted}) {counted} "
            f"AND {ids[side]} IN ({among}) GROUP BY id ORDER BY rows DESC, id",
            [text for (text,) in known],
        ).fetchall()
        named = ", ".join(
            f"{text!r} in {rows:,} of {total:,} rows ({_percent(rows, total)})"
            for text, rows, total in found[:_MOST_NAMED]
        )
        more = "" if len(found) <= _MOST_NAMED else f", and {len(found) - _MOST_NAMED:,} more"
        one = "an item" if side == "item" else "a user"
        it, they = ("it stands", "its") if len(found) == 1 else ("they stand", "their")
        loaded.warnings.append(
            f"column {label_of(loaded, places[side])}: {one} is called {named}{more}. If {it} "
            f"for a missing id, leave {they} rows out of the table, or empty the cells and pass "
            "missing_id='drop'."
        )


def warn_of_duplicates(loaded: SourceTable, duplicates: int, rule: str) -> None:
    """Warn if more than half of the rows were dropped as duplicates."""
    if rule != "drop" or 2 * duplicates <= loaded.rows:
        return
    loaded.warnings.append(
        f"{duplicates:,} of {loaded.rows:,} rows ({_percent(duplicates, loaded.rows)}) are equal "
        "to an earlier one in every column, and were dropped. If each row is an event, such as a "
        "play or a purchase, pass duplicates='keep' to count them all."
    )


def _percent(part: int, total: int) -> str:
    share = 100 * part / total
    return f"{share:.1f} %" if share >= 0.1 else "less than 0.1 %"
