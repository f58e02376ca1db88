"""Equal scores: figures are means over all their orders, and names decide none of them."""

import math
from dataclasses import dataclass, replace

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

import oracles_metrics as oracle
from alsolike.data.interactions import Interactions
from alsolike.data.splitting.splitters import hold_out
from alsolike.data.splitting.unseen_users import hold_out_unseen_users
from alsolike.engines.local import LocalEngine
from alsolike.errors import FitError
from alsolike.evaluation.item_to_item.evaluate import METRICS as ITEM_TO_ITEM_METRICS
from alsolike.evaluation.item_to_item.evaluate import evaluate_queries
from alsolike.evaluation.item_to_item.item_queries import ItemQueries
from alsolike.evaluation.item_to_item.item_recommender import (
    ModelItemRecommender,
    item_recommender_of,
)
from alsolike.evaluation.item_to_item.unseen_users import unseen_users
from alsolike.evaluation.learning_curve import Panel
from alsolike.evaluation.metrics.evaluate import USUAL, evaluate
from alsolike.evaluation.objectives.item_to_item import ItemToItemObjective
from alsolike.evaluation.objectives.ranking import RankingObjective
from alsolike.models.als.config import ALSConfig
from alsolike.models.als.train import fit
from alsolike.models.baselines.popularity import fit_popularity
from alsolike.models.factor_model import FactorModel
from alsolike.models.similarity.config import SimilarityConfig
from alsolike.testing import tiny_likes
from fixed_model import Fixed
from unseen_world import Scored

LISTS = ("precision", "recall", "capped_recall", "ndcg", "map", "mrr", "hit_rate")


def ids(kind, count):
    return [f"{kind}{number:04}" for number in range(count)]


def over(matrix):
    """Interactions of a dense matrix."""
    cells = sp.csr_array(np.asarray(matrix, dtype=np.float32))
    return Interactions.from_matrix(
        cells, users=ids("u", cells.shape[0]), items=ids("i", cells.shape[1])
    )


def factors_for(table):
    """A FactorModel with exactly these scores: each user's factors are the user's own scores."""
    n_users, n_items = table.shape
    likes = over(np.ones((n_users, n_items)))
    return FactorModel(
        likes.users, likes.items, np.float32(table), np.eye(n_items, dtype=np.float32),
        likes.item_counts,
    )  # fmt: skip


# Up to seven items, few scores: groups of several, cuts within them, lists that end early.
tables = st.integers(1, 7).flatmap(
    lambda n: st.tuples(
        st.lists(st.integers(0, 2), min_size=n, max_size=n),
        st.lists(st.integers(0, 2), min_size=n, max_size=n),
    )
)


@settings(max_examples=60, deadline=None)
@given(tables, st.booleans(), st.lists(st.integers(1, 8), min_size=1, max_size=3))
def test_each_figure_is_the_mean_over_all_orders(drawn, with_factors, ks):
    scores, kinds = np.array(drawn[0]), np.array(drawn[1])  # kinds: 0 neither, 1 wanted, 2 seen
    kinds[0] = 1
    table = np.float32([scores])
    held_out, seen = over([kinds == 1]), over([kinds == 2])
    model = factors_for(table) if with_factors else Fixed(held_out.users, held_out.items, table)
    found = evaluate(model, held_out, exclude=seen, k=ks)
    relevant, excluded = (set(np.flatnonzero(kinds == kind).tolist()) for kind in (1, 2))
    orders = list(oracle.all_orders(scores.tolist(), excluded))
    for k in ks:
        each = [oracle.list_measures(one, relevant, k) for one in orders]
        for name in LISTS:
            mean = math.fsum(one[name] for one in each) / len(each)
            assert found.mean(f"{name}@{k}") == pytest.approx(mean, abs=1e-13), (name, k)
        assert found.hits(k) == pytest.approx(sum(one["hits"] for one in each) / len(each))
        shown = [len(one[:k]) for one in orders]
        assert found.mean(f"coverage@{k}") == pytest.approx(np.mean(shown) / len(scores))


