import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from alsolike.data.interactions import Interactions
from alsolike.models.baselines.popularity import as_scores, fit_popularity
from alsolike.recommending.batch import recommend, top_items


def test_counts_users_not_plays_and_no_dislikes():
    likes = Interactions.from_columns(
        ["u1", "u1", "u2", "u2", "u3"], ["a", "b", "b", "c", "c"], [90, 1, 1, -5, 2]
    )
    model = fit_popularity(likes)
    assert model.name == "popularity"
    np.testing.assert_array_equal(model.scores([0, 2], slice(0, 3)), [[1, 2, 1]] * 2)
    np.testing.assert_array_equal(model.scores(slice(1, 3), slice(1, 2)), [[2], [2]])


def test_ties_go_to_the_lower_item_and_seen_is_left_out():
    likes = Interactions.from_columns(["u1", "u1", "u2", "u3"], ["b", "c", "a", "d"])
    model = fit_popularity(likes)
    assert top_items(model, [0, 1], k=3).indices.tolist() == [[0, 1, 2]] * 2
    assert recommend(model, "u1")["item"].tolist() == ["a", "d"]


@given(st.lists(st.integers(0, 2**40) | st.integers(2**24 - 3, 2**24 + 40), min_size=1))
def test_order_is_exact_beyond_the_integers_of_float32(counts):
    counts = np.array(counts, dtype=np.int64)
    scores = as_scores(counts)
    assert scores.dtype == np.float32
    np.testing.assert_array_equal(
        np.sign(np.subtract.outer(counts, counts)), np.sign(np.subtract.outer(scores, scores))
    )
    small = counts <= 2**24
    np.testing.assert_array_equal(scores[small], counts[small])


def test_no_interactions_at_all():
    nobody = Interactions.from_columns([], [])
    model = fit_popularity(nobody)
    assert model.scores(slice(None), slice(None)).shape == (0, 0)
    assert len(recommend(model)) == 0
