from dataclasses import dataclass, field

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

import oracles_metrics as oracle
from alsolike.data.filtering import filter_counts
from alsolike.data.interactions import Interactions
from alsolike.data.reading.read import read
from alsolike.data.splitting.splitters import hold_out
from alsolike.data.vocabulary import Vocabulary
from alsolike.engines.local import LocalEngine
from alsolike.errors import DataError, SettingError
from alsolike.evaluation.item_to_item.evaluate import (
    ITEM_TO_ITEM_METRICS,
    evaluate_item_to_item,
    evaluate_queries,
)
from alsolike.evaluation.item_to_item.item_queries import ItemQueries
from alsolike.evaluation.item_to_item.item_recommender import (
    ModelItemRecommender,
    item_recommender_of,
)
from alsolike.evaluation.metrics.result import Evaluation
from alsolike.evaluation.statistics.intervals import bootstrap_mean, paired_difference
from alsolike.models.als.config import ALSConfig
from alsolike.models.als.train import fit
from alsolike.models.baselines.popularity import fit_popularity
from alsolike.recommending.batch import similar
from alsolike.recommending.ranking.scan import Ranked

LISTS = ("precision", "recall", "capped_recall", "ndcg", "map", "mrr", "hit_rate")


@dataclass
class Written:
    """ItemRecommender that somebody wrote down: for each item a list of items."""

    items: Vocabulary
    lists: list
    name: str = "written"
    asked: list = field(default_factory=list)

    def ranked(self, item_indices, k):
        self.asked.append((len(item_indices), k))
        found = Ranked.empty(len(item_indices), k)
        for row, item in enumerate(item_indices):
            best = self.lists[item][:k]
            found.indices[row, : len(best)] = best
        return found


def _world(seed, n_users=12, n_items=14):
    """Disjoint interactions, dislikes among them, and shelves of all lengths from 0."""
    rng = np.random.default_rng(seed)
    users, items = ([f"{kind}{row:03}" for row in range(n)] for kind, n in
                    (("u", n_users), ("i", n_items)))  # fmt: skip
    part = rng.choice(3, (n_users, n_items), p=[0.5, 0.2, 0.3])
    part[rng.random(n_users) < 0.2] = 1
    values = rng.choice([-1.0, 1.0, 2.0], (n_users, n_items))
    part[0, :2], values[0, :2] = (0, 1), 1.0
    shown, held_out = (
        Interactions.from_matrix(sp.csr_array(np.where(part == which, values, 0)), users=users,
                                 items=items)
        for which in (0, 1)
    )  # fmt: skip
    lists = []
    for item in range(n_items):
        others = np.delete(np.arange(n_items), item)
        lists.append(rng.permutation(others)[: rng.integers(0, n_items)].tolist())
    return shown, held_out, Written(shown.items, lists)


def _shelves_of(lists, items, seen, wanted, k):
    """The shelf of each of a user's queries, with its measures."""
    of_queries = []
    for item in items:
        shelf = [other for other in lists[item] if other not in seen]
        of_queries.append(oracle.list_measures(shelf, wanted, k) | {"shelf": shelf[:k]})
    return of_queries


@settings(max_examples=50)
@given(
    st.integers(0, 10**6),
    st.booleans(),
    st.integers(1, 4),
    st.lists(st.integers(1, 18), min_size=1, max_size=3),
)
def test_equals_a_literal_reference_user_by_user(seed, exclude_seen, most, lengths):
    shown, held_out, model = _world(seed)
    asked = {"pages_per_user": most, "exclude_seen": exclude_seen, "seed": seed}
    found = evaluate_item_to_item(
        model, held_out, shown, k=lengths, metrics=ITEM_TO_ITEM_METRICS, **asked
    )
    queries = ItemQueries.of(held_out, shown, **asked)
    likes, wants = (part.user_items.toarray() > 0 for part in (shown, held_out))
    has = shown.user_items.toarray() != 0
    assert found.user_indices.tolist() == np.flatnonzero(likes.any(1) & wants.any(1)).tolist()
    assert found.without_query == (~likes.any(1) & wants.any(1)).sum()
    assert found.without_relevant == 0
    short = barren = 0
    for k in sorted(set(lengths)):
        hits, on_shelves = 0, set()
        for place, user in enumerate(found.user_indices):
            items = queries.items[queries.owners == place].tolist()
            assert len(set(items)) == len(items) == min(most, likes[user].sum())
            assert likes[user, items].all()
            seen = set(np.flatnonzero(has[user]).tolist()) if exclude_seen else set()
            wanted = set(np.flatnonzero(wants[user]).tolist())
            of_queries = _shelves_of(model.lists, items, seen, wanted, k)
            for name in LISTS:
                expected = np.mean([page[name] for page in of_queries])
                assert found.per_user[f"{name}@{k}"][place] == pytest.approx(expected, abs=1e-14)
            hits += sum(page["hits"] for page in of_queries)
            on_shelves |= {item for page in of_queries for item in page["shelf"]}
            if k == max(lengths):
                short += sum(len(page["shelf"]) < k for page in of_queries)
                barren += sum(not model.lists[item] for item in items)
        assert found.hits(k) == hits
        assert found.mean(f"coverage@{k}") == len(on_shelves) / shown.n_items
    assert (found.queries, found.short, found.without_neighbours) == (
        len(queries.items),
        short,
        barren,
    )