def test_a_model_that_knows_nothing_scores_as_an_order_drawn_by_lot():
    """Whatever the ids: an order by popularity, or the reverse, must not help it."""
    rng = np.random.default_rng(0)
    liked = rng.random((40, 30)) < np.linspace(0.6, 0.02, 30)
    found = []
    for order in (np.arange(30), np.arange(30)[::-1]):
        own = liked[:, order]
        train, held_out = over(own & (rng.random(own.shape) < 0)), over(own)
        model = FactorModel(
            train.users, train.items, np.zeros((40, 4), np.float32), np.zeros((30, 4), np.float32),
            train.item_counts,
        )  # fmt: skip
        found.append(evaluate(model, held_out, exclude=None, k=5))
    assert found[0].mean("precision@5") == found[1].mean("precision@5")
    assert found[0].mean("precision@5") == pytest.approx((liked.sum(axis=1) / 30).mean())
    assert found[0].mean("coverage@5") == pytest.approx(1 - (1 - 5 / 30) ** 40)
    assert found[0].is_degenerate
    assert found[0].degenerate_share == 1.0
    assert "degenerate" in repr(found[0])


@dataclass
class WithoutLines:
    """ItemRecommender that can be taken deeper, and no more."""

    shelves: object

    @property
    def items(self):
        return self.shelves.items

    @property
    def name(self):
        return self.shelves.name

    @property
    def n_shown(self):
        return self.shelves.n_shown

    def ranked(self, item_indices, k):
        return self.shelves.ranked(item_indices, k)


@pytest.mark.parametrize("factors", [1, 2])
def test_equal_neighbours_are_found_as_deep_as_they_go(factors):
    """With one factor all cosines are 1 or -1: a shelf is then as good as drawn by lot."""
    [fold, *_] = unseen_users(tiny_likes(60, 40))
    cosine = SimilarityConfig(affinity="cosine", popularity_bias=0.0)
    model = fit(fold.train, ALSConfig(factors=factors, iterations=3)).with_similarity(cosine)
    for shelves in (
        ModelItemRecommender(model),
        item_recommender_of(fit_popularity(fold.train), fold.train),
    ):
        for k in (2, 5):
            one, two = (
                evaluate_queries([each], [fold.validation], k, ITEM_TO_ITEM_METRICS)
                for each in (shelves, WithoutLines(shelves))
            )
            assert one.blind_at == two.blind_at
            for name in one.metrics:
                assert one.per_user[name] == pytest.approx(two.per_user[name], abs=1e-15)
        if factors == 1 and shelves.name == "als":
            assert one.hits(5) % 1  # a mean over orders


def test_scores_are_equal_where_the_listed_float32_are():
    """Products so small that they are lifted before they are ranked, and equal only as given."""
    users, items = np.float32([[1e-30], [1e-30]]), np.float32([[3e-15], [2.9e-15], [2.8e-15], [0]])
    held_out = over([[0, 0, 1, 0], [1, 0, 0, 0]])
    model = FactorModel(held_out.users, held_out.items, users, items, held_out.item_counts)
    found = evaluate(model, held_out, exclude=None, k=1, metrics=["precision"])
    products = (users.astype(np.float64) @ items.T.astype(np.float64)).astype(np.float32)
    assert len(set(products[0, :3].tolist())) == 1
    assert found.per_user["precision@1"].tolist() == pytest.approx([1 / 3, 1 / 3])


