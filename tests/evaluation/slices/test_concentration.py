import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from alsolike.data.interactions import Interactions
from alsolike.errors import DataError
from alsolike.evaluation.slices.concentration import concentration, gini

COUNTS = st.lists(st.integers(0, 40), min_size=2, max_size=30).filter(any)


@given(COUNTS)
def test_gini_is_half_the_mean_difference_of_two_items_over_their_mean(counts):
    """The definition, over all ordered pairs of two different items."""
    n = len(counts)
    differences = [abs(a - b) for a in counts for b in counts]
    expected = sum(differences) / (n * (n - 1)) / 2 / (sum(counts) / n)
    assert gini(counts) == pytest.approx(expected, abs=1e-12)
    assert gini(counts[::-1]) == gini(counts)
    assert 0 <= gini(counts) <= 1


def test_gini_at_its_ends():
    assert gini([7] * 1000) == 0.0
    assert gini([0] * 999 + [3]) == 1.0
    assert gini([5]) == 0.0


@pytest.mark.parametrize("counts", [[], [0, 0], [1, -1], [0.5, float("nan")]])
def test_counts_that_have_no_gini(counts):
    with pytest.raises(DataError, match="Gini"):
        gini(counts)


@given(st.integers(0, 10**6), st.integers(1, 250))
def test_equals_a_literal_count(seed, n_items):
    rng = np.random.default_rng(seed)
    shown = Interactions.from_matrix(sp.csr_array(rng.choice([-1.0, 0, 0, 1, 3], (6, n_items))))
    wanted = sp.csr_array((rng.random((4, n_items)) < 0.3).astype(float))
    if not wanted.nnz or not (shown.user_items.data > 0).any():
        return
    length = min(n_items, 5)
    lists = np.array([rng.permutation(n_items)[:length] for _ in range(4)], dtype=np.int32)
    lists[rng.random(lists.shape) < 0.2] = -1
    lists = -np.sort(-lists, axis=1)
    found = concentration(wanted, lists, shown)

    likes = (shown.user_items.toarray() > 0).sum(axis=0)
    filled = [item for row in lists.tolist() for item in row if item >= 0]
    often = [filled.count(item) for item in range(n_items)]
    assert found.items == n_items
    assert found.recommended == len(filled)
    assert found.distinct == len(set(filled))
    assert found.coverage == len(set(filled)) / n_items
    assert found.top_items == max(1, -(-n_items // 100))
    assert found.likes_held_out == pytest.approx(likes[wanted.nonzero()[1]].mean())
    if filled:
        assert found.gini == gini(often)
        most = sum(sorted(often, reverse=True)[: found.top_items])
        assert found.top_share == pytest.approx(most / len(filled))
        assert found.likes_recommended == pytest.approx(np.mean([likes[item] for item in filled]))


def test_where_nothing_is_recommended_there_is_nothing_to_be_spread():
    shown = Interactions.from_matrix(sp.csr_array(np.eye(3)))
    found = concentration(sp.csr_array(np.ones((1, 3))), np.full((1, 2), -1, np.int32), shown)
    assert (found.coverage, found.distinct, found.recommended) == (0, 0, 0)
    assert (found.gini, found.top_share, found.likes_recommended) == (None, None, None)
    assert "nothing was recommended" in str(found)


def test_words_for_people():
    shown = Interactions.from_matrix(sp.csr_array(np.ones((3, 4))))
    lists = np.array([[0, 1], [0, -1]], dtype=np.int32)
    found = concentration(sp.csr_array(np.ones((2, 4))), lists, shown)
    told = str(found).splitlines()
    assert [line.split("  ")[-1].strip() for line in told] == [
        "3", "50.0 % (2 of 4 items)", "0.778", "66.7 %", "3.0", "3.0",
    ]  # fmt: skip
    assert "(1 item)" in told[3]
    table = found.to_table()
    assert [f"{label}  {text}" for label, text in found.facts()] == [
        "  ".join(row.values()) for row in table.rows()
    ]


def test_nothing_to_count_is_an_error():
    shown = Interactions.from_matrix(sp.csr_array(np.ones((2, 2))))
    lists = np.zeros((1, 1), dtype=np.int32)
    with pytest.raises(DataError, match="no held-out like"):
        concentration(sp.csr_array((1, 2)), lists, shown)
    disliked = Interactions.from_matrix(sp.csr_array(-np.ones((2, 2))))
    with pytest.raises(DataError, match="have no like"):
        concentration(sp.csr_array(np.ones((1, 2))), lists, disliked)
