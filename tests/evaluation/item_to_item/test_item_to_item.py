import math

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

import oracles_metrics as oracle
from alsolike.data.filtering import filter_counts
from alsolike.data.interactions import Interactions
from alsolike.data.reading.read import read
from alsolike.engines.local import LocalEngine
from alsolike.errors import DataError, SettingError, SplitError
from alsolike.evaluation.item_to_item.evaluate import (
    METRICS,
    evaluate_item_to_item,
    evaluate_queries,
)
from alsolike.evaluation.item_to_item.item_queries import ItemQueries
from alsolike.evaluation.item_to_item.item_recommender import (
    ModelItemRecommender,
    item_recommender_of,
)
from alsolike.evaluation.item_to_item.query_metrics import STRATIFIED
from alsolike.evaluation.item_to_item.unseen_users import Fold, unseen_users
from alsolike.evaluation.metrics.result import Evaluation
from alsolike.evaluation.slices.groups import popularity_classes
from alsolike.evaluation.statistics.intervals import bootstrap_mean, paired_difference
from alsolike.models.als.config import ALSConfig
from alsolike.models.als.train import fit
from alsolike.models.baselines.popularity import fit_popularity
from alsolike.recommending.batch import similar
from alsolike.recommending.ranking.scan import Ranked
from alsolike.testing import tiny_likes
from unseen_world import Scored, Written, over, parts

LISTS = ("precision", "recall", "capped_recall", "ndcg", "map", "mrr", "hit_rate")


def _written(seed, items):
    """Lists of all lengths from 0."""
    rng = np.random.default_rng(seed)
    n_items, lists = len(items), []
    for item in range(n_items):
        others = np.delete(np.arange(n_items), item)
        lists.append(rng.permutation(others)[: rng.integers(0, n_items)].tolist())
    return Written(items, lists)


def _all_wanted(queries):
    return queries.wanted.indices.tolist()


def _measures(orders, relevant, queries, k):
    """The mean of each measure over the orders of one list."""
    likes, wanted = queries.likes.tolist(), _all_wanted(queries)
    found = {name: [] for name in METRICS}
    for one in orders:
        measures = oracle.list_measures(one, relevant, k)
        for name in METRICS:
            if name in STRATIFIED:
                exponent = STRATIFIED[name]
                found[name].append(
                    oracle.stratified_precision(one, relevant, likes, wanted, exponent, k)
                )
            else:
                found[name].append(measures[name])
    return {name: math.fsum(values) / len(values) for name, values in found.items()}


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 4), st.integers(1, 18), st.integers(1, 3))
def test_equals_a_literal_reference_user_by_user(seed, most, k, min_count):
    train, held_out = parts(seed)
    queries = ItemQueries.of(held_out, train, pages_per_user=most, min_count=min_count, seed=seed)
    model = _written(seed, train.items)
    found = evaluate_queries([model], [queries], k, METRICS)
    likes = held_out.user_items.toarray() > 0
    counts = (train.user_items.toarray() > 0).sum(axis=0)
    may_ask = likes & (counts >= min_count)
    measured = may_ask.any(1) & (likes.sum(1) > 1)
    assert found.user_indices.tolist() == np.flatnonzero(measured).tolist()
    assert found.without_query == (~may_ask.any(1) & (likes.sum(1) > 1)).sum()
    assert found.without_relevant == (likes.sum(1) == 1).sum()
    assert queries.likes.tolist() == counts.tolist()
    short = barren = hits = 0
    for place, user in enumerate(found.user_indices):
        items = queries.items[queries.owners == place].tolist()
        assert len(set(items)) == len(items) == min(most, may_ask[user].sum())
        assert may_ask[user, items].all()
        wanted = set(np.flatnonzero(likes[user]).tolist())
        of_queries = [_measures([model.lists[item]], wanted - {item}, queries, k) for item in items]
        for name in METRICS:
            expected = np.mean([page[name] for page in of_queries])
            assert found.per_user[f"{name}@{k}"][place] == pytest.approx(expected, abs=1e-12)
        for item in items:
            hits += len(set(model.lists[item][:k]) & (wanted - {item}))
            short += len(model.lists[item]) < k
            barren += not model.lists[item]
    assert found.hits(k) == hits
    assert (found.queries, found.short, found.without_neighbours) == (
        len(queries.items),
        short,
        barren,
    )
    # Each item is listed once, one place deeper.
    assert model.asked == [(len(set(queries.items.tolist())), k + 1)]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 6))
