import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from alsolike.data.interactions import Interactions
from alsolike.errors import DataError, SettingError
from alsolike.evaluation.metrics.result import Evaluation
from alsolike.evaluation.slices.groups import (
    POPULARITY_CLASSES,
    by_history,
    by_popularity,
    popularity_classes,
    quantile_tops,
    ratio_of_sums,
)
from alsolike.evaluation.statistics.intervals import bootstrap_mean
from alsolike.tables import Table


def _rng(seed=0):
    return np.random.default_rng(seed)


def _evaluation(rows, values, metric="precision@5"):
    ids = [f"u{row}" for row in rows]
    table = Table({"user": ids, metric: np.array(values, dtype=np.float64)})
    return Evaluation("fixed", True, np.array(rows, dtype=np.int64), table, {}, {})


def _histories(lengths):
    """Users with so many likes each, and a dislike, which is no like."""
    width = max(lengths, default=0) + 1
    dense = np.zeros((len(lengths), width))
    for row, length in enumerate(lengths):
        dense[row, :length] = 2.0
        dense[row, width - 1] = -1.0
    return Interactions.from_matrix(
        sp.csr_array(dense), users=[f"{row:03}" for row in range(len(lengths))]
    )


@given(st.lists(st.integers(0, 12), min_size=1, max_size=40), st.integers(1, 6))
def test_history_classes_hold_each_length_once_and_are_never_empty(lengths, n_classes):
    tops = quantile_tops(np.array(lengths), n_classes).tolist()
    assert tops == sorted(set(tops))
    assert len(tops) <= n_classes
    assert set(tops) <= set(lengths)
    assert tops[-1] == max(lengths)
    # Each quantile is at the nearest place where users of different lengths can be parted.
    n, parted = len(lengths), {0} | {sum(x <= top for x in lengths) for top in lengths}
    places = {0, n} | {sum(x <= top for x in lengths) for top in tops}
    for number in range(1, n_classes):
        distance = [abs(place - n * number / n_classes) for place in (sorted(parted))]
        assert any(abs(place - n * number / n_classes) == min(distance) for place in places)
    assert len(places) <= n_classes + 1


def test_a_crowd_with_the_longest_history_does_not_swallow_the_others():
    assert quantile_tops(np.array([3] * 2 + [7] * 4 + [50] * 94), 4).tolist() == [7, 50]
    assert quantile_tops(np.array([1] * 94 + [7] * 4 + [9] * 2), 4).tolist() == [1, 9]


@given(st.integers(0, 10**6), st.integers(1, 12), st.integers(1, 5))
def test_by_history_equals_a_literal_grouping(seed, n_users, n_classes):
    rng = _rng(seed)
    lengths = rng.integers(0, 8, n_users).tolist()
    shown = _histories(lengths)
    rows = rng.permutation(n_users)[: rng.integers(1, n_users + 1)]
    values = rng.random(len(rows))
    table = by_history(
        _evaluation(rows, values), shown, "precision@5", classes=n_classes, resamples=20
    )
    seen = 0
    for row in table.rows():
        own = [
            value
            for user, value in zip(rows, values, strict=True)
            if row["likes_from"] <= lengths[user] <= row["likes_to"]
        ]
        seen += len(own)
        assert row["users"] == len(own) > 0
        assert row["mean"] == pytest.approx(np.mean(own))
        assert min(own) - 1e-12 <= row["low"] <= row["high"] <= max(own) + 1e-12
    assert seen == len(rows)
    assert table["likes_from"].tolist()[1:] == [top + 1 for top in table["likes_to"].tolist()[:-1]]


def test_one_user_and_equal_histories_are_one_class_with_words_for_it():
    (row,) = by_history(_evaluation([1], [0.4]), _histories([3, 1, 9]), "precision@5").rows()
    assert (row["history"], row["users"]) == ("1 like", 1)
    assert row["low"] == row["mean"] == row["high"] == 0.4
    equal = by_history(_evaluation([0, 1, 2], [0, 1, 0.5]), _histories([4] * 3), "precision@5")
    assert equal["history"].tolist() == ["4 likes"]
    assert equal["users"].tolist() == [3]
    spread = by_history(_evaluation([0, 1], [0, 1]), _histories([1, 1234]), "precision@5")
    assert spread["history"].tolist() == ["1 like", "2 to 1,234 likes"]


def test_two_models_are_sliced_alike_and_drawn_alike():
    shown, rows, values = _histories(range(40)), list(range(40)), _rng(1).random(40)
    one = by_history(_evaluation(rows, values), shown, "precision@5", rng=7)
    other = by_history(_evaluation(rows, values + 1), shown, "precision@5", rng=7)
    assert one["history"].tolist() == other["history"].tolist()
    for name in ("mean", "low", "high"):
        assert other[name] - 1 == pytest.approx(one[name])


def test_settings_of_by_history_that_are_none():
    found, shown = _evaluation([0, 5], [0.0, 1.0]), _histories([1] * 6)
    with pytest.raises(SettingError, match=r"these have: precision@5"):
        by_history(found, shown, "coverage@5")
    with pytest.raises(SettingError, match="classes must be a whole number of at least 1"):
        by_history(found, shown, "precision@5", classes=0)
    with pytest.raises(SettingError, match="rng"):
        by_history(found, shown, "precision@5", rng=-1)
    with pytest.raises(DataError, match="row 5"):
        by_history(found, _histories([1] * 5), "precision@5")


