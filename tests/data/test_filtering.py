import time

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from alsolike.data.catalogue import Catalogue
from alsolike.data.filtering import filter_counts
from alsolike.data.interactions import Interactions
from alsolike.data.string_array import StringArray
from alsolike.errors import DataError, SettingError
from oracles_metrics import filtered_pairs

pairs_of = st.sets(
    st.tuples(st.sampled_from("abcdefgh"), st.sampled_from("pqrstuvw")), min_size=1, max_size=40
)


def _pairs(interactions):
    users, items = interactions.user_items.toarray().nonzero()
    names = interactions.users.ids_of(users), interactions.items.ids_of(items)
    return set(zip(*names, strict=True))


@settings(max_examples=40, deadline=None)
@given(pairs_of, st.integers(0, 4), st.integers(0, 4))
def test_equals_the_literal_loop_and_twice_is_once(pairs, min_per_user, min_per_item):
    likes = Interactions.from_columns([u for u, _ in pairs], [i for _, i in pairs])
    expected = filtered_pairs(sorted(pairs), min_per_user, min_per_item)
    if not expected:
        with pytest.raises(DataError, match="No users are left"):
            filter_counts(likes, min_per_user=min_per_user, min_per_item=min_per_item)
        return
    once, report = filter_counts(likes, min_per_user=min_per_user, min_per_item=min_per_item)
    assert _pairs(once) == set(expected)
    assert report.after.interactions == once.n_interactions == len(expected)
    twice, again = filter_counts(once, min_per_user=min_per_user, min_per_item=min_per_item)
    assert twice is once
    assert again.rounds == 0
    assert again.before == again.after == report.after


def test_a_chain_falls_over_several_rounds_and_the_clique_stays():
    # Each user of the chain holds only because of the next one; a 3 x 3 clique stands apart.
    users = [f"c{n}" for n in range(5) for _ in range(2)] + [f"k{n}" for n in range(3)] * 3
    items = [f"c{n + step}" for n in range(5) for step in range(2)] + [
        f"k{n}" for n in range(3) for _ in range(3)
    ]
    filtered, report = filter_counts(
        Interactions.from_columns(users, items), min_per_user=2, min_per_item=2
    )
    assert list(filtered.users) == ["k0", "k1", "k2"]
    assert report.rounds == 4
    assert report.before.users == 8
    assert (report.min_per_user, report.min_per_item) == (2, 2)


def test_the_minimums_are_not_crossed():
    likes = Interactions.from_columns(["u1", "u1", "u1"], ["a", "b", "c"])
    assert filter_counts(likes, min_per_user=3, min_per_item=1)[0].n_interactions == 3
    with pytest.raises(DataError, match="min_per_user=1, min_per_item=1 would leave 1 users"):
        filter_counts(likes, min_per_user=1, min_per_item=3)


def test_zero_keeps_the_empty_and_one_drops_them():
    likes = Interactions.from_matrix(np.array([[1, 0], [0, 0]]))
    kept, report = filter_counts(likes, min_per_user=0, min_per_item=0)
    assert kept is likes
    assert report.rounds == 0
    dropped, _ = filter_counts(likes, min_per_user=1, min_per_item=1)
    assert (dropped.n_users, dropped.n_items) == (1, 1)
    one_sided, _ = filter_counts(likes, min_per_user=0, min_per_item=1)
    assert (one_sided.n_users, one_sided.n_items) == (2, 1)


def test_dislikes_count_and_times_and_catalogue_follow():
    likes = Interactions.from_columns(["u", "u", "v", "v", "w"], list("ababc"), [1, -2, 3, 4, 5])
    names = Catalogue(3, names=StringArray.pack(["A", "B", "C"]))
    likes = Interactions(likes.user_items, likes.users, likes.items, np.arange(5.0), names)
    kept, _ = filter_counts(likes, min_per_user=2, min_per_item=2)
    assert kept.user_items.toarray().tolist() == [[1, -2], [3, 4]]
    assert kept.timestamps.tolist() == [0, 1, 2, 3]
    assert list(kept.catalogue.names) == ["A", "B"]


def test_the_error_says_what_was_there_and_the_way_out():
    users = [f"u{user}" for user in range(4) for _ in range(3)]
    likes = Interactions.from_columns(users, list("abc") * 4)
    with pytest.raises(DataError) as caught:
        filter_counts(likes, min_per_user=50, min_per_item=2)
    message = str(caught.value)
    for part in (
        "min_per_user=50",
        "4 users, 3 items, 12 interactions",
        "busiest user has 3",
        "min_per_user=3, min_per_item=2 would leave 4 users and 3 items",
    ):
        assert part in message
    with pytest.raises(SettingError, match="min_per_item must be a whole number of at least 0"):
        filter_counts(likes, min_per_item=-1)
    with pytest.raises(DataError, match="no interactions"):
        filter_counts(Interactions.from_matrix(np.zeros((2, 2))), min_per_user=0, min_per_item=0)


def test_the_report_reads_well():
    likes = Interactions.from_columns(["u", "u", "v"], list("aba"))
    _, report = filter_counts(likes, min_per_user=2, min_per_item=1)
    table = report.to_table()
    assert table["users"].tolist() == [2, 1]
    assert table["filled"].tolist() == ["75 %", "100 %"]
    assert (
        dict(report.facts())["after the filter"] == "1 users, 2 items, 2 interactions, 100 % filled"
    )
    assert str(report).count("\n") == 4
    assert "<table>" in report._repr_html_()


def test_half_a_million_likes_take_well_under_a_second():
    rng = np.random.default_rng(0)
    users, items = rng.zipf(1.3, 800_000) % 60_000, rng.zipf(1.2, 800_000) % 28_000
    matrix = np.unique(users * 28_000 + items)
    likes = Interactions.from_matrix(
        sp.coo_array((np.ones(len(matrix)), (matrix // 28_000, matrix % 28_000)), (60_000, 28_000))
    )
    likes.item_users  # noqa: B018 - made once for all, so not part of this
    began = time.perf_counter()
    filter_counts(likes)
    assert time.perf_counter() - began < 2


def test_what_is_no_table_or_no_whole_number_is_refused():
    likes = Interactions.from_columns(["ann"], ["x"])
    with pytest.raises(SettingError, match=r"min_per_user must be a whole number .* not 1\.5"):
        filter_counts(likes, min_per_user=1.5)
    with pytest.raises(
        DataError, match=r"not a SciPy dia_array.*Interactions\.from_matrix\(matrix\)"
    ):
        filter_counts(sp.eye_array(3))
