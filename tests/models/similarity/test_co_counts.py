"""Counts of one item: gathered, sorted or multiplied, they are the same numbers."""

import numpy as np
import pytest

from alsolike.data.interactions import Interactions
from alsolike.models.similarity import co_counts
from alsolike.models.similarity.co_counts import CoCounts
from made_up import make_likes

# The ways: a sparse product from so many likes on, sorting below one like in so many items.
WAYS = {"sparse product": (0, 256), "gathered": (1 << 40, 1 << 40), "sorted": (1 << 40, 0)}


@pytest.mark.parametrize("way", WAYS)
def test_every_way_gives_the_same_counts(way, monkeypatch):
    likes = make_likes(dislikes=True)
    counts = CoCounts.from_likes(likes)
    liked = (likes.user_items.toarray() > 0).astype(float)
    expected = liked.T @ (counts.weights[:, None] * liked)
    np.fill_diagonal(expected, 0)
    many, sparse = WAYS[way]
    monkeypatch.setattr(co_counts, "_MANY", many)
    monkeypatch.setattr(co_counts, "_SPARSE", sparse)
    for row in range(likes.n_items):
        items, of_items = counts.of(row)
        assert items.dtype == np.int32
        assert of_items.dtype == np.float64
        assert items.tolist() == np.flatnonzero(expected[row]).tolist()
        assert of_items.tolist() == expected[row][items].tolist()  # sums are exact


@pytest.mark.parametrize("way", WAYS)
def test_users_without_likes_and_items_without_likers(way, monkeypatch):
    many, sparse = WAYS[way]
    monkeypatch.setattr(co_counts, "_MANY", many)
    monkeypatch.setattr(co_counts, "_SPARSE", sparse)
    likes = Interactions.from_columns(list("uvw"), list("abc"), [1, -1, 1])
    counts = CoCounts.from_likes(likes)
    for row in range(3):
        assert [len(part) for part in counts.of(row)] == [0, 0]
    items, totals = counts.of_users(np.array([0, 1, 2]), np.array([1.0, 2.0, 4.0]))
    assert items.tolist() == [0, 2]
    assert totals.tolist() == [1, 4]
