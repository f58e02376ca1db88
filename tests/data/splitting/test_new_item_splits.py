"""Splits by items: whole items are held out, at random or by their first like."""

from dataclasses import replace

import numpy as np
import pytest

import alsolike as al
from alsolike.data.splitting.by_name import split_by
from alsolike.errors import DataError, SettingError, SplitError
from alsolike.testing import tiny_likes, with_tiny_features

LIKES = with_tiny_features(tiny_likes())


@pytest.mark.parametrize("by_time", [False, True])
def test_whole_items_are_in_one_part_and_stay_with_their_features(by_time):
    split = al.hold_out_new_items(LIKES, share=0.2, by_time=by_time)
    parts = (split.train, split.validation, split.test)
    counts = np.array([part.item_counts > 0 for part in parts])
    assert (counts.sum(axis=0) == (LIKES.item_counts > 0)).all()
    assert counts.sum(axis=1).tolist() == [25, 7, 7]
    assert sum(part.n_interactions for part in parts) == LIKES.n_interactions
    assert split.new_items("test").tolist() == np.flatnonzero(counts[2]).tolist()
    assert split.new_items("validation").tolist() == np.flatnonzero(counts[1]).tolist()
    assert split.train.items == LIKES.items
    assert split.train.item_features.fingerprint == LIKES.item_features.fingerprint
    merged = split.train_and_validation()
    assert merged.n_interactions == sum(part.n_interactions for part in parts[:2])
    assert al.hold_out(LIKES).new_items("test") is None


def test_the_newest_are_those_whose_first_like_is_last():
    split = al.hold_out_new_items(LIKES, share=0.2, by_time=True)
    firsts = np.full(LIKES.n_items, np.inf)
    np.minimum.at(firsts, LIKES.user_items.indices, LIKES.timestamps)
    test, validation = (firsts[split.new_items(part)] for part in ("test", "validation"))
    trained = firsts[split.train.item_counts > 0]
    assert test.min() > validation.max() > validation.min() > trained.max()


def test_a_name_says_the_same_and_a_seed_another_draw():
    one, same = (split_by(LIKES, "new-items", share=0.2, seed=s) for s in (1, 1))
    assert one.test.fingerprint == same.test.fingerprint
    assert one.test.fingerprint != split_by(LIKES, "new-items", share=0.2).test.fingerprint
    newest = split_by(LIKES, "newest-items")
    assert newest.test.fingerprint == al.hold_out_new_items(LIKES, by_time=True).test.fingerprint
    assert "new to a model" in str(newest)


def test_what_cannot_be_split_says_so():
    with pytest.raises(SettingError, match=r"above 0 and below 0\.5"):
        al.hold_out_new_items(LIKES, share=0.5)
    with pytest.raises(SplitError, match="at least 3 items with a like"):
        al.hold_out_new_items(al.Interactions.from_columns("ab", "xy"))
    with pytest.raises(DataError, match="needs timestamps"):
        al.hold_out_new_items(replace(LIKES, timestamps=None), by_time=True)
    with pytest.raises(SettingError, match="takes no held_out="):
        split_by(LIKES, "new-items", held_out=3)
    ordinary = al.hold_out(LIKES, k=2)
    with pytest.raises(DataError, match="must not share items"):
        replace(ordinary, is_by_items=True)