def test_each_figure_is_the_mean_over_all_orders_of_equal_scores(seed, k):
    rng = np.random.default_rng(seed)
    train, held_out = parts(seed, 9, 6)
    queries = ItemQueries.of(held_out, train, min_count=0, seed=seed)
    table = rng.integers(0, 3, (6, 6)).astype(np.float32)
    table[rng.random(table.shape) < 0.2] = -np.inf
    found = evaluate_queries([Scored(train.items, table)], [queries], k, METRICS)
    likes = held_out.user_items.toarray() > 0
    values = {name: [] for name in METRICS}
    for item, owner in zip(queries.items.tolist(), queries.owners.tolist(), strict=True):
        relevant = set(np.flatnonzero(likes[queries.users[owner]]).tolist()) - {item}
        orders = oracle.all_orders(table[item].tolist(), {item})
        for name, value in _measures(orders, relevant, queries, k).items():
            values[name].append(value)
    for name in METRICS:
        means = np.bincount(queries.owners, weights=values[name]) / np.bincount(queries.owners)
        assert found.per_user[f"{name}@{k}"] == pytest.approx(means, abs=1e-12)


def test_a_hit_on_a_rare_item_counts_more():
    """Both lists have one hit; the wanted items have 1 and 4 likes in training."""
    train = over([[1, 1, 1], [1, 1, 0], [1, 1, 0], [1, 1, 0], [0, 0, 0]])
    held_out = over([[0, 0, 0]] * 4 + [[1, 1, 1]])
    queries = ItemQueries.of(held_out, train, pages_per_user=1, min_count=4)
    [item] = queries.items.tolist()
    popular = 1 - item
    values = {}
    for name, shown in (("popular", popular), ("rare", 2)):
        lists = [[shown] if at == item else [] for at in range(3)]
        values[name] = evaluate_queries([Written(train.items, lists)], [queries], 1, METRICS)
    assert values["popular"].mean("precision@1") == values["rare"].mean("precision@1") == 1
    assert values["popular"].mean("p_1@1") == pytest.approx(0.25 / ((0.25 + 0.25 + 1) / 3))
    assert values["rare"].mean("p_1@1") == pytest.approx(1 / ((0.25 + 0.25 + 1) / 3))
    assert values["rare"].mean("p_0.5@1") == pytest.approx(1 / ((0.5 + 0.5 + 1) / 3))


def test_the_result_is_an_evaluation_to_be_ranked_and_compared_with():
    folds = unseen_users(tiny_likes(60, 40))
    assert len(folds) == 5
    ours, theirs = (
        evaluate_item_to_item(
            [item_recommender_of(train(one.train), one.train) for one in folds], folds, k=3
        )
        for train in (lambda likes: fit(likes, ALSConfig(factors=4)), fit_popularity)
    )
    assert isinstance(ours, Evaluation)
    assert ours.metrics == (
        "precision@3", "hit_rate@3", "ndcg@3", "p_0.5@3", "p_1@3", "recall@3",
    )  # fmt: skip
    assert ours.per_user["user"].tolist() == theirs.per_user["user"].tolist()
    line = bootstrap_mean(ours.per_user["recall@3"], np.random.default_rng(4))
    row = next(row for row in ours.summary(4).rows() if row["metric"] == "recall@3")
    assert (row["mean"], row["low"], row["high"]) == (line.mean, line.low, line.high)
    difference = paired_difference(
        ours.per_user["ndcg@3"], theirs.per_user["ndcg@3"], np.random.default_rng(0)
    )
    assert difference.mean == pytest.approx(ours.mean("ndcg@3") - theirs.mean("ndcg@3"))
    assert repr(theirs).startswith("ItemToItemEvaluation(popularity, ")
    assert not ours.excludes_seen
    assert ours.share_shown is None


