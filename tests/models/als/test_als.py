"""The solver against dense float64, against implicit, and against its own invariants."""

import itertools
import pickle
import tracemalloc
from dataclasses import fields, replace
from itertools import pairwise

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_limits

import oracles_als as oracle
from als_settings import classic
from alsolike.data.interactions import Interactions
from alsolike.engines.local import LocalEngine
from alsolike.errors import DataError, FitError, SettingError
from alsolike.models.als import gramian_basis, half_sweep
from alsolike.models.als import train as als
from alsolike.models.als.config import ALSConfig, LossConfig, ScheduleConfig, SolverConfig
from alsolike.testing import tiny_likes, tiny_model
from made_up import dense, make_likes

ONE = LocalEngine(1)


def solve_users(likes, items, config, **chunks):
    """Run one half-sweep over the users; return scores over all items, float64."""
    side = half_sweep.Side.of(likes.user_items, config.loss_config, "user", likes.users, **chunks)
    single = half_sweep.float32_basis(side, items, config.loss_config, ONE)
    gramian = gramian_basis.gramian(items, ONE, in_float32=single)
    values, basis = gramian_basis.eigenbasis(gramian, ONE)
    turned = gramian_basis.turned(items, basis, ONE, in_float32=single)
    out = np.zeros((likes.n_users, config.factors), dtype=np.float32)
    half_sweep.solve_side(side, turned, values, out, config.loss_config, config.solver_config, ONE)
    return out.astype(np.float64) @ turned.T.astype(np.float64)


def worst_row_error(scores, expected):
    lengths = np.linalg.norm(expected, axis=1)
    return (np.linalg.norm(scores - expected, axis=1) / np.maximum(lengths, 1e-30)).max()


@pytest.fixture(scope="module")
def wide():
    """150 items are more than 120 factors, so that lambda 0 has an answer."""
    return make_likes(160, 150)


@pytest.mark.parametrize("factors", [10, 40, 120])
@pytest.mark.parametrize("alpha", [1, 50, 1000, 1e6])
@pytest.mark.parametrize("regularization", [0, 1e-5, 0.1, 10, 1000])
def test_half_sweep_equals_dense_normal_equations(wide, factors, alpha, regularization):
    config = classic(factors=factors, alpha=alpha, regularization=regularization)
    items = np.random.default_rng(1).standard_normal((wide.n_items, factors)).astype(np.float32)
    solved = oracle.solve_rows(dense(wide), items.astype(np.float64), config, regularization)
    expected = solved @ items.T.astype(np.float64)
    assert worst_row_error(solve_users(wide, items, config), expected) < 1e-5


ADDITIVE = {"confidence": "additive", "alpha": 1.0, "unobserved_weight": 0.005, "values": "binary"}


@pytest.mark.parametrize("factors", [60, 264, 512])
@pytest.mark.parametrize("regularization", [1.0, 0.1, 1e-3])
def test_many_factors_and_rows_of_all_lengths_equal_dense_normal_equations(factors, regularization):
    rng = np.random.default_rng(3)
    lengths = [*range(1, 10), 15, 16, 17, 31, 33, 40, 63, 64, 65, 66, 70, 127, 200, 300, 520, 600]
    values = np.zeros((len(lengths), 600))
    for row, length in enumerate(lengths):
        values[row, rng.choice(600, length, replace=False)] = 1
    likes = Interactions.from_matrix(sp.csr_array(values), users=[f"{n:03}" for n in lengths])
    config = ALSConfig(
        factors=factors, regularization=regularization, regularization_exponent=1.0, **ADDITIVE
    )
    basis = np.linalg.qr(rng.standard_normal((factors, factors)))[0]
    uneven = rng.standard_normal((likes.n_items, factors)) * np.logspace(0, -2, factors)
    items = (uneven @ basis).astype(np.float32)
    side = half_sweep.Side.of(likes.user_items, config.loss_config, "user", likes.users)
    is_single = half_sweep.float32_basis(side, items, config.loss_config, ONE)
    assert is_single == (factors >= half_sweep.MANY and regularization >= 0.1)
    solved = oracle.solve_rows(dense(likes), items.astype(np.float64), config, regularization)
    expected = solved @ items.T.astype(np.float64)
    assert worst_row_error(solve_users(likes, items, config), expected) < 1e-5
    assert worst_row_error(solve_users(likes, items, config, n_chunks=1), expected) < 1e-5


