from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from alsolike.data.interactions import Interactions
from alsolike.data.splitting.splitters import (
    Split,
    hold_out,
    hold_out_by_time,
    hold_out_fraction,
    hold_out_users,
    leave_one_out,
)
from alsolike.errors import DataError, SettingError, SplitError


def _likes(n_users=60, n_items=50, *, density=0.4, dislikes=0.2, seed=0):
    rng = np.random.default_rng(seed)
    filled = rng.random((n_users, n_items)) < density
    signs = np.where(rng.random((n_users, n_items)) < dislikes, -1.0, 1.0)
    matrix = sp.csr_array(filled * signs * rng.integers(1, 9, (n_users, n_items)))
    likes = Interactions.from_matrix(matrix)
    return replace(likes, timestamps=rng.integers(0, 30, likes.n_interactions).astype(np.float64))


WAYS = {
    "hold_out": lambda likes, seed: hold_out(likes, k=3, seed=seed),
    "leave_one_out": lambda likes, seed: leave_one_out(likes, seed=seed),
    "fraction": lambda likes, seed: hold_out_fraction(likes, fraction=0.3, seed=seed),
    "last_k": lambda likes, seed: hold_out_by_time(likes, k=2, seed=seed),
    "last_fraction": lambda likes, seed: hold_out_by_time(likes, fraction=0.2, seed=seed),
    "users": lambda likes, seed: hold_out_users(likes, share=0.2, given=0.4, seed=seed),
}


def _parts(split):
    parts = [split.train, split.validation, split.test]
    return parts if split.given is None else [*parts, split.given]


def _stamped(part):
    """Pair -> (value, time)."""
    dense = part.user_items.toarray()
    users, items = dense.nonzero()
    cells = zip(dense[users, items].tolist(), part.timestamps.tolist(), strict=True)
    return dict(zip(zip(users.tolist(), items.tolist(), strict=True), cells, strict=True))


@pytest.mark.parametrize("way", WAYS)
@settings(max_examples=8, deadline=None)
@given(st.integers(0, 2**40), st.integers(25, 70))
def test_parts_are_disjoint_and_add_up(way, seed, n_users):
    likes = _likes(n_users, seed=seed % 1000)
    split = WAYS[way](likes, seed)
    whole = {}
    for part in _parts(split):
        assert part.users is likes.users
        assert part.items is likes.items
        cells = _stamped(part)
        assert not whole.keys() & cells.keys()
        whole |= cells
    assert whole == _stamped(likes)
    for part in (split.validation, split.test):
        assert part.n_interactions
        assert (part.user_items.data > 0).all()
    refit = _stamped(split.train_and_validation())
    left = (
        {}
        if split.given is None
        else {
            pair: cell
            for pair, cell in _stamped(split.given).items()
            if pair[0] in split.test_users
        }
    )
    assert refit.keys() | _stamped(split.test).keys() | left.keys() == whole.keys()
    assert all(refit[pair] == whole[pair] for pair in refit)


@pytest.mark.parametrize("way", WAYS)
def test_the_seed_really_seeds(way):
    likes = _likes()
    same, again, other = (WAYS[way](likes, seed) for seed in (7, 7, 8))
    assert same.test.fingerprint == again.test.fingerprint
    assert same.validation.fingerprint == again.validation.fingerprint
    assert same.test.fingerprint != other.test.fingerprint


def test_known_draw_stays_the_same_on_every_platform():
    split = hold_out(_likes(), k=3, seed=1)
    assert split.test_users.tolist() == [1, 4, 6, 11, 13, 15, 21, 31, 43, 55, 56, 58]
    assert split.test.user_items[[1]].indices.tolist() == [6, 10, 48]
    with pytest.raises(SettingError, match="seed"):
        hold_out(_likes(), seed=-1)


def test_hold_out_takes_k_of_a_fifth_of_all_users_for_each_group():
    likes = _likes()
    split = hold_out(likes, k=3)
    for users, part in (
        (split.test_users, split.test),
        (split.validation_users, split.validation),
    ):
        assert len(users) == 12
        assert set(part.user_counts[users]) == {3}
    assert not set(split.test_users) & set(split.validation_users)
    positives = (likes.user_items > 0).sum(axis=1)
    assert positives[split.test_users].min() >= 6
    assert dict(split.facts())["test"] == "36 interactions of 12 users"


def test_the_held_out_items_do_not_depend_on_the_shares():
    likes = _likes()
    alone = hold_out(likes, k=3, share=0.2, validation_share=0)
    both = hold_out(likes, k=3, share=0.2)
    assert alone.test.fingerprint == both.test.fingerprint
    assert alone.validation.n_interactions == 0
    assert dict(alone.facts())["validation"] == "none"
    assert alone.train_and_validation().fingerprint == alone.train.fingerprint


