"""Whoever renames users and items, and permutes rows and columns with them, gets equal figures."""

import functools
from dataclasses import dataclass, replace

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from alsolike.data.interactions import Interactions, canonical
from alsolike.data.splitting.splitters import hold_out
from alsolike.data.splitting.unseen_users import hold_out_unseen_users
from alsolike.data.vocabulary import Vocabulary
from alsolike.engines.local import LocalEngine
from alsolike.evaluation.item_to_item.evaluate import METRICS, evaluate_queries
from alsolike.evaluation.item_to_item.item_queries import ItemQueries
from alsolike.evaluation.item_to_item.item_recommender import item_recommender_of
from alsolike.evaluation.learning_curve import Panel
from alsolike.evaluation.metrics.evaluate import evaluate
from alsolike.evaluation.objectives.ranking import RankingObjective
from alsolike.evaluation.slices.slices import slices_of
from alsolike.evaluation.statistics.intervals import (
    bootstrap_mean,
    paired_difference,
    sign_flip_p_value,
)
from alsolike.evaluation.statistics.selection import compare_with_best, optimism
from alsolike.models.als.config import ALSConfig
from alsolike.models.als.train import fit
from alsolike.models.baselines.popularity import fit_popularity
from alsolike.models.baselines.random import RandomConfig, fit_random
from alsolike.models.factor_model import FactorModel
from alsolike.models.linear.ease import EASEConfig, fit_ease
from alsolike.models.neighbours.config import ItemKNNConfig
from alsolike.models.neighbours.fit import fit_item_knn

KS = [1, 4, 9]
OF_LISTS = functools.partial(hold_out, k=2, share=0.2)


@dataclass
class Table:
    """A model that is a table of scores, of users and of items beside items."""

    users: Vocabulary
    items: Vocabulary
    of_users: np.ndarray
    of_items: np.ndarray
    name: str = "table"

    def scores(self, user_indices, item_indices):
        return self.of_users[user_indices][:, item_indices]

    def item_scores(self, item_indices, other_indices):
        return self.of_items[item_indices][:, other_indices]


@dataclass
class Renaming:
    """New places of the rows of users and items."""

    users: np.ndarray
    items: np.ndarray

    def interactions(self, one):
        matrix = one.user_items[self.users][:, self.items]
        return Interactions(canonical(sp.csr_array(matrix)), one.users, one.items)

    def model(self, model, train):
        history = self.interactions(train)
        if isinstance(model, FactorModel):
            return replace(
                model,
                user_factors=model.user_factors[self.users],
                item_factors=model.item_factors[self.items],
                item_counts=model.item_counts[self.items],
                history=history,
            )
        if model.name == "popularity":
            return fit_popularity(history)
        if model.name == "item-knn":
            near = sp.csr_array(model.similarities[self.items][:, self.items])
            near.sort_indices()
            counts = model.item_counts[self.items]
            return replace(model, history=history, item_counts=counts, similarities=near)
        if model.name == "ease":
            return replace(
                model, history=history, weights=model.weights[np.ix_(self.items, self.items)]
            )
        every = slice(None)
        of_users, of_items = model.scores(every, every), model.item_scores(every, every)
        return Table(
            train.users, train.items, of_users[np.ix_(self.users, self.items)],
            of_items[np.ix_(self.items, self.items)],
        )  # fmt: skip

    def pages(self, pages, train):
        """The same pages, whose items and users have new places."""
        place_of, users = np.argsort(self.items), np.argsort(self.users)[pages.users]
        by_user = np.argsort(users)
        owners = np.argsort(by_user)[pages.owners]
        order = np.lexsort((place_of[pages.items], owners))
        wanted = sp.csr_array(pages.wanted[by_user][:, self.items])
        wanted.sort_indices()
        return replace(
            pages,
            items=place_of[pages.items][order].astype(np.int32),
            owners=owners[order],
            users=users[by_user],
            wanted=wanted,
            train=train,
        )


def world(seed, split_by=OF_LISTS):
    """A split, models of all kinds, and a renaming. Likes of few, so that there are many ties."""
    rng = np.random.default_rng(seed)
    n_users, n_items = int(rng.integers(30, 60)), int(rng.integers(20, 40))
    liked = rng.random((n_users, n_items)) < np.linspace(0.5, 0.05, n_items)
    liked[:, 3] = liked[:, 2]  # two items of the same likers
    likes = Interactions.from_matrix(sp.csr_array(liked.astype(np.float32)))
    split = split_by(likes, seed=seed)
    train = split.train
    alive = ALSConfig(factors=3, iterations=2, alpha=2, regularization=1)
    models = [
        fit(train, alive),
        fit(train, replace(alive, regularization=1e12)),
        fit_popularity(train),
        fit_item_knn(train, ItemKNNConfig(neighbours=5)),
        fit_ease(train, EASEConfig(regularization=10.0)),
        fit_random(train, RandomConfig(seed=seed)),
    ]
    named = Renaming(rng.permutation(n_users), rng.permutation(n_items))
    return split, models, named


