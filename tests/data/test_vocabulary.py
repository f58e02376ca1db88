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
        (["a", 1], r"1 is of type int \(row 2\). Pass '1'"),
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