def test_the_result_is_an_evaluation_to_be_ranked_and_compared_with():
    shown, held_out, model = _world(1)
    ours = evaluate_item_to_item(model, held_out, shown, k=3)
    theirs = evaluate_item_to_item(
        item_recommender_of(fit_popularity(shown), shown), held_out, shown, k=3
    )
    assert isinstance(ours, Evaluation)
    assert ours.metrics == ("hit_rate@3", "recall@3", "precision@3", "ndcg@3")
    assert ours.per_user["user"].tolist() == theirs.per_user["user"].tolist()
    line = bootstrap_mean(ours.per_user["recall@3"], np.random.default_rng(4))
    row = next(row for row in ours.summary(4).rows() if row["metric"] == "recall@3")
    assert (row["mean"], row["low"], row["high"]) == (line.mean, line.low, line.high)
    difference = paired_difference(
        ours.per_user["ndcg@3"], theirs.per_user["ndcg@3"], np.random.default_rng(0)
    )
    assert difference.mean == pytest.approx(ours.mean("ndcg@3") - theirs.mean("ndcg@3"))
    assert repr(theirs).startswith("ItemToItemEvaluation(popularity, ")


def test_lists_are_taken_deeper_only_where_a_shelf_is_not_full():
    """One heavy user has all of the list's beginning; the others have their page item alone."""
    n_items, dense = 60, np.zeros((9, 60))
    dense[:, 0] = 1
    dense[0, :40] = 1
    wants = np.zeros((9, n_items))
    wants[0, 45], wants[1:, 2] = 1, 1
    shown, held_out = (
        Interactions.from_matrix(sp.csr_array(part), items=[f"{i:02}" for i in range(n_items)])
        for part in (dense, wants)
    )
    lists = [[other for other in range(n_items) if other != item] for item in range(n_items)]
    model = Written(shown.items, lists)
    queries = ItemQueries.of(held_out, shown, pages_per_user=40)
    found = evaluate_queries(model, queries, [6], ["mrr", "hit_rate"])
    assert found.per_user["mrr@6"] == pytest.approx(np.array([1 / 6] + [1 / 2] * 8))
    assert found.short == 0
    assert model.asked == [(40, 12), (40, 24), (40, 47)]


def test_where_the_seen_is_kept_each_item_has_one_shelf_and_is_asked_for_once():
    shown, held_out, model = _world(2)
    found = evaluate_item_to_item(model, held_out, shown, k=5, exclude_seen=False)
    (_, depth), *further = model.asked
    assert (depth, further) == (6, [])
    assert not found.excludes_seen
    assert "seen items kept" in str(found)


def test_pages_of_a_user_depend_on_the_seed_alone():
    shown, held_out, _ = _world(3, n_users=40)
    whole = ItemQueries.of(held_out, shown, pages_per_user=2, seed=1)
    some = whole.truth.users[[7, 3]]
    few = ItemQueries.of(held_out, shown, pages_per_user=2, seed=1, user_indices=some)
    assert few.truth.users.tolist() == some.tolist()
    for place, user in enumerate(some):
        at = whole.truth.users.tolist().index(user)
        assert few.items[few.owners == place].tolist() == whole.items[whole.owners == at].tolist()
    other = ItemQueries.of(held_out, shown, pages_per_user=2, seed=2)
    assert other.items.tolist() != whole.items.tolist()
    assert ItemQueries.of(held_out, shown, pages_per_user=2, seed=1).items.tobytes() == (
        whole.items.tobytes()
    )