def test_a_user_of_several_folds_counts_once():
    """The mean over pages, then over folds."""
    train = over([[0] * 6, [1] * 6, [1] * 6])
    lists = Written(train.items, [[3], [3], [], [5], [], []])
    folds = []
    for wants in ([1, 1, 0, 1, 0, 0], [0, 0, 0, 1, 1, 1]):
        held_out = over([wants, [0] * 6, [0] * 6])
        queries = ItemQueries.of(held_out, train)
        folds.append(Fold(train, queries, queries))
    found = evaluate_item_to_item([lists, lists], folds, k=1, metrics=["precision"])
    assert found.user_indices.tolist() == [0]
    assert found.per_user["precision@1"].tolist() == pytest.approx([(2 / 3 + 1 / 3) / 2])
    assert (found.queries, found.hits(1)) == (6, 3)
    assert "queries: 6 of 1 users in 2 folds" in str(found)


def test_pages_of_a_user_depend_on_the_seed_alone():
    train, held_out = parts(3, n_users=60)
    whole = ItemQueries.of(held_out, train, pages_per_user=2, seed=1)
    again = ItemQueries.of(held_out, train, pages_per_user=2, seed=1)
    assert again.items.tobytes() == whole.items.tobytes()
    other = ItemQueries.of(held_out, train, pages_per_user=2, seed=2)
    assert other.items.tolist() != whole.items.tolist()


def test_pages_are_drawn_from_all_of_a_users_likes_alike():
    n_users = 3000
    likes = np.zeros((n_users + 1, 5))
    likes[:n_users, :4] = 1
    train = np.zeros((n_users + 1, 5))
    train[-1] = 1
    queries = ItemQueries.of(over(likes), over(train), pages_per_user=1, min_count=1)
    drawn = np.bincount(queries.items, minlength=5)
    assert drawn[4] == 0
    assert (np.abs(drawn[:4] - n_users / 4) < 4 * np.sqrt(n_users * 3 / 16)).all()


def test_heavy_users_count_once():
    """Eight of ten queries are one user's, and find nothing; the other user's find it."""
    wants = np.zeros((3, 12))
    wants[0, :8] = 1
    wants[1, 8:10] = 1
    train = np.zeros((3, 12))
    train[2] = 1
    queries = ItemQueries.of(over(wants), over(train), pages_per_user=8, min_count=1)
    model = Written(over(train).items, [[11]] * 8 + [[9], [8]] + [[]] * 2)
    found = evaluate_queries([model], [queries], 1, ["hit_rate"])
    assert (found.queries, found.mean("hit_rate@1"), found.hits(1)) == (10, 0.5, 2)


@given(st.integers(0, 10**6), st.integers(1, 4), st.integers(1, 20))
def test_popularity_shows_the_most_liked_but_the_item_itself(seed, min_count, k):
    shown, _ = parts(seed)
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
    [fold, *_] = unseen_users(tiny_likes(80, 40))
    model = fit(fold.train, ALSConfig(factors=4, iterations=3))
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
        evaluate_item_to_item([ModelItemRecommender(model, engine=LocalEngine(n))], [fold])
        for n in (1, 3)
    )
    assert all(
        one.per_user[name].tobytes() == many.per_user[name].tobytes() for name in one.metrics
    )


def test_nothing_is_left_out_silently():
    train = over([[0] * 4] * 4 + [[1, 1, 1, 0]] * 2)
    held_out = over([[1, 1, 1, 0], [0, 0, -1, 1], [1, 1, 0, 1], [0, -1, 0, 0], [0] * 4, [0] * 4])
    model = Written(train.items, [[2, 3], [], [1], []])
    queries = ItemQueries.of(held_out, train)
    found = evaluate_queries([model], [queries], 2, ["hit_rate"])
    assert found.user_indices.tolist() == [0, 2]
    assert found.per_user["hit_rate@2"].tolist() == pytest.approx([2 / 3, 0.5])
    assert (found.queries, found.without_neighbours, found.short) == (5, 2, 3)
    assert (found.without_query, found.without_relevant) == (0, 1)
    text = str(found)
    for line in (
        "similar items: written; users whom training never saw",
        "queries: 5 of 2 users",
        "queries whose item has no neighbour: 2; count 0",
        "queries with fewer than k items: 3; empty places count as misses",
        "users without a second like: 1; not measured",
    ):
        assert line in text.splitlines()


