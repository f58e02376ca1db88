"""Errors of predicted ratings against sums over single ratings; the objective of ratings."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

import alsolike as al
from alsolike.data.interactions import Interactions
from alsolike.data.splitting.split import Split
from alsolike.errors import DataError, SettingError
from alsolike.evaluation.objectives.kinds import objective_named, objective_of
from alsolike.evaluation.objectives.ratings import RatingsObjective
from alsolike.evaluation.statistics.ratios import bootstrap_ratio
from alsolike.models.base import FittedModel
from alsolike.tuning.candidate_families import lineup_for_ratings
from alsolike.tuning.status import status_of
from alsolike.tuning.storage.ledger import Ledger
from command import fine, refused


@pytest.fixture(scope="module")
def split() -> Split:
    """Return a split of ratings from 1 to 5 that follow from a hidden trait, and biases."""
    drawn = np.random.default_rng(0)
    traits = np.outer(drawn.standard_normal(70), drawn.standard_normal(40))
    biased = 3.3 + 0.4 * drawn.standard_normal((70, 1)) + 0.6 * drawn.standard_normal(40)
    ratings = np.clip(np.rint(biased + traits + 0.3 * drawn.standard_normal(traits.shape)), 1, 5)
    rated = drawn.random(ratings.shape) < 0.5
    table = np.where(rated, ratings, 0).astype(np.float32)
    return al.hold_out(Interactions.from_matrix(sp.csr_array(table)), k=3, share=0.4)


@pytest.fixture(scope="module")
def model(split: Split) -> FittedModel:
    return al.fit(split.train, al.ExplicitALSConfig(factors=2, iterations=8))


@pytest.mark.parametrize("clip", [False, True])
def test_errors_are_those_of_single_ratings(split: Split, model: FittedModel, clip: bool) -> None:
    found = al.evaluate_ratings(model, split.test, clip=clip)  # type: ignore[arg-type]
    scores, missed = model.scores(slice(None), slice(None)).astype(float), {}
    held_out = split.test.user_items.tocoo()
    for user, item, rating in zip(held_out.row, held_out.col, held_out.data, strict=True):
        guess = min(max(scores[user, item], 1.0), 5.0) if clip else scores[user, item]
        missed.setdefault(split.test.users.id_of(int(user)), []).append(guess - float(rating))
    every = np.concatenate(list(missed.values()))
    assert found.mean("rmse") == pytest.approx(np.sqrt((every**2).mean()), abs=1e-5)
    assert found.mean("mae") == pytest.approx(np.abs(every).mean(), abs=1e-5)
    for row in found.per_user.rows():
        own = np.array(missed[row["user"]])
        assert row["ratings"] == len(own)
        assert row["rmse"] == pytest.approx(np.sqrt((own**2).mean()), abs=1e-5)
        assert row["mae"] == pytest.approx(np.abs(own).mean(), abs=1e-5)
    mean = split.train.user_items.data.mean(dtype=np.float64)
    plain = np.sqrt(((held_out.data - mean) ** 2).mean(dtype=np.float64))
    assert found.beside["the mean of all ratings"].figure("rmse") == pytest.approx(plain)
    errors = [found.mean("rmse"), found.beside["biases alone"].figure("rmse"), plain]
    assert errors == sorted(errors)
    assert ("clipped to 1 to 5" if clip else "not clipped") in str(found)
    for row in found.table().rows():
        assert row["low"] < row["mean"] < row["high"]


def test_the_interval_of_a_ratio_is_that_of_drawn_users() -> None:
    drawn = np.random.default_rng(3)
    counts = drawn.integers(1, 30, 200).astype(float)
    sums = counts * drawn.gamma(2.0, 0.5, 200)
    found = bootstrap_ratio(sums, counts, np.random.default_rng(0), resamples=4000)
    means = []
    for _ in range(4000):
        rows = drawn.integers(0, 200, 200)
        means.append(sums[rows].sum() / counts[rows].sum())
    ends = np.quantile(means, [0.025, 0.975])
    assert found.mean == pytest.approx(sums.sum() / counts.sum())
    assert abs(found.low - ends[0]) < 0.02
    assert abs(found.high - ends[1]) < 0.02
    order = drawn.permutation(200)
    again = bootstrap_ratio(sums[order], counts[order], np.random.default_rng(0), resamples=4000)
    assert (again.low, again.high) == (found.low, found.high)
    with pytest.raises(DataError, match="At least one user"):
        bootstrap_ratio(np.empty(0), np.empty(0), drawn)


def test_gains_mean_minus_the_error(split: Split, model: FittedModel) -> None:
    errors = al.evaluate_ratings(model, split.test).errors  # type: ignore[arg-type]
    assert -errors.gains("rmse").mean() == pytest.approx(errors.figure("rmse") ** 2)
    assert -errors.gains("mae").mean() == pytest.approx(errors.figure("mae"))
    for metric in ("rmse", "mae"):
        objective = RatingsObjective(metric=metric)
        gain = float(errors.gains(metric).mean())
        assert objective.of_gain(gain) == pytest.approx(errors.figure(metric))


def test_a_search_by_errors_takes_the_lowest(split: Split, tmp_path: Path) -> None:
    space = [
        al.ExplicitALSConfig(factors=2, regularization=lam, biases=biases)
        for lam in (0.05, 5.0)
        for biases in (True, False)
    ]
    baselines = lineup_for_ratings(None, None, split.train).baselines
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        found = al.search(
            split, space, objective=["rmse", "mae", "ndcg@5"], sweeps=[2, 6], baselines=baselines,
            ledger=ledger,
        )  # fmt: skip
        again = al.search(
            split, space, objective=["rmse", "mae", "ndcg@5"], sweeps=[2, 6], baselines=baselines,
            ledger=ledger,
        )  # fmt: skip
    board = found.leaderboard["validation_rmse"]
    assert (np.diff(board) >= 0).all()
    assert (found.best.regularization, found.best.iterations) == (0.05, 6)
    curve = [row for row in found.curves.rows() if row["run"] == found.best_run]
    trained = al.fit(split.train, found.best)
    users = split.validation_users
    own = al.evaluate_ratings(trained, split.validation, user_indices=users)  # type: ignore[arg-type]
    assert curve[-1]["validation_rmse"] == pytest.approx(own.mean("rmse"), rel=1e-12)
    assert curve[-1]["train_rmse"] < curve[-1]["validation_rmse"]
    assert found.optimism.score == pytest.approx(board[0])
    assert found.optimism.corrected.mean >= found.optimism.score
    assert str(again) == str(found)
    assert "rmse of ratings on validation (lower is better)" in str(found)
    assert (np.diff(found.beside["mae"].leaderboard["validation_mae"]) >= 0).all()
    assert (np.diff(found.beside["ndcg@5"].leaderboard["validation_ndcg@5"]) <= 0).all()
    status = status_of(tmp_path).leaderboard
    assert status["validation_rmse"].tolist() == board.tolist()


@pytest.mark.parametrize("strategy", ["halving", "patience"])
def test_strategies_keep_the_lowest(split: Split, strategy: str) -> None:
    from alsolike.tuning.strategies.base import FixedList
    from alsolike.tuning.strategies.successive_halving import Halving

    space = [al.ExplicitALSConfig(factors=2, regularization=lam) for lam in (5.0, 0.05, 3.0, 4.0)]
    chosen = Halving(space, factor=2) if strategy == "halving" else FixedList(space, patience=1)
    found = al.search(split, chosen, objective="rmse", sweeps=[1, 2, 4])
    assert found.best.regularization == 0.05


def test_models_of_likes_are_refused(split: Split) -> None:
    with pytest.warns(UserWarning, match="from 1 to 5, and als takes a low one as a like") as said:
        likes = al.fit(split.train, factors=2, iterations=1)
    assert said[0].filename == __file__
    for ask in (
        lambda: al.evaluate_ratings(likes, split.test),  # type: ignore[arg-type]
        lambda: al.search(split, [al.ALSConfig(factors=2)], objective="rmse", sweeps=[1]),
        lambda: al.predict_ratings(likes, ["1"], ["2"]),
    ):
        with pytest.raises(SettingError, match="predicts ratings, such as one of family='explicit"):
            ask()
    with pytest.raises(SettingError, match="als does not predict ratings"):
        lineup_for_ratings(["als"], None, split.train)
    with pytest.raises(SettingError, match="baselines are of lists"):
        lineup_for_ratings(None, ["random"], split.train)
    with pytest.raises(SettingError, match="without @"):
        objective_named("rmse@10")
    with pytest.raises(SettingError, match="has the metrics rmse, mae"):
        RatingsObjective(metric="precision")
    assert objective_of(RatingsObjective(metric="mae").to_settings()).measure == "mae"
    nothing = split.test.keep(np.zeros(split.test.n_interactions, dtype=bool))
    of_ratings: Any = al.fit(split.train, family="explicit-als", factors=1)
    with pytest.raises(DataError, match="no held-out rating"):
        al.evaluate_ratings(of_ratings, nothing)


def test_ratings_are_predicted(split: Split, model: FittedModel) -> None:
    scores = model.scores(slice(None), slice(None))
    pairs = al.predict_ratings(model, ["3", "5"], ["7", "9"])
    places = (
        [model.users.index_of(one) for one in ("3", "5")],
        [model.items.index_of(one) for one in ("7", "9")],
    )
    assert np.allclose(pairs["rating"], scores[places], atol=1e-5)
    row = model.users.index_of("3")
    own = split.train.user_items[[row]]
    given = dict(zip(split.train.items.ids_of(own.indices), own.data.tolist(), strict=True))
    by_ratings = al.predict_ratings_for(model, given, ["7", "9"])
    columns = [model.items.index_of(one) for one in ("7", "9")]
    assert np.allclose(by_ratings["rating"], scores[row, columns], atol=1e-4)
    anybody = al.predict_ratings_for(model, {}, ["7"])
    assert anybody["rating"][0] == model.item_factors[columns[0], -1]  # type: ignore[attr-defined]
    beyond = dict.fromkeys(given, 5.0) | {"7": 50.0}
    free, clipped = (
        al.predict_ratings_for(model, beyond, ["7"], clip=clip)["rating"][0]
        for clip in (False, True)
    )
    assert clipped == 5.0 < free
    with pytest.raises(SettingError, match="must be finite and not zero"):
        al.predict_ratings_for(model, {"7": 0.0}, ["9"])


def test_a_run_by_ratings(split: Split, tmp_path: Path) -> None:
    cells = split.train_and_validation().user_items.tocoo()
    lines = [f"u{user},i{item},{rating:g}" for user, item, rating in
             zip(cells.row, cells.col, cells.data, strict=True)]  # fmt: skip
    (tmp_path / "ratings.csv").write_text("\n".join(["user,item,rating", *lines]) + "\n")
    columns = ("--user", "user", "--item", "item", "--value", "rating")
    said = fine(
        "run", tmp_path / "ratings.csv", *columns, "--objective", "ratings", "--out",
        tmp_path / "run",
    ).output  # fmt: skip
    assert "objective ratings" in " ".join(said.split())  # the note of ratings
    for text in ("biases alone", "the mean of all ratings", "lower is better", "rmse"):
        assert text in said
    assert "lower is better" in (tmp_path / "run" / "report.html").read_text()
    model = tmp_path / "run" / "model"
    assert al.load(model).name == "explicit-als"
    found = fine("evaluate", model, tmp_path / "ratings.csv", *columns, "--keep-seen").output
    assert "rmse" in found
    assert "ndcg" in found
    assert "rating" in fine("predict", model, "i1", "i2", "--user", "u3").output
    assert "i1" in fine("predict", model, "i1", "--rated", "i2=5", "--clip").output
    assert "an item and a number" in refused("predict", model, "i1", "--rated", "i2")
    assert "not both" in refused(
        "predict", model, "i1", "--user", "u1", "--rated", "i2=5", status=2
    )