def test_a_basis_is_in_float64_where_regularization_is_too_small_for_float32():
    likes = make_likes(40, 300)
    items = np.random.default_rng(1).standard_normal((300, 256)).astype(np.float32)
    for regularization, is_single in ((1.0, True), (1e-3, False), (0.0, False)):
        config = ALSConfig(
            factors=256, regularization=regularization, regularization_exponent=0.0, **ADDITIVE
        )
        side = half_sweep.Side.of(likes.user_items, config.loss_config, "user", likes.users)
        assert half_sweep.float32_basis(side, items, config.loss_config, ONE) == is_single


def test_a_lane_whose_first_row_was_left_over_solves_its_next_one():
    users, columns = np.arange(64)[:, None], np.arange(4)
    values = np.zeros((64, 90))
    values[users, (7 * users + columns) % 90] = np.where(users < 8, 1e5, 1)
    names = [f"{user:02}" for user in range(64)]  # in the order of their bytes, as rows come
    likes = Interactions.from_matrix(sp.csr_array(values), users=names)
    config = classic(factors=10, alpha=5.0, regularization=0)
    items = np.random.default_rng(1).standard_normal((90, 10)).astype(np.float32)
    expected = oracle.solve_rows(dense(likes), items.astype(np.float64), config, 0) @ items.T
    assert worst_row_error(solve_users(likes, items, config, n_chunks=1), expected) < 1e-5


FOR_A_TABLE = {
    name: getattr(ALSConfig(), name)
    for name in ("alpha", "confidence", "regularization", "regularization_exponent")
} | {"values": "binary"}
VARIANTS = {
    "scaled, below the unobserved": {"confidence": "scaled", "alpha": 0.1},
    "scaled, weight exactly zero": {"confidence": "scaled", "alpha": 1.0},
    "scaled, nothing at all": {"confidence": "scaled", "alpha": 0.0},
    "log": {"confidence": "log", "alpha": 20.0, "epsilon": 0.5},
    "additive": {"confidence": "additive", "alpha": 3.0, "unobserved_weight": 0.1},
    "unobserved weight": {"unobserved_weight": 0.3, "alpha": 5.0},
    "alpha zero": {"alpha": 0.0},
    "two lambdas": {"user_regularization": 3.0, "item_regularization": 0.01},
    "scaled lambda": {"regularization_exponent": 1.0, "regularization": 0.003},
    "spark's lambda": {"regularization_exponent": 1.0, "regularization_count": "observed"},
    "the default of a table": {**FOR_A_TABLE, "unobserved_weight": 0.5},
    "additive, log": {**FOR_A_TABLE, "unobserved_weight": 0.1, "values": "log", "value_scale": 2.0},
    "additive, bm25": {**FOR_A_TABLE, "unobserved_weight": 0.1, "values": "bm25"},
    "linear, tf-idf": {"values": "tf-idf", "value_scale": 4.0},
    "scaled, capped": {"confidence": "scaled", "values": "capped", "value_scale": 3.0},
}


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("dislikes", [False, True])
def test_every_form_of_the_objective_equals_the_oracle(variant, dislikes):
    likes = make_likes(counts=True, dislikes=dislikes)
    config = classic(factors=12, iterations=2, seed=3, **VARIANTS[variant])
    model = als.fit(likes, config, engine=ONE)
    start = (0.1 / np.sqrt(12)) * np.random.default_rng(3).standard_normal((likes.n_users, 12))
    start = start.astype(np.float32).astype(np.float64)
    values = oracle.weighed(dense(likes), config)
    users, items = oracle.sweeps(values, start, config, 2)
    scores = model.user_factors.astype(np.float64) @ model.item_factors.T.astype(np.float64)
    assert worst_row_error(scores, users @ items.T) < 1e-4
    expected = oracle.loss(values, users, items, config)
    assert als.loss(model) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("alpha", [4.0, 1e8])
@pytest.mark.parametrize("factors", [7, 40])
def test_loss_equals_its_formula(alpha, factors):
    likes = make_likes(counts=True, dislikes=True)
    config = classic(factors=factors, iterations=1, alpha=alpha)
    model = als.fit(likes, config)
    users, items = (m.astype(np.float64) for m in (model.user_factors, model.item_factors))
    expected = oracle.loss(dense(likes), users, items, config)
    assert als.loss(model) == pytest.approx(expected, rel=1e-9)


