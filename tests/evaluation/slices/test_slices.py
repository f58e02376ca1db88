import math

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from alsolike.data.interactions import Interactions
from alsolike.data.reading.read import read
from alsolike.data.splitting.splitters import hold_out
from alsolike.engines.local import LocalEngine
from alsolike.errors import DataError, SettingError
from alsolike.evaluation.metrics.evaluate import evaluate
from alsolike.evaluation.slices.slices import slices_of
from alsolike.models.als.config import ALSConfig
from alsolike.models.als.train import fit
from alsolike.models.baselines.popularity import fit_popularity
from fixed_model import Fixed


def _world(seed, n_users=10, n_items=14):
    """Interactions to train on and to find, disjoint, with dislikes, and a model with ties."""
    rng = np.random.default_rng(seed)
    users, items = ([f"{kind}{row:02}" for row in range(n)] for kind, n in
                    (("u", n_users), ("i", n_items)))  # fmt: skip
    part = rng.choice(3, (n_users, n_items), p=[0.4, 0.2, 0.4])
    values = rng.choice([-1.0, 1.0, 2.0], (n_users, n_items))
    part[0, :2], values[0, :2] = (0, 1), 1.0
    shown, held_out = (
        Interactions.from_matrix(sp.csr_array(np.where(part == which, values, 0)), users=users,
                                 items=items)
        for which in (0, 1)
    )  # fmt: skip
    table = rng.integers(0, 6, (n_users, n_items)).astype(np.float32)
    return shown, held_out, Fixed(shown.users, shown.items, table)


def _numbers(found):
    rows = [*found.by_history.rows(), *found.by_popularity.rows()]
    cells = [cell for row in rows for cell in row.values()]
    cells += vars(found.concentration).values()
    return [cell for cell in cells if isinstance(cell, float)]


@given(st.integers(0, 10**6), st.integers(1, 10), st.integers(1, 20), st.booleans())
def test_equals_what_the_lists_say(seed, n_users, k, exclude_seen):
    shown, held_out, model = _world(seed, n_users)
    found = slices_of(model, held_out, shown, k=k, exclude_seen=exclude_seen, resamples=20)
    whole = evaluate(model, held_out, exclude=shown if exclude_seen else None, k=k)
    # Means of slices, weighted by their sizes, are the mean of the whole.
    of_users = found.by_history
    assert found.metric == f"precision@{k}"
    assert of_users["users"].sum() == len(whole.user_indices)
    total = (of_users["users"] * of_users["mean"]).sum()
    assert total / len(whole.user_indices) == pytest.approx(whole.mean(found.metric))
    pairs = sum(row["pairs"] for row in found.by_popularity.rows())
    hits = sum(row["pairs"] * (row["mean"] or 0) for row in found.by_popularity.rows())
    assert pairs == (held_out.user_items.data > 0).sum()
    assert hits == pytest.approx(whole.hits(k))
    assert found.concentration.coverage == pytest.approx(whole.mean(f"coverage@{k}"))
    assert all(math.isfinite(number) for number in _numbers(found))


def test_popularity_has_the_same_slices():
    shown, held_out, model = _world(1)
    ours = slices_of(model, held_out, shown, k=3)
    theirs = slices_of(fit_popularity(shown), held_out, shown, k=3)
    for name in ("history", "users"):
        assert ours.by_history[name].tolist() == theirs.by_history[name].tolist()
    for name in ("popularity", "likes_from", "likes_to", "items", "pairs", "users"):
        assert ours.by_popularity[name].tolist() == theirs.by_popularity[name].tolist()
    assert ours.concentration.likes_held_out == theirs.concentration.likes_held_out
    assert ours.concentration.likes_recommended < theirs.concentration.likes_recommended
    assert (ours.model_name, theirs.model_name) == ("fixed", "popularity")


