"""Objects handed in as a table: subclasses of frames are read, others are named."""

import sqlite3

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse as sp

from alsolike.data.interactions import Interactions
from alsolike.data.reading.read import read
from alsolike.errors import DataError
from alsolike.models.baselines.popularity import fit_popularity
from alsolike.testing import tiny_likes, tiny_model

WANTED = {"user": "user", "item": "item"}
COLUMNS = {"user": ["ann", "bob"], "item": ["m1", "m2"]}


class Visits(pd.DataFrame):
    """A frame of another module, as geopandas has them."""

    @property
    def _constructor(self):
        return Visits


class Deeper(Visits):
    pass


class Own(pl.DataFrame):
    pass


@pytest.mark.parametrize(
    "source",
    [
        Visits(COLUMNS),
        Deeper(COLUMNS),
        Own(COLUMNS),
        pl.LazyFrame(COLUMNS),
        pa.RecordBatch.from_pydict(COLUMNS),
        pa.table(COLUMNS).to_reader(),
    ],
    ids=lambda source: type(source).__name__,
)
def test_what_inherits_from_a_frame_or_holds_one_is_read(source):
    found, report = read(source, items=Visits({"item": ["m1", "m2"]}), **WANTED)
    assert list(found.users) == ["ann", "bob"]
    assert report.rows == 2


FRAME, ROWS = pd.DataFrame(COLUMNS), [("ann", "m1"), ("bob", "m2")]
NAMES = {"columns": ["user", "item"]}
# What is handed in, what it is called, the way out, and that way, followed.
REFUSED = {
    "dict of columns": (
        COLUMNS, "a dict of columns. Make a frame of it: pandas.DataFrame(source)", pd.DataFrame,
    ),
    "dict of dicts": (
        {"ann": {"m1": 2}, "bob": {"m2": 1}}, "a dict of dicts. Make a row of each pair",
        lambda given: pd.DataFrame(
            [(u, i, v) for u, likes in given.items() for i, v in likes.items()],
            columns=["user", "item", "value"],
        ),
    ),
    "dict of lists": (
        {"ann": ["m1"], "bob": ["m2", "m1"]}, "a dict of lists of different lengths",
        lambda given: pd.DataFrame([(u, i) for u, items in given.items() for i in items], **NAMES),
    ),
    "list of dicts": (FRAME.to_dict("records"), "a list of dicts", pd.DataFrame),
    "list of tuples": (ROWS, "a list of tuples", lambda given: pd.DataFrame(given, **NAMES)),
    "list of lists": ([["a", "x"]], "a list of lists", lambda given: pd.DataFrame(given, **NAMES)),
    "set": ({*ROWS}, "a set of tuples. Make a frame of it: pandas.DataFrame(list(source), columns",
            lambda given: pd.DataFrame(list(given), **NAMES)),
    "list of frames": ([FRAME, FRAME], "a list of frames. Make one of them: pandas.concat(source)",
                       pd.concat),
    "generator": ((row for row in ROWS), "a generator, whose rows can be gone through only once",
                  lambda given: pd.DataFrame(list(given), **NAMES)),
    "structured array": (
        FRAME.astype(str).to_records(index=False), "a structured NumPy array. Make a frame of it",
        pd.DataFrame,
    ),
    "series": (FRAME.set_index("user")["item"], "a pandas Series. Make a frame of it: source.reset",
               lambda given: given.reset_index()),
    "groups": (FRAME.groupby(["user", "item"]), "a pandas DataFrameGroupBy, which holds no rows",
               lambda given: given.size().reset_index()),
    "Polars groups": (pl.DataFrame(COLUMNS).group_by("user", "item"), "a Polars GroupBy, which",
                      lambda given: given.len()),
    "relation": (duckdb.connect().from_df(FRAME), "a DuckDB relation. Fetch it: source.df()",
                 lambda given: given.df()),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_table_is_named_and_the_way_out_is_right(name):
    source, told, way_out = REFUSED[name]
    with pytest.raises(DataError) as caught:
        read(source, **WANTED)
    message = str(caught.value)
    assert message.startswith("A path, a pandas, Polars or PyArrow table, or a SciPy sparse matrix")
    assert f"not {told}" in message
    assert read(way_out(source), **WANTED)[1].rows >= 1


@pytest.mark.parametrize(
    ("source", "told"),
    [
        (np.eye(3), r"a dense NumPy array \(3 x 3, float64\)\. Of users x items: scipy\.sparse"),
        (np.array(["a", "b"]), r"a dense NumPy array \(2, <U1\)\. A table has rows and columns"),
        (pl.Series("user", ["a"]), "a Polars Series"),
        (pa.chunked_array([["a"]]), "a PyArrow column"),
        (sqlite3.connect(":memory:"), "an SQLite connection"),
        (iter(ROWS), r"a list_iterator, whose rows can be gone through only once"),
        (b"likes.csv", r"a bytes\. Pass the path as text"),
        ({"a.csv", "b.csv"}, r"a set of 2 texts\. If they are files of one table, pass a list"),
        (Interactions.from_columns(["a"], ["x"]), "Interactions, which have been read already"),
        (tiny_model(), r"a fitted model\. Its likes, where it has them: model\.history"),
        (fit_popularity(tiny_likes()), r"a fitted model\. Its likes, where it has them: model"),
        (None, r"None\. Pass what holds the rows"),
    ],
)
def test_other_things_are_named(source, told):
    with pytest.raises(DataError, match=f"not {told}"):
        read(source, **WANTED)


def test_an_open_file_is_named(tmp_path):
    path = tmp_path / "likes.csv"
    path.write_text("user,item\nann,m1\n")
    with path.open() as file, pytest.raises(DataError, match="an open file") as caught:
        read(file, **WANTED)
    assert f"Pass its path: {str(path)!r}" in str(caught.value)


def test_dense_arrays_become_matrices_as_the_message_says():
    found, _ = read(sp.csr_array(np.eye(3)))
    assert found.n_interactions == 3


@pytest.mark.parametrize(
    ("users", "told"),
    [
        ({"ann": 1}, "not a dict"),
        (3, "not a int|not an int"),
        (None, "not None"),
        (pd.DataFrame(COLUMNS), "not a DataFrame"),
        (np.eye(2), r"not a dense NumPy array \(2 x 2, float64\)"),
    ],
)
def test_columns_of_ids_that_are_none(users, told):
    with pytest.raises(DataError, match=f"A column of user ids expected.*{told}"):
        Interactions.from_columns(users, ["x", "y"])


@pytest.mark.parametrize("matrix", [{"ann": {"m1": 1}}, pd.DataFrame(COLUMNS)])
def test_matrices_that_are_none(matrix):
    with pytest.raises(DataError, match=r"matrix, users x items, expected, not .*alsolike\.read"):
        Interactions.from_matrix(matrix)


@pytest.mark.parametrize("matrix", [np.eye(2, dtype=np.float32), sp.coo_array(np.eye(2)), None])
def test_interactions_take_rows_of_a_sparse_matrix(matrix):
    ids = Interactions.from_columns(["a", "b"], ["x", "y"])
    with pytest.raises(DataError, match=r"csr_array, not .*from_matrix\(\.\.\.\)"):
        Interactions(matrix, ids.users, ids.items)
