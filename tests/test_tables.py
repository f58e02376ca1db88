"""Tables: what they hold, how they print, and into what they turn."""

import numpy as np
import pytest

from alsolike.errors import SettingError
from alsolike.tables import Table, fixed, harmless


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


BOARD = Table(
    {
        "rank": [1, 2, 3],
        "run": [12, 7, None],
        "model": ["als", "als", "item-knn (cosine, 100, 0.2)"],
        "factors": [64, 32, None],
        "regularization": [30.0, 10.0, None],
        "score": [0.141, 0.1404, 0.127],
        "state": ["done", "done", "done"],
    }
)
LEAST = ("state", "regularization", "factors", "run")


def named_as_missing(text: str) -> list[str]:
    """Return what the last line says is not shown."""
    said = " ".join(text.split("Not shown: ", 1)[1].split())
    return said.split(";")[0].split(", ") if said else []


@pytest.mark.parametrize("width", range(46, 120))
def test_a_table_fits_its_width_and_names_the_columns_that_it_lacks(width: int) -> None:
    text = BOARD.fitted(width, least=LEAST, whole="all.csv")
    assert max(map(len, text.splitlines())) <= width
    head = text.splitlines()[0].split()
    missing = [name for name in BOARD.column_names if name not in head]
    assert missing == ([] if "Not shown" not in text else named_as_missing(text))
    # The least important go first.
    assert set(missing) == set(LEAST[: len(missing)])
    assert text.splitlines()[1].split()[0] == "1"  # a row is a line
    assert not missing or "all.csv has" in " ".join(text.split())


def test_no_column_is_left_out_where_there_is_room() -> None:
    text = BOARD.fitted(200, least=LEAST)
    assert text.splitlines()[0].split() == list(BOARD.column_names)
    assert len(text.splitlines()) == 4


def test_where_the_columns_that_must_stay_are_too_wide_a_row_becomes_a_block() -> None:
    text = BOARD.fitted(40, least=LEAST)
    assert "model  item-knn (cosine, 100, 0.2)" in text
    assert max(map(len, text.splitlines())) <= 40
    assert named_as_missing(text) == ["run", "factors", "regularization", "state"]


def test_an_id_is_whole_however_narrow_the_terminal_is() -> None:
    ids = ["https://shop.example/item/" + "0" * 20, "b"]
    text = Table({"item": ids, "score": [0.5, 0.25]}).fitted(20, least=["score"])
    assert ids[0] in text


def test_a_cell_that_is_cut_is_said_to_be() -> None:
    text = Table({"item": ["x" * 61, "y"], "score": [0.5, 0.25]}).fitted(100)
    assert "x" * 59 + "…" in text
    assert text.endswith("Cut at 60 characters (…): item.")
    assert "Cut" not in Table({"item": ["x" * 60, "y"]}).fitted(100)


def test_what_all_rows_have_is_said_once_and_one_row_keeps_its_columns() -> None:
    text = BOARD.fitted(100, same=["state", "factors"])
    assert text.startswith("The same in all rows: state done.\nrank  run")
    assert "factors" in text.splitlines()[1]
    one = Table({"rank": [1], "state": ["done"]}).fitted(100, same=["state"])
    assert one == "rank  state\n   1  done"


def test_wide_letters_take_two_columns() -> None:
    text = Table({"item": ["日本語", "ab"], "score": [1, 2]}).fitted(13)
    assert text.splitlines() == ["item    score", "日本語      1", "ab          2"]


def test_a_table_without_rows_or_columns_fits_too() -> None:
    assert Table({"item": [], "score": []}).fitted(5, least=["score"]).splitlines()[0] == "item"
    assert Table({}).fitted(80) == ""


@pytest.mark.parametrize("value", [-0.0, 0.0, -1e-300, -4e-5, 4e-5, -0.00705, 0.5, -1234.5])
@pytest.mark.parametrize("decimals", [1, 4])
def test_a_number_has_a_sign_only_where_it_is_below_zero_and_more_digits_than_zero(
    value: float, decimals: int
) -> None:
    text = fixed(value, decimals)
    assert text.startswith("-") == (value < 0)
    assert (float(text) == 0) == (value == 0)


def test_a_table_has_no_negative_zero() -> None:
    assert "-0" not in str(Table({"difference": [-0.0, 0.5]}))


def test_blocks_have_room_for_columns_that_a_line_has_not() -> None:
    table = Table({"item": ["x" * 30, "y" * 30], "rank": [1, 2], "score": [0.5, 0.25]})
    least = ("rank", "score")
    assert "Not shown: rank, score" in " ".join(table.fitted(20, least=least).split())
    blocks = table.fitted(20, least=least, in_blocks=least).splitlines()
    assert blocks[1:3] == ["rank   1", "score  0.50"]
    assert blocks[4:] == ["rank   2", "score  0.25"]
    assert table.fitted(40, least=least, in_blocks=least) == table.fitted(40, least=least)