def test_groups_are_counted_over_many_blocks_of_users_and_items():
    """More users and items than are scored at once; the groups reach over all of them."""
    rng = np.random.default_rng(5)
    table = (rng.random((500, 4500)) < 0.05).astype(np.float32)
    kinds = rng.choice(3, table.shape, p=[0.9, 0.05, 0.05])
    held_out, seen = over(kinds == 1), over(kinds == 2)
    users = over(np.ones((500, 1))).users
    factors = FactorModel(
        users, held_out.items, np.eye(500, dtype=np.float32), np.ascontiguousarray(table.T),
        held_out.item_counts,
    )  # fmt: skip
    is_best = (table == 1) & (kinds != 2)
    share = 10 / is_best.sum(axis=1)
    wanted = (is_best & (kinds == 1)).sum(axis=1)
    missed = np.where(is_best, 1 - share[:, None], 1).prod(axis=0)
    for model in (Fixed(users, held_out.items, table), factors):
        found = evaluate(model, held_out, exclude=seen, k=10)
        assert found.per_user["precision@10"] == pytest.approx(wanted * share / 10, abs=1e-12)
        assert found.mean("coverage@10") == pytest.approx((1 - missed).mean(), abs=1e-12)


def test_the_same_bytes_for_any_threads():
    rng = np.random.default_rng(2)
    table = rng.integers(0, 3, (700, 60)).astype(np.float32)
    held_out = over(rng.random(table.shape) < 0.2)
    for model in (factors_for(table), Fixed(held_out.users, held_out.items, table)):
        one, many = (evaluate(model, held_out, exclude=None, engine=LocalEngine(n)) for n in (1, 4))
        assert one.coverage_at == many.coverage_at
        assert all(
            one.per_user[name].tobytes() == many.per_user[name].tobytes() for name in one.metrics
        )


def test_what_is_degenerate_and_what_is_not():
    rng = np.random.default_rng(3)
    held_out = over(rng.random((20, 40)) < 0.2)
    seen = over((rng.random((20, 40)) < 0.3) & (held_out.user_items.toarray() == 0))

    def share(table, k=10, exclude=seen):
        return evaluate(
            Fixed(held_out.users, held_out.items, np.float32(table)), held_out, exclude=exclude, k=k
        ).degenerate_share

    distinct = rng.random((20, 40))
    assert share(distinct) == 0
    assert share(np.zeros((20, 40))) == 1
    few = np.where(distinct < 0.9, 0, distinct)  # some four items have a score of their own
    assert share(few) > 0.5
    assert share(few, k=1) < 0.1
    half = np.where(np.arange(20)[:, None] < 10, 0, distinct)
    assert share(half) < 1
    # The middle of few items, without a tie or with all of them in the list, says nothing bad;
    # an order of all of them without any difference is none.
    small = over(np.eye(5)[:, :5])
    model = Fixed(small.users, small.items, np.tile(np.float32([5, 4, 3, 2, 1]), (5, 1)))
    assert evaluate(model, small, exclude=None, k=3).degenerate_share == 0
    alike = replace(model, table=np.zeros((5, 5), np.float32))
    assert evaluate(alike, small, exclude=None, k=5).degenerate_share == 1
    assert evaluate(alike, small, exclude=None, k=[3, 5, 9]).blind_at == {3: 1.0, 5: 1.0, 9: 1.0}
    lower = replace(alike, table=np.tile(np.float32([5, 4, 1, 1, 1]), (5, 1)))
    assert evaluate(lower, small, exclude=None, k=[3, 5]).blind_at == {3: 1.0, 5: 0.0}
    # What is excluded competes for the median: here the list is flat, and below or above it.
    others = over(np.eye(5)[:, [2, 3, 4, 0, 1]] + np.eye(5)[:, [3, 4, 0, 1, 2]])
    flat = replace(model, table=np.float32(others.user_items.toarray() != 0))
    assert evaluate(flat, small, exclude=others, k=5).degenerate_share == 1
    more = over(others.user_items.toarray() + np.eye(5)[:, [1, 2, 3, 4, 0]])
    rest = replace(model, table=np.float32(more.user_items.toarray() == 0))
    assert evaluate(rest, small, exclude=more, k=5).degenerate_share == 0


