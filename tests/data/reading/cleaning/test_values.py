"""Values and ids that are not what they look like: thousands, narrow floats, texts for nothing."""

import enum
import re

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from alsolike.data.interactions import Interactions
from alsolike.data.reading.cleaning.numbers import fault
from alsolike.data.reading.read import read
from alsolike.errors import DataError
from alsolike.models.als.config import ALSConfig
from alsolike.models.als.train import fit
from alsolike.progress import Observer
from alsolike.recommending.batch import recommend, similar
from alsolike.recommending.single import recommend_for_likes

WANTED = {"user": "user", "item": "item"}


# Numbers as people write them.


def values_of(tmp_path, *values, delimiter=";", **options):
    path = tmp_path / "likes.csv"
    rows = [delimiter.join([f"u{place}", "x", value]) for place, value in enumerate(values)]
    path.write_text("\n".join([delimiter.join(["user", "item", "plays"]), *rows]) + "\n")
    return read(path, value="plays", **WANTED, **options)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("2,500,000", "2500000"), ("1 234", "1234"), ("1\u00a0234", "1234"), ("1'234", "1234"),
        ("1\u202f234", "1234"), ("1\u2019234", "1234"), ("1_234", "1234"), ("-1 234", "-1234"),
        ("12.345.678", "12345678"), ("1,23,456", "123456"), ("1.234,50", "1234.50"),
        ("1,234.50", "1234.50"), ("1,5", "1.5"), ("0,234", "0.234"), ("12,3456", "12.3456"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("form", ["file", "frame"])
def test_numbers_with_separators_are_errors_whose_way_out_is_right(form, text, written, tmp_path):
    frame = pd.DataFrame({"user": ["a", "b"], "item": "x", "plays": [3, text]})
    attempts = {
        "file": lambda: values_of(tmp_path, "3", text),
        "frame": lambda: read(frame, value="plays", **WANTED),
    }
    with pytest.raises(DataError) as caught:
        attempts[form]()
    message = str(caught.value)
    assert repr(text) in message
    assert "line 3" in message or "row 2" in message
    assert re.search(rf"(write|not a comma:) {re.escape(written)}, or pass", message), message
    # Follow the message.
    asked = dict(re.findall(r"""(decimal|thousands)=["'](.)["']""", message))
    found, report = read(frame, value="plays", **WANTED, negative="dislike", **asked)
    assert found.user_items.data.tolist() == [3, np.float32(written)]
    assert report.number_form.startswith(f"decimal {asked.get('decimal', '.')!r}")


@pytest.mark.parametrize("text", ["1,234", "-12,345", "+999,000"])
def test_one_comma_before_three_digits_is_ambiguous(text):
    said = fault(text, "a number")
    assert f"({text.replace(',', '')} with a comma between thousands" in said
    assert f"or {text.replace(',', '.')} with a decimal comma?" in said
    assert "write a point, not a comma" not in said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("$12.50", "currency"), ("12 €", "currency"), ("EUR 12", "currency"), ("£3", "currency"),
        ("12%", "percentage"), ("12 %", "percentage"), ("(12)", "negative"), ("12-", "negative"),
        ("twelve", "found 'twelve'"), ("1/2", "found '1/2'"), ("inf", "not finite"),
    ],
)  # fmt: skip
def test_what_else_is_no_number(text, said, tmp_path):
    with pytest.raises(DataError, match="line 2, column 'plays': a number expected") as caught:
        values_of(tmp_path, text)
    assert said in str(caught.value)


@pytest.mark.parametrize("delimiter", [";", ",", "\t"])
def test_points_that_may_stand_between_thousands_are_said(delimiter, tmp_path):
    found, report = values_of(tmp_path, "1.234", "2.500", "999", delimiter=delimiter)
    assert found.user_items.data.tolist() == [np.float32(1.234), 2.5, 999]
    [warning] = report.warnings
    assert "'1.234' was read as 1.234" in warning
    assert "All 2 values with a point" in warning
    assert "If 1234 is meant" in warning


@pytest.mark.parametrize("values", [("1.234", "0.500"), ("1.5", "2.500"), ("3", "4"), ("1.2345",)])
def test_plain_decimals_give_no_warning(values, tmp_path):
    assert values_of(tmp_path, *values)[1].warnings == ()


@pytest.mark.parametrize("sure", ["12.345.678", "1.234,50", "1,50", "0,5"])
@pytest.mark.parametrize("on_error", ["error", "reject"])
def test_no_value_is_read_as_a_thousandth_beside_one_that_shows_it(sure, on_error, tmp_path):
    options = {} if on_error == "error" else {"rejects": tmp_path / "rejects.csv"}
    with pytest.raises(DataError) as caught:
        values_of(tmp_path, "7", "1.234", sure, on_error=on_error, **options)
    message = str(caught.value)
    assert "line 3, column 'plays': is '1.234' 1234 or 1.234?" in message
    assert f"{sure!r} in line 4" in message


