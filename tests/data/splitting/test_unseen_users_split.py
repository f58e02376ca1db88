"""Users whom training never sees."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from alsolike.data.interactions import Interactions
from alsolike.data.splitting.unseen_users import hold_out_unseen_users
from alsolike.errors import SettingError, SplitError


def _likes(n_users: int, n_items: int = 12, seed: int = 0) -> Interactions:
    rng = np.random.default_rng(seed)
    return Interactions.from_matrix(
        sp.csr_array(rng.choice([0.0, -1.0, 2.0], (n_users, n_items), p=[0.6, 0.1, 0.3]))
    )


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(30, 120), st.integers(0, 3))
def test_whole_rows_are_held_out_and_training_has_none_of_them(
    seed: int, n_users: int, fold: int
) -> None:
    likes = _likes(n_users, seed=seed)
    split = hold_out_unseen_users(likes, seed=seed, fold=fold)
    whole = likes.user_items.toarray()
    parts = [part.user_items.toarray() for part in (split.train, split.validation, split.test)]
    assert (sum(parts) == whole).all()
    owners = [set(np.flatnonzero((part != 0).any(axis=1))) for part in parts]
    assert sum(map(len, owners)) == len(set.union(*owners))
    enough = ((whole > 0).sum(axis=1) >= 2).sum()
    assert len(owners[1]) == len(owners[2]) == min(n_users // 10, enough // 3)
    assert (split.train.n_users, split.given) == (n_users, None)
    again = hold_out_unseen_users(likes, seed=seed, fold=fold)
    assert again.test.fingerprint == split.test.fingerprint
    assert f"seed {seed}" in split.method


def test_other_seeds_and_folds_draw_other_users() -> None:
    likes = _likes(300)
    drawn = {
        hold_out_unseen_users(likes, seed=seed, fold=fold).test.fingerprint
        for seed in range(3)
        for fold in range(3)
    }
    assert len(drawn) == 9


def test_of_many_users_two_thousand_are_enough() -> None:
    likes = Interactions.from_matrix(sp.csr_array(np.ones((25_000, 2), dtype=np.float32)))
    split = hold_out_unseen_users(likes)
    assert (len(split.validation_users), len(split.test_users)) == (2000, 2000)
    assert "test users: 2,000 (8 % of all)" in str(split)


@pytest.mark.parametrize(("n_users", "density"), [(9, 1.0), (40, 0.0)])
def test_too_few_users_are_refused_with_the_way_out(n_users: int, density: float) -> None:
    matrix = np.full((n_users, 4), density)
    matrix[:, 0] = 1
    likes = Interactions.from_matrix(sp.csr_array(matrix))
    enough = n_users if density else 0
    words = f"there are {n_users} users, {enough} with so many. Use more users, or the ranking"
    with pytest.raises(SplitError, match=words):
        hold_out_unseen_users(likes)


def test_settings_out_of_range_are_refused() -> None:
    with pytest.raises(SettingError, match="seed must be"):
        hold_out_unseen_users(_likes(40), seed=-1)
    with pytest.raises(SettingError, match="fold must be"):
        hold_out_unseen_users(_likes(40), fold=-1)