def test_pages_are_drawn_from_all_of_a_users_likes_alike():
    n_users = 3000
    likes = np.ones((n_users, 5))
    likes[:, 4] = 0
    wants = np.zeros((n_users, 5))
    wants[:, 4] = 1
    shown, held_out = (Interactions.from_matrix(sp.csr_array(part)) for part in (likes, wants))
    drawn = np.bincount(ItemQueries.of(held_out, shown, pages_per_user=1).items, minlength=5)
    assert drawn[4] == 0
    assert (np.abs(drawn[:4] - n_users / 4) < 4 * np.sqrt(n_users * 3 / 16)).all()


def test_heavy_users_count_once():
    """Eight of nine queries are one user's, and find nothing; the other user's page finds it."""
    likes = np.zeros((2, 12))
    likes[0, :8], likes[1, 8] = 1, 1
    wants = np.zeros((2, 12))
    wants[:, 11] = 1
    ids = [f"{i:02}" for i in range(12)]
    shown, held_out = (
        Interactions.from_matrix(sp.csr_array(part), items=ids) for part in (likes, wants)
    )
    model = Written(shown.items, [[10]] * 8 + [[11]] + [[]] * 3)
    found = evaluate_item_to_item(
        model, held_out, shown, k=1, pages_per_user=8, metrics=["hit_rate"]
    )
    assert (found.queries, found.mean("hit_rate@1"), found.hits(1)) == (9, 0.5, 1)


@given(st.integers(0, 10**6), st.integers(1, 4), st.integers(1, 20))
def test_popularity_shows_the_most_liked_but_the_item_itself(seed, min_count, k):
    shown, _, _ = _world(seed)
    popularity = fit_popularity(shown)
    shelves = item_recommender_of(popularity, shown, min_count=min_count)
    likes = (shown.user_items.toarray() > 0).sum(axis=0)
    order = sorted((i for i in range(len(likes)) if likes[i] >= min_count), key=lambda i: -likes[i])
    asked = np.array([3, 0, 3, 13], dtype=np.int32)
    found = shelves.ranked(asked, k)
    for row, item in enumerate(asked):
        expected = [other for other in order if other != item][:k]
        assert found.indices[row].tolist() == expected + [-1] * (k - len(expected))
        assert found.scores[row, : len(expected)].tolist() == [likes[i] for i in expected]
        assert (found.scores[row, len(expected) :] == -np.inf).all()


def test_neighbours_are_those_of_similar_with_its_minimum_count():
    shown, held_out, _ = _world(4, n_users=60)
    model = fit(shown, ALSConfig(factors=4, iterations=3))
    for min_count in (1, 12):
        shelves = ModelItemRecommender(model, min_count=min_count, engine=LocalEngine(1))
        table = similar(model, k=5, min_count=min_count)
        found = shelves.ranked(np.arange(len(model.items), dtype=np.int32), 5)
        listed = [
            (model.items.id_of(item), model.items.id_of(int(other)))
            for item, row in enumerate(found.indices)
            for other in row
            if other >= 0
        ]
        assert listed == list(zip(table["item"], table["similar_item"], strict=True))
    one, many = (
        evaluate_item_to_item(ModelItemRecommender(model, engine=LocalEngine(n)), held_out, shown)
        for n in (1, 3)
    )
    assert all(
        one.per_user[name].tobytes() == many.per_user[name].tobytes() for name in one.metrics
    )


def test_nothing_is_left_out_silently():
    likes = sp.csr_array(np.float32([[1, 1, 0, 0], [0, 0, 0, 0], [1, 0, 0, 0], [0, 0, 1, 0]]))
    wants = sp.csr_array(np.float32([[0, 0, 1, 0], [1, 0, 0, 0], [0, 0, 0, -1], [0, 0, 0, 1]]))
    shown, held_out = (Interactions.from_matrix(part) for part in (likes, wants))
    model = Written(shown.items, [[2, 3], [], [1], []])
    found = evaluate_item_to_item(model, held_out, shown, k=2, user_indices=[3, 2, 1, 0])
    assert found.user_indices.tolist() == [3, 0]
    assert found.per_user["hit_rate@2"].tolist() == [0, 0.5]
    assert (found.queries, found.without_neighbours, found.short) == (3, 1, 2)
    assert (found.without_query, found.without_relevant) == (1, 1)
    text = str(found)
    for line in (
        "similar items: written; seen items left out",
        "queries: 3 of 2 users",
        "queries whose item has no neighbour: 1; count 0",
        "queries with fewer than k items: 2; empty places count as misses",
        "users without a like in training: 1; not measured",
        "users without a held-out like: 1; not measured",
    ):
        assert line in text.splitlines()