# Ids in floats that cannot hold them.

LARGE = [100_000_001, 100_000_002, 100_000_003]


def narrow(form, numbers, dtype):
    """Return a frame, a table or a column of these numbers in floats of that width."""
    cells = np.array(numbers, dtype=dtype)
    bits = cells.dtype.itemsize * 8
    arrow = {16: pa.float16(), 32: pa.float32(), 64: pa.float64()}[bits]
    polars = {16: pl.Float16, 32: pl.Float32, 64: pl.Float64}[bits]
    column = {
        "pandas": lambda: pd.Series(cells),
        "nullable": lambda: pd.array(cells.astype(float), dtype=f"Float{max(bits, 32)}"),
        "arrow-backed": lambda: pd.Series(pa.array(cells, arrow), dtype=pd.ArrowDtype(arrow)),
        "category": lambda: pd.Series(cells).astype("category"),
        "objects": lambda: pd.Series(list(cells), dtype=object),
        "sparse": lambda: pd.arrays.SparseArray(cells),
        "polars": lambda: pl.Series(cells.tolist(), dtype=polars),
        "polars with gaps": lambda: pl.Series([*cells.tolist()[:-1], None], dtype=polars),
        "arrow": lambda: pa.array(cells, arrow),
        "dictionary": lambda: pa.array(cells, arrow).dictionary_encode(),
        "chunks": lambda: pa.chunked_array([pa.array(cells[:1], arrow), pa.array(cells[1:])]),
    }[form]()
    columns = {"user": column, "item": [f"i{place}" for place in range(len(cells))]}
    if form.startswith("polars"):
        return pl.DataFrame(columns)
    return (
        pa.table(columns)
        if isinstance(column, pa.Array | pa.ChunkedArray)
        else pd.DataFrame(columns)
    )


FORMS = [
    "pandas", "nullable", "arrow-backed", "category", "objects", "sparse", "polars",
    "polars with gaps", "arrow", "dictionary", "chunks",
]  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_ids_in_float32_are_refused_where_they_may_have_lost_digits(form):
    with pytest.raises(
        DataError, match=r"row 1, column 'user': user ids.*float32.*2\^24"
    ) as caught:
        read(narrow(form, LARGE, np.float32), missing_id="drop", **WANTED)
    assert "found 100000000, which may have lost digits" in str(caught.value)
    certain = [2**24 - 1, 1 - 2**24, 7]
    found, _ = read(narrow(form, certain, np.float32), missing_id="drop", **WANTED)
    assert {2**24 - 1, 1 - 2**24} <= set(found.users)


@pytest.mark.parametrize(
    "form", sorted({*FORMS} - {"nullable", "category", "sparse", "dictionary"})
)
def test_ids_in_float16_are_refused_where_they_may_have_lost_digits(form):
    with pytest.raises(DataError, match=r"user ids.*float16.*2\^11 = 2,048 only, found 17856"):
        read(narrow(form, [17850, 17851, 17853], np.float16), missing_id="drop", **WANTED)
    found, _ = read(narrow(form, [2047, -2047, 3], np.float16), missing_id="drop", **WANTED)
    assert {2047, -2047} <= set(found.users)


@pytest.mark.parametrize("number", [2**24, -(2**24)])
def test_the_first_number_that_two_round_to_is_uncertain(number):
    assert np.float32(number) == np.float32(number + np.sign(number))
    with pytest.raises(DataError, match="may have lost digits"):
        read(narrow("pandas", [number], np.float32), **WANTED)
    with pytest.raises(DataError, match=r"float64 are certain below 2\^53"):
        read(narrow("pandas", [2**53], np.float64), **WANTED)
    assert list(read(narrow("pandas", [2**53 - 1], np.float64), **WANTED)[0].users)


@pytest.mark.parametrize(("dtype", "large"), [("float16", 17850), ("float32", 100_000_001)])
def test_parquet_files_with_narrow_floats(dtype, large, tmp_path):
    path = tmp_path / "likes.parquet"
    pq.write_table(pa.table({"user": np.array([5, large], dtype), "item": ["x", "y"]}), path)
    with pytest.raises(DataError, match=rf"row 2, column 'user'.*{dtype}.*lost digits"):
        read(path, **WANTED)
    pq.write_table(pa.table({"user": np.array([5, 6], dtype), "item": ["x", "y"]}), path)
    assert list(read(path, **WANTED)[0].users) == [5, 6]
    items = pa.table({"item": np.array([1, large], dtype), "name": ["one", "two"]})
    likes = pd.DataFrame({"user": ["a", "a"], "item": ["1", str(large)]})
    for table in (items, items.to_pandas()):
        with pytest.raises(DataError, match=r"item ids are text or whole.*lost digits"):
            read(likes, items=table, item_name="name", **WANTED)


# Ids that are texts of another class.


