"""Folds: how many, whose, and that no training has seen who asks."""

import numpy as np
import pytest
import scipy.sparse as sp

from alsolike.data.interactions import Interactions
from alsolike.data.splitting.unseen_users import hold_out_unseen_users
from alsolike.evaluation.item_to_item.unseen_users import Fold, unseen_users
from alsolike.testing import tiny_likes


def test_small_tables_have_five_folds_of_their_own_draws() -> None:
    likes = tiny_likes(80, 30)
    folds = unseen_users(likes, seed=3, pages_per_user=2)
    assert len(folds) == 5
    for number, fold in enumerate(folds):
        split = hold_out_unseen_users(likes, seed=3, fold=number)
        assert fold.train.fingerprint == split.train.fingerprint
        for queries, held_out in ((fold.validation, split.validation), (fold.test, split.test)):
            assert not fold.train.user_counts[queries.users].any()
            liked = held_out.user_items.toarray() > 0
            assert (queries.wanted.toarray() == liked[queries.users]).all()
            assert np.bincount(queries.owners).max() <= 2
            assert queries.train is fold.train
        assert not set(fold.validation.users) & set(fold.test.users)
        assert fold.queries("test") is fold.test
    assert len({tuple(fold.test.users) for fold in folds}) == 5
    alone = Fold.of(hold_out_unseen_users(likes, seed=3), seed=3, pages_per_user=2)
    assert alone.test.items.tolist() == folds[0].test.items.tolist()


@pytest.mark.parametrize(("n_users", "count"), [(4_999, 5), (5_000, 1)])
def test_from_five_thousand_users_on_one_fold_is_enough(n_users: int, count: int) -> None:
    likes = Interactions.from_matrix(sp.csr_array(np.ones((n_users, 3), dtype=np.float32)))
    assert len(unseen_users(likes)) == count


def test_each_relevant_item_is_another_like_of_the_user() -> None:
    [fold, *_] = unseen_users(tiny_likes(80, 30))
    queries = fold.validation
    relevant = queries.relevant.toarray()
    wanted = queries.wanted.toarray()[queries.owners]
    for row, item in enumerate(queries.items):
        assert wanted[row, item]
        assert not relevant[row, item]
        wanted[row, item] = False
    assert (relevant == wanted).all()