def test_where_few_qualify_both_groups_share_them_and_the_facts_say_so():
    rows = np.zeros((50, 20))
    rows[:, 0] = 1
    rows[:9] = 1
    split = hold_out(Interactions.from_matrix(sp.csr_array(rows)), k=5)
    assert len(split.test_users) == len(split.validation_users) == 4
    facts = dict(split.facts())
    assert facts["users with at least 10 relevant interactions"] == "9 of 50"
    assert facts["test users"] == "4 (8 % of all; too few are eligible for a fifth (10))"
    only_test = hold_out(Interactions.from_matrix(sp.csr_array(rows)), k=5, validation_share=0)
    assert len(only_test.test_users) == 9


def test_too_few_for_an_explicit_share_says_how_many_and_what_works():
    rows = np.zeros((50, 20))
    rows[:9] = 1
    likes = Interactions.from_matrix(sp.csr_array(rows))
    with pytest.raises(SplitError) as caught:
        hold_out(likes, k=5, share=0.2)
    message = str(caught.value)
    assert "9 of 50 users have at least 10" in message
    assert "10 test users and 10 validation users" in message
    assert "with as many validation users, is 0.08" in message
    assert len(hold_out(likes, k=5, share=0.08).test_users) == 4
    with pytest.raises(SplitError, match=r"with 0\.1 of all users for validation, is 0\.08"):
        hold_out(likes, k=5, share=0.2, validation_share=0.1)
    with pytest.raises(SplitError, match="busiest has 20"):
        hold_out(likes, k=11)
    with pytest.raises(SplitError, match="one for the test and one for validation"):
        hold_out(likes.subset(np.arange(1), np.arange(20)), k=5)


@pytest.mark.parametrize(
    "options",
    [
        {"k": 0},
        {"k": 5, "min_interactions": 5},
        {"share": 0.0},
        {"share": 1.2},
        {"validation_share": -0.1},
        {"share": 0.001},
    ],
)
def test_settings_out_of_range(options):
    with pytest.raises(SettingError):
        hold_out(_likes(), **options)


def test_leave_one_out_leaves_one_and_two_stay_in_training():
    likes = Interactions.from_columns(["a"] * 3 + ["b"] * 2, list("xyzxy"))
    split = leave_one_out(likes)
    assert split.test.user_counts.tolist() == split.validation.user_counts.tolist() == [1, 0]
    assert dict(split.facts())["users with held-out items"] == "1 of 2"
    with pytest.raises(SplitError, match="0 of 1 users have at least 3"):
        leave_one_out(Interactions.from_columns(["b"] * 2, list("xy")))


