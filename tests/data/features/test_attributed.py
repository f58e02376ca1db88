"""Features that people gave: those of held-out users are left out of training."""

from dataclasses import replace

import numpy as np
import pytest

import alsolike as al
from alsolike.data.features.attributed import AttributedFeatures
from alsolike.data.features.features import FeatureTable
from alsolike.errors import DataError
from alsolike.testing import tiny_likes

PLAIN = tiny_likes()


def given_tags(rng=None):
    """Let each user tag what he likes, and strangers some items; some tags have several givers."""
    rng = rng or np.random.default_rng(0)
    cells = PLAIN.user_items.tocoo()
    users = [*PLAIN.users.ids_of(cells.row), *("stranger",) * 10]
    items = [*PLAIN.items.ids_of(cells.col), *PLAIN.items.ids_of(np.arange(10))]
    words = [f"t{one}" for one in rng.integers(0, 12, len(users))]
    return users, items, words


USERS, ITEMS, WORDS = given_tags()
TAGS = AttributedFeatures.of_rows("tag", USERS, ITEMS, WORDS, PLAIN.items)
LIKES = replace(PLAIN, item_features=TAGS)


def cells_of(features):
    rows = np.repeat(np.arange(features.n_rows), np.diff(features.matrix.indptr))
    return {
        (PLAIN.items.id_of(int(row)), features.name_of(int(column)))
        for row, column in zip(rows, features.matrix.indices, strict=True)
    }


def by_hand(left_out):
    return {(i, w) for u, i, w in zip(USERS, ITEMS, WORDS, strict=True) if not left_out(u, i)}


def test_what_some_people_alone_gave_is_gone():
    assert cells_of(TAGS) == by_hand(lambda *_: False)
    gone = {"user 3", "user 4", "nobody here"}
    found = TAGS.without(gone)
    assert cells_of(found) == by_hand(lambda user, _: user in gone)
    assert found.same_columns(TAGS)


def test_rows_are_taken_with_their_givers():
    rows = np.array([5, -1, 2, 39])
    some = TAGS.take(rows)
    plain = FeatureTable(PLAIN.items, TAGS).features
    assert some.matrix.toarray()[[0, 2, 3]].tolist() == plain.matrix.toarray()[[5, 2, 39]].tolist()
    assert not some.matrix.toarray()[1].any()
    left = some.without(["user 3"]).matrix.toarray()
    assert (
        left[[0, 2, 3]].tolist() == TAGS.without(["user 3"]).matrix.toarray()[[5, 2, 39]].tolist()
    )
    fewer = LIKES.subset(np.arange(30), np.arange(3, 20))
    assert isinstance(fewer.item_features, AttributedFeatures)


@pytest.mark.parametrize("split", [al.hold_out(LIKES, k=2), al.hold_out_users(LIKES)])
def test_a_split_leaves_out_what_held_out_users_gave(split):
    ids = LIKES.users
    test = set(ids.ids_of(np.flatnonzero(split.test.user_counts)))
    both = test | set(ids.ids_of(np.flatnonzero(split.validation.user_counts)))
    assert cells_of(split.train.item_features) == by_hand(lambda user, _: user in both)
    known = split.train_and_validation().item_features
    assert cells_of(known) == by_hand(lambda user, _: user in test)
    assert split.own_features > 0
    assert "features left out, given by held-out users alone" in str(split)
    kept = replace(split, keeps_own_features=True)
    assert cells_of(kept.train.item_features) == cells_of(TAGS)
    assert kept.own_features == 0


def test_of_new_items_only_words_of_those_who_like_them_are_left_out():
    split = al.hold_out_new_items(LIKES, share=0.2)
    new = {part: set(PLAIN.items.ids_of(split.new_items(part))) for part in ("validation", "test")}
    both = new["validation"] | new["test"]
    assert cells_of(split.train.item_features) == by_hand(
        lambda user, item: user != "stranger" and item in both
    )
    assert cells_of(split.train_and_validation().item_features) == by_hand(
        lambda user, item: user != "stranger" and item in new["test"]
    )


def test_columns_of_other_lengths_are_refused():
    with pytest.raises(DataError, match="must be as many"):
        AttributedFeatures.of_rows("tag", ["a"], ["b", "c"], ["d"], PLAIN.items)