def test_loss_after_fifteen_sweeps_equals_dense_als(wide):
    config = classic(factors=16, alpha=40.0, iterations=15, start="normal")
    start = np.random.default_rng(0).standard_normal((wide.n_users, 16))
    users, items = oracle.sweeps(dense(wide), start.astype(np.float32), config, 15)
    expected = oracle.loss(dense(wide), users, items, config)
    assert als.loss(als.fit(wide, config)) == pytest.approx(expected, rel=1e-4)


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 2**16),
    alpha=st.sampled_from([0.5, 1.0, 50.0, 1000.0]),
    regularization=st.sampled_from([1e-3, 0.1, 10.0]),
    factors=st.sampled_from([3, 16, 33]),
)
def test_loss_never_rises(seed, alpha, regularization, factors):
    likes = make_likes(60, 50, seed=seed)
    config = classic(factors=factors, alpha=alpha, regularization=regularization, iterations=6)
    losses = [als.loss(model, engine=ONE) for model in als.iterate(likes, config, engine=ONE)]
    assert all(later <= (1 + 1e-6) * earlier for earlier, later in pairwise(losses))


@pytest.mark.parametrize("solver", ["exact", "cg"])
def test_momentum_saves_sweeps(solver):
    likes = make_likes(600, 400, seed=4)
    config = classic(factors=16, alpha=20.0, iterations=24, solver=solver)
    plain = [als.loss(model) for model in als.iterate(likes, config)]
    pushed = als.loss(als.fit(likes, replace(config, iterations=12, momentum=True)))
    assert pushed < plain[17]
    assert pushed > 0.99 * plain[-1]


@pytest.mark.parametrize(
    ("solver", "momentum"), [("exact", False), ("exact", True), ("cg", False), ("cg", True)]
)
def test_models_of_earlier_sweeps_stay_as_they_were(solver, momentum, wide):
    """What no model holds is overwritten; what one holds is not, and the results are the same."""
    config = classic(factors=10, iterations=4, solver=solver, momentum=momentum)
    kept, then = [], []
    for model in als.iterate(wide, config, engine=ONE):
        kept.append(model)
        then.append((model.user_factors.tobytes(), model.item_factors.tobytes()))
        assert not model.user_factors.flags.writeable
    for sweep, (model, before) in enumerate(zip(kept, then, strict=True), start=1):
        assert (model.user_factors.tobytes(), model.item_factors.tobytes()) == before
        fitted = als.fit(wide, replace(config, iterations=sweep), engine=ONE)
        assert (fitted.user_factors.tobytes(), fitted.item_factors.tobytes()) == before
        assert fitted.sweeps == model.sweeps == sweep


def test_a_fit_holds_each_factor_matrix_once():
    likes = make_likes(40_000, 60)
    assert likes.item_users.nnz  # made beforehand, as are the tables of a split
    config = classic(factors=64, iterations=2)
    als.fit(likes, config, engine=ONE)
    tracemalloc.start()
    try:
        als.fit(likes, config, engine=ONE)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1.5 * 4 * 64 * (likes.n_users + likes.n_items)


def test_gradient_of_the_side_just_solved_vanishes(wide):
    config = classic(factors=20, alpha=30.0, iterations=4, regularization=0.5)
    model = als.fit(wide, config)
    users, items = (m.astype(np.float64) for m in (model.user_factors, model.item_factors))
    confidence, pull, _ = oracle.cell_weights(dense(wide), config)
    parts = (confidence * (users @ items.T)) @ items, 0.5 * users, pull @ items
    gradient = parts[0] + parts[1] - parts[2]
    assert np.abs(gradient).max() < 1e-4 * max(np.abs(part).max() for part in parts)


def test_the_same_bytes_for_any_number_of_threads_and_chunks():
    likes = make_likes(700, 300, counts=True)
    for solver, factors, momentum in itertools.product(
        ("exact", "cg"), (24, 130, 264), (False, True)
    ):
        some = ADDITIVE | {"iterations": 2} if factors > 200 else {"iterations": 3}
        config = classic(factors=factors, solver=solver, momentum=momentum, **some)
        first = als.fit(likes, config, engine=LocalEngine(1))
        for threads in (2, 4):
            again = als.fit(likes, config, engine=LocalEngine(threads))
            assert again.user_factors.tobytes() == first.user_factors.tobytes()
            assert again.item_factors.tobytes() == first.item_factors.tobytes()
            assert als.loss(again, engine=LocalEngine(threads)) == als.loss(first, engine=ONE)
        seven, usual = (solve_users(likes, first.item_factors, config, n_chunks=n) for n in (7, 64))
        assert seven.tobytes() == usual.tobytes()


