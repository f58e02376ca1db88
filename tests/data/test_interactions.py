"""The one currency: what it refuses, and that its parts stay together. The catalogue beside it."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from alsolike.data.catalogue import Catalogue
from alsolike.data.interactions import Interactions, canonical
from alsolike.data.string_array import StringArray
from alsolike.data.vocabulary import Vocabulary
from alsolike.errors import DataError

ROWS = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from("xyz"), st.integers(1, 9)), max_size=20
)


def three() -> Interactions:
    matrix = sp.csr_array(np.float32([[1, 0, 2], [0, 3, 0]]))
    catalogue = Catalogue(
        3, names=StringArray.pack(["X", "Y", "Z"]), more={"year": StringArray.pack("123")}
    )
    return Interactions(
        matrix,
        Vocabulary.of(["a", "b"], kind="user"),
        Vocabulary.of(["x", "y", "z"], kind="item"),
        np.array([10.0, 20.0, 30.0]),
        catalogue,
    )


@given(ROWS)
def test_columns_become_the_sums_of_their_pairs_in_any_order(
    rows: list[tuple[str, str, int]],
) -> None:
    sums: dict[tuple[str, str], int] = {}
    for user, item, value in rows:
        sums[user, item] = sums.get((user, item), 0) + value
    columns = ([row[at] for row in rows] for at in range(3))
    likes = Interactions.from_columns(*columns)
    cells = likes.user_items.tocoo()
    users, items = likes.users.ids_of(cells.row), likes.items.ids_of(cells.col)
    assert dict(zip(zip(users, items, strict=True), cells.data, strict=True)) == sums
    turned = Interactions.from_columns(*([row[at] for row in rows[::-1]] for at in range(3)))
    assert turned.fingerprint == likes.fingerprint
    assert (likes.item_users.toarray() == likes.user_items.toarray().T).all()
    assert likes.user_counts.sum() == likes.item_counts.sum() == likes.n_interactions == len(sums)


def test_many_small_values_are_summed_before_they_are_rounded() -> None:
    likes = Interactions.from_columns(["u"] * 10_001, ["i"] * 10_001, [2.0**24] + [0.5] * 10_000)
    assert likes.user_items.data.tolist() == [2**24 + 5000]


def test_a_matrix_is_sorted_by_its_ids() -> None:
    likes = Interactions.from_matrix(np.eye(3), users=["c", "a", "b"])
    assert likes.users.ids.to_list() == ["a", "b", "c"]
    assert likes.user_items.toarray().tolist() == [[0, 1, 0], [0, 0, 1], [1, 0, 0]]
    assert list(Interactions.from_matrix(np.eye(11)).items)[:3] == [0, 1, 10]


@pytest.mark.parametrize("value", [0.0, float("nan"), float("inf"), 1e39, 1e-60])
def test_a_value_that_says_nothing_is_refused_by_name(value: float) -> None:
    with pytest.raises(DataError, match=r"1 of 2 are not, .* of user 'b' and item 'y'"):
        Interactions.from_columns("ab", "xy", [1.0, value])


@pytest.mark.parametrize(
    ("columns", "match"),
    [
        ((["a"], ["x", "y"]), "1 users but 2 items"),
        ((["a"], ["x"], [1, 2]), r"Values of shape \(2,\) for 1 users"),
        (([1.0], ["x"]), "user ids are text or whole numbers; 1.0 is of type float"),
        ((["a", "b"], [7, "x"]), r"item ids .* not both: 'x' \(row 2\) is text, 7 \(row 1\) a"),
        ((["a"], [2**64]), "item.* no type of 64 bits"),
    ],
)
def test_columns_that_do_not_fit_are_refused(columns: tuple[list[object], ...], match: str) -> None:
    with pytest.raises(DataError, match=match):
        Interactions.from_columns(*columns)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("ids", "match"),
    [
        (["a"], "1 user ids for 2 users"),
        (["a", "a"], "distinct"),
        (["a", 7], r"not both: 'a' \(row 1\) is text, 7 \(row 2\) a number"),
        ([7, 7], "distinct"),
    ],
)
def test_ids_that_do_not_fit_a_matrix_are_refused(ids: list[str], match: str) -> None:
    with pytest.raises(DataError, match=match):
        Interactions.from_matrix(np.eye(2), users=ids)


def test_parts_that_do_not_fit_each_other_are_refused() -> None:
    good = three()
    matrix, users, items = good.user_items, good.users, good.items
    for parts, match in [
        ((matrix.T.tocsr(), users, items), "wrong way round"),
        ((matrix.astype(np.float64), users, items), "float32"),
        ((matrix, users, items, np.zeros(2)), "2 timestamps for 3"),
        ((matrix, users, items, None, Catalogue(2)), "catalogue has 2 rows"),
    ]:
        with pytest.raises(DataError, match=match):
            Interactions(*parts)
    twice = sp.csr_array((np.ones(2, np.float32), [0, 0], [0, 2, 2]), shape=(2, 3))
    with pytest.raises(DataError, match="only once"):
        Interactions(twice, users, items)
    with pytest.raises(DataError, match="column 'name' has 1 rows for 2 items"):
        Catalogue(2, names=StringArray.pack(["one"]))


def test_what_is_kept_keeps_its_time_and_its_name() -> None:
    likes = three()
    kept = likes.keep(np.array([False, True, True]))
    assert kept.user_items.toarray().tolist() == [[0, 0, 2], [0, 3, 0]]
    assert kept.timestamps is not None
    assert kept.timestamps.tolist() == [20, 30]
    part = likes.subset(np.array([0]), np.array([0, 2]))
    assert part.user_items.toarray().tolist() == [[1, 2]]
    assert list(part.users) == ["a"]
    assert list(part.items) == ["x", "z"]
    assert part.timestamps is not None
    assert part.timestamps.tolist() == [10, 20]
    assert part.catalogue is not None
    assert list(part.catalogue.columns()) == ["name", "year"]
    assert [part.catalogue.name_of(row) for row in range(2)] == ["X", "Z"]
    assert list(part.catalogue.more["year"]) == ["1", "3"]


def test_a_fingerprint_tells_ids_values_and_times_apart() -> None:
    likes = three()
    others = [
        Interactions(likes.user_items, likes.users, likes.items),
        Interactions(likes.user_items * np.float32(2), likes.users, likes.items, likes.timestamps),
        Interactions(
            likes.user_items, Vocabulary.of("ac", kind="user"), likes.items, likes.timestamps
        ),
    ]
    prints = {one.fingerprint for one in [likes, three(), *others]}
    assert len(prints) == 4


def test_nobody_and_nothing_is_an_empty_table() -> None:
    empty = Interactions.from_columns([], [])
    assert (empty.n_users, empty.n_items, empty.n_interactions, empty.density) == (0, 0, 0, 0.0)
    assert "0 interactions" in empty._repr_html_()


def test_canonical_leaves_the_callers_matrix_as_it_is() -> None:
    matrix = sp.csr_array((np.ones(3), [2, 0, 2], [0, 3]), shape=(1, 3))
    turned = canonical(matrix)
    assert turned.toarray().tolist() == [[1, 0, 2]]
    assert turned.has_canonical_format
    assert turned.indices.dtype == turned.indptr.dtype == np.int32
    assert matrix.indices.tolist() == [2, 0, 2]


@pytest.mark.parametrize(
    ("users", "values", "message"),
    [
        (["a", None], None, r"None is of type NoneType \(row 2\). Leave such rows out"),
        (["a", ["b"]], None, r"is of type list \(row 2\)"),
        (["a", ""], None, r"user id '' \(row 2\) is empty or blank"),
        (["a", "b\0"], None, r"\(row 2\) holds a NUL"),
        (["a", "b"], [1, "x"], "Values must be numbers"),
        (["a", "b"], [1j, 1], "Values must be numbers, but row 1 holds 1j"),
    ],
)
def test_odd_cells_of_columns_are_named(users, values, message):
    with pytest.raises(DataError, match=message):
        Interactions.from_columns(users, ["x", "y"], values)


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        ([[1, 2]], r"not list. Make one of it: scipy\.sparse\.csr_array"),
        (np.ones(3), "1-dimensional"),
        (sp.csr_array(np.eye(2) * 1j), "real numbers expected"),
    ],
)
def test_what_is_no_matrix_is_refused(matrix, message):
    with pytest.raises(DataError, match=message):
        Interactions.from_matrix(matrix)
