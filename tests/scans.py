"""Run the scans of the kernels over whole arrays."""

import numpy as np

from alsolike.recommending.ranking.scan import Heaps, Products


def start(n_rows, k, taken):
    lists = [sorted(row) for row in taken] if taken is not None else [[]] * n_rows
    bounds = np.cumsum([0, *map(len, lists)]).astype(np.int64)
    flat = np.array([item for row in lists for item in row], dtype=np.int32)
    best = np.full((n_rows, k), -np.inf, dtype=np.float32)
    items = np.full((n_rows, k), -1, dtype=np.int32)
    return flat, bounds, (best, items, np.zeros(n_rows, dtype=np.int64))


def scan_products(X, Y, k, *, taken=None, may_appear=None):
    flat, bounds, heaps = start(len(X), k, taken)
    lengths = np.linalg.norm(Y.astype(np.float64), axis=1).astype(np.float32)
    source = Products(np.arange(len(X)), X, Y, lengths)
    may_appear = np.ones(len(Y), dtype=bool) if may_appear is None else may_appear
    fill = source.filler(may_appear)
    fill(slice(0, len(X)), flat, bounds[:-1], bounds[1:], Heaps(*heaps))
    return heaps[1], heaps[0]
