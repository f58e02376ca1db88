"""Tables: what they hold, how they print, and into what they turn."""

import numpy as np
import pytest

from alsolike.errors import SettingError
from alsolike.tables import Table, harmless


def test_columns_keep_their_numbers_and_gaps_become_none() -> None:
    table = Table({"n": np.arange(2, dtype=np.int32), "s": ["a", None], "x": [1.5, None]})
    assert table["n"].dtype == np.int32
    assert list(table.rows()) == [{"n": 0, "s": "a", "x": 1.5}, {"n": 1, "s": None, "x": None}]
    assert "n" in table
    assert "m" not in table
    assert repr(table) == "Table(2 rows: n, s, x)"


def test_columns_cannot_be_written_to() -> None:
    numbers = np.arange(3)
    table = Table({"n": numbers})
    with pytest.raises(ValueError, match="read-only"):
        table["n"][0] = 7
    numbers[0] = 7  # the caller's own array stays the caller's


def test_columns_of_unequal_length_are_an_error() -> None:
    with pytest.raises(SettingError, match="equally long"):
        Table({"a": [1], "b": [1, 2]})


def test_rows_that_lack_a_key_have_a_gap_there() -> None:
    table = Table.from_rows([{"a": 1}, {"b": "x"}])
    assert table.column_names == ("a", "b")
    assert table["a"].tolist() == [1, None]


def test_a_table_without_rows_prints_its_head() -> None:
    assert str(Table({"item": [], "score": []})).splitlines()[1] == "| item | score |"
    assert len(Table({})) == 0


@pytest.mark.parametrize(
    ("numbers", "shown"),
    [
        ([0.5, 1.0], ["0.5", "1.0"]),
        ([0.12345, 2.0], ["0.1235", "2.0000"]),
        ([0.000123456, 0.0], ["0.000123", "0.0000000"]),
        ([float("nan"), float("inf")], ["nan", "inf"]),
        ([1e9, -2.5e-7], ["1e+09", "-2.5e-07"]),
    ],
)
def test_floats_show_the_decimals_that_say_something(
    numbers: list[float], shown: list[str]
) -> None:
    lines = str(Table({"x": numbers})).splitlines()[3:-1]
    assert [line.strip("| ") for line in lines] == shown


HOSTILE = [
    "\x1b[31mred\x1b]0;title\x07",
    "two\nlines\r",
    "\u202eturned",
    "\x9b2J",
    "a\u2028b",
    "\ud800",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_acts_on_the_terminal(name: str) -> None:
    printed = str(Table({name: [1], "item": [name]}))
    assert len(printed.split("\n")) == 5
    assert not any(letter in printed for letter in "\x1b\r\x07\x9b\u202e\u2028\ud800")
    assert printed.replace("\n", "").isprintable()


def test_harmless_keeps_what_it_is_told_to_and_all_honest_writing() -> None:
    assert harmless("a\nb\tc", keep="\n") == "a\nb\\tc"
    honest = "Björk العربية 日本語 👩\u200d👩\u200d👧 e\u0301"
    assert harmless(honest) == honest


def test_wide_letters_and_accents_keep_the_columns_straight() -> None:
    lines = str(Table({"name": ["日本語", "e\u0301te\u0301", "plain"]})).splitlines()
    assert lines[3:6] == ["| 日本語 |", "| e\u0301te\u0301    |", "| plain  |"]


def test_a_very_long_name_is_cut_for_people_and_nowhere_else() -> None:
    table = Table({"name": ["x" * 5000]})
    assert max(map(len, str(table).splitlines())) < 250
    assert "…" in str(table)
    assert table["name"][0] == "x" * 5000


def test_html_is_escaped_and_says_how_many_rows_it_leaves_out() -> None:
    page = Table({"<b>": ["<script>alert(1)</script>"] * 25})._repr_html_()
    assert "<script" not in page
    assert "&lt;b&gt;" in page
    assert "and 5 more rows" in page


TABLE = Table(
    {
        "item": ["a", "ü"],
        "rank": np.array([1, 2], dtype=np.int32),
        "score": np.array([0.1, 0.2], dtype=np.float32),
        "name": ["x", None],
    }
)


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_other_libraries_get_the_same_cells_and_dtypes(library: str) -> None:
    pytest.importorskip(library)
    if library == "pandas":
        frame = TABLE.to_pandas()
        assert [str(kind) for kind in frame.dtypes[["rank", "score"]]] == ["int32", "float32"]
        assert frame["item"].tolist() == ["a", "ü"]
        frame.loc[0, "rank"] = 9  # a frame of one's own
        assert TABLE["rank"][0] == 1
    elif library == "polars":
        frame = TABLE.to_polars()
        assert [str(kind) for kind in frame.dtypes] == ["String", "Int32", "Float32", "String"]
        assert frame["name"].to_list() == ["x", None]
    else:
        frame = TABLE.to_arrow()
        assert [str(kind) for kind in frame.schema.types] == ["string", "int32", "float", "string"]
        assert frame["name"].to_pylist() == ["x", None]
