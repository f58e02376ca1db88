"""From file to filtered, indexed matrix, beside the article's steps in pandas and plain Polars.

Run as ``python benchmarks/reading.py [--rows 632840,5000000]``. The file is made up in the
article's exact format and, at 632,840 rows, in its exact counts: 62,583 users and 28,806 items; for
other numbers of rows both grow in proportion. It is in the page cache when it is read.

All read it, drop rows that equal another, drop users and items with fewer than five likes in turn
until nobody has to leave, number the ids, and make a sparse matrix of float32: alsolike with read
and filter_counts; pandas as the article did, step for step, on one thread; Polars with windows
over columns and joins. alsolike's read also finds the dialect, checks every byte, sorts the ids and
takes the names of the items along, which the others do not do.

``read`` alone has a budget at the article's size: 1.5 s on two cores. Over it, this fails.

``--large 20000000x5000000`` is another part instead: a table of so many rows and users, with two
columns of text that are not asked for, made up by DuckDB in the temporary folder as CSV and as
Parquet, read with users, items, values and times. Beside it stand plain scans of the same file by
DuckDB and Polars, which count its rows, and group its rows by user and item. Each is a process of
its own, which tells seconds and peak memory, libraries included.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import scipy.sparse as sp

from _side_by_side import (
    Report,
    Row,
    arguments,
    clock,
    listed,
    own_peak,
    peak_alone,
    peer,
    take_turns,
)
from alsolike.data.datasets.synthetic import write_article_file
from alsolike.data.filtering import filter_counts
from alsolike.data.interactions import Interactions
from alsolike.data.reading.read import read

ROWS, USERS, ITEMS, DUPLICATES = 632_840, 62_583, 28_806, 155
LIKES = ROWS - DUPLICATES
LEAST = 5
BUDGET_S = 1.5
READ, WHOLE = "read", "read and filter"

Matrix = sp.csr_matrix | sp.csr_array
Way = Callable[[Path, int], Matrix]


def ours_read(path: Path, threads: int) -> Matrix:
    """Read, and stop there."""
    return likes_of(path, threads).user_items


def ours(path: Path, threads: int) -> Matrix:
    """Read and filter with this library."""
    filtered, _ = filter_counts(likes_of(path, threads), min_per_user=LEAST, min_per_item=LEAST)
    return filtered.user_items


def likes_of(path: Path, threads: int) -> Interactions:
    """Read with this library."""
    return read(path, user="uid", item="mid", item_name="modelName", threads=threads)[0]


def with_pandas(path: Path, threads: int) -> Matrix:
    """Read and filter as the article did; pandas has one thread."""
    import pandas as pd

    likes = pd.read_csv(path, sep="|", quotechar="\\").drop_duplicates()
    likes = threshold_likes(likes)
    user_rows = {uid: row for row, uid in enumerate(likes.uid.unique().tolist())}
    item_rows = {mid: row for row, mid in enumerate(likes.mid.unique().tolist())}
    rows, columns = likes.uid.map(user_rows).to_numpy(), likes.mid.map(item_rows).to_numpy()
    ones = np.ones(len(likes), dtype=np.float32)
    shape = len(user_rows), len(item_rows)
    return sp.coo_matrix((ones, (rows, columns)), shape=shape).tocsr()


def threshold_likes(likes):
    """Drop users, then items, with too few likes until nobody has to leave."""
    while True:
        before = len(likes)
        by_user = likes.uid.value_counts()
        likes = likes[~likes.uid.isin(by_user[by_user < LEAST].index.tolist())]
        by_item = likes.mid.value_counts()
        likes = likes[~likes.mid.isin(by_item[by_item < LEAST].index.tolist())]
        if len(likes) == before:
            return likes


def with_polars(path: Path, threads: int) -> Matrix:
    """Read and filter with Polars, whose threads are counted when it is imported."""
    import polars as pl

    likes = pl.read_csv(path, separator="|", quote_char="\\").unique()
    before = None
    while before != len(likes):
        before = len(likes)
        likes = likes.filter(pl.len().over("uid") >= LEAST)
        likes = likes.filter(pl.len().over("mid") >= LEAST)
    users = likes.select("uid").unique().with_row_index("row")
    items = likes.select("mid").unique().with_row_index("column")
    cells = likes.join(users, on="uid").join(items, on="mid")
    rows, columns = cells["row"].to_numpy(), cells["column"].to_numpy()
    ones = np.ones(len(cells), dtype=np.float32)
    return sp.coo_matrix((ones, (rows, columns)), shape=(len(users), len(items))).tocsr()


WAYS: dict[tuple[str, str], Way] = {
    (READ, "alsolike"): ours_read,
    (WHOLE, "alsolike"): ours,
    (WHOLE, "pandas"): with_pandas,
    (WHOLE, "polars"): with_polars,
}
SETTINGS = {
    "alsolike": f"read(threads=...), filter_counts of {LEAST} and {LEAST}",
    "pandas": "read_csv, drop_duplicates, value_counts in turns, one thread",
    "polars": "read_csv, unique, len over a column in turns, POLARS_MAX_THREADS",
}


def ways_of(asked: argparse.Namespace) -> dict[tuple[str, str], Way]:
    """Return what takes part, by task and name."""
    there = {name for name in ("pandas", "polars") if peer(name, asked) is not None}
    return {key: way for key, way in WAYS.items() if key[1] in {"alsolike", *there}}


def compare(report: Report, asked: argparse.Namespace, rows: int) -> float:
    """Print and keep the table of one file; return the median seconds of our reading."""
    with tempfile.TemporaryDirectory() as folder:
        path = written(Path(folder), rows)
        ways = ways_of(asked)
        check(path, ways, rows, asked.threads)
        clocks = {
            f"{task}|{name}": clock(lambda way=way: way(path, asked.threads), asked.threads)
            for (task, name), way in ways.items()
        }
        where = ("--stored", path, "--threads", asked.threads)
        told = []
        for key, seconds in take_turns(clocks, asked.turns).items():
            task, name = key.split("|")
            speed = {"rows_per_second": round(rows / statistics.median(seconds))}
            peak = None if asked.no_memory else peak_alone("--alone", key, *where)
            told.append(Row(task, name, seconds, peak_mib=peak, more=speed))
        size = path.stat().st_size / 1e6
    settings = {name: SETTINGS[name] for _, name in ways}
    heading = f"{rows:,} rows, {size:.1f} MB"
    report.section(heading, told, settings=settings, rows_in_file=rows, megabytes=round(size, 1))
    return statistics.median(told[0].seconds)


def written(folder: Path, rows: int) -> Path:
    """Write the file with so many rows."""
    share = rows / ROWS
    return write_article_file(
        folder / "model_likes_anon.psv",
        rows=rows,
        users=round(USERS * share),
        items=round(ITEMS * share),
        duplicates=round(DUPLICATES * share),
    )


def check(path: Path, ways: dict[tuple[str, str], Way], rows: int, threads: int) -> None:
    """End here where what is read is not the article, or not the same for all."""
    found = {key: way(path, threads) for key, way in ways.items()}
    counts = {key: (*matrix.shape, matrix.nnz) for key, matrix in found.items()}
    if rows == ROWS and counts[READ, "alsolike"] != (USERS, ITEMS, LIKES):
        sys.exit(f"read {counts[READ, 'alsolike']} users, items and likes; that is not the article")
    left = {key: count for key, count in counts.items() if key[0] == WHOLE}
    if len(set(left.values())) > 1:
        sys.exit(f"the filters leave different users, items and likes: {left}")


def count_with_duckdb(path: Path, threads: int) -> int:
    """Count the rows."""
    return _of_duckdb(f"SELECT count(*), count(note) FROM '{path}'", threads)  # noqa: S608


def group_with_duckdb(path: Path, threads: int) -> int:
    """Count the pairs of user and item, and add up their values."""
    grouped = f"SELECT sum(plays), max(ts) FROM '{path}' GROUP BY user_id, item_id"  # noqa: S608
    return _of_duckdb(f"SELECT count(*) FROM ({grouped})", threads)  # noqa: S608


def _of_duckdb(query: str, threads: int) -> int:
    import duckdb

    with duckdb.connect(config={"threads": threads}) as connection:
        found = connection.execute(query).fetchone()
    return int(found[0]) if found else 0


def count_with_polars(path: Path, threads: int) -> int:
    """Count the rows of which a text is there, so that it is read."""
    import polars as pl

    counted = _lazy(path).select(pl.col("note").count())
    return int(counted.collect(engine="streaming").item())


def group_with_polars(path: Path, threads: int) -> int:
    """Count the pairs of user and item, and add up their values."""
    import polars as pl

    values = pl.col("plays").sum(), pl.col("ts").max()
    pairs = _lazy(path).group_by("user_id", "item_id").agg(*values)
    return int(pairs.select(pl.len()).collect(engine="streaming").item())


def _lazy(path: Path):
    import polars as pl

    return pl.scan_parquet(path) if path.suffix == ".parquet" else pl.scan_csv(path)


def read_large(path: Path, threads: int) -> int:
    """Read with this library."""
    columns = {"user": "user_id", "item": "item_id", "value": "plays", "timestamp": "ts"}
    likes, _ = read(path, **columns, threads=threads)
    return likes.n_interactions


LARGE: dict[tuple[str, str], Callable[[Path, int], int]] = {
    ("read", "alsolike"): read_large,
    ("scan", "duckdb"): count_with_duckdb,
    ("scan", "polars"): count_with_polars,
    ("group", "duckdb"): group_with_duckdb,
    ("group", "polars"): group_with_polars,
}
LARGE_SETTINGS = {
    "alsolike": "read(user, item, value, timestamp, threads=...)",
    "duckdb": "count(*), count(note); sum and max GROUP BY user and item",
    "polars": "scan_csv or scan_parquet, streaming, POLARS_MAX_THREADS",
}


def compare_large(report: Report, asked: argparse.Namespace) -> None:
    """Print and keep the tables of a large file of each format; each does its work once."""
    rows, users = map(int, asked.large.split("x"))
    there = {"alsolike", "duckdb"} | ({"polars"} if peer("polars", asked) else set())
    with tempfile.TemporaryDirectory() as folder:
        for ending in ("csv", "parquet"):
            path = write_large(Path(folder, f"likes.{ending}"), rows, users)
            told, counts = [], {}
            for task, name in LARGE:
                if name in there:
                    seconds, peak, count = alone(task, name, path, asked.threads)
                    counts[task, name] = count
                    speed = {"rows_per_second": round(rows / seconds)}
                    told.append(Row(task, name, [seconds], peak_mib=peak, more=speed))
            check_large(counts, rows)
            size = path.stat().st_size / 1e6
            heading = f"{rows:,} rows, {users:,} users, {ending}, {size:.0f} MB"
            settings = {name: LARGE_SETTINGS[name] for name in sorted(there)}
            report.section(heading, told, settings=settings, rows_in_file=rows)
            path.unlink()


def write_large(path: Path, rows: int, users: int) -> Path:
    """Make up the file: few items are liked most, users by chance, the last columns are texts."""
    import duckdb

    items = max(rows // 400, 10)
    options = "HEADER" if path.suffix == ".csv" else "FORMAT parquet"
    with duckdb.connect() as connection:
        connection.execute(
            "COPY (SELECT "  # noqa: S608 - numbers
            f"'u' || lpad(CAST(hash(i * 7919 + 1) % {users} AS VARCHAR), 8, '0') AS user_id, "
            "'item-' || CAST(CAST(floor(pow((hash(i * 104729 + 3) % 1000003) / 1000003.0, 3) "
            f"* {items}) AS BIGINT) AS VARCHAR) AS item_id, 1 + hash(i) % 9 AS plays, "
            "1700000000 + hash(i * 31) % 30000000 AS ts, "
            "'session-' || CAST(hash(i * 17) AS VARCHAR) AS session, "
            f"'some text of a page view ' || CAST(i AS VARCHAR) AS note FROM range({rows}) t(i)) "
            f"TO '{path}' ({options})"
        )
    return path


def alone(task: str, name: str, path: Path, threads: int) -> tuple[float, float, int]:
    """Return seconds, peak MiB and the count of one contender in a process of its own."""
    given = ("--alone", f"{task}|{name}", "--stored", path, "--threads", threads, "--large", "0x0")
    command = [sys.executable, __file__, *map(str, given)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    seconds, peak, count = done.stdout.split()[-3:]
    return float(seconds), float(peak), int(count)


def check_large(counts: dict[tuple[str, str], int], rows: int) -> None:
    """End here where not all count the same rows, or the same pairs."""
    scanned = {count for (task, _), count in counts.items() if task == "scan"}
    pairs = {count for (task, _), count in counts.items() if task != "scan"}
    if scanned != {rows} or len(pairs) != 1:
        sys.exit(f"not the same rows and pairs: {counts}")


def main() -> int:
    """Compare for each number of rows; fail where reading the article's file is over its budget."""
    parser = arguments(__doc__)
    parser.add_argument("--rows", default="632840,5000000", help="several, separated by commas")
    parser.add_argument("--large", help="ROWSxUSERS of a table beside plain scans, instead")
    asked = parser.parse_args()
    os.environ["POLARS_MAX_THREADS"] = str(asked.threads)
    if asked.alone:
        task, name = asked.alone.split("|")
        if asked.large:
            began = time.perf_counter()
            count = LARGE[task, name](asked.stored, asked.threads)
            print(time.perf_counter() - began, own_peak(), count)
            return 0
        WAYS[task, name](asked.stored, asked.threads)
        print(own_peak())
        return 0
    if asked.large:
        compare_large(Report("reading_large", asked), asked)
        return 0
    report, over = Report("reading", asked), False
    for rows in map(int, listed(asked.rows)):
        median = compare(report, asked, rows)
        if rows == ROWS:
            print(f"read takes {median:.2f} s, budget {BUDGET_S} s")
            over |= median > BUDGET_S
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main())
