"""The estimator: scikit-learn's own checks, its model selection, and the house's answers."""

import dataclasses
import inspect
import pickle
import subprocess
import sys
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Binarizer
from sklearn.utils.estimator_checks import parametrize_with_checks

import alsolike
from alsolike.data.interactions import Interactions
from alsolike.errors import DataError, SettingError, UnknownId
from alsolike.models.als import train as als
from alsolike.models.als.config import ALSConfig
from alsolike.models.baselines.random import RandomConfig
from alsolike.models.neighbours.config import ItemKNNConfig
from alsolike.models.registry import family_named, names
from alsolike.sklearn import ALSRecommender, FamilyRecommender
from alsolike.testing import tiny_likes

# Checks of scikit-learn that cannot hold for this estimator, each with its reason. None is left.
EXPECTED_TO_FAIL: dict[str, str] = {}


@pytest.fixture(scope="module")
def likes() -> sp.csr_array:
    return tiny_likes(60, 40).user_items


@parametrize_with_checks(
    [ALSRecommender(factors=4, iterations=1)],
    expected_failed_checks=lambda _: EXPECTED_TO_FAIL,
)
def test_checks_of_scikit_learn(estimator: ALSRecommender, check: Any) -> None:
    check(estimator)


@parametrize_with_checks(
    [
        FamilyRecommender(family="item-knn"),
        FamilyRecommender(family="ease"),
        FamilyRecommender(family="popularity"),
    ],
    expected_failed_checks=lambda _: EXPECTED_TO_FAIL,
)
def test_checks_of_scikit_learn_on_other_families(estimator: FamilyRecommender, check: Any) -> None:
    check(estimator)


def test_settings_of_a_family_are_parameters() -> None:
    knn = FamilyRecommender(family="item-knn", neighbours=7)
    assert knn.get_params()["neighbours"] == 7
    assert clone(knn).set_params(shrinkage=2.0, metric="auc")._config().to_settings() == {
        **ItemKNNConfig(neighbours=7, shrinkage=2.0).to_settings()
    }
    assert "neighbours=7" in repr(knn)
    assert FamilyRecommender(family="random", seed=3)._config() == RandomConfig(seed=3)
    assert FamilyRecommender(family="als", seed=3)._config() == ALSConfig(seed=3)
    with pytest.raises(ValueError, match="Invalid parameter 'deep'"):
        knn.set_params(deep__factors=3)
    assert knn.set_params(family="ease", regularization=3.0).family == "ease"
    with pytest.raises(SettingError, match="'ease' has no setting 'neighbours'"):
        knn.fit(np.eye(3))
    for params, message in (
        ({"family": "item-kn"}, "Did you mean 'item-knn'"),
        ({"family": "ease", "regularization": -1}, "finite number above 0"),
        ({"neighbors": 3}, "Did you mean neighbours"),
    ):
        with pytest.raises(SettingError, match=message):
            FamilyRecommender(**params).fit(np.eye(3))


