"""Interactions beside interactions: joined, laid over a model's ids, laid out as rows."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from alsolike.data.catalogue import Catalogue
from alsolike.data.interactions import Interactions
from alsolike.data.merge import aligned, joined, to_table
from alsolike.data.string_array import StringArray
from alsolike.data.vocabulary import Vocabulary
from alsolike.progress import Observer

# Drawn tables are often equal, of which `joined` warns.
pytestmark = pytest.mark.filterwarnings("ignore:.*are already in the model:UserWarning")

PAIRS = st.dictionaries(
    st.tuples(st.sampled_from("abcd"), st.sampled_from("wxyz")), st.integers(-3, 9).filter(bool)
)


def likes_of(
    pairs: dict[tuple[str, str], float],
    times: dict[tuple[str, str], float] | None = None,
    names: dict[str, str] | None = None,
) -> Interactions:
    users = Vocabulary.of([user for user, _ in pairs], kind="user")
    items = Vocabulary.of([item for _, item in pairs], kind="item")
    dense = np.zeros((len(users), len(items)), dtype=np.float32)
    clock = np.zeros(dense.shape)
    for (user, item), value in pairs.items():
        dense[users.index_of(user), items.index_of(item)] = value
        clock[users.index_of(user), items.index_of(item)] = (times or {}).get((user, item), 0)
    matrix = sp.csr_array(dense)
    cells = matrix.tocoo()
    catalogue = names and Catalogue(
        len(items), names=StringArray.pack(names.get(item, "") for item in items)
    )
    return Interactions(
        matrix, users, items, None if times is None else clock[cells.row, cells.col],
        catalogue or None,
    )  # fmt: skip


def pairs_of(likes: Interactions) -> dict[tuple[str, str], float]:
    rows = to_table(likes).rows()
    return {(row["user"], row["item"]): row["value"] for row in rows}


@given(PAIRS, PAIRS)
def test_joined_is_the_sum_over_all_ids_and_pairs(
    before: dict[tuple[str, str], float], newer: dict[tuple[str, str], float]
) -> None:
    whole = joined(likes_of(before), likes_of(newer))
    sums = {pair: before.get(pair, 0) + newer.get(pair, 0) for pair in {*before, *newer}}
    assert pairs_of(whole) == {pair: value for pair, value in sums.items() if value}
    assert set(whole.users) == {user for user, _ in sums}
    assert set(whole.items) == {item for _, item in sums}


@given(PAIRS, PAIRS)
def test_the_later_time_of_a_pair_stands(
    before: dict[tuple[str, str], float], newer: dict[tuple[str, str], float]
) -> None:
    times = {pair: float(at) for at, pair in enumerate(before)}
    later = {pair: float(at) + 5 for at, pair in enumerate(newer)}
    whole = joined(likes_of(before, times), likes_of(newer, later))
    assert whole.timestamps is not None
    found = {(row["user"], row["item"]): row["timestamp"] for row in to_table(whole).rows()}
    assert found == {pair: max(times.get(pair, -1), later.get(pair, -1)) for pair in found}


def test_times_are_kept_where_both_have_them() -> None:
    timed, untimed = likes_of({("a", "x"): 1}, {("a", "x"): 3.0}), likes_of({("a", "y"): 1})
    assert joined(timed, untimed).timestamps is None
    assert joined(untimed, timed).timestamps is None


def test_what_is_newly_known_of_an_item_stands_before_what_was_known() -> None:
    before = likes_of({("a", "x"): 1, ("a", "y"): 1}, names={"x": "Old", "y": "Kept"})
    newer = likes_of({("a", "x"): 1, ("b", "z"): 1, ("b", "y"): 1}, names={"x": "New"})
    for whole in (joined(before, newer), joined(before, likes_of({("b", "z"): 1}))):
        assert whole.catalogue is not None
        assert list(whole.items) == ["x", "y", "z"]
    assert [joined(before, newer).catalogue.name_of(row) for row in range(3)] == ["New", "Kept", ""]
    assert joined(likes_of({("a", "x"): 1}), likes_of({("a", "x"): 1})).catalogue is None


@given(PAIRS, PAIRS)
def test_aligned_counts_what_it_leaves_out(
    known: dict[tuple[str, str], float], asked: dict[tuple[str, str], float]
) -> None:
    model = likes_of(known)
    laid, left_out = aligned(likes_of(asked), model.users, model.items)
    assert laid.users == model.users
    assert laid.items == model.items
    inside = {
        (user, item): value
        for (user, item), value in asked.items()
        if user in model.users and item in model.items
    }
    assert pairs_of(laid) == inside
    assert left_out == len(asked) - len(inside)


def test_a_table_of_interactions_gives_them_back() -> None:
    likes = likes_of({("a", "x"): 0.1, ("b", "0042"): 7})
    table = to_table(likes)
    again = Interactions.from_columns(table["user"], table["item"], table["value"])
    assert again.fingerprint == likes.fingerprint
    assert table.column_names == ("user", "item", "value")


@pytest.mark.parametrize("empty_first", [True, False])
def test_nothing_joins_anything(empty_first: bool) -> None:
    some, nothing = likes_of({("a", "x"): 2}), Interactions.from_columns([], [])
    whole = joined(nothing, some) if empty_first else joined(some, nothing)
    assert whole.fingerprint == some.fingerprint


class Listening(Observer):
    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warn(self, danger: str) -> None:
        self.warnings.append(danger)


def test_likes_that_are_added_twice_are_said() -> None:
    old = {("a", "x"): 2.0, ("b", "y"): 1.0}
    new = {("c", "x"): 1.0, ("c", "y"): 3.0, ("d", "z"): 1.0}
    heard = Listening()
    once = joined(likes_of(old), likes_of(new), observer=heard)
    assert heard.warnings == []
    twice = joined(once, likes_of(new), observer=heard)
    [warning] = heard.warnings
    assert (
        "3 of the 3 new pairs (100.0 %) are already in the model, with the same value:" in warning
    )
    joined(twice, likes_of(new), observer=heard)
    assert "are already in the model, with 2 times the value:" in heard.warnings[1]
    with pytest.warns(
        UserWarning, match=r"2 of the 3 new pairs \(66\.7 %\) are already in the model"
    ):
        joined(once, likes_of({("c", "x"): 1, ("c", "y"): 3, ("e", "x"): 1}))


def test_likes_that_recur_are_not_taken_for_added_twice() -> None:
    heard = Listening()
    before = {("a", "x"): 2.0, ("b", "y"): 1.0, ("c", "z"): 5.0}
    for newer in (
        {("a", "x"): 1.0, ("b", "y"): 4.0, ("c", "z"): 1.0},
        {("a", "x"): 2.0, ("d", "x"): 1.0},
        {("d", "w"): 1.0},
    ):
        joined(likes_of(before), likes_of(newer), observer=heard)
    # The same values at other times are other events.
    times, later = dict.fromkeys(before, 100.0), dict.fromkeys(before, 200.0)
    joined(likes_of(before, times), likes_of(before, later), observer=heard)
    assert heard.warnings == []
    joined(likes_of(before, times), likes_of(before, times), observer=heard)
    assert "with the same value and the same time:" in heard.warnings[0]