def test_fraction_rounds_down_per_user():
    likes = Interactions.from_matrix(sp.csr_array(np.tri(12, 12)))
    split = hold_out_fraction(likes, fraction=0.2)
    n = np.arange(12)
    order = [int(user) for user in likes.users]
    assert split.test.user_counts.tolist() == [(n[user] + 1) // 5 for user in order]
    assert split.validation.user_counts.tolist() == split.test.user_counts.tolist()
    for fraction in (0, 0.5, float("nan")):
        with pytest.raises(SettingError, match="fraction"):
            hold_out_fraction(likes, fraction=fraction)
    with pytest.raises(SplitError, match="12 users have at least 25"):
        hold_out_fraction(likes, fraction=0.04)


def test_by_time_takes_the_last():
    likes = _likes(dislikes=0.3)
    split = hold_out_by_time(likes, k=2)
    cells = [_stamped(part) for part in (split.train, split.validation, split.test)]
    for user in split.test_users:
        train, validation, test = (
            [when for (u, _), (value, when) in part.items() if u == user and value > 0]
            for part in cells
        )
        assert len(validation) == len(test) == 2
        assert max(train) <= min(validation)
        assert max(validation) <= min(test)


def test_one_cut_in_time_knows_no_future():
    likes = _likes()
    split = hold_out_by_time(likes, at=24, validation_at=18)
    assert split.test.timestamps.min() >= 24
    assert 18 <= split.validation.timestamps.min() <= split.validation.timestamps.max() < 24
    assert split.train.timestamps.max() < 18
    assert (split.test.user_items.data < 0).any()
    itself = hold_out_by_time(likes, at=24)
    assert itself.validation.n_interactions >= 0.8 * itself.test.n_interactions
    assert itself.train.timestamps.max() < itself.validation.timestamps.min()


def test_time_errors():
    likes = _likes()
    with pytest.raises(DataError, match="needs timestamps"):
        hold_out_by_time(replace(likes, timestamps=None), k=1)
    broken = np.where(np.arange(likes.n_interactions) < 3, np.nan, 1.0)
    with pytest.raises(DataError, match="3 of"):
        hold_out_by_time(replace(likes, timestamps=broken), k=1)
    for options in ({}, {"k": 1, "at": 3}, {"k": 1, "validation_at": 3}, {"k": 0}, {"fraction": 0}):
        with pytest.raises(SettingError):
            hold_out_by_time(likes, **options)
    with pytest.raises(SettingError, match="before"):
        hold_out_by_time(likes, at=10, validation_at=10)
    with pytest.raises(SplitError, match="go from 0 to 29"):
        hold_out_by_time(likes, at=1000)
    with pytest.raises(SplitError, match="before it"):
        hold_out_by_time(likes, at=0)
    with pytest.raises(SplitError, match="Choose another validation_at"):
        hold_out_by_time(likes, at=20, validation_at=-5)


def test_whole_users_are_shown_a_part_and_never_trained_on():
    likes = _likes()
    split = hold_out_users(likes, share=0.2, given=0.4)
    held = np.concatenate([split.test_users, split.validation_users])
    assert len(set(held)) == 24
    assert split.train.user_counts[held].sum() == 0
    positives = (split.given.user_items > 0).sum(axis=1)
    all_positives = (likes.user_items > 0).sum(axis=1)
    assert (positives[held] == np.floor(0.4 * all_positives[held] + 1e-9)).all()
    assert split.train_and_validation().user_counts[split.test_users].sum() == 0
    for with_validation in (False, True):
        parts = [split.train, split.given, *([split.validation] if with_validation else [])]
        seen = split.shown(with_validation=with_validation)
        assert (seen.user_items != sum(part.user_items for part in parts)).nnz == 0
    two = Interactions.from_columns(["a", "a", "b", "b"], list("xyxy"))
    small = hold_out_users(two, share=0.5, given=0.1)
    assert small.given.n_interactions == small.test.n_interactions + small.validation.n_interactions
    for options in ({"share": 0.6}, {"given": 0.0}, {"given": 1.0}):
        with pytest.raises(SettingError):
            hold_out_users(likes, **options)


def test_a_split_by_hand_is_checked():
    likes = _likes()
    first = np.arange(likes.n_interactions) < 100
    second = np.arange(likes.n_interactions) >= 400
    train, test = likes.keep(~first & ~second), likes.keep(first)
    split = Split(train, likes.keep(second), test, "the authors' own")
    assert split.facts()[0] == ("split", "the authors' own")
    with pytest.raises(DataError, match=r"100 .* pairs are in more than one"):
        Split(likes, likes.keep(np.zeros_like(first)), test, "overlapping")
    with pytest.raises(DataError, match="same users and items"):
        Split(train, test, Interactions.from_columns(["a"], ["b"]), "other ids")
    with pytest.raises(DataError, match="timestamps"):
        Split(train, likes.keep(second), replace(test, timestamps=None), "half stamped")


def test_everything_cold_is_counted():
    likes = Interactions.from_columns(["a", "a", "b", "b"], list("xyxz"))
    likes = replace(likes, timestamps=np.array([1.0, 2, 3, 4]))
    facts = dict(hold_out_by_time(likes, at=3).facts())
    assert facts["test users without any training interaction"] == "1"
    assert facts["test items without any training interaction"] == "1"


@pytest.mark.parametrize(
    ("split", "options", "error", "message"),
    [
        (
            hold_out,
            {"seed": None},
            SettingError,
            "seed must be a whole number .* not None",
        ),
        (hold_out, {"k": 1.5}, SettingError, "k must be a whole number of at least 1, not 1.5"),
        (hold_out_by_time, {"at": "2020-01-01"}, SettingError, "at must be a number, seconds"),
        (hold_out_by_time, {"at": 3.0, "validation_at": "x"}, SettingError, "validation_at must"),
    ],
)
def test_settings_of_the_wrong_kind_are_refused(split, options, error, message):
    likes = Interactions.from_columns(["ann"] * 4, list("abcd"))
    likes = replace(likes, timestamps=np.arange(4.0))
    with pytest.raises(error, match=message):
        split(likes, **options)


@pytest.mark.parametrize(
    "split", [hold_out, leave_one_out, hold_out_fraction, hold_out_by_time, hold_out_users]
)
def test_a_matrix_is_shown_the_way(split):
    with pytest.raises(
        DataError, match=r"not a SciPy dia_array.*Interactions\.from_matrix\(matrix\)"
    ):
        split(sp.eye_array(3))
