"""Converted settings must give the peer's own objective, measured where the peer is installed."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
from threadpoolctl import threadpool_limits

from als_settings import classic
from alsolike.errors import SettingError
from alsolike.models.als import train as als
from alsolike.models.als.interop import from_peer, peer_values, to_peer
from made_up import dense, make_likes
from oracles_als import loss as literal_loss


@pytest.mark.parametrize(
    "config",
    [
        classic(factors=8, alpha=5.0, confidence="linear", iterations=8, start="normal"),
        classic(factors=8, alpha=5.0, confidence="scaled", iterations=8, start="normal"),
    ],
)
def test_implicit_minimizes_the_converted_objective(config):
    implicit_als = pytest.importorskip("implicit.cpu.als")
    likes = make_likes(counts=True)
    with threadpool_limits(1, "blas"):  # implicit warns of anything else
        peer = implicit_als.AlternatingLeastSquares(
            **to_peer(config, "implicit"), dtype=np.float32, num_threads=1
        )
    matrix = sp.csr_matrix(likes.item_users)
    matrix.data = peer_values(config, matrix.data)
    peer.user_factors = np.zeros((likes.n_items, 8), dtype=np.float32)
    peer.item_factors = first_users(likes)
    peer.fit(matrix, show_progress=False)
    ours = als.fit(likes, config)
    theirs = replace(ours, user_factors=peer.item_factors, item_factors=peer.user_factors)
    assert als.loss(ours) == pytest.approx(als.loss(theirs), rel=1e-5)


@pytest.mark.parametrize(
    "config",
    [
        classic(confidence="additive", alpha=4.0, unobserved_weight=0.5, regularization=0.2),
        classic(confidence="linear", alpha=4.0, unobserved_weight=0.5, regularization=0.2),
        classic(confidence="log", alpha=4.0, epsilon=0.3, regularization=0.2),
        classic(
            confidence="additive",
            alpha=1.0,
            unobserved_weight=0.2,
            regularization=0.003,
            regularization_exponent=0.7,
        ),
    ],
    ids=["additive", "linear", "log", "scaled lambda"],
)
def test_irspack_minimizes_the_converted_objective(config):
    irspack = pytest.importorskip("irspack")
    config = replace(config, factors=8, iterations=8, start="normal")
    likes = make_likes(counts=True)
    # irspack solves its users first, so its users are our items.
    peer = irspack.IALSRecommender(likes.item_users, **to_peer(config, "irspack"), n_threads=1)
    trainer = peer._create_trainer()
    trainer.core_trainer.item = first_users(likes)
    for _ in range(config.iterations):
        trainer.run_epoch()
    ours = als.fit(likes, config)
    core = trainer.core_trainer
    theirs = replace(ours, user_factors=core.item, item_factors=core.user)
    assert als.loss(ours) == pytest.approx(als.loss(theirs), rel=1e-5)


def first_users(likes):
    return np.random.default_rng(0).standard_normal((likes.n_users, 8)).astype(np.float32)


@pytest.mark.parametrize("peer", ["implicit", "irspack", "spark"])
def test_settings_return_unchanged_from_a_round_trip(peer):
    starting_points = {
        "implicit": {"factors": 9, "regularization": 0.4, "alpha": 1.0, "use_cg": False},
        "irspack": {"n_components": 9, "alpha0": 0.3, "reg": 0.01, "nu": 0.5},
        "spark": {"rank": 9, "regParam": 0.4, "alpha": 3.0},
    }
    there = to_peer(from_peer(peer, **starting_points[peer]), peer)
    assert {name: there[name] for name in starting_points[peer]} == starting_points[peer]


def test_spark_regularizes_by_the_rows_own_count():
    config = from_peer("spark", rank=4, regParam=0.5, alpha=2.0)
    likes = make_likes(counts=True)
    users = np.random.default_rng(0).standard_normal((likes.n_users, 4))
    items = np.random.default_rng(1).standard_normal((likes.n_items, 4))
    values = dense(likes)
    c = 1 + 2.0 * values
    spark = (c * ((values > 0) - users @ items.T) ** 2).sum()
    spark += 0.5 * (np.maximum((values > 0).sum(1), 1) * (users**2).sum(1)).sum()
    spark += 0.5 * (np.maximum((values > 0).sum(0), 1) * (items**2).sum(1)).sum()
    assert literal_loss(values, users, items, config) == pytest.approx(spark, rel=1e-12)


@pytest.mark.parametrize(
    ("peer", "config", "message"),
    [
        ("implicit", classic(unobserved_weight=0.5), "unobserved_weight"),
        ("implicit", classic(confidence="log"), "log"),
        ("irspack", classic(confidence="scaled"), "scaled"),
        ("irspack", classic(regularization_exponent=1.0, alpha=2.0), "alpha"),
        ("irspack", classic(alpha=0.0), "alpha"),
        ("implicit", classic(nonnegative=True), "nonnegative"),
        ("spark", classic(), "regularization_exponent"),
        ("spark", classic(user_regularization=1.0), "both sides"),
    ],
)
def test_what_a_peer_cannot_minimize_is_refused(peer, config, message):
    with pytest.raises(SettingError, match=message):
        to_peer(config, peer)


def test_spark_has_non_negative_factors_too():
    config = from_peer("spark", nonnegative=True)
    assert config.nonnegative
    assert from_peer("spark", **to_peer(config, "spark")) == config


def test_settings_without_a_counterpart_are_refused():
    with pytest.raises(SettingError, match="numUserBlocks"):
        from_peer("spark", numUserBlocks=4)
    with pytest.raises(SettingError, match="explicit"):
        from_peer("spark", implicitPrefs=False)
    with pytest.raises(SettingError, match="log"):
        from_peer("irspack", alpha0=1.0, confidence_scaling="log")