def close(one, other):
    assert np.asarray(other, dtype=float) == pytest.approx(
        np.asarray(one, dtype=float), abs=1e-12, rel=1e-12, nan_ok=True
    )


def same_tables(one, other):
    for row, twin in zip(one.rows(), other.rows(), strict=True):
        for name, cell in row.items():
            if isinstance(cell, float):
                close(cell, twin[name])
            elif name != "model":
                assert cell == twin[name], name


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 10**6))
def test_no_figure_depends_on_how_users_and_items_are_named(seed):
    split, models, named = world(seed)
    train, held_out = split.train, split.validation
    renamed, wanted = named.interactions(train), named.interactions(held_out)
    for model in models:
        twin = named.model(model, train)
        for exclude, other in ((train, renamed), (None, None)):
            one = evaluate(model, held_out, exclude=exclude, k=KS)
            two = evaluate(twin, wanted, exclude=other, k=KS)
            place = np.searchsorted(two.user_indices, np.argsort(named.users)[one.user_indices])
            for name in one.metrics:
                close(one.per_user[name], two.per_user[name][place])
            close(list(one.coverage_at.values()), list(two.coverage_at.values()))
            close(list(one.hits_at.values()), list(two.hits_at.values()))
            assert one.blind_at == two.blind_at
            same_tables(one.summary(), two.summary())
        one = slices_of(model, held_out, train, k=4, resamples=50)
        two = slices_of(twin, wanted, renamed, k=4, resamples=50)
        same_tables(one.by_history, two.by_history)
        same_tables(one.by_popularity, two.by_popularity)
        for name, value in vars(one.concentration).items():
            close(value, getattr(two.concentration, name))


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 10**6))
def test_nor_does_any_figure_of_similar_items(seed):
    split, models, named = world(seed, hold_out_unseen_users)
    train = split.train
    renamed = named.interactions(train)
    pages = ItemQueries.of(split.validation, train, seed=seed)
    twins = named.pages(pages, renamed)
    for model in models:
        twin = named.model(model, train)
        for k in KS:
            one, two = (
                evaluate_queries([item_recommender_of(each, likes)], [own], k, METRICS)
                for each, likes, own in ((model, train, pages), (twin, renamed, twins))
            )
            assert one.blind_at == two.blind_at
            assert (one.short, one.without_neighbours) == (two.short, two.without_neighbours)
            same_tables(one.summary(), two.summary())


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 10**6))
def test_what_an_objective_says_of_a_model_does_not_either(seed):
    split, models, named = world(seed)
    twin_split = replace(
        split,
        train=named.interactions(split.train),
        validation=named.interactions(split.validation),
        test=named.interactions(split.test),
    )
    for model in models:
        for objective in (
            RankingObjective(k=4),
            RankingObjective(k=3, metric="map", exclude_seen=False),
        ):
            one = Panel(split, {"": objective}, 0, LocalEngine(1)).point(1, model)
            twin = named.model(model, split.train)
            two = Panel(twin_split, {"": objective}, 0, LocalEngine(1)).point(1, twin)
            assert one.figures.keys() == two.figures.keys()
            close(list(one.figures.values()), list(two.figures.values()))


@given(st.integers(0, 10**6))
def test_comparisons_do_not_depend_on_the_order_of_the_users(seed):
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 4, (5, 70)) / 4
    values[3] = values[1]
    shuffled = values[:, rng.permutation(70)]

    def found(given):
        draws = np.random.default_rng(1)
        comparison = compare_with_best(given, draws, resamples=199)
        picked = optimism(given, draws, resamples=50)
        pair = paired_difference(given[0], given[2], draws, resamples=50)
        mean = bootstrap_mean(given[4], draws, resamples=50)
        numbers = [
            comparison.best, *comparison.means, *comparison.low, *comparison.high,
            *comparison.p_values, *comparison.ties, picked.amount, picked.corrected.low, pair.low,
            pair.high, mean.low, mean.high, sign_flip_p_value(given[0], given[2], draws),
        ]  # fmt: skip
        return np.array(numbers, dtype=float)

    close(found(values), found(shuffled))
