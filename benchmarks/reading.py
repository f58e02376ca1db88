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
"""

import argparse
import os
import statistics
import sys
import tempfile
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


def main() -> int:
    """Compare for each number of rows; fail where reading the article's file is over its budget."""
    parser = arguments(__doc__)
    parser.add_argument("--rows", default="632840,5000000", help="several, separated by commas")
    asked = parser.parse_args()
    os.environ["POLARS_MAX_THREADS"] = str(asked.threads)
    if asked.alone:
        task, name = asked.alone.split("|")
        WAYS[task, name](asked.stored, asked.threads)
        print(own_peak())
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