@pytest.mark.parametrize(
    "family", [name for name in names() if not family_named(name).needs_features]
)
def test_every_family_is_estimated(likes: sp.csr_array, family: str) -> None:
    if family_named(family).predicts_ratings:  # of one value there is nothing to learn
        likes = likes.multiply(1 + np.arange(likes.shape[0])[:, None] % 2).tocsr()
    train, others = likes[:40], likes[40:]
    estimator = FamilyRecommender(family=family).fit(train)
    expected = alsolike.fit(Interactions.from_matrix(train), family=family)
    assert type(estimator.model_) is type(expected)
    everything = slice(None)
    assert (
        estimator.model_.scores(everything, everything).tobytes()
        == expected.scores(everything, everything).tobytes()
    )
    table = estimator.recommend(others, k=3)
    assert list(dict.fromkeys(table["user"])) == list(range(20))
    likings = Interactions.from_matrix(others)
    scores = estimator.model_.user_scores(likings.user_items, everything)
    for row in table.rows():
        assert others[int(row["user"]), int(row["item"])] == 0
        if row["basis"] == "model":
            place = likings.users.index_of(row["user"]), expected.items.index_of(row["item"])
            assert row["score"] == pytest.approx(scores[place], rel=1e-5, abs=1e-6)
    assert (set(table["basis"].tolist()) == {"popularity"}) == (family == "popularity")
    assert 0 <= estimator.score(others) <= 1
    assert set(estimator.similar("3", k=4)["item"]) == {3}
    back = pickle.loads(pickle.dumps(estimator))  # noqa: S301 - our own bytes
    assert list(back.recommend(others, k=3).rows()) == list(table.rows())
    frame = long_frame()
    if family_named(family).predicts_ratings:  # the frame has likes alone
        with pytest.raises(DataError, match="Ratings of several values expected"):
            FamilyRecommender(family=family, **LONG).fit(frame)
        return
    long = FamilyRecommender(family=family, **LONG).fit(frame)
    assert set(long.recommend(frame[frame.who == "u3"], k=3)["user"]) == {"u3"}


def test_a_family_is_chosen_by_cross_validation(likes: sp.csr_array) -> None:
    grid = [{"family": ["item-knn"], "neighbours": [2, 20]}, {"family": ["ease", "popularity"]}]
    search = GridSearchCV(FamilyRecommender(), grid, cv=2).fit(likes)
    assert len(set(search.cv_results_["mean_test_score"])) > 2
    assert search.best_estimator_.model_.name == search.best_params_["family"]


def test_settings_are_those_of_the_config() -> None:
    defaults = {
        name: parameter.default
        for name, parameter in inspect.signature(ALSRecommender.__init__).parameters.items()
    }
    for setting in dataclasses.fields(ALSConfig):
        if setting.name == "half_life":  # a matrix has no times
            continue
        assert defaults[setting.name] == setting.default
    assert ALSRecommender(alpha=3).set_params(factors=7).get_params()["alpha"] == 3
    assert clone(ALSRecommender(solver="cg")).solver == "cg"
    with pytest.raises(SettingError, match="factors"):
        ALSRecommender(factors=0).fit(np.eye(3))


def test_it_fits_what_the_house_fits(likes: sp.csr_array) -> None:
    estimator = ALSRecommender(factors=5, iterations=4).fit(likes)
    expected = als.fit(Interactions.from_matrix(likes), ALSConfig(factors=5, iterations=4))
    assert estimator.model_.item_factors.tobytes() == expected.item_factors.tobytes()
    assert list(estimator.model_.items)[:3] == [0, 1, 10]
    rows = expected.users.indices_of(range(60))
    assert estimator.transform(likes).tobytes() == expected.user_factors[rows].tobytes()
    assert estimator.n_features_in_ == 40
    assert list(estimator.get_feature_names_out()[:2]) == ["alsrecommender0", "alsrecommender1"]


def test_kinds_of_matrix_agree(likes: sp.csr_array) -> None:
    expected = ALSRecommender(factors=4, iterations=2).fit_transform(likes)
    wide = pd.DataFrame(likes.toarray(), columns=[f"item {n:02}" for n in range(40)])
    stored = likes.tocoo()
    row, column = np.argwhere(likes.toarray() == 0)[0]
    cells = (np.append(stored.row, row), np.append(stored.col, column))
    explicit = sp.coo_matrix((np.append(stored.data, 0.0), cells), shape=likes.shape)
    assert explicit.nnz == likes.nnz + 1
    coo = sp.coo_array((np.ones(3), ([0, 0, 1], [1, 1, 0])), shape=(2, 2))
    for X in (likes.toarray(), likes.tocsc(), explicit, wide.to_numpy()):
        estimator = ALSRecommender(factors=4, iterations=2)
        assert estimator.fit_transform(X).tobytes() == expected.tobytes()
    named = ALSRecommender(factors=4).fit(wide)
    assert np.abs(named.transform(wide) @ named.model_.item_factors.T).max() > 0.5
    assert named.model_.items.id_of(3) == "item 03"
    assert ALSRecommender(factors=1).fit(coo).model_.history.user_items.data.tolist() == [2, 1]


