"""Runs one query over local files in DuckDB, sealed: it reads files and does nothing else."""

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import duckdb

from alsolike.data.reading.files.listing import refuse_address
from alsolike.data.reading.files.selection import Selection
from alsolike.data.reading.formats.typed import described, typed
from alsolike.data.reading.source_table import SourceTable
from alsolike.errors import DataError
from alsolike.system_errors import raise_of_system

NAME = "the query"
# Functions that give tables and do nothing but read; others write logs or run further queries.
_TABLES = frozenset({
    "read_csv", "read_csv_auto", "sniff_csv", "read_parquet", "parquet_scan", "read_json",
    "read_json_auto", "read_json_objects", "read_json_objects_auto", "read_ndjson",
    "read_ndjson_auto", "read_ndjson_objects", "read_text", "glob", "range", "generate_series",
    "unnest", "repeat", "repeat_row",
})  # fmt: skip
_GUESSES = frozenset({
    "read_csv", "read_csv_auto", "read_json", "read_json_auto", "read_ndjson", "read_ndjson_auto",
})  # fmt: skip
_TEXT = re.compile(r"(?i)\.(?:csv|tsv|txt|json|jsonl|ndjson)(?:\.(?:gz|zst))?$")
_JSON = re.compile(r"(?i)^read_(?:nd)?json|\.(?:json|jsonl|ndjson)(?:\.(?:gz|zst))?$")


class Query(NamedTuple):
    """A query over local files, as a source."""

    text: str


def load_query(
    connection: duckdb.DuckDBPyConnection, table: str, query: str, selection: Selection
) -> SourceTable:
    """Load the result of `query` into the DuckDB table `table`.

    Raises DataError if it is not one SELECT, names an address, or fails; with DuckDB's line.
    """
    statement = _statement(query)
    tree = _tree(connection, query)
    guessed = _checked(tree)
    try:
        names, types = described(connection, statement, [])
        columns = ", ".join(f"c{place}" for place in range(len(names)))
        selected = selection.of(names, types)
        # One thread: else the order of rows, and the last bits of sums, depend on their number.
        [[threads]] = connection.execute("SELECT current_setting('threads')").fetchall()
        connection.execute("SET threads = 1")
        try:
            connection.execute(
                f"CREATE TEMP TABLE {table} AS SELECT {', '.join(selected.sql)} "  # noqa: S608
                f"FROM ({statement}\n) AS found({columns})"
            )
        finally:
            connection.execute(f"SET threads = {threads}")
    except duckdb.Error as error:
        raise_of_system(error)
        raise _failed(error) from error
    loaded = typed(connection, table, NAME, "SQL", names, types)
    loaded.identity = selected.identity
    if not loaded.rows:
        raise DataError(f"{NAME} gives no rows.")
    for of_json, become, instead in (
        (False, "an id 0042 can become 42", "read_csv('FILE', all_varchar = true)"),
        (
            True,
            "a text can become a time or a UUID",
            "read_json('FILE', columns = {id: 'VARCHAR'})",
        ),
    ):
        names = [repr(name) for name in guessed if (_JSON.search(name) is not None) is of_json]
        if names:
            loaded.warnings.append(
                f"{NAME}: DuckDB guesses the types of {' and '.join(names)}, so that {become}. To "
                f"keep texts as they are, write {instead} instead."
            )
    return loaded


def _statement(query: str) -> str:
    """Return the text of the one statement of a query."""
    try:
        statements = duckdb.extract_statements(query)
    except duckdb.Error as error:
        raise _failed(error) from error
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        found = "none" if not statements else ", ".join(one.type.name for one in statements)
        raise DataError(
            f"{NAME}: one SELECT expected, found {found}. It reads local files and cannot change "
            "anything."
        )
    return str(statements[0].query).strip().rstrip(";")


def _tree(connection: duckdb.DuckDBPyConnection, query: str) -> Any:
    [[text]] = connection.execute("SELECT json_serialize_sql(?)", [query]).fetchall()
    tree = json.loads(text)
    if tree.get("error"):
        reason = str(tree.get("error_message", "")).partition("\n")[0]
        raise DataError(f"{NAME}: a plain SELECT expected ({reason}).")
    return tree


def _checked(tree: Any) -> list[str]:
    """Refuse other sources than local files; return the names of those whose types are guessed."""
    guessed: list[str] = []
    for node in _nodes(tree):
        kind = node.get("type")
        if kind == "BASE_TABLE":
            name = str(node.get("table_name", ""))
            refuse_address(name)
            if _TEXT.search(name):
                guessed.append(name)
        elif kind == "TABLE_FUNCTION":
            function = node.get("function") or {}
            name = str(function.get("function_name", "")).lower()
            if name not in _TABLES:
                raise DataError(
                    f"{NAME}: the function {name} is not allowed; a query reads local files, such "
                    "as read_csv, read_parquet and read_json do."
                )
            texts = list(_texts(function))
            for text in texts:
                refuse_address(text)
            if name in _GUESSES and not {"all_varchar", "columns"} & {*texts}:
                guessed.append(name)
        elif kind == "SHOW_REF":
            raise DataError(f"{NAME}: one SELECT expected, found a description of a table.")
    return list(dict.fromkeys(guessed))


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    """Yield all objects of a syntax tree."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            yield node
            waiting += node.values()
        elif isinstance(node, list):
            waiting += node


def _texts(tree: Any) -> Iterator[str]:
    """Yield all texts of a syntax tree: names of columns and options, constants."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, str):
            yield node
        elif isinstance(node, dict):
            waiting += node.values()
        elif isinstance(node, list):
            waiting += node


def _failed(error: duckdb.Error) -> DataError:
    """Return the error of a query: what DuckDB says, with the line that it names."""
    first, _, rest = str(error).partition("\n")
    lines = [line.strip() for line in rest.splitlines() if line.strip().strip("^~ ")]
    named = next((line for line in lines if line.startswith("LINE ")), "")
    named = re.sub(r"^(LINE \d+:)\s+", r"\1 ", named)
    hints = [line for line in lines if line.startswith(("Did you mean", "Candidate"))]
    told = [first.rstrip("."), *hints[:1], *([named] if named else [])]
    return DataError(f"{NAME}: {'; '.join(told)}")
