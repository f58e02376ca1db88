"""Half-lives: weights by a literal definition, through trainings, lists and reasons."""

import math
from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp

import alsolike as al
from alsolike.data.interactions import canonical
from alsolike.errors import DataError, SettingError
from alsolike.models.als.interop import to_peer
from alsolike.models.blend.config import BlendConfig
from alsolike.models.bundle.io import load, save
from alsolike.models.registry import config_of, trained
from alsolike.models.settings import half_life_of, recorded_settings
from alsolike.models.values import ValueWeights, ages_of, weighted
from alsolike.recommending.explain import explain
from alsolike.recommending.single import recommend_one
from alsolike.testing import CONTRACT, tiny_likes
from alsolike.tuning.storage.ledger import Ledger
from oracles_als import weighed

DAY = 86_400
FORMS = ("given", "binary", "log", "capped", "tf-idf", "bm25")
EVERYTHING = slice(None)
KNN = al.ItemKNNConfig(neighbours=9, half_life=100)
ALS = al.ALSConfig(factors=6, iterations=3, half_life=200)
PAIR = BlendConfig(members=(ALS, KNN), weights=(0.7, 0.3))
CONFIGS = {
    "als": ALS,
    "als, log": replace(ALS, values="log", confidence="linear", alpha=3.0),
    "item-knn": KNN,
    "normalized": replace(KNN, weighting="normalized", values="log"),
    "bm25": replace(KNN, weighting="bm25", values="given", shrinkage=2.0),
    "ease": al.EASEConfig(regularization=5, half_life=50),
    "sparse-linear": al.SparseLinearConfig(neighbours=8, regularization=5, half_life=50),
    "blend": PAIR,
    "blend, one aged": replace(PAIR, members=(ALS, replace(KNN, half_life=None))),
}
each_config = pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS.keys())


def table(*, dislikes=True):
    """Return likes and dislikes with times, and the ages and the values as dense matrices."""
    rng = np.random.default_rng(3)
    matrix = rng.integers(1, 30, (40, 25)) * (rng.random((40, 25)) < 0.2) / 4
    if dislikes:
        matrix *= np.where(rng.random(matrix.shape) < 0.1, -1, 1)
    matrix[np.arange(40), np.arange(40) % 25] = 1.0
    days = np.where(matrix != 0, rng.uniform(0, 700, matrix.shape), 0.0)
    likes = replace(of_values(matrix), timestamps=1.5e9 + DAY * days[matrix != 0])
    return likes, matrix, np.where(matrix != 0, days.max() - days, 0.0)


def of_values(matrix):
    rows, columns = matrix.nonzero()
    users, items = ([f"{kind}{n:02}" for n in at] for kind, at in (("u", rows), ("i", columns)))
    return al.Interactions.from_columns(users, items, matrix[rows, columns])


def aged(matrix, ages, weights):
    """Return the weights of values times their decay, cell by cell."""
    found = weighed(matrix, weights)
    for user, item in zip(*matrix.nonzero(), strict=True):
        found[user, item] *= 2 ** (-ages[user, item] / weights.half_life)
    return found


@pytest.mark.parametrize("form", FORMS)
def test_each_form_is_its_definition_times_the_decay(form):
    likes, matrix, ages = table()
    np.testing.assert_allclose(ages_of(likes), ages[matrix != 0], atol=1e-9)
    weights = ValueWeights(values=form, value_scale=2.5, value_length=0.3, half_life=90)
    found = weighted(likes.user_items, (matrix > 0).sum(axis=0), weights, weights.ages(likes))
    assert found.dtype == np.float64
    np.testing.assert_allclose(found.toarray(), aged(matrix, ages, weights), rtol=1e-6)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("confidence", ["linear", "additive", "log"])
def test_als_is_that_of_the_table_of_weights(form, confidence):
    likes, matrix, ages = table()
    base = al.ALSConfig(
        factors=5, alpha=2.0, unobserved_weight=0.2, iterations=2, confidence=confidence,
        values="given",
    )  # fmt: skip
    config = replace(base, values=form, value_scale=2.0, value_length=0.4, half_life="60d")
    found = al.fit(likes, config)
    weights = of_values(aged(matrix, ages, config.loss_config.value_weights))
    expected = al.fit(weights, base)
    scores, wanted = (model.scores(EVERYTHING, EVERYTHING) for model in (found, expected))
    np.testing.assert_allclose(scores, wanted, rtol=1e-3, atol=1e-5)
    assert al.loss(found) == pytest.approx(al.loss(expected), rel=1e-5)
    assert found.history is likes