class Kind(str, enum.Enum):  # noqa: UP042 - the older form is what is tried
    SONG = "song"
    FILM = "film"


class Modern(enum.StrEnum):
    SONG = "song"


class Number(int, enum.Enum):
    SEVEN = 7


@pytest.mark.parametrize("one", [Kind.SONG, Modern.SONG, np.str_("song")])
def test_members_of_an_enum_are_their_text(one):
    frame = pd.DataFrame({"user": pd.Series([one, "song"], dtype=object), "item": ["x", "y"]})
    assert list(read(frame, **WANTED)[0].users) == ["song"]
    likes = Interactions.from_columns([one, "song", "ann"], [Kind.FILM, "x", "film"])
    assert list(likes.users) == ["ann", "song"]
    assert list(likes.items) == ["film", "x"]
    assert all(type(text) is str for text in (*likes.users, *likes.items))


def test_models_answer_for_members_of_an_enum():
    likes = Interactions.from_columns(["song", "song", "ann", "ann"], ["film", "x", "film", "y"])
    model = fit(likes, ALSConfig(factors=2, iterations=2))
    assert recommend(model, [Kind.SONG], k=1)["user"].tolist() == ["song"]
    assert recommend(model, Kind.SONG, k=1)["item"].tolist() == ["y"]
    assert similar(model, Kind.FILM, k=1, min_count=1)["item"].tolist() == ["film"]
    found = recommend_for_likes(model, {Kind.FILM: 1}, k=1, deny=[np.str_("x")])
    assert found["item"].tolist() == ["y"]


def test_other_objects_are_numbers_or_refused():
    numbers = pd.Series([Number.SEVEN, 7], dtype=object)
    assert list(read(pd.DataFrame({"user": numbers, "item": ["x", "y"]}), **WANTED)[0].users) == [7]
    raw = pd.DataFrame({"user": [b"a"], "item": ["x"]})
    with pytest.raises(
        DataError, match=r"of type bytes\. Turn the bytes into text first, by decoding them"
    ):
        read(raw, **WANTED)
    plain = enum.Enum("plain", {"A": "a"})
    with pytest.raises(DataError, match="Turn the column into the values of its members first"):
        read(pd.DataFrame({"user": pd.Series([plain.A], dtype=object), "item": ["x"]}), **WANTED)


# What was read, and may have been meant otherwise.


class Listening(Observer):
    def __init__(self):
        self.warnings = []

    def warn(self, danger):
        self.warnings.append(danger)


NOTHING = [
    "nan",
    "NaN",
    "NULL",
    "null",
    "None",
    "\\N",
    "NA",
    "N/A",
    "undefined",
    "-",
    "nil",
    "<NA>",
]


@pytest.mark.parametrize("text", NOTHING)
@pytest.mark.parametrize("side", ["user", "item"])
def test_ids_that_look_like_nothing_are_named_with_their_share(text, side, tmp_path):
    path, heard = tmp_path / "likes.csv", Listening()
    other = "item" if side == "user" else "user"
    rows = [f"{text},a", f"{text},b", "c,a", "d,b", "d,a"]
    path.write_text("\n".join([f"{side},{other}", *rows]) + "\n")
    _, report = read(path, observer=heard, **WANTED)
    [warning] = report.warnings
    assert heard.warnings == [warning]
    whose = {"user": "a user", "item": "an item"}[side]
    assert f"column '{side}': {whose} is called {text!r} in 2 of 5 rows (40.0 %)" in warning
    assert warning in dict(report.facts())["warning"]
    # Follow it: empty the cells.
    path.write_text(path.read_text().replace(f"\n{text},", "\n,"))
    _, report = read(path, missing_id="drop", **WANTED)
    assert (report.missing, report.warnings) == (2, ())


def test_several_such_ids_are_counted_and_ordinary_ids_are_not(tmp_path):
    users = pd.Series([np.nan, None, "nan", "NULL", "NULL", "Nanny"]).astype(str)
    frame = pd.DataFrame({"user": users, "item": list("uvwxyz")})
    [warning] = read(frame, missing_id="drop", **WANTED)[1].warnings
    assert "'NULL' in 2 of" in warning
    assert "Nanny" not in warning


def test_most_rows_dropped_as_duplicates_is_said(tmp_path):
    path = tmp_path / "plays.csv"
    path.write_text("user,item\n" + "ann,m1\n" * 49 + "bob,m1\n")
    found, report = read(path, **WANTED)
    [warning] = report.warnings
    assert warning.startswith("48 of 50 rows (96.0 %) are equal to an earlier one in every column")
    assert "duplicates='keep'" in warning
    found, report = read(path, duplicates="keep", **WANTED)
    assert found.user_items.toarray().tolist() == [[49], [1]]
    assert report.warnings == ()
    path.write_text("user,item\nann,m1\nann,m1\nbob,m1\n")
    assert read(path, **WANTED)[1].warnings == ()
