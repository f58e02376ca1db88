import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import oracles_topk
from alsolike.kernels.topk import dot, scan_block, sort_heaps


def scan(S, k, *, taken=None, open_items=None, width=None, X=None, Y=None, margins=None):
    n_rows, n_items = S.shape
    lists = [sorted(row) for row in taken] if taken is not None else [[]] * n_rows
    bounds = np.cumsum([0, *map(len, lists)]).astype(np.int64)
    flat = np.array([item for row in lists for item in row], dtype=np.int32)
    best = np.full((n_rows, k), -np.inf, dtype=np.float32)
    items = np.full((n_rows, k), -1, dtype=np.int32)
    filled = np.zeros(n_rows, dtype=np.int64)
    cursors = bounds[:-1].copy()
    open_items = np.ones(n_items, dtype=bool) if open_items is None else open_items
    X = np.zeros((n_rows, 0), dtype=np.float32) if X is None else X
    Y = np.zeros((n_items, 0), dtype=np.float32) if Y is None else Y
    margins = np.zeros(n_rows, dtype=np.float32) if margins is None else margins
    for first in range(0, n_items, width or n_items):
        last = first + (width or n_items)
        block = np.ascontiguousarray(S[:, first:last])
        bad = scan_block(
            block, X, Y[first:last], margins, np.inf, first, open_items,
            flat, cursors, bounds[1:], best, items, filled,
        )  # fmt: skip
        if bad != -1:
            return first, bad
    sort_heaps(best, items, filled)
    return items, best


# Few distinct values, so that ties are the rule.
values = st.sampled_from([-np.inf, -2.0, -0.0, 0.0, 0.5, 0.50000006, 3.0])


@given(st.data())
@settings(max_examples=150, deadline=None)
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


def test_the_product_only_proposes():
    # Scores off by less than the margin, in the wrong direction: `dot` decides, ties by index.
    rng = np.random.default_rng(0)
    X = rng.standard_normal((5, 7)).astype(np.float32)
    Y = rng.standard_normal((200, 7)).astype(np.float32)
    Y[100:] = Y[:100]
    exact = oracles_topk.dots(X, Y)
    noise = rng.uniform(-0.01, 0.01, exact.shape).astype(np.float32)
    margins = np.full(5, 0.021, dtype=np.float32)
    items, best = scan(exact + noise, 9, width=64, X=X, Y=Y, margins=margins)
    want_items, want_best = oracles_topk.top(exact, 9)
    np.testing.assert_array_equal(items, want_items)
    np.testing.assert_array_equal(best, want_best)


def test_no_items_and_no_rows():
    empty = np.zeros((0, 4), dtype=np.float32)
    items, best = scan(empty, 2)
    assert items.shape == best.shape == (0, 2)
    sort_heaps(np.zeros((1, 3), np.float32), np.zeros((1, 3), np.int32), np.zeros(1, np.int64))
