"""Who likes an item and who likes two, held to counting in the dense matrix."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alsolike.data.interactions import Interactions
from alsolike.errors import DataError, SettingError
from alsolike.recommending.co_likes import Likers
from alsolike.testing import tiny_likes, tiny_model


def likers_of(history):
    model = tiny_model()
    shape = (history.n_users, model.factors), (history.n_items, model.factors)
    return Likers(
        dataclasses.replace(
            model,
            users=history.users,
            items=history.items,
            user_factors=np.ones(shape[0], np.float32),
            item_factors=np.ones(shape[1], np.float32),
            item_counts=history.item_counts,
            catalogue=None,
            history=history,
        )
    )


def held_to_the_matrix(history):
    likers, liked = likers_of(history), history.user_items.toarray() > 0
    together = liked.astype(int).T @ liked.astype(int)
    for row in range(history.n_items):
        assert likers.count(row) == together[row, row]
        shared = [likers.shared(row, other) for other in range(history.n_items)]
        assert shared == together[row].tolist()


def test_counts_are_those_of_the_matrix():
    history = tiny_likes()
    held_to_the_matrix(history)
    assert likers_of(history).count(history.n_items - 1) == 0


@given(st.integers(1, 12), st.integers(1, 9), st.integers(0, 10**6))
@settings(max_examples=60)
def test_dislikes_do_not_count(n_users, n_items, seed):
    rng = np.random.default_rng(seed)
    values = rng.integers(-1, 3, (n_users, n_items))
    values[0, 0] = 1
    rows, columns = np.nonzero(values)
    held_to_the_matrix(
        Interactions.from_columns(
            [f"u{row}" for row in rows], [f"i{column}" for column in columns], values[rows, columns]
        )
    )


def test_without_history_the_way_out_is_named():
    with pytest.raises(SettingError, match="without its history"):
        Likers(dataclasses.replace(tiny_model(), history=None))


@pytest.mark.parametrize("row", [-1, 5])
def test_rows_that_are_none_are_refused(row):
    likers = Likers(tiny_model())
    with pytest.raises(DataError, match="0 to 4"):
        likers.count(row)
    with pytest.raises(DataError, match="0 to 4"):
        likers.shared(0, row)