@pytest.mark.parametrize("momentum", [False, True])
@pytest.mark.parametrize("factors", [30, 264])
def test_folding_in_a_training_user_gives_the_stored_bytes(wide, momentum, factors):
    some = ADDITIVE if factors > 200 else {"alpha": 25.0}
    config = classic(factors=factors, iterations=3, momentum=momentum, **some)
    model = als.fit(wide, config)
    assert als.fold_in(model, wide).tobytes() == model.user_factors.tobytes()
    some = wide.user_items[[5, 99, 3]]
    assert als.fold_in(model, some).tobytes() == model.user_factors[[5, 99, 3]].tobytes()


def test_folding_in_items_equals_a_full_solve(wide):
    config = classic(factors=30, alpha=25.0, iterations=3)
    model = als.fit(wide, config)
    users = model.user_factors.astype(np.float64)
    expected = oracle.solve_rows(dense(wide).T, users, config, config.regularization) @ users.T
    folded = als.fold_in_items(model, wide.item_users).astype(np.float64) @ users.T
    assert worst_row_error(folded, expected) < 1e-5


def test_fold_in_refuses_a_matrix_the_wrong_way_round(wide):
    model = als.fit(wide, classic(factors=4, iterations=1))
    with pytest.raises(DataError, match="wrong way round"):
        als.fold_in(model, wide.item_users)


def test_permuting_users_permutes_the_results():
    likes = make_likes(80, 60)
    names = [f"u{number:03}" for number in range(80)]
    order = np.random.default_rng(5).permutation(80)
    matrix = likes.user_items
    plain = Interactions.from_matrix(matrix, users=names)
    moved = Interactions.from_matrix(matrix[order], users=names)
    config = classic(factors=8, iterations=1, alpha=20.0)
    start = als.fit(plain, config)
    turned = replace(
        start,
        user_factors=start.user_factors[order],
        history=moved,
        item_factors=start.item_factors,
    )
    on, moved_on = als.fit(plain, config, start=start), als.fit(moved, config, start=turned)
    every = slice(None)
    np.testing.assert_allclose(
        moved_on.scores(every, every), on.scores(every, every)[order], rtol=1e-4, atol=1e-4
    )


def test_training_goes_on_where_it_stopped(wide):
    config = classic(factors=10, iterations=6)
    whole = als.fit(wide, config)
    half = als.fit(wide, replace(config, iterations=3))
    on = als.fit(wide, replace(config, iterations=3), start=half)
    assert on.sweeps == 6
    assert als.loss(on) == pytest.approx(als.loss(whole), rel=1e-5)


def test_training_goes_on_with_new_users_and_items(wide):
    grown = Interactions.from_columns(
        [*wide.users.ids.cells(wide.user_items.tocoo().row), "new", "new", "newer"],
        [*wide.items.ids.cells(wide.user_items.tocoo().col), "3", "brand new", "brand new"],
    )
    config = classic(factors=10, iterations=4)
    model = als.fit(grown, config, start=als.fit(wide, config))
    assert "new" in model.users
    assert "brand new" in model.items
    fresh = als.fit(grown, replace(config, iterations=8))
    assert als.loss(model) == pytest.approx(als.loss(fresh), rel=1e-2)
    assert (wide.users.id_type, model.users.id_type) == ("int64", "text")  # compared by digits
    with pytest.raises(SettingError, match="10 factors"):
        als.fit(grown, replace(config, factors=11), start=model)


def test_conjugate_gradients_reach_the_exact_solution(wide):
    config = classic(factors=16, alpha=40.0, iterations=2)
    exact = als.fit(wide, config)
    close = als.fit(wide, replace(config, solver="cg", cg_steps=40))
    rough = als.fit(wide, replace(config, solver="cg", cg_steps=3, iterations=8))
    assert als.loss(close) == pytest.approx(als.loss(exact), rel=1e-5)
    assert als.loss(rough) < 1.01 * als.loss(als.fit(wide, replace(config, iterations=8)))


