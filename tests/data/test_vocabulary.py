"""Ids and rows: `StringArray` and `Vocabulary`, whatever alphabet the ids are of."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alsolike.data.string_array import StringArray
from alsolike.data.vocabulary import Vocabulary
from alsolike.errors import DataError, UnknownId

WORDS = st.lists(st.text(alphabet=st.characters(codec="utf-8"), max_size=6), max_size=12)


@given(WORDS)
def test_texts_give_back_what_was_packed(words: list[str]) -> None:
    texts = StringArray.pack(words)
    assert list(texts) == texts.to_list() == texts.to_array().tolist() == words
    assert [texts[i] for i in range(-len(words), 0)] == words
    assert texts[1:3] == words[1:3]
    assert texts == StringArray.pack(words)
    assert list(texts.take(np.arange(len(words))[::-1])) == words[::-1]


def test_texts_end_where_they_end() -> None:
    texts = StringArray.pack(["a"])
    for beyond in (1, -2):
        with pytest.raises(IndexError):
            texts[beyond]
    assert texts != StringArray.pack(["b"])
    assert texts != ["a"]


@given(WORDS)
def test_every_id_finds_its_row_and_every_row_its_id(words: list[str]) -> None:
    ids = Vocabulary.of(words, kind="item")
    assert list(ids) == sorted(set(words), key=lambda word: word.encode())
    assert [ids.index_of(word) for word in ids] == list(range(len(ids)))
    assert ids.indices_of(ids).tolist() == ids.places_of(ids).tolist() == list(range(len(ids)))
    assert ids.checked() is ids
    assert ids.ids_of(np.arange(len(ids))).tolist() == list(ids)
    assert all(word in ids for word in words)


def test_42_and_0042_and_the_many_ways_to_write_one_name_stay_apart() -> None:
    words = ["42", "0042", "42 ", "é", "e\u0301", "É", "", "\x00"]
    assert len(Vocabulary.of(words, kind="user")) == len(words)


def test_an_unknown_id_is_named_with_its_kind() -> None:
    ids = Vocabulary.of(["a", "b"], kind="item")
    assert ids.find("c") is None
    assert ids.find("\ud800") is None
    assert 3 not in ids
    with pytest.raises(UnknownId, match="item 'c' is not among the 2 items"):
        ids.index_of("c")
    with pytest.raises(UnknownId, match="item 'c' is not among"):
        ids.indices_of(["a", "c"])
    assert ids.places_of(["c", "b"]).tolist() == [-1, 1]


@pytest.mark.parametrize("wrong", [["b", "a"], ["a", "a"]])
def test_ids_out_of_order_are_found_out(wrong: list[str]) -> None:
    with pytest.raises(DataError, match="distinct and sorted"):
        Vocabulary(StringArray.pack(wrong), kind="user").checked()


@pytest.mark.parametrize(
    ("ids", "match"),
    [
        (["a", 1], r"text or whole numbers, not both: 'a' \(row 1\) is text, 1 \(row 2\) a number"),
        ([1, True], r"True is of type bool \(row 2\). Turn it into text"),
        ([1.0], r"1.0 is of type float \(row 1\). Pass 1"),
        ([None], r"None is of type NoneType \(row 1\). Leave such rows out"),
        ([b"a"], "type bytes"),
        (["a\ud800"], "half a character"),
    ],
)
def test_what_is_no_text_is_no_id(ids: list[object], match: str) -> None:
    with pytest.raises(DataError, match=match):
        Vocabulary.of(ids, kind="user")  # type: ignore[arg-type]


def test_parts_and_unions_keep_order_and_kind() -> None:
    ids = Vocabulary.of("cab", kind="user")
    assert list(ids.subset([0, 2])) == ["a", "c"]
    union = ids.union(Vocabulary.of("zb", kind="user"))
    assert list(union) == ["a", "b", "c", "z"]
    assert union.kind == "user"
    assert ids != union
    assert ids != ["a", "b", "c"]
    assert repr(union) == "Vocabulary(4 users)"


def test_few_ids_are_found_without_a_dictionary_of_all() -> None:
    ids = Vocabulary.of((f"é{number}" for number in range(3000)), kind="item")
    few = ["é7", "é2999", "é0"]
    assert ids.ids_of(ids.indices_of(few)).tolist() == few
    assert ids.places_of(["é7", "e7"]).tolist() == [ids.find("é7"), -1]
    with pytest.raises(UnknownId, match="item 'e7'"):
        ids.indices_of([*few, "e7"])
    assert "_rows" not in vars(ids)
    many = list(ids)[::2]
    assert ids.indices_of(many).tolist() == list(range(0, 3000, 2))
    assert "_rows" in vars(ids)
    assert ids.places_of(["é7", "e7"]).tolist() == [ids.find("é7"), -1]


WHOLE = st.one_of(
    st.lists(st.integers(-(2**63), 2**63 - 1), max_size=40),
    st.lists(st.integers(0, 2**64 - 1), max_size=40),
)


@given(WHOLE)
def test_whole_numbers_go_in_and_come_out_as_numbers(numbers: list[int]) -> None:
    ids, texts = (Vocabulary.of(map(kind, numbers), kind="item") for kind in (int, str))
    assert ids == texts  # the same bytes, in the same order
    assert list(map(str, ids)) == list(texts)
    found = ids.ids_of(np.arange(len(ids)))
    assert found.tolist() == list(ids) == [ids.id_of(row) for row in range(len(ids))]
    kinds = ("text",) if not numbers else ("int64", "uint64")
    assert found.dtype == (object if not numbers else ids.id_type)
    assert ids.id_type in kinds
    if numbers:
        assert ids.indices_of(numbers).tolist() == ids.indices_of(map(str, numbers)).tolist()
        assert ids.union(texts).id_type == ids.subset([0]).id_type == ids.id_type
        assert texts.union(ids).id_type == "text"


def test_a_text_is_a_whole_number_only_by_its_digits() -> None:
    ids = Vocabulary.of([154, 7, -3], kind="item")
    assert [ids.find(one) for one in (154, "154", np.int32(154), -3, "-3")] == [1, 1, 1, 0, 0]
    for odd in ("0154", "154.0", " 154", "+154", "154x", "", True, 154.0, "²", 2**70):
        assert ids.find(odd) is None  # type: ignore[arg-type]
        assert ids.misfit(odd)  # type: ignore[arg-type]
    with pytest.raises(UnknownId, match=r"ids of items are whole numbers; '154x' is not one\.$"):
        ids.index_of("154x")
    with pytest.raises(UnknownId, match=r"'0154' is not one\. Did you mean 154\?"):
        ids.indices_of(["7", "0154"])
    with pytest.raises(UnknownId, match=r"item 155 is not among the 3 items here\. Did .* 154"):
        ids.index_of("155")
    with pytest.raises(UnknownId, match=r"ids of users are text here, not numbers\. Pass '7'"):
        Vocabulary.of(["7"], kind="user").index_of(7)
    with pytest.raises(DataError, match="ids of items are whole numbers; 'x' is not one"):
        ids.union(Vocabulary.of(["154", "x"], kind="item"))
    with pytest.raises(DataError, match=r"from -3 to 18446744073709551615, which no type"):
        ids.union(Vocabulary.of([2**64 - 1], kind="item"))