def test_recommend_leaves_out_what_the_row_has(likes: sp.csr_array) -> None:
    estimator = ALSRecommender(factors=4).fit(likes)
    table = estimator.recommend(likes[:12], k=5)
    assert list(dict.fromkeys(table["user"])) == list(range(12))
    for row in table.rows():
        assert likes[int(row["user"]), int(row["item"])] == 0
    everything = estimator.recommend(likes[:1], k=99, exclude_seen=False)
    scores = estimator.transform(likes[:1])[0] @ estimator.model_.item_factors.T
    assert len(everything) == 40
    assert np.allclose(np.sort(scores)[::-1], everything["score"], atol=1e-6)
    similar = estimator.similar("3", k=4)
    assert set(similar["item"]) == {3}
    assert len(similar) == 4
    lists = [estimator.similar("3", k=4, popularity_bias=bias)["score"].tolist() for bias in (0, 1)]
    assert lists[0] != lists[1]


def test_score_hides_items_and_asks_for_them(likes: sp.csr_array) -> None:
    trained, untrained = likes[:40], likes[40:]
    good = ALSRecommender(factors=4, metric="auc").fit(trained)
    assert 0.6 < good.score(untrained) < 1
    assert good.score(untrained) == good.score(untrained)
    assert good.set_params(metric="precision@3").score(untrained) <= 1
    other = good.score(untrained)
    assert good.set_params(seed=5).score(untrained) != other
    with pytest.raises(DataError, match="None of the 1 users has two relevant items"):
        good.score(likes[-1:])
    with pytest.raises(SettingError, match="hidden_share must be above 0 and below 1"):
        good.set_params(hidden_share=1.0).score(untrained)
    good.set_params(hidden_share=0.5)
    for metric in ("ndcg@ten", "rmse@5", "ndcg@0", None, "", "auc@5"):
        with pytest.raises(SettingError):
            good.set_params(metric=metric).score(untrained)
    with pytest.raises(SettingError, match="give 'ndcg@10'"):
        good.set_params(metric="ndcg").score(untrained)
    with pytest.raises(SettingError, match="hidden_share must be above 0 and below 1"):
        good.set_params(metric="auc", hidden_share="x").score(untrained)


@pytest.mark.parametrize("share", [0.01, 0.3, 0.5, 0.99])
def test_what_score_hides(share: float) -> None:
    dense = np.zeros((5, 9), dtype=np.float32)
    dense[1, 2], dense[2, :2], dense[3], dense[4, :4] = 1, 1, 1, -1
    rows = Interactions.from_matrix(sp.csr_array(dense))
    hidden = ALSRecommender(hidden_share=share)._hidden(rows)
    counts = np.diff(rows.keep(hidden).user_items.indptr)
    expected = min(max(round(9 * share), 1), 8)
    assert counts.tolist() == [0, 0, 1, expected, 0]


def test_model_selection(likes: sp.csr_array) -> None:
    grid = {"factors": [2, 4], "regularization": np.logspace(-1, 2, 2)}
    search = GridSearchCV(ALSRecommender(iterations=2), grid, cv=2).fit(likes)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert len(set(search.cv_results_["mean_test_score"])) > 1
    assert search.best_estimator_.model_.factors == search.best_params_["factors"]
    pipeline = make_pipeline(Binarizer(), ALSRecommender(factors=3, iterations=2))
    scores, again = (cross_val_score(pipeline, likes, cv=2) for _ in range(2))
    assert ((scores > 0) & (scores <= 1)).all()
    assert np.array_equal(scores, again)


def test_threads_do_not_change_results(likes: sp.csr_array) -> None:
    one, two = (ALSRecommender(factors=4, n_jobs=n).fit(likes) for n in (1, 2))
    assert one.model_.user_factors.tobytes() == two.model_.user_factors.tobytes()
    assert one.score(likes) == two.score(likes)