def test_shelves_that_cannot_be():
    shown, held_out, model = _world(5)
    n_items = shown.n_items
    for shelf, words in (
        ([0, 0], "an item twice"),
        ([0, n_items], f"not one of the {n_items}"),
        ([-2], f"not one of the {n_items}"),
        ([0, -1, 2], r"after its end \(-1\)"),
    ):
        lists = [[(item + step) % n_items if 0 <= step < 3 else step for step in shelf]
                 for item in range(1, n_items + 1)]  # fmt: skip
        with pytest.raises(DataError, match=words):
            evaluate_item_to_item(Written(shown.items, lists), held_out, shown)
    itself = Written(shown.items, [[item] for item in range(n_items)])
    with pytest.raises(
        DataError, match=r"'written' lists that item itself as similar to item 'i\d+'"
    ):
        evaluate_item_to_item(itself, held_out, shown)
    model.ranked = lambda items, k: Ranked.empty(len(items), k + 1)
    with pytest.raises(DataError, match="gave lists of shape"):
        evaluate_item_to_item(model, held_out, shown)


def test_arguments_that_are_none():
    shown, held_out, model = _world(6)
    for wrong, words in (
        ({"metrics": ["auc"]}, "not available for similar items"),
        ({"metrics": ["hits"]}, "Unknown metrics"),
        ({"k": 0}, "list lengths"),
        ({"pages_per_user": 0}, "pages_per_user must be a whole number of at least 1, not 0"),
        ({"seed": -1}, "seed must be a whole number of at least 0, not -1"),
        ({"user_indices": [0, 0]}, "each user once"),
    ):
        with pytest.raises(SettingError, match=words):
            evaluate_item_to_item(model, held_out, shown, **wrong)
    popularity = fit_popularity(shown)
    with pytest.raises(SettingError, match="not PopularityModel"):
        evaluate_item_to_item(popularity, held_out, shown)
    other, _, others = _world(6, n_items=15)
    with pytest.raises(DataError, match="same users and items"):
        evaluate_item_to_item(model, held_out, other)
    with pytest.raises(DataError, match="has 15 items"):
        evaluate_item_to_item(others, held_out, shown)
    for exclude_seen in (True, False):
        with pytest.raises(DataError, match="also excluded"):
            evaluate_item_to_item(model, shown, shown, exclude_seen=exclude_seen)
    nobody = Interactions.from_matrix(
        sp.csr_array((shown.n_users, shown.n_items), dtype=np.float32),
        users=list(shown.users),
        items=list(shown.items),
    )
    with pytest.raises(DataError, match="no items to query"):
        evaluate_item_to_item(model, held_out, nobody)
    with pytest.raises(DataError, match="nothing to measure"):
        evaluate_item_to_item(model, nobody, shown)


def test_real_listeners_settings_for_lists_are_not_those_for_shelves(shared_data):
    likes, _ = read(
        shared_data / "lastfm-2k" / "user_artists.dat.gz", user="userID", item="artistID"
    )
    kept, _ = filter_counts(likes)
    split = hold_out(kept)
    model = fit(split.train, ALSConfig(factors=40, iterations=6))
    queries = ItemQueries.of(split.validation, split.train)
    few, many = (
        evaluate_queries(ModelItemRecommender(model, min_count=count), queries, [10], ["hit_rate"])
        for count in (2, 20)
    )
    gain = paired_difference(
        many.per_user["hit_rate@10"], few.per_user["hit_rate@10"], np.random.default_rng(0)
    )
    assert gain.low > 0
    slow = ModelItemRecommender(model).ranked(queries.items, split.train.n_items).indices
    seen = split.train.user_items.toarray() != 0
    wants = split.validation.user_items.toarray() > 0
    for place in range(0, len(few.user_indices), 9):
        user, found = few.user_indices[place], []
        for page in np.flatnonzero(queries.owners == place):
            shelf = [i for i in slow[page] if i >= 0 and not seen[user, i]][:10]
            found.append(wants[user, shelf].any())
        assert few.per_user["hit_rate@10"][place] == pytest.approx(np.mean(found))