def _popularity_class(likes, item):
    """From the most popular item down, until its likes are passed."""
    if likes[item] == 0:
        return 3
    above = sum(count for count in likes if count > likes[item])
    return 0 if above < sum(likes) / 3 else 1 if above < 2 * sum(likes) / 3 else 2


@given(st.lists(st.integers(0, 30), min_size=1, max_size=30).filter(any))
def test_popularity_classes_are_thirds_of_all_likes(likes):
    found = popularity_classes(np.array(likes, dtype=np.int64)).tolist()
    assert found == [_popularity_class(likes, item) for item in range(len(likes))]
    assert 0 in found
    by_count = dict(zip(likes, found, strict=True))
    assert [by_count[count] for count in likes] == found


def test_popularity_classes_at_their_ends():
    assert popularity_classes(np.array([4, 4, 4])).tolist() == [0, 0, 0]
    assert popularity_classes(np.array([8, 2, 1, 0])).tolist() == [0, 2, 2, 3]
    assert popularity_classes(np.array([2, 1])).tolist() == [0, 2]


@given(st.integers(0, 10**6))
def test_by_popularity_equals_a_literal_count(seed):
    rng = _rng(seed)
    n_users, n_items = int(rng.integers(1, 7)), 12
    chance = rng.random(n_items)
    dense = np.where(rng.random((n_users, n_items)) < chance, rng.choice([-1.0, 1, 2]), 0)
    dense[0, 0] = 1.0
    shown = Interactions.from_matrix(sp.csr_array(dense), items=[f"{i:02}" for i in range(n_items)])
    wants = rng.random((n_users, n_items)) < 0.3
    lists = np.array([rng.permutation(n_items)[:4] for _ in range(n_users)], dtype=np.int32)
    lists[:, 3] = np.where(rng.random(n_users) < 0.5, -1, lists[:, 3])
    table = by_popularity("fixed", sp.csr_array(wants.astype(float)), lists, shown, resamples=30)
    likes = (dense > 0).sum(axis=0).tolist()
    places = [_popularity_class(likes, item) for item in range(n_items)]
    assert table["popularity"].tolist() == [POPULARITY_CLASSES[at] for at in sorted(set(places))]
    for row in table.rows():
        own = {i for i in range(n_items) if POPULARITY_CLASSES[places[i]] == row["popularity"]}
        pairs = [(u, i) for u, i in zip(*wants.nonzero(), strict=True) if i in own]
        hits = sum(i in lists[u] for u, i in pairs)
        assert row["items"] == len(own)
        assert row["pairs"] == len(pairs)
        assert row["users"] == len({u for u, _ in pairs})
        assert {likes[i] for i in own} >= {row["likes_from"], row["likes_to"]}
        assert row["share_of_likes"] == pytest.approx(sum(likes[i] for i in own) / sum(likes))
        if pairs:
            assert row["mean"] == hits / len(pairs)
            assert 0 <= row["low"] <= row["high"] <= 1
        else:
            assert row["mean"] is row["low"] is row["high"] is None
    assert table["share_of_likes"].sum() == pytest.approx(1)
    assert table["pairs"].sum() == wants.sum()


def test_what_does_not_belong_together_is_an_error():
    shown = Interactions.from_matrix(sp.csr_array(np.ones((2, 3))))
    with pytest.raises(DataError, match="do not belong together"):
        by_popularity("x", sp.csr_array(np.ones((2, 4))), np.zeros((2, 1), np.int32), shown)
    with pytest.raises(DataError, match="do not belong together"):
        by_popularity("x", sp.csr_array(np.ones((2, 3))), np.zeros((1, 1), np.int32), shown)


def test_a_ratio_of_sums_with_equal_wholes_is_a_mean():
    parts = _rng().integers(0, 5, 400)
    ratio = ratio_of_sums(parts, np.full(400, 4), _rng(1))
    mean = bootstrap_mean(parts / 4, _rng(2))
    assert ratio.mean == pytest.approx(mean.mean, rel=1e-15)
    assert ratio.n == mean.n
    assert ratio.low == pytest.approx(mean.low, abs=0.004)
    assert ratio.high == pytest.approx(mean.high, abs=0.004)


def test_the_interval_of_a_ratio_covers_the_truth_about_as_often_as_it_says():
    rng, inside = _rng(3), 0
    for _ in range(200):
        wholes = rng.integers(1, 9, 300)
        found = ratio_of_sums(rng.binomial(wholes, 0.1), wholes, rng, resamples=300)
        inside += found.low <= 0.1 <= found.high
    assert 180 <= inside <= 198


def test_a_ratio_has_the_same_bytes_whatever_the_blocks():
    wholes = _rng().integers(1, 9, 100)
    parts = _rng(1).binomial(wholes, 0.3)
    once = ratio_of_sums(parts, wholes, _rng(2), resamples=500)
    assert ratio_of_sums(parts, wholes, _rng(2), resamples=500, block=1700) == once


def test_ratios_that_are_none():
    for parts, wholes in (([], []), ([1], [0]), ([1, 1], [1]), ([1], [0.5]), ([np.nan], [1])):
        with pytest.raises(DataError, match="ratio of sums"):
            ratio_of_sums(parts, wholes, _rng())
    with pytest.raises(SettingError, match="resamples"):
        ratio_of_sums([1], [2], _rng(), resamples=0)