def long_frame() -> pd.DataFrame:
    rows = tiny_likes().user_items.tocoo()
    return pd.DataFrame(
        {"who": [f"u{row}" for row in rows.row], "what": rows.col, "plays": rows.data}
    )


LONG = {"user_column": "who", "item_column": "what"}


def test_frames_of_one_interaction_per_row() -> None:
    frame = long_frame()
    estimator = ALSRecommender(factors=4, value_column="plays", **LONG).fit(frame)
    expected = als.fit(
        Interactions.from_columns(list(frame.who), list(frame.what), frame.plays),
        ALSConfig(factors=4),
    )
    assert estimator.model_.user_factors.tobytes() == expected.user_factors.tobytes()
    assert estimator.transform(frame).tobytes() == expected.user_factors.tobytes()
    again = ALSRecommender(factors=4, value_column="plays", **LONG).fit(pl.from_pandas(frame))
    assert again.model_.user_factors.tobytes() == expected.user_factors.tobytes()
    some = estimator.recommend(frame[frame.who == "u3"], k=3)
    assert set(some["user"]) == {"u3"}
    assert not set(some["item"]) & set(frame.what[frame.who == "u3"])
    assert 0 < estimator.score(frame) <= 1


@pytest.mark.parametrize(
    ("frame", "error", "message"),
    [
        (long_frame().rename(columns={"who": "Who"}), DataError, r"columns \['who'\] expected"),
        (long_frame().assign(who=None), DataError, "Column 'who', row 0: a text or whole number"),
        (long_frame().assign(what=1.5), DataError, "Column 'what', row 0.* 1.5 found"),
        (long_frame().assign(plays=np.nan), DataError, "finite"),
        (np.eye(3), DataError, "ndarray with columns"),
    ],
)
def test_frames_that_cannot_be_used(frame: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        ALSRecommender(value_column="plays", **LONG).fit(frame)


def test_whole_numbers_of_numpy_are_ids() -> None:
    frame = pd.DataFrame({"user": pd.Series([np.int64(7), 8], dtype=object), "item": ["a", "b"]})
    fitted = ALSRecommender(factors=2, user_column="user", item_column="item").fit(frame)
    assert list(fitted.model_.users) == [7, 8]


def test_a_value_beyond_float32_is_an_error_and_no_warning() -> None:
    with pytest.raises(DataError):
        ALSRecommender().fit(np.array([[1e39, 1.0]]))


def test_items_that_were_not_trained_on_are_refused() -> None:
    frame = long_frame()
    estimator = ALSRecommender(factors=2, **LONG).fit(frame)
    with pytest.raises(UnknownId, match="item 999"):
        estimator.transform(frame.assign(what=999))
    with pytest.raises(SettingError, match="user_column needs item_column"):
        ALSRecommender(user_column="who").fit(frame)


def test_nothing_works_before_fit() -> None:
    for method in ("transform", "recommend", "score"):
        with pytest.raises(NotFittedError):
            getattr(ALSRecommender(), method)(np.eye(3))
    with pytest.raises(NotFittedError):
        ALSRecommender().similar("0")


def test_a_fitted_estimator_is_pickled(likes: sp.csr_array) -> None:
    estimator = ALSRecommender(factors=3).fit(likes)
    back = pickle.loads(pickle.dumps(estimator))  # noqa: S301 - our own bytes
    assert back.transform(likes).tobytes() == estimator.transform(likes).tobytes()


def test_without_scikit_learn_the_error_names_the_way_out() -> None:
    code = "import sys; sys.modules['sklearn'] = None; import alsolike.sklearn"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert "ImportError: alsolike.sklearn needs scikit-learn" in found.stderr.decode()
    assert f"{sys.executable} -m pip install 'scikit-learn>=1.6'" in found.stderr.decode()