def test_rows_without_interactions_get_zeros(wide):
    emptied = wide.keep(np.repeat(wide.user_counts > 3, wide.user_counts))
    model = als.fit(emptied, classic(factors=5, iterations=2))
    assert not model.user_factors[emptied.user_counts == 0].any()
    assert np.isfinite(model.item_factors).all()


def test_a_singular_system_names_the_row_and_the_way_out():
    likes = make_likes(50, 12)
    with pytest.raises(FitError, match=r"user 0 \(row 0\) gave a singular system .*Raise"):
        als.fit(
            likes,
            classic(
                factors=20, regularization=0.0, user_regularization=0.0, item_regularization=1.0
            ),
        )
    fine = als.fit(likes, classic(factors=20, regularization=1e-5, iterations=3))
    assert np.isfinite(fine.user_factors).all()


def test_what_cannot_be_trained_on_says_so():
    likes = make_likes(50, 40)
    config = classic(factors=4)
    with pytest.raises(DataError, match="from_matrix"):
        als.fit(likes.user_items, config)
    with pytest.raises(DataError, match="no interactions"):
        als.fit(likes.keep(np.zeros(likes.n_interactions, dtype=bool)), config)
    model = als.fit(likes, config)
    with pytest.raises(DataError, match="x items expected, not a list"):
        als.fold_in(model, [[1, 0, 1]])
    with pytest.raises(DataError, match="finite"):
        als.fold_in(model, sp.csr_array(np.full((1, 40), np.nan)))


def test_values_too_large_for_float32_are_an_error():
    likes = make_likes(50, 40)
    with pytest.raises(FitError, match="Lower alpha"):
        als.fit(likes, classic(factors=4, alpha=1e300))


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("factors", 0), ("factors", 2.5), ("factors", True), ("iterations", 0), ("alpha", -1),
        ("alpha", float("nan")), ("regularization", float("inf")), ("epsilon", 0),
        ("unobserved_weight", 0), ("confidence", "loud"), ("solver", "magic"), ("seed", -1),
        ("regularization_exponent", float("inf")), ("user_regularization", -0.1),
    ],
)  # fmt: skip
def test_settings_out_of_range_are_refused(setting, value):
    with pytest.raises(SettingError, match=setting):
        classic(**{setting: value})


@pytest.mark.parametrize(
    ("setting", "value", "expected"),
    [
        ("iterations", 0, "iterations must be a whole number of at least 1, not 0."),
        ("cg_steps", 2.5, "cg_steps must be a whole number of at least 1, not 2.5."),
        ("alpha", "much", "alpha must be a finite number of at least 0, not 'much'."),
        ("epsilon", 0, "epsilon must be a finite number above 0, not 0."),
        ("momentum", "yes", "momentum must be True or False, not 'yes'."),
        (
            "confidence",
            "lineal",
            "confidence must be one of linear, scaled, log, additive, not 'lineal'. "
            "Did you mean 'linear'?",
        ),
        ("solver", "EXACT", "solver must be one of exact, cg, not 'EXACT'. Did you mean 'exact'?"),
        ("start", "big", "start must be one of small, normal, not 'big'."),
        (
            "regularization_count",
            "observe",
            "regularization_count must be one of weighted, observed, not 'observe'. "
            "Did you mean 'observed'?",
        ),
    ],
)
def test_a_refused_setting_is_named_by_itself_and_not_by_its_part(setting, value, expected):
    with pytest.raises(SettingError) as caught:
        classic(**{setting: value})
    assert str(caught.value) == expected


PARTS = {
    "loss_config": LossConfig,
    "solver_config": SolverConfig,
    "schedule_config": ScheduleConfig,
}


def test_the_parts_of_the_settings_cover_all_but_factors_and_seed():
    names = [one.name for kind in PARTS.values() for one in fields(kind)]
    assert sorted([*names, "factors", "seed"]) == sorted(one.name for one in fields(ALSConfig))
    config = classic(alpha=3, user_regularization=2.0, solver="cg", cg_steps=np.int64(5))
    for part, kind in PARTS.items():
        made = getattr(config, part)
        assert type(made) is kind
        assert made is getattr(config, part)
        for one in fields(kind):
            assert getattr(made, one.name) is getattr(config, one.name)