@pytest.mark.parametrize("form", ["given", "binary", "log", "capped", "tf-idf"])
@pytest.mark.parametrize("name", ["item-knn", "normalized", "bm25", "ease", "sparse-linear"])
def test_models_of_items_are_those_of_the_table_of_weights(name, form):
    likes, matrix, ages = table()
    config = replace(CONFIGS[name], values=form, value_scale=2.0)
    weights = of_values(aged(matrix, ages, config.value_weights))
    expected = al.fit(weights, replace(config, values="given", half_life=None))
    wanted = expected.scores(EVERYTHING, EVERYTHING)
    np.testing.assert_allclose(
        al.fit(likes, config).scores(EVERYTHING, EVERYTHING), wanted, rtol=1e-4, atol=1e-6
    )


@each_config
def test_contract(config):
    def fit(likes):
        if likes.timestamps is None:
            likes = replace(likes, timestamps=np.arange(likes.n_interactions) * 10.0 * DAY)
        return al.fit(likes, config)

    for check in CONTRACT:
        check(fit)


def test_the_weights_are_the_older_the_less_and_never_nothing():
    likes, _, _ = table()
    weights = ValueWeights(values="binary", half_life=1e-300)
    found = weights.of(likes.user_items.data, weights.ages(likes))
    assert (np.abs(found) > 0).all()
    assert np.abs(found).min() == 2.0**-32
    model = al.fit(likes, replace(ALS, half_life=1e-300))
    assert np.isfinite(model.scores(EVERYTHING, EVERYTHING)).all()
    assert model.user_factors.any(axis=1).all()


def test_without_a_half_life_times_do_not_matter():
    likes, _, _ = table()
    for config in CONFIGS.values():
        family = next(one for one in trained() if type(config) is one.config)
        plain = family.with_half_life(config, None)
        found, same = al.fit(likes, plain), al.fit(replace(likes, timestamps=None), plain)
        assert getattr(found, "ages", None) is None
        assert scores_of(found) == scores_of(same)


def scores_of(model):
    return model.scores(EVERYTHING, EVERYTHING).tobytes()


def test_folding_in_likes_with_times_gives_the_stored_factors():
    likes, _, _ = table()
    model = al.fit(likes, ALS)
    np.testing.assert_array_equal(al.fold_in(model, likes), model.user_factors)
    new = al.fold_in(model, replace(likes, timestamps=None))
    np.testing.assert_array_equal(new, al.fold_in(model, likes.user_items))
    later = replace(likes, timestamps=likes.timestamps + 1e9)  # after the training: new as well
    np.testing.assert_array_equal(al.fold_in(model, later), new)
    assert not np.array_equal(new, model.user_factors)
    one = model.folded_in(likes.user_items[[3]], ages=model.ages[likes.user_items.indptr[3] :])
    np.testing.assert_allclose(one[0], model.user_factors[3], rtol=1e-4, atol=1e-6)
    with pytest.raises(SettingError, match=r"half_life=200 .* saved without its history"):
        al.fold_in(replace(model, history=None), likes)


def test_another_history_folds_in_whoever_has_other_ages():
    likes, _, _ = table()
    model = al.fit(likes, ALS)
    assert model.with_history(likes).user_factors.tobytes() == model.user_factors.tobytes()
    newest = int(likes.timestamps.argmax())
    times = likes.timestamps.copy()
    first = likes.user_items.indptr[:2]
    assert not first[0] <= newest < first[1]
    times[first[0] : first[1]] += DAY
    moved = model.with_history(replace(likes, timestamps=np.minimum(times, times[newest])))
    others = (moved.user_factors != model.user_factors).any(axis=1)
    assert np.flatnonzero(others).tolist() == [0]
    times[newest] += 100 * DAY  # ages count back from there
    again = model.with_history(replace(likes, timestamps=times))
    assert (again.user_factors != model.user_factors).any(axis=1).sum() > 30
    for known in (model, al.fit(likes, KNN), al.fit(likes, PAIR)):
        with pytest.raises(DataError, match="half_life needs the time of each like"):
            known.with_history(replace(likes, timestamps=None))


def test_new_items_are_weighed_by_their_times_or_are_new():
    likes, _, _ = table()
    old = likes.keep(likes.user_items.indices != 7)
    old = old.subset(np.arange(likes.n_users), np.flatnonzero(np.arange(25) != 7))
    newer = likes.keep(likes.user_items.indices == 7)
    newer = newer.subset(np.arange(likes.n_users), np.array([7]))
    for config in (ALS, KNN, PAIR):
        model = al.fit(old, config)
        found = model.with_items(newer)
        assert found.history.fingerprint == likes.fingerprint
        as_new = model.with_items(replace(newer, timestamps=None))
        assert scores_of(as_new) != scores_of(found)
    expected = al.fit(likes, KNN)
    assert scores_of(al.fit(old, KNN).with_items(newer)) == scores_of(expected)