def test_users_of_items_without_a_list_are_counted():
    train = over([[0] * 4] * 2 + [[1, 1, 0, 0]] * 2)
    held_out = over([[0, 0, 1, 1], [1, 0, 0, 1], [0] * 4, [0] * 4])
    queries = ItemQueries.of(held_out, train)
    found = evaluate_queries([Written(train.items, [[1]] * 4)], [queries], 2, ["hit_rate"])
    assert (found.without_query, found.user_indices.tolist()) == (1, [1])
    assert "users without an item that may have a list: 1; not measured" in str(found)


def test_shelves_that_cannot_be():
    train, held_out = parts(5)
    queries = ItemQueries.of(held_out, train, min_count=0)
    fold, n_items = Fold(train, queries, queries), train.n_items
    for shelf, words in (
        ([0, 0], "an item twice"),
        ([0, n_items], f"not one of the {n_items}"),
        ([-2], f"not one of the {n_items}"),
        ([0, -1, 2], r"after its end \(-1\)"),
    ):
        lists = [[(item + step) % n_items if 0 <= step < 3 else step for step in shelf]
                 for item in range(1, n_items + 1)]  # fmt: skip
        with pytest.raises(DataError, match=words):
            evaluate_item_to_item([Written(train.items, lists)], [fold])
    itself = Written(train.items, [[item] for item in range(n_items)])
    with pytest.raises(
        DataError, match=r"'written' lists that item itself as similar to item 'i\d+'"
    ):
        evaluate_item_to_item([itself], [fold])
    model = _written(5, train.items)
    model.ranked = lambda items, k: Ranked.empty(len(items), k + 1)
    with pytest.raises(DataError, match="gave lists of shape"):
        evaluate_item_to_item([model], [fold])


def test_arguments_that_are_none():
    train, held_out = parts(6)
    queries = ItemQueries.of(held_out, train, min_count=0)
    fold, model = Fold(train, queries, queries), _written(6, train.items)
    for wrong, words in (
        ({"metrics": ["auc"]}, "not available for similar items"),
        ({"metrics": ["hits"]}, "Unknown metrics"),
        ({"metrics": ["p_0.4"]}, r"Did you mean 'p_0.5'\?|known are precision"),
        ({"k": 0}, "k must be a whole number of at least 1, not 0"),
        ({"part": "train"}, "part must be 'validation' or 'test', not 'train'"),
    ):
        with pytest.raises(SettingError, match=words):
            evaluate_item_to_item([model], [fold], **wrong)
    for wrong, words in (
        ({"pages_per_user": 0}, "pages_per_user must be a whole number of at least 1, not 0"),
        ({"min_count": -1}, "min_count must be a whole number of at least 0, not -1"),
        ({"seed": -1}, "seed must be a whole number of at least 0, not -1"),
    ):
        with pytest.raises(SettingError, match=words):
            ItemQueries.of(held_out, train, **wrong)
    with pytest.raises(SettingError, match="not PopularityModel"):
        evaluate_item_to_item([fit_popularity(train)], [fold])
    with pytest.raises(DataError, match="there are 1 for 2 folds"):
        evaluate_item_to_item([model], [fold, fold])
    others, _ = parts(6, n_items=15)
    with pytest.raises(DataError, match="has 15 items, the fold has 14"):
        evaluate_item_to_item([_written(6, others.items)], [fold])
    with pytest.raises(DataError, match="same users and items"):
        ItemQueries.of(held_out, others)
    nobody = Interactions(
        sp.csr_array((train.n_users, train.n_items), dtype=np.float32), train.users, train.items
    )
    with pytest.raises(DataError, match=r"None of the .* users has two likes, one of them of an"):
        ItemQueries.of(held_out, nobody)
    with pytest.raises(DataError, match="nothing to measure"):
        ItemQueries.of(nobody, train)