def test_the_same_bytes_for_any_threads_and_one_seed():
    shown, held_out, model = _world(2, n_users=60)
    one = slices_of(model, held_out, shown, engine=LocalEngine(1), rng=5)
    many = slices_of(model, held_out, shown, engine=LocalEngine(3), rng=5)
    assert str(one) == str(many)
    assert _numbers(one) == _numbers(many)
    source = np.random.default_rng(5)
    drawn = slices_of(model, held_out, shown, rng=source)
    assert _numbers(drawn) != _numbers(one)
    assert _numbers(drawn) == _numbers(
        slices_of(model, held_out, shown, rng=np.random.default_rng(5))
    )


def test_a_report_for_people_says_what_is_what():
    shown, held_out, model = _world(3)
    asked = np.arange(10)
    without = (held_out.user_items.toarray() <= 0).all(axis=1).sum()
    text = str(slices_of(model, held_out, shown, k=4, metric="recall", user_indices=asked))
    assert text.startswith("fixed, lists of 4, seen items left out; with 95 % intervals")
    assert "recall@4 by the likes that a user has in training" in text
    assert "| head " in text
    assert "Gini coefficient" in text
    assert ("without a held-out like" in text) == bool(without)
    assert "nan" not in text.lower()
    page = slices_of(model, held_out, shown, exclude_seen=False)
    assert "seen items kept" in str(page)
    assert page._repr_html_().count("<table>") == 3


def test_users_without_a_held_out_like_are_counted():
    shown, held_out, model = _world(4)
    dense = held_out.user_items.toarray()
    dense[3] = -np.abs(dense[3])
    held_out = Interactions.from_matrix(
        sp.csr_array(dense), users=list(shown.users), items=list(shown.items)
    )
    found = slices_of(model, held_out, shown, user_indices=[0, 3])
    assert found.without_relevant == 1
    assert found.by_history["users"].tolist() == [1]
    assert "Users without a held-out like: 1." in str(found)


def test_auc_is_sliced_by_users_alone():
    shown, held_out, model = _world(5)
    found = slices_of(model, held_out, shown, metric="auc", k=2)
    assert set(found.by_history["metric"]) == {"auc"}
    assert set(found.by_popularity["metric"]) == {"recall of pairs@2"}


def test_settings_that_are_none():
    shown, held_out, model = _world(6)
    for wrong, words in (
        ({"metric": "coverage"}, "coverage is not sliced by users"),
        ({"metric": "p@k"}, "Unknown metrics"),
        ({"k": 0}, "k must be a whole number of at least 1, not 0"),
        ({"k": [5]}, "k must be a whole number"),
        ({"classes": 1.5}, "classes must be a whole number"),
        ({"resamples": 0}, "resamples must be a whole number of at least 1, not 0"),
    ):
        with pytest.raises(SettingError, match=words):
            slices_of(model, held_out, shown, **wrong)
    other, _, _ = _world(6, n_items=13)
    with pytest.raises(DataError, match="shown interactions"):
        slices_of(model, held_out, other)
    with pytest.raises(DataError, match="also excluded"):
        slices_of(model, shown, shown)


def test_real_listeners(shared_data):
    likes, _ = read(
        shared_data / "lastfm-2k" / "user_artists.dat.gz", user="userID", item="artistID"
    )
    split = hold_out(likes)
    model = fit(split.train, ALSConfig(factors=16, iterations=5, alpha=10, regularization=10))
    ours = slices_of(model, split.validation, split.train)
    theirs = slices_of(fit_popularity(split.train), split.validation, split.train)
    for row, line in zip(ours.by_popularity.rows(), theirs.by_popularity.rows(), strict=True):
        if row["popularity"] in ("head", "middle"):
            assert row["low"] > line["high"]
    # The artists that nobody is left to like are a class of their own, which nothing finds.
    last = list(ours.by_popularity.rows())[-1]
    assert (last["popularity"], last["likes_to"], last["mean"]) == ("never liked", 0, 0.0)
    assert ours.concentration.gini < theirs.concentration.gini
