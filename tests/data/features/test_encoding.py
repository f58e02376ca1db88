"""Encoding of columns as features, and of further rows exactly as those before."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alsolike.data.features.columns import Column
from alsolike.data.features.encode import encode, encode_known
from alsolike.data.features.features import Features
from alsolike.data.features.further import encode_rows
from alsolike.data.features.words import parts_of, words_of
from alsolike.errors import DataError


def column(name, kind, rows, cells, **more):
    return Column(name, kind, np.array(rows, dtype=np.int64), cells, **more)


def words_by_hand(texts, minimum, parts):
    """Count words, or parts of words, one by one: the oracle."""
    rows = []
    for text in texts:
        counts = {}
        for word in words_of(text):
            for one in parts_of(word) if parts else [word]:
                counts[one] = counts.get(one, 0) + 1
        rows.append(counts)
    every = sorted({one for counts in rows for one in counts})
    kept = [one for one in every if sum(one in counts for counts in rows) >= minimum]
    return kept, [[counts.get(one, 0) for one in kept] for counts in rows]


def test_words_and_parts_are_counted_as_by_hand() -> None:
    texts = ["Red castle, red BOAT", "castles in the air", "", "a boat: the 'Red Boat'"]
    found = encode([column("text", "text", [0, 1, 3], [texts[0], texts[1], texts[3]])], 4,
                   minimum=2)  # fmt: skip
    for place, parts in enumerate((False, True)):
        names, counts = words_by_hand(texts, 2, parts)
        assert list(found.features.blocks[place].names) == names
        cells = found.features.matrix[:, found.features.columns_of(place)].toarray()
        assert cells.tolist() == counts
    assert found.features.blocks[1].name == "text (parts)"
    assert found.features.has.tolist() == [True, True, False, True]


def test_numbers_are_standardized_and_far_ones_held() -> None:
    values = np.array([1.0, 2.0, 3.0, 2.0])
    [block] = encode(
        [column("price", "number", [0, 1, 3, 4], values)], 5, minimum=3
    ).features.blocks
    assert block.encoding == {"mean": 2.0, "deviation": pytest.approx(np.sqrt(0.5))}
    known = encode([column("price", "number", [0, 1, 3, 4], values)], 5, minimum=3).features
    dense = known.matrix.toarray().ravel()
    assert dense == pytest.approx((np.array([1, 2, 2, 3, 2]) - 2) / np.sqrt(0.5), abs=1e-6)
    # The mean is known, not missing: its zero is stored, and nothing is for the row without.
    assert known.has.tolist() == [True, True, False, True, True]
    more, _ = encode_rows(known, {"x": {"price": 1e300}, "y": {"price": None}})
    assert more.features.matrix.toarray().ravel().tolist() == [10.0, 0.0]
    assert more.features.has.tolist() == [True, False]


def test_dates_are_ages_at_the_last_moment_and_later_ones_are_said() -> None:
    day = 86_400.0
    found = encode(
        [column("out", "date", [0, 1, 2], np.array([0.0, 9 * day, 20 * day]))], 3,
        minimum=3, last=10 * day,
    )  # fmt: skip
    ages = np.log1p(np.array([10.0, 1.0, 0.0]))
    expected = (ages - ages.mean()) / ages.std()
    assert found.features.matrix.toarray().ravel() == pytest.approx(expected, abs=1e-6)
    assert "1 after the last like" in found.blocks[0].note
    more, _ = encode_rows(found.features, {"a": {"out": "1970-01-01"}, "b": {"out": 9 * day}})
    assert more.features.matrix.toarray().ravel() == pytest.approx(expected[:2], abs=1e-6)


def test_vectors_have_a_mean_squared_length_of_1() -> None:
    vectors = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32) + 5
    found = encode([column("picture", "vector", [0, 1, 2, 4, 5, 6], vectors)], 7, minimum=3)
    dense = found.features.matrix.toarray()[[0, 1, 2, 4, 5, 6]]
    assert dense.mean(axis=0) == pytest.approx(np.zeros(3), abs=1e-6)
    assert (dense**2).sum(axis=1).mean() == pytest.approx(1)
    more, _ = encode_rows(found.features, {"x": {"picture": vectors[2].tolist()}})
    assert more.features.matrix.toarray() == pytest.approx(dense[2:3], abs=1e-6)


def test_rare_words_and_empty_columns_are_left_out_and_counted() -> None:
    tags = column("tag", "set", [0, 0, 1, 1, 2], ["a", "b", "a", "b", "c"])
    same = column("size", "number", [0, 1], np.ones(2))
    found = encode([tags, same, column("note", "set", [], [])], 3, minimum=2)
    assert list(found.features.blocks[0].names) == ["a", "b"]
    assert found.blocks[0].dropped == 1
    assert found.left_out == ("size (the same in all rows)", "note (empty in all rows)")
    with pytest.raises(DataError, match=r"No feature is left: tag \(no word in 9 rows"):
        encode([tags], 3, minimum=9)


def test_values_of_words_are_summed() -> None:
    tags = column("tag", "set", [0, 0, 1], ["a", "a", "a"], weights=np.array([0.5, 2.0, 0.0]))
    found = encode([tags], 2, minimum=1)
    assert found.features.matrix.toarray().tolist() == [[2.5], [0.0]]


_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(_TEXT, max_size=3), min_size=1, max_size=6), st.sampled_from([1, 2]))
def test_training_rows_are_encoded_alike_a_second_time(rows, minimum) -> None:
    words = [one.strip() or "x" for some in rows for one in some]
    at = [row for row, some in enumerate(rows) for _ in some]
    texts = [" ".join(some) + " word" for some in rows]
    columns = [
        column("tag", "set", at, words),
        column("text", "text", range(len(rows)), texts),
        column("size", "bins", range(len(rows)), np.arange(len(rows)) / 3),
    ]
    try:
        known = encode(columns, len(rows), minimum=minimum).features
    except DataError:
        return
    again = encode_known(known, {one.name: one for one in columns}, len(rows))
    assert again.features.fingerprint == known.fingerprint
    ids = {f"i{row}": {"tag": [], "text": texts[row], "size": row / 3} for row in range(len(rows))}
    for row, word in zip(at, words, strict=True):
        ids[f"i{row}"]["tag"].append(word)
    kept = {block.name for block in known.blocks}
    ids = {
        one: {name: value for name, value in given.items() if name in kept}
        for one, given in ids.items()
    }
    one_by_one, _ = encode_rows(known, ids)
    assert one_by_one.features.fingerprint == known.fingerprint


KNOWN = encode(
    [
        column("tag", "set", [0, 1], ["a", "b"]),
        column("price", "number", [0, 1], np.array([1.0, 2.0])),
        column("out", "date", [0, 1], np.array([0.0, 1e9])),
        column("vector", "vector", [0, 1], np.eye(2, dtype=np.float32)),
    ],
    2,
    minimum=1,
).features


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ({"tga": ["a"]}, "item 'm1': no feature 'tga'; known are tag, price, out, vector. Did you"),
        ({"price": "dear"}, "item 'm1', feature 'price': a finite number expected, found 'dear'"),
        ({"price": float("nan")}, "feature 'price': a finite number expected, found 'nan'"),
        ({"price": True}, "feature 'price': a finite number expected, found 'True'"),
        ({"tag": [["a"]]}, "feature 'tag': a text or a list of texts expected"),
        ({"tag": ["\ud800"]}, "feature 'tag': a text or a list of texts expected"),
        ({"out": "yesterday"}, "feature 'out': an ISO date or seconds since 1970 expected"),
        ({"vector": [1.0]}, r"feature 'vector': a list of finite numbers expected \(2 of them\)"),
        ({"vector": [1.0, "x"]}, "feature 'vector': a list of finite numbers expected"),
        ("a", "item 'm1': names of features with values expected"),
    ],
)
def test_wrong_values_are_named(cells, message) -> None:
    with pytest.raises(DataError, match=message):
        encode_rows(KNOWN, {"m1": cells})


def test_unknown_words_are_counted_and_whole_numbers_are_words() -> None:
    table, report = encode_rows(KNOWN, {7: {"tag": ["a", "new", "newer"]}, 9: {"tag": "b"}})
    assert list(table.ids) == [7, 9]
    assert report.blocks[0].unknown == 2
    assert report.with_features == 2
    assert [block.note for block in report.blocks][1] == "not in the table"
    cited = Features.of_words("cites", [["7"], ["8"]])
    assert encode_rows(cited, {"m": {"cites": [7, 9]}})[1].blocks[0].unknown == 1
