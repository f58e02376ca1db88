"""Rolling folds by time: what each part holds, and that nothing of a later window is in a fold."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from alsolike.data.interactions import Interactions
from alsolike.data.splitting.folds import split_folds
from alsolike.errors import DataError, SettingError, SplitError


def _timed(seed, n_users=12, n_items=10, *, moments=10_000):
    """Likes and dislikes at random times; users and items come and go."""
    rng = np.random.default_rng(seed)
    values = rng.choice([0.0, -1.0, 1.0, 2.0], (n_users, n_items), p=[0.4, 0.1, 0.3, 0.2])
    values[:2, :] = 1
    likes = Interactions.from_matrix(sp.csr_array(values))
    first = rng.integers(0, moments, n_users)
    users = np.repeat(np.arange(n_users), likes.user_counts)
    times = np.maximum(first[users] // 2, rng.integers(0, moments, likes.n_interactions))
    return replace(likes, timestamps=times.astype(np.float64))


def _cells(part):
    matrix = part.user_items.tocoo()
    ids = zip(part.users.ids_of(matrix.row), part.items.ids_of(matrix.col), strict=True)
    return {
        (user, item): (value, time)
        for (user, item), value, time in zip(
            ids, matrix.data.tolist(), part.timestamps.tolist(), strict=True
        )
    }


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 4), st.sampled_from([0.08, 0.15, 0.19]))
def test_each_fold_is_the_table_up_to_its_window(seed, folds, share):
    likes = _timed(seed)
    found = split_folds(likes, folds=folds, share=share)
    relevant = sorted(likes.timestamps[likes.user_items.data > 0].tolist())
    size = int(share * len(relevant) + 1e-9)
    starts = [relevant[len(relevant) - size * n] for n in range(folds + 1, 0, -1)]
    starts.append(np.inf)
    everything = _cells(likes)
    assert len(found) == folds
    for at, fold in enumerate(found):
        known = {cell: (v, t) for cell, (v, t) in everything.items() if t < starts[at + 2]}
        expected = {
            "train": {cell: (v, t) for cell, (v, t) in known.items() if t < starts[at]},
            "validation": {
                cell: (v, t) for cell, (v, t) in known.items() if starts[at] <= t < starts[at + 1]
            },
            "test": {cell: (v, t) for cell, (v, t) in known.items() if t >= starts[at + 1]},
        }
        for name, cells in expected.items():
            assert _cells(getattr(fold, name)) == cells, name
        # A user or an item of later windows alone is not known.
        assert set(fold.train.users) == {user for user, _ in known} or at == folds - 1
        assert set(fold.train.items) == {item for _, item in known} or at == folds - 1
        later = len(everything) - len(known)
        assert ("later, in no part" in str(fold)) == bool(later)
    assert found[-1].train.users == likes.users
    assert found[-1].train.items == likes.items


def test_what_is_new_in_a_window_is_counted():
    users = ["ann", "bob", "ann", "bob", "cat", "ann", "dan"]
    items = ["x", "x", "y", "y", "x", "z", "z"]
    likes = Interactions.from_columns(users, items)
    order = {pair: float(at) for at, pair in enumerate(zip(users, items, strict=True))}
    matrix = likes.user_items.tocoo()
    ids = zip(likes.users.ids_of(matrix.row), likes.items.ids_of(matrix.col), strict=True)
    likes = replace(likes, timestamps=np.array([order[pair] for pair in ids]))
    first, last = split_folds(likes, folds=2, share=0.29)
    assert list(first.train.users) == ["ann", "bob", "cat"]
    assert list(first.train.items) == ["x", "y"]
    assert "test users without any training interaction: 1" in str(last)
    assert "test items without any training interaction: 1" in str(last)


def test_what_cannot_be_cut():
    likes = _timed(0)
    with pytest.raises(DataError, match="needs timestamps"):
        split_folds(replace(likes, timestamps=None))
    for options in ({"folds": 0}, {"folds": 1.5}, {"share": 0}, {"share": 0.25}, {"share": np.nan}):
        with pytest.raises(SettingError):
            split_folds(likes, **options)
    with pytest.raises(SplitError, match="too many of one time"):
        split_folds(replace(likes, timestamps=np.zeros(likes.n_interactions)))
    with pytest.raises(SplitError, match="Use fewer folds"):
        split_folds(likes, share=0.001)