def test_each_setting_changes_its_own_part_alone():
    base = classic()
    changed = {
        "regularization": 1.0, "user_regularization": 1.0, "item_regularization": 1.0,
        "alpha": 1.0, "confidence": "log", "epsilon": 2.0, "unobserved_weight": 2.0,
        "values": "bm25", "value_scale": 2.0, "value_length": 0.5, "half_life": 9.0,
        "regularization_exponent": 1.0, "regularization_count": "observed", "iterations": 1,
        "solver": "cg", "cg_steps": 1, "momentum": True, "start": "normal", "factors": 1, "seed": 1,
        "nonnegative": True,
    }  # fmt: skip
    assert changed.keys() == {one.name for one in fields(ALSConfig)}
    for name, value in changed.items():
        config = replace(base, **{name: value})
        for part, kind in PARTS.items():
            is_its_own = name in {one.name for one in fields(kind)}
            assert (getattr(config, part) == getattr(base, part)) != is_its_own, (name, part)
            if not is_its_own:
                assert hash(getattr(config, part)) == hash(getattr(base, part))


def test_parts_leave_no_trace_in_settings():
    config = classic(factors=3, alpha=2.0)
    shown, settings, hashed = repr(config), config.to_settings(), hash(config)
    assert (config.loss_config.alpha, config.solver_config, config.schedule_config.start) == (
        2.0, SolverConfig(), "small",
    )  # fmt: skip
    assert (repr(config), config.to_settings(), hash(config)) == (shown, settings, hashed)
    names = [one.name for one in fields(ALSConfig)]
    assert list(settings) == names
    assert config == classic(factors=3, alpha=2.0)
    assert pickle.loads(pickle.dumps(config)) == config  # noqa: S301 - our own bytes


def test_folding_in_and_the_loss_depend_on_the_objective_alone(wide):
    config = classic(factors=12, alpha=20.0, iterations=2)
    model = als.fit(wide, config)
    other = replace(
        config, solver="cg", cg_steps=1, momentum=True, start="normal", iterations=9, seed=7
    )
    otherwise = replace(model, settings=other.to_settings())
    assert otherwise.config == other
    assert other.loss_config == config.loss_config
    assert als.loss(otherwise) == als.loss(model)
    for folded_in, matrix in ((als.fold_in, wide), (als.fold_in_items, wide.item_users)):
        np.testing.assert_array_equal(folded_in(otherwise, matrix), folded_in(model, matrix))
    np.testing.assert_array_equal(als.fold_in(otherwise, wide), model.user_factors)


def test_settings_survive_a_round_trip():
    config = classic(factors=3, confidence="log", user_regularization=2.0)
    assert ALSConfig.from_settings(config.to_settings()) == config
    with pytest.raises(SettingError, match="factor_count"):
        ALSConfig.from_settings({"factor_count": 3})


def test_loss_equals_that_of_implicit(wide):
    implicit_als = pytest.importorskip("implicit.cpu.als")
    config = classic(factors=24, alpha=15.0, regularization=0.3, iterations=15, start="normal")
    weighted = wide.item_users.astype(np.float32)
    weighted.data = 1 + 15.0 * weighted.data
    with threadpool_limits(1, "blas"):  # implicit warns of anything else
        peer = implicit_als.AlternatingLeastSquares(
            factors=24,
            regularization=0.3,
            alpha=1.0,
            iterations=15,
            use_cg=False,
            num_threads=1,
            dtype=np.float32,
        )
    start = np.random.default_rng(0).standard_normal((wide.n_users, 24)).astype(np.float32)
    # implicit solves its users first, so its users are our items.
    peer.user_factors = np.zeros((wide.n_items, 24), dtype=np.float32)
    peer.item_factors = start.copy()
    peer.fit(sp.csr_matrix(weighted), show_progress=False)
    ours = als.fit(wide, config)
    theirs = replace(ours, user_factors=peer.item_factors, item_factors=peer.user_factors)
    assert als.loss(ours) == pytest.approx(als.loss(theirs), rel=1e-6)


def test_a_model_that_does_not_say_its_settings_takes_no_defaults_in_silence():
    model = replace(tiny_model(), settings={})
    likes = tiny_likes(4, 5)
    for ask in (
        lambda: als.fold_in(model, likes),
        lambda: als.fold_in_items(model, likes.item_users),
        lambda: als.loss(model),
        lambda: model.user_scores(likes.user_items, slice(None)),
        lambda: model.contributions(np.array([0]), np.ones(1, np.float32), np.array([1])),
        lambda: model.with_items(likes),
    ):
        with pytest.raises(SettingError, match="has no settings"):
            ask()
