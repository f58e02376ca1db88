from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

import oracles_metrics as oracle
from alsolike.data.interactions import Interactions, canonical
from alsolike.engines.local import LocalEngine
from alsolike.errors import DataError, FitError, SettingError
from alsolike.evaluation.metrics.catalogue_order import catalogue_order
from alsolike.evaluation.metrics.evaluate import USUAL, evaluate
from alsolike.evaluation.metrics.ground_truth import GroundTruth
from alsolike.evaluation.metrics.squared_errors import SquaredErrors, mean_squared_error
from alsolike.models.factor_model import FactorModel
from fixed_model import Fixed

LISTS = ("precision", "recall", "capped_recall", "ndcg", "map", "mrr", "hit_rate")


def _world(seed, n_users=12, n_items=15):
    """Interactions to train on and to find, disjoint, with dislikes, and a model with ties."""
    rng = np.random.default_rng(seed)
    base = Interactions.from_matrix(sp.csr_array(np.ones((n_users, n_items))))
    part = rng.integers(0, 4, (n_users, n_items))
    values = rng.choice([-1.0, 1.0, 2.0], (n_users, n_items))
    train, held_out = (
        Interactions.from_matrix(
            sp.csr_array(np.where(part == which, values, 0)),
            users=list(base.users),
            items=list(base.items),
        )
        for which in (0, 1)
    )
    table = rng.integers(0, 6, (n_users, n_items)).astype(np.float32)
    return train, held_out, Fixed(base.users, base.items, table)


def _oracle(train, held_out, model, user, ks):
    relevant = set(np.flatnonzero(held_out.user_items.toarray()[user] > 0).tolist())
    excluded = (
        set() if train is None else set(train.user_items.toarray()[user].nonzero()[0].tolist())
    )
    scores = model.table[user].tolist()
    values = {"auc": oracle.auc(scores, relevant, excluded)}
    for k in ks:
        for name, value in oracle.expected_measures(scores, excluded, relevant, k).items():
            values[f"{name}@{k}"] = value
    return values, {k: oracle.chances(scores, excluded, k) for k in ks}


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.booleans())
def test_equals_the_oracle_user_by_user(seed, exclude_seen):
    train, held_out, model = _world(seed)
    exclude, ks = train if exclude_seen else None, [1, 5, 20]
    found = evaluate(model, held_out, exclude=exclude, k=ks)
    assert found.excludes_seen == exclude_seen
    hits, missed = dict.fromkeys(ks, 0), {k: np.ones(model.table.shape[1]) for k in ks}
    for place, user in enumerate(found.user_indices):
        assert found.per_user["user"][place] == model.users.id_of(user)
        expected, chances = _oracle(exclude, held_out, model, user, ks)
        for name in found.metrics:
            assert found.per_user[name][place] == pytest.approx(expected[name], abs=1e-13), name
        for k in ks:
            hits[k] += expected[f"hits@{k}"]
            missed[k] *= 1 - np.array(chances[k])
    has_relevant = (held_out.user_items.toarray() > 0).any(axis=1)
    assert found.user_indices.tolist() == np.flatnonzero(has_relevant).tolist()
    assert found.hits_at == pytest.approx(hits, abs=1e-12)
    assert found.coverage_at == pytest.approx({k: (1 - missed[k]).mean() for k in ks}, abs=1e-12)
    assert found.mean("coverage@5") == found.coverage_at[5]


def test_permuting_users_permutes_results():
    train, held_out, model = _world(3)
    users = evaluate(model, held_out, exclude=train).user_indices
    order = np.random.default_rng(0).permutation(len(users))
    straight = evaluate(model, held_out, exclude=train, user_indices=users)
    shuffled = evaluate(model, held_out, exclude=train, user_indices=users[order])
    for name in ("user", *straight.metrics):
        assert (straight.per_user[name][order] == shuffled.per_user[name]).all()


def test_the_same_bytes_for_any_threads_and_blocks():
    train, held_out, model = _world(4)
    one = evaluate(model, held_out, exclude=train, engine=LocalEngine(1))
    truth = GroundTruth.of(held_out, train, None)
    in_blocks = catalogue_order(model, truth, LocalEngine(4), block=40)
    assert in_blocks.auc.tobytes() == one.per_user["auc"].tobytes()
    many = evaluate(model, held_out, exclude=train, engine=LocalEngine(4))
    for name in one.metrics:
        assert one.per_user[name].tobytes() == many.per_user[name].tobytes()


def test_excluding_and_keeping_the_seen_are_two_figures():
    train, held_out, model = _world(5)
    model.table = train.user_items.toarray().clip(0) + 0.1 * held_out.user_items.toarray()
    kept = evaluate(model, held_out, exclude=None, k=5)
    excluded = evaluate(model, held_out, exclude=train, k=5)
    assert excluded.mean("precision@5") > kept.mean("precision@5")
    assert "seen kept" in repr(kept)
    assert "seen excluded" in repr(excluded)
    on_train = evaluate(model, train, exclude=None, k=3, metrics="precision")
    assert on_train.mean("precision@3") > 0.8