@pytest.mark.parametrize("k", [4, 9])
def test_shelves_of_all_items_without_any_difference_are_degenerate(k):
    liked = np.float32([[1, 1, 0, 0, 0], [0, 1, 1, 0, 0], [0, 0, 1, 1, 0], [1, 0, 0, 0, 1]])
    train = over(np.vstack((liked, liked, 0 * liked)))
    held_out = over(np.vstack((0 * liked, 0 * liked, liked[:, [3, 4, 0, 1, 2]])))
    queries = ItemQueries.of(held_out, train, min_count=0)
    for beside, expected in ((np.zeros((5, 5)), 1.0), (np.arange(25.0).reshape(5, 5) % 7, 0.0)):
        found = evaluate_queries([Scored(train.items, np.float32(beside))], [queries], k, ["ndcg"])
        assert found.blind_at == {k: expected}


@pytest.mark.parametrize("factors", [5, 20, 33])
def test_auc_takes_equal_items_as_equal_wherever_they_stand(factors):
    """Libraries of linear algebra round by where a row stands: the last items otherwise."""
    rng = np.random.default_rng(factors)
    for n_users, n_items in ((1, 13), (2, 13), (3, 101), (1, 2050)):
        right = np.float32(np.tile(rng.normal(size=factors), (n_items, 1)))
        left = np.float32(rng.normal(size=(n_users, factors)))
        wanted = np.zeros((n_users, n_items))
        wanted[:, [0, -1]] = 1
        held_out = over(wanted)
        model = FactorModel(
            held_out.users, held_out.items, left, right, held_out.item_counts
        )  # fmt: skip
        assert set(evaluate(model, held_out, exclude=None, metrics=["auc"]).per_user["auc"]) == {
            0.5
        }


def test_auc_counts_as_equal_what_lists_do():
    """Scores that differ in float64 only are equal."""
    held_out = over([[0, 0, 1]])
    model = Fixed(held_out.users, held_out.items, 1 + np.array([[1e-9, 2e-9, 3e-9]]))
    found = evaluate(model, held_out, exclude=None, k=1)
    assert found.mean("auc") == 0.5
    assert found.mean("precision@1") == pytest.approx(1 / 3)


def test_judges_say_which_points_are_degenerate():
    likes = tiny_likes(60, 40)
    for objective, split in (
        (RankingObjective(k=5), hold_out(likes, k=2)),
        (ItemToItemObjective(k=5), hold_out_unseen_users(likes)),
    ):
        dead = FactorModel(
            split.train.users, split.train.items,
            np.zeros((split.train.n_users, 2), np.float32),
            np.zeros((split.train.n_items, 2), np.float32),
            split.train.item_counts,
        )  # fmt: skip
        shares = [
            Panel(split, {"": objective}, 0, LocalEngine(1))
            .point(1, model)
            .figures.get("degenerate_share", 0.0)
            for model in (dead, fit_popularity(split.train))
        ]
        assert shares[0] == 1.0
        assert shares[1] < 0.5


@pytest.mark.parametrize("metric", USUAL)
def test_without_ties_nothing_changes(metric):
    """The figures are those of the list as it stands, to the last bit."""
    rng = np.random.default_rng(4)
    table = rng.permuted(np.tile(np.arange(50, dtype=np.float32), (30, 1)), axis=1)
    held_out = over(rng.random(table.shape) < 0.2)
    found = evaluate(
        Fixed(held_out.users, held_out.items, table), held_out, exclude=None, k=7, metrics=[metric]
    )
    if metric in LISTS:
        for place, user in enumerate(found.user_indices):
            relevant = set(np.flatnonzero(held_out.user_items.toarray()[user]).tolist())
            order = oracle.ranking(table[user].tolist(), set())
            expected = oracle.list_measures(order, relevant, 7)[metric]
            assert found.per_user[f"{metric}@7"][place] == pytest.approx(expected, abs=1e-15)


def test_what_a_model_of_ones_own_scores_wrongly_is_said_with_its_way_out():
    held_out = over([[0, 1]])
    broken = Fixed(held_out.users, held_out.items, np.float32([[np.nan, 1]]))
    with pytest.raises(FitError, match=r"as nan; .* fix its method scores"):
        evaluate(broken, held_out, exclude=None, k=1)
