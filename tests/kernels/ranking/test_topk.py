import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import oracles_topk
from alsolike.kernels.ranking.topk import dot, scan_block, sort_heaps
from alsolike.recommending.ranking.scan import NotFiniteError
from scans import scan_products, start


def scan(S, k, *, taken=None, open_items=None, width=None):
    n_rows, n_items = S.shape
    flat, bounds, heaps = start(n_rows, k, taken)
    cursors = bounds[:-1].copy()
    open_items = np.ones(n_items, dtype=bool) if open_items is None else open_items
    for first in range(0, n_items, width or n_items):
        last = first + (width or n_items)
        block = np.ascontiguousarray(S[:, first:last])
        bad = scan_block(block, first, open_items, flat, cursors, bounds[1:], *heaps)
        if bad != -1:
            return first, bad
    sort_heaps(*heaps)
    best, items, _ = heaps
    return items, best


# Few distinct values, so that ties are the rule.
values = st.sampled_from([-np.inf, -2.0, -0.0, 0.0, 0.5, 0.50000006, 3.0])


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_scan_equals_sorting_everything(data):
    n_rows, n_items = data.draw(st.integers(1, 3)), data.draw(st.integers(1, 80))
    S = data.draw(arrays(np.float32, (n_rows, n_items), elements=values.map(np.float32)))
    open_items = data.draw(arrays(bool, n_items))
    taken = [data.draw(st.sets(st.integers(0, n_items - 1))) for _ in range(n_rows)]
    k, width = data.draw(st.integers(1, 90)), data.draw(st.integers(1, 80))
    items, best = scan(S, k, taken=taken, open_items=open_items, width=width)
    want_items, want_best = oracles_topk.top(S, k, taken=taken, open_items=open_items)
    np.testing.assert_array_equal(items, want_items)
    np.testing.assert_array_equal(best, want_best)


def test_scan_finds_nan_and_infinity_even_below_a_full_heap():
    for bad in (np.nan, np.inf):
        S = np.full((2, 100), 1.0, dtype=np.float32)
        S[1, 77] = bad
        assert scan(S, 3, width=40) == (40, 1 * 40 + 37)
        items, _ = scan(S, 3, taken=[[], [77]])
        assert items[1].tolist() == [0, 1, 2]


@given(st.integers(1, 11), st.integers(0, 2**32 - 1))
@settings(max_examples=50, deadline=None)
def test_dot_is_the_defined_sum(f, seed):
    x, y = np.random.default_rng(seed).standard_normal((2, f)).astype(np.float32) * 1e3
    assert dot(x, y) == oracles_topk.dot(x, y)


# Products that are no numbers of few bits, and twins of them; lengths from nothing to much.
@given(st.data())
@settings(max_examples=60, deadline=None)
def test_panels_equal_sorting_everything(data):
    n_rows, n_items = data.draw(st.integers(1, 14)), data.draw(st.integers(1, 70))
    f, k = data.draw(st.sampled_from([1, 7, 33, 70, 130])), data.draw(st.integers(1, 40))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**16)))
    X, Y = (rng.standard_normal((n, f)).astype(np.float32) for n in (n_rows, n_items))
    Y *= rng.choice([0, 1e-30, 0.1, 1, 1e6], (n_items, 1)).astype(np.float32)
    X *= rng.choice([0, 0.1, 1], (n_rows, 1)).astype(np.float32)
    Y[n_items // 2 :] = Y[: n_items - n_items // 2]
    open_items = data.draw(arrays(bool, n_items))
    taken = [data.draw(st.sets(st.integers(0, n_items - 1))) for _ in range(n_rows)]
    items, best = scan_products(X, Y, k, taken=taken, may_appear=open_items)
    exact = oracles_topk.dots(X, Y)
    want_items, want_best = oracles_topk.top(exact, k, taken=taken, open_items=open_items)
    np.testing.assert_array_equal(items, want_items)
    np.testing.assert_array_equal(best, want_best)


def test_twins_in_other_panels_stand_in_order():
    # Equal scores from items of very different length, so that the later item comes first.
    X = np.float32([[1, 0], [0, 0]])
    Y = np.float32([[2, number] for number in range(200)])
    items, best = scan_products(X, Y, 5)
    assert items.tolist() == [[0, 1, 2, 3, 4]] * 2
    assert best.tolist() == [[2] * 5, [0] * 5]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", [(0, 3), (1, 3)])
def test_panels_find_what_is_not_finite(bad, place):
    rng = np.random.default_rng(0)
    both = [rng.standard_normal((n, 40)).astype(np.float32) for n in (3, 200)]
    both[place[0]][2, place[1]] = bad
    with pytest.raises(NotFiniteError) as found:
        scan_products(*both, 4)
    assert (found.value.query, found.value.item)[place[0]] == 2
    assert not np.isfinite(found.value.score)


def test_no_items_and_no_rows():
    empty = np.zeros((0, 4), dtype=np.float32)
    items, best = scan(empty, 2)
    assert items.shape == best.shape == (0, 2)
    sort_heaps(np.zeros((1, 3), np.float32), np.zeros((1, 3), np.int32), np.zeros(1, np.int64))