def test_users_without_anything_to_find_are_counted():
    _, held_out, model = _world(6)
    dense = held_out.user_items.toarray()
    dense[[1, 4]] = -np.abs(dense[[1, 4]])
    held_out = replace(held_out, user_items=canonical(sp.csr_array(dense)))
    found = evaluate(model, held_out, exclude=None, user_indices=[4, 0, 1])
    assert found.user_indices.tolist() == [0]
    assert found.without_relevant == 2
    with pytest.raises(DataError, match="None of the 2 users"):
        evaluate(model, held_out, exclude=None, user_indices=[4, 1])


def test_what_cannot_be_measured():
    train, held_out, model = _world(7)
    with pytest.raises(DataError, match=r"also excluded.*first is user \d+ with item \d+"):
        evaluate(model, train, exclude=train)
    with pytest.raises(DataError, match="same users and items"):
        evaluate(model, Interactions.from_columns(["a"], ["b"]), exclude=None)
    for options in (
        {"k": 0},
        {"k": []},
        {"metrics": ["p@5"]},
        {"metrics": []},
        {"user_indices": [0, 0]},
        {"user_indices": [99]},
        {"user_indices": [0.5]},
        {"user_indices": [-1]},
    ):
        with pytest.raises(SettingError):
            evaluate(model, held_out, exclude=train, **options)
    model.table[3, 3] = np.nan
    with pytest.raises(FitError):
        evaluate(model, held_out, exclude=None, metrics=["auc"])
    found = evaluate(_world(7)[2], held_out, exclude=train, metrics=["map"], k=3)
    with pytest.raises(SettingError, match="these were: map@3"):
        found.mean("map@4")
    with pytest.raises(SettingError, match="not measured"):
        found.hits(4)


def test_summary_has_an_interval_per_metric_that_depends_on_nothing_else():
    train, held_out, model = _world(8)
    full = evaluate(model, held_out, exclude=train, k=[2, 4], metrics=USUAL)
    one = evaluate(model, held_out, exclude=train, k=4, metrics=["map"])
    table = full.summary(11)
    assert list(table["metric"]) == [f"{n}@{k}" for k in (2, 4) for n in LISTS] + ["auc"]
    assert (table["low"] <= table["mean"]).all()
    assert (table["mean"] <= table["high"]).all()
    assert set(table["users"]) == {len(full.user_indices)}
    rows = {row["metric"]: row for row in table.rows()}
    assert next(one.summary(11).rows()) == rows["map@4"]
    drawn = [str(full.summary(np.random.default_rng(1))) for _ in range(2)]
    assert drawn[0] == drawn[1]
    assert "<table>" in full._repr_html_()


def _factors(seed, n_users=9, n_items=11, factors=3):
    rng = np.random.default_rng(seed)
    values = rng.choice([0, 0, 1, 3, -2], (n_users, n_items)).astype(np.float32)
    values[0, 0] = 1
    likes = Interactions.from_matrix(sp.csr_array(values))
    model = FactorModel(
        likes.users,
        likes.items,
        rng.normal(size=(n_users, factors)).astype(np.float32),
        rng.normal(size=(n_items, factors)).astype(np.float32),
        likes.item_counts,
    )
    return model, likes


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.sets(st.integers(0, 8), min_size=1))
def test_squared_error_equals_every_cell(seed, users):
    model, likes = _factors(seed)
    dense = likes.user_items.toarray()
    for rows, asked in ((sorted(users), sorted(users)), (range(9), None)):
        expected = oracle.mean_squared_error(model.user_factors, model.item_factors, dense, rows)
        found = mean_squared_error(model, likes, user_indices=asked)
        assert found == pytest.approx(expected, rel=1e-12)


def test_squared_error_in_blocks_and_its_edges():
    model, likes = _factors(1)
    whole = mean_squared_error(model, likes)
    errors = SquaredErrors(likes, np.arange(likes.n_users, dtype=np.int32))
    one, many = (errors.mean(model, LocalEngine(n), block_rows=2) for n in (1, 4))
    assert one == many == pytest.approx(whole, rel=1e-14)
    perfect = FactorModel(
        likes.users, likes.items, (likes.user_items.toarray() > 0).astype(np.float32),
        np.eye(11, dtype=np.float32), likes.item_counts,
    )  # fmt: skip
    assert mean_squared_error(perfect, likes) == 0
    with pytest.raises(DataError, match="no cell"):
        mean_squared_error(model, likes, user_indices=np.empty(0, dtype=np.int64))
    with pytest.raises(FitError, match="not a finite number"):
        mean_squared_error(replace(model, user_factors=model.user_factors + np.inf), likes)
    with pytest.raises(SettingError):
        mean_squared_error(model, likes, user_indices=[0, 0])