@each_config
def test_reasons_add_up_and_one_list_is_that_of_the_table(config, tmp_path):
    likes = tiny_likes()
    save(al.fit(likes, config), tmp_path / "model")
    model = load(tmp_path / "model")
    every = al.recommend(model, k=5)
    for user in ("user 0", "user 5", "user 12"):
        mine = recommend_one(model, user, k=5)
        of_all = every["user"] == user
        assert mine["item"].tolist() == every["item"][of_all].tolist()
        assert mine["score"].tobytes() == every["score"][of_all].tobytes()
        why = explain(model, user, mine["item"][0])
        assert why.parts["contribution"].sum() == pytest.approx(why.score)
        assert why.score == pytest.approx(why.stored_score, rel=1e-4)
        for one in why.members:
            assert np.isfinite(why.parts[one]).all()


def test_older_likes_pull_less():
    users, items = ["ann", "ann", "bob", "bob", "cyd", "cyd"], ["a", "b", "a", "c", "b", "d"]
    likes = al.Interactions.from_columns(users, items)
    likes = replace(likes, timestamps=np.array([0, 10, 10, 10, 10, 10.0]) * DAY)
    model = al.fit(likes, al.ItemKNNConfig(values="binary", half_life=10))
    why = explain(model, "ann", "d").parts
    assert dict(zip(why["item"], why["pull"], strict=True)) == {"a": 0.5, "b": 1.0}
    assert recommend_one(model, "ann", k=2)["item"].tolist() == ["d", "c"]


def test_settings_of_earlier_versions_have_no_half_life():
    for config in (al.ALSConfig(), al.ItemKNNConfig(), al.EASEConfig(), al.SparseLinearConfig()):
        assert "half_life" not in recorded_settings(config)
        assert config_of(recorded_settings(config)) == config
        with_one = replace(config, half_life="2w")
        assert recorded_settings(with_one)["half_life"] == 14.0
        assert config_of(with_one.to_settings()) == with_one


@pytest.mark.parametrize(
    "given", [0, -1, math.nan, math.inf, True, "", "90m", "d", "-3d", "1d2h", "90 d", [3], "٣d"]
)
def test_odd_half_lives_are_refused(given):
    for config in (al.ALSConfig, al.ItemKNNConfig, al.EASEConfig):
        with pytest.raises(SettingError, match=r"half_life must be .* '12h' or '2w', or None, not"):
            config(half_life=given)


def test_half_lives_are_days_or_texts():
    given = ("90d", " 1.5W ", "6h", "30", np.float32(2), None)
    assert [half_life_of(one) for one in given] == [90, 10.5, 0.25, 30, 2, None]


def test_likes_without_times_are_refused_before_any_training():
    likes = replace(tiny_likes(), timestamps=None)
    for config in CONFIGS.values():
        with pytest.raises(DataError, match=r"half_life needs the time .* timestamp='time'"):
            al.fit(likes, config)
    split = al.hold_out(tiny_likes(), k=2)
    parts = {name: replace(getattr(split, name), timestamps=None)
             for name in ("train", "validation", "test")}  # fmt: skip
    for how in ({"candidates": [PAIR]}, {"baselines": [KNN]}, {}):
        with pytest.raises(DataError, match="half_life needs the time"):
            al.search(replace(split, **parts), [al.ALSConfig(half_life=1 if not how else None)],
                      sweeps=[1], **how)  # fmt: skip
    odd = np.full(likes.n_interactions, 1.0)
    odd[2] = np.nan
    with pytest.raises(DataError, match=r"1 of \d+ times are not finite"):
        al.fit(replace(likes, timestamps=odd), ALS)


def test_families_without_weights_have_no_half_life():
    with pytest.raises(SettingError, match=r"'popularity' has no setting 'half_life'"):
        al.fit(tiny_likes(), family="popularity", half_life=3)
    blend = al.fit(tiny_likes(), PAIR, half_life="12h")
    assert [one.half_life for one in blend.config.members] == [0.5, 0.5]
    with pytest.raises(SettingError, match="implicit has no half-life"):
        to_peer(al.ALSConfig(confidence="scaled", half_life=3), "implicit")


def test_a_search_over_half_lives_resumes(tmp_path):
    split = al.hold_out(tiny_likes(60, 30), k=2)
    grid = al.expand({"half_life": [None, "30d", 365]}, al.ALSConfig(factors=4))

    def found():
        with Ledger(tmp_path / "ledger.sqlite") as ledger:
            return al.search(split, grid, sweeps=[1, 2], candidates=[KNN], ledger=ledger)

    first = found()
    assert {row.settings.get("half_life") for row in first.rows if row.model == "als"} == {
        None, 30.0, 365.0,
    }  # fmt: skip
    assert str(found().leaderboard) == str(first.leaderboard)


def test_only_a_row_of_values_that_are_not_ages_is_weighed_by_its_form():
    likes = tiny_likes()
    model = al.fit(likes, replace(KNN, values="binary"))
    row = sp.csr_array(np.where(np.arange(40) % 5 == 1, 0.25, 0.0)[None])
    ones = canonical(sp.csr_array(row.toarray() > 0))
    assert (
        model.user_scores(canonical(row), EVERYTHING).tobytes()
        == model.user_scores(ones, EVERYTHING).tobytes()
    )
