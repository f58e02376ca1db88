"""Ranking and normal equations, literally: slow, dense, one element at a time."""

import numpy as np


def dot(x, y):
    """Four interleaved float64 sums, then their sum, rounded once."""
    lanes = [0.0, 0.0, 0.0, 0.0]
    for place, (a, b) in enumerate(zip(x.tolist(), y.tolist(), strict=True)):
        lanes[place % 4] += a * b
    return np.float32(((lanes[0] + lanes[1]) + lanes[2]) + lanes[3])


def dots(X, Y):
    return np.array([[dot(x, y) for y in Y] for x in X], dtype=np.float32).reshape(len(X), len(Y))


def top(scores, k, *, taken=(), open_items=None):
    """Sort all of each row's items by (score descending, item ascending), then cut and pad."""
    n_rows, n_items = scores.shape
    indices = np.full((n_rows, k), -1, dtype=np.int32)
    best = np.full((n_rows, k), -np.inf, dtype=np.float32)
    for row in range(n_rows):
        left_out = set(taken[row]) if len(taken) else set()
        candidates = [
            item
            for item in range(n_items)
            if item not in left_out
            and (open_items is None or open_items[item])
            and scores[row, item] != -np.inf
        ]
        ranked = sorted(candidates, key=lambda item, row=row: (-float(scores[row, item]), item))
        for place, item in enumerate(ranked[:k]):
            indices[row, place], best[row, place] = item, scores[row, item]
    return indices, best


def user_factors(items, values, *, item_factors, alpha, regularization):
    """Hu et al. 2008, eq. 4, with every item's confidence written out."""
    n_items, f = item_factors.shape
    Y = item_factors.astype(np.float64)
    confidence = np.ones(n_items)
    preference = np.zeros(n_items)
    for item, value in zip(items, values, strict=True):
        confidence[item] = 1 + alpha * abs(value)
        preference[item] = value > 0
    A = Y.T @ np.diag(confidence) @ Y + regularization * np.eye(f)
    return np.linalg.solve(A, Y.T @ (confidence * preference)), A