def test_users_whom_training_has_seen_are_refused():
    likes = tiny_likes(30, 20)
    is_held_out = np.arange(likes.n_interactions) % 3 == 0
    with pytest.raises(SplitError, match=r"have likes in training, .*hold_out_unseen_users"):
        ItemQueries.of(likes.keep(is_held_out), likes.keep(~is_held_out))


@given(st.integers(0, 10**6))
def test_classes_are_those_of_the_items_asked_for(seed):
    train, held_out = parts(seed, 60, 20)
    queries = ItemQueries.of(held_out, train, seed=seed)
    model = _written(seed, train.items)
    found = evaluate_queries([model], [queries], 4, ["precision"])
    likes = held_out.user_items.toarray() > 0
    kind = popularity_classes(queries.likes)
    rows = {row["class"]: row for row in found.classes.rows()}
    members = {
        "2 to 5 likes": (queries.likes >= 2) & (queries.likes <= 5),
        "head": kind == 0, "middle": kind == 1, "tail": kind == 2,
    }  # fmt: skip
    for name, own in members.items():
        values = {}
        for item, owner in zip(queries.items.tolist(), queries.owners.tolist(), strict=True):
            if own[item]:
                wanted = set(np.flatnonzero(likes[queries.users[owner]]).tolist()) - {item}
                values.setdefault(owner, []).append(len(wanted & set(model.lists[item][:4])) / 4)
        if not values:
            assert name not in rows
            continue
        row = rows[name]
        means = [np.mean(one) for one in values.values()]
        assert row["mean"] == pytest.approx(np.mean(means))
        assert row["low"] <= row["mean"] <= row["high"]
        assert (row["users"], row["queries"]) == (len(means), sum(map(len, values.values())))
        asked = queries.likes[[i for i in queries.items.tolist() if own[i]]]
        assert (row["likes_from"], row["likes_to"]) == (asked.min(), asked.max())
        assert found.class_values[name].users.tolist() == queries.users[sorted(values)].tolist()


@given(st.integers(0, 10**6), st.integers(1, 5))
def test_what_is_shown_is_that_of_all_items_that_may_have_a_list(seed, k):
    train, held_out = parts(seed)
    queries = ItemQueries.of(held_out, train, seed=seed)
    model = _written(seed, train.items)
    fold = Fold(train, queries, queries)
    found = evaluate_item_to_item([model, model], [fold, fold], k=k, spread=True)
    alone = evaluate_item_to_item([model, model], [fold, fold], k=k)
    for name in alone.metrics:
        assert found.per_user[name].tolist() == alone.per_user[name].tolist()
    may_show = np.flatnonzero(queries.likes >= 2)
    shown = [other for item in may_show for other in model.lists[item][:k]]
    assert found.share_shown == pytest.approx(len(set(shown)) / len(may_show))
    assert found.median_likes == (np.median(queries.likes[shown]) if shown else 0)


def test_real_listeners_prefer_models_to_popularity_and_see_no_bit_of_themselves(shared_data):
    likes, _ = read(
        shared_data / "lastfm-2k" / "user_artists.dat.gz", user="userID", item="artistID"
    )
    kept, _ = filter_counts(likes)
    [fold, *_] = unseen_users(kept)
    model = fit(fold.train, ALSConfig(factors=40, iterations=6))
    found, popularity = (
        evaluate_item_to_item([item_recommender_of(each, fold.train)], [fold])
        for each in (model, fit_popularity(fold.train))
    )
    gain = paired_difference(
        found.per_user["precision@10"],
        popularity.per_user["precision@10"],
        np.random.default_rng(0),
    )
    assert gain.low > 0.1
    queries = fold.validation
    slow = ModelItemRecommender(model).ranked(queries.items, 10).indices
    wants = kept.user_items.toarray() > 0
    for place in range(0, len(found.user_indices), 9):
        user, hits = found.user_indices[place], []
        assert fold.train.user_counts[user] == 0
        for page in np.flatnonzero(queries.owners == place):
            hits.append(wants[user, slow[page]].any())
        assert found.per_user["hit_rate@10"][place] == pytest.approx(np.mean(hits))
