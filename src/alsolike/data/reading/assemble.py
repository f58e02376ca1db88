"""Makes interactions and the report of them from the rows of a table."""

from typing import Any

import duckdb
import numpy as np

from alsolike.data.interactions import Interactions
from alsolike.data.reading import item_table
from alsolike.data.reading.cleaning.aggregate import assembled, merge, repeated, without_empty
from alsolike.data.reading.cleaning.ids import Facts, vocabulary_of
from alsolike.data.reading.cleaning.rows import Roles, Rules, clean
from alsolike.data.reading.layouts.arrange import RowCounts
from alsolike.data.reading.report import ReadReport, counted
from alsolike.data.reading.source_table import SourceTable
from alsolike.data.reading.sources import Ref

_NOTHING_SEEN = item_table.ItemRows(np.empty(0, np.int64), np.empty(0, np.int64))


def of_rows(
    connection: duckdb.DuckDBPyConnection,
    arranged: tuple[SourceTable, RowCounts],
    roles: Roles,
    rules: Rules,
    wanted: item_table.ItemTexts,
    table: SourceTable | None,
    item_id: Ref | None,
) -> tuple[Interactions, ReadReport]:
    """Clean the rows of the likes, and merge them into interactions and a report."""
    loaded, rows = arranged
    if table is None:
        item_table.check_columns(loaded, wanted)
    counts = clean(connection, loaded, roles, rules)
    users = vocabulary_of(connection, loaded, roles.user, "user")
    items = vocabulary_of(connection, loaded, roles.item, "item")
    looks_back = bool(wanted.of_likes(table))
    if not looks_back:
        connection.execute(f"DROP TABLE {loaded.source.table}")
    facts = Facts(connection)
    pairs = merge(
        facts["user"],
        facts["item"],
        facts["value"].astype(np.float64, copy=False),
        None if roles.timestamp is None else facts["time"].astype(np.float64, copy=False),
        n_items=len(items),
        rule=rules.repeats,
    )
    if rules.repeats == "error" and pairs.merged:
        raise repeated(loaded, facts, pairs, users, items)
    interactions, dropped = assembled(pairs, users, items, rules.negative, loaded.name)
    interactions, kept = without_empty(interactions, loaded, counts.reasons())
    seen = _NOTHING_SEEN
    if looks_back:
        codes = np.full(len(items), -1, dtype=np.int64)
        codes[kept] = np.arange(len(kept))
        seen = item_table.ItemRows(facts["row"], codes[facts["item"]])
    return with_catalogue(
        connection,
        interactions,
        counted(loaded, counts, rules, pairs, dropped) | rows.fields(),
        wanted,
        (loaded, seen),
        table,
        item_id,
    )


def with_catalogue(
    connection: duckdb.DuckDBPyConnection,
    interactions: Interactions,
    fields: dict[str, Any],
    wanted: item_table.ItemTexts,
    likes: tuple[SourceTable, item_table.ItemRows] | None,
    table: SourceTable | None,
    item_id: Ref | None,
) -> tuple[Interactions, ReadReport]:
    """Add what is known of the items; complete the report, of which `fields` are given."""
    catalogue, found = item_table.build(
        connection, interactions.items, wanted, likes, table, item_id
    )
    complete = Interactions(
        interactions.user_items,
        interactions.users,
        interactions.items,
        interactions.timestamps,
        catalogue,
    )
    if table is not None:
        fields |= {
            "items_dialect": table.dialect,
            "items_encoding": table.encoding,
            "items_parts": len(table.parts) or 1,
            "items_ignored": table.ignored,
            "items_skipped": table.skipped,
            "items_comments": table.comments,
            "items_blank": table.blank,
            "items_rejected": len(table.rejected),
        }
    times, sources = interactions.timestamps, (None if likes is None else likes[0], table)
    report = ReadReport(
        **fields,
        dislikes=int(np.count_nonzero(interactions.user_items.data < 0)),
        items_without_row=found.without_row,
        conflicting=found.conflicting,
        items_rows_without_id=found.rows_without_id,
        items_rows_repeated=found.rows_repeated,
        users=interactions.n_users,
        items=interactions.n_items,
        interactions=interactions.n_interactions,
        first_time=None if times is None else float(times.min()),
        last_time=None if times is None else float(times.max()),
        warnings=tuple(warning for one in sources if one for warning in one.warnings),
    )
    return complete, report
