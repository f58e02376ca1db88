import subprocess
import sys
import textwrap

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import oracles_topk
from als_settings import classic
from alsolike.data.interactions import Interactions
from alsolike.errors import FitError, SettingError, UnknownId
from alsolike.models.als.config import ALSConfig
from alsolike.models.als.train import fit
from alsolike.recommending.batch import recommend, similar, top_items
from alsolike.recommending.explain import explain
from alsolike.recommending.ranking.nearest import Neighbours
from alsolike.recommending.single import (
    fold_in_user,
    recommend_for_likes,
    recommend_one,
    similar_to,
)
from made_up import model_of, random_model, rows_of, same, small_model

COSINE = {"affinity": "cosine", "popularity_bias": 0.0}


def test_the_bytes_of_many():
    model = small_model()
    for user in model.users:
        same(recommend_one(model, user, k=7), recommend(model, user, k=7))
    for k in (1, 5, 100):
        for options in ({}, COSINE | {"include_self": True}, {"min_count": 14}):
            for item in ("i00", "Name 7", "i24"):
                same(similar_to(model, item, k=k, **options), similar(model, item, k=k, **options))
    rules = {"exclude_seen": False, "allow": ["i03", "i05", "i09"], "deny": ["i05"]}
    same(recommend_one(model, "u01", **rules), recommend(model, "u01", **rules))
    nothing = {"exclude_seen": False, "allow": []}
    same(recommend_one(model, "u01", **nothing), recommend(model, "u01", **nothing))


def test_the_bytes_of_many_among_twins_and_far_from_small():
    model, _ = random_model(n_users=9)
    options = {"k": 30, "exclude_seen": False}
    for user in model.users:
        same(recommend_one(model, user, **options), recommend(model, user, **options))
    for item in list(model.items)[:9]:
        same(similar_to(model, item, k=30), similar(model, item, k=30))
    flat = model_of(np.zeros((1, 3)), np.ones((50, 3)))
    same(recommend_one(flat, "u00000", **options), recommend(flat, "u00000", **options))
    same(similar_to(flat, "i00007"), similar(flat, "i00007"))


@pytest.mark.parametrize(("left", "right"), [(-90, -90), (-20, -120), (-45, -45), (-140, 0)])
def test_factors_that_all_but_vanish_rank_as_before(left, right):
    # Some of these have products, or even factors, that are no normal float32 numbers.
    model, _ = random_model(n_users=9)
    small = model_of(np.ldexp(model.user_factors, left), np.ldexp(model.item_factors, right))
    options = {"k": 30, "exclude_seen": False}
    whole = recommend(small, **options)
    if left > -140:
        rows = np.arange(9)
        ranked, before = (top_items(one, rows, k=30).indices.tolist() for one in (small, model))
        assert ranked == before
    # As shown, they are not told apart where no bit of any score is left.
    assert set(whole["basis"]) == ({"popularity"} if left == -90 else {"model"})
    for user in model.users:
        rows = np.flatnonzero(whole["user"] == user)
        assert recommend_one(small, user, **options)["item"].tolist() == list(whole["item"][rows])


@given(st.integers(1, 9), st.integers(0, 10**6))
@settings(max_examples=40, deadline=None)
def test_one_equals_sorting_everything(f, seed):
    rng = np.random.default_rng(seed)
    X = rng.integers(-2, 3, (1, f)) * rng.choice([1.0, 1e-3, 1e5])
    model = model_of(X, rng.integers(-2, 3, (30, f)))
    want, _ = oracles_topk.top(oracles_topk.dots(model.user_factors, model.item_factors), 8)
    found = recommend_one(model, "u00000", k=8, exclude_seen=False)["item"]
    assert model.items.indices_of(found).tolist() == want[0].tolist()


def test_items_without_factors_have_no_rows():
    model = model_of([[1, 1]], [[1, 0], [0, 0]])
    same(similar_to(model, "i00001"), similar(model, "i00001"))
    assert len(similar_to(model, "i00001", **COSINE, include_self=True)) == 0


@pytest.mark.parametrize(("n_items", "f"), [(3, 1), (63, 2), (64, 3), (1500, 2), (700, 9)])
def test_neighbours_of_many_are_those_of_each(n_items, f):
    rng = np.random.default_rng(n_items)
    factors = rng.integers(-2, 3, (n_items, f)) * 10.0 ** rng.integers(-9, 9, (n_items, 1))
    factors[:: n_items // 3] = 0  # without a direction
    neighbours = Neighbours(model_of(np.ones((1, f)), factors))
    rows = rng.permutation(n_items).astype(np.int32)[:60]
    for k in (1, 7, 30):
        items, cosines = neighbours.similar_to_many(rows, k, block=5 * n_items + 1)
        for row, *found in zip(rows.tolist(), items, cosines, strict=True):
            one = neighbours.similar(row, k)
            assert found[0][: len(one[0])].tolist() == one[0].tolist()
            assert found[1][: len(one[0])].tobytes() == one[1].tobytes()
            assert (found[0][len(one[0]) :] == -1).all()
            assert np.isnan(found[1][len(one[0]) :]).all()


def test_a_training_users_row_folds_in_to_the_stored_factors():
    model = small_model()
    for row, items in enumerate(rows_of(model.history.user_items)):
        stored = model.history.user_items
        values = stored.data[stored.indptr[row] : stored.indptr[row + 1]]
        found = fold_in_user(model, np.array(items), values)
        np.testing.assert_allclose(found, model.user_factors[row], rtol=1e-4, atol=1e-6)


SETTINGS = [
    {},
    {"confidence": "scaled", "alpha": 0.4},
    {"confidence": "log", "epsilon": 0.5},
    {"confidence": "additive", "unobserved_weight": 0.1, "regularization": 0.003,
     "regularization_exponent": 1.0},
    {"regularization_exponent": 0.7, "regularization_count": "observed"},
    {"user_regularization": 3.0},
]  # fmt: skip


@pytest.mark.parametrize("changed", SETTINGS)
def test_fold_in_holds_for_every_form_and_for_dislikes(changed):
    model = disliking_model(**changed)
    history = model.history.user_items
    for row in range(0, 30, 7):
        stored = slice(history.indptr[row], history.indptr[row + 1])
        found = fold_in_user(model, history.indices[stored], history.data[stored])
        np.testing.assert_allclose(found, model.user_factors[row], rtol=2e-4, atol=2e-6)


def disliking_model(**changed):
    rng = np.random.default_rng(8)
    users, items = np.nonzero(rng.random((30, 20)) < 0.3)
    values = rng.choice([-2.0, 0.5, 1.0, 4.0], len(users))
    likes = Interactions.from_columns(
        [f"u{user:02}" for user in users], [f"i{item:02}" for item in items], values
    )
    return fit(likes, classic(**{"factors": 5, "iterations": 4, "alpha": 3.0, **changed}))


def test_fold_in_is_equation_4():
    model = disliking_model()
    items, values = np.array([2, 7, 11]), np.array([1.0, -2.0, 3.0])
    want, _ = oracles_topk.user_factors(
        items, values, item_factors=model.item_factors, alpha=3.0, regularization=0.1
    )
    np.testing.assert_allclose(fold_in_user(model, items, values), want, rtol=1e-4, atol=1e-6)
    by_id = fold_in_user(model, ["i02", "i07", "i11"], values)
    np.testing.assert_array_equal(by_id, fold_in_user(model, items, values))
    assert not fold_in_user(model, []).any()


def test_recommend_for_likes_leaves_them_out_and_agrees_with_training():
    model = small_model()
    user = "u05"
    row = model.users.index_of(user)
    items = rows_of(model.history.user_items)[row]
    stored = model.history.user_items
    values = stored.data[stored.indptr[row] : stored.indptr[row + 1]].tolist()
    likes = dict(zip(model.items.ids_of(items).tolist(), values, strict=True))
    table = recommend_for_likes(model, likes, k=5)
    assert table.column_names == ("rank", "item", "name", "score", "basis")
    want = recommend_one(model, user, k=5)
    assert table["item"].tolist() == want["item"].tolist()
    np.testing.assert_allclose(table["score"], want["score"], rtol=1e-3)
    assert len(recommend_for_likes(model, likes, k=99)) == len(model.items) - len(likes)


def test_bad_likes_say_what_to_do():
    model = small_model()
    for value in (0.0, np.nan, np.inf):
        with pytest.raises(SettingError, match="position 1 is"):
            recommend_for_likes(model, {"i01": 1.0, "i02": value})
    with pytest.raises(SettingError, match="'i03' is given more than once"):
        recommend_for_likes(model, {"i03": 1.0, "Name 3": 1.0})
    with pytest.raises(UnknownId):
        recommend_for_likes(model, {"nothing": 1.0})
    with pytest.raises(SettingError, match="as many values"):
        fold_in_user(model, ["i01"], [1.0, 2.0])
    with pytest.raises(SettingError, match="item ids must be text"):
        recommend_for_likes(model, {7: 1.0})


def test_singular_rows_and_broken_factors_are_errors():
    settings = classic(factors=2, regularization=0.0).to_settings()
    model = model_of([[1.0, 1.0]], [[1.0, 0.0]], settings=settings)
    with pytest.raises(FitError, match="singular"):
        fold_in_user(model, ["i00000"])
    with pytest.raises(FitError, match="'i00001' for user 'u00000' as nan"):
        recommend_one(model_of([[1.0]], [[1.0], [np.nan]]), "u00000", exclude_seen=False)


@pytest.mark.parametrize("changed", SETTINGS)
def test_the_parts_sum_to_the_score(changed):
    model = disliking_model(**changed)
    for user in ("u03", "u17"):
        for item in model.items:
            why = explain(model, user, item)
            np.testing.assert_allclose(why.parts["contribution"].sum(), why.score, atol=1e-12)
            np.testing.assert_allclose(why.score, why.stored_score, rtol=1e-4, atol=3e-6)
            np.testing.assert_array_equal(
                why.parts["pull"] * why.parts["similarity"], why.parts["contribution"]
            )
            ranked = top_items(model, [model.users.index_of(user)], k=20)
            place = ranked.indices[0].tolist().index(model.items.index_of(item))
            assert why.stored_score == ranked.scores[0, place]


def test_dislikes_add_nothing_themselves_but_shape_the_rest():
    model = disliking_model()
    user = next(
        user for user, low in zip(model.users, np.minimum.reduceat(
            model.history.user_items.data, model.history.user_items.indptr[:-1]
        ), strict=True) if low < 0
    )  # fmt: skip
    why = explain(model, user, "i00")
    disliked = why.parts["value"] < 0
    assert why.dislikes == disliked.sum() > 0
    assert not why.parts["contribution"][disliked].any()
    assert why.parts["similarity"][disliked].all()
    assert f"the {why.dislikes} with a value below zero contribute 0 themselves" in str(why)
    liked = {
        item: value
        for item, value in zip(why.parts["item"], why.parts["value"], strict=True)
        if value > 0
    }
    without = fold_in_user(model, list(liked), list(liked.values()))
    assert not np.isclose(without @ model.item_factors[0], why.score, rtol=1e-3)


def test_an_explanation_shows_hostile_names_as_text():
    likes = Interactions.from_columns(["<u>", "<u>", "v"], ["<b>", "c", "c"])
    why = explain(fit(likes, ALSConfig(factors=2, iterations=2)), "<u>", "<b>")
    assert "&lt;b&gt;" in why._repr_html_()
    assert "<b>" not in why._repr_html_()
    assert "<u>" not in why._repr_html_()


def test_similarities_are_those_of_section_5():
    model = disliking_model()
    row = model.users.index_of("u03")
    history = model.history.user_items
    stored = slice(history.indptr[row], history.indptr[row + 1])
    _, A = oracles_topk.user_factors(
        history.indices[stored], history.data[stored],
        item_factors=model.item_factors, alpha=3.0, regularization=0.1,
    )  # fmt: skip
    Y = model.item_factors.astype(np.float64)
    S = Y @ np.linalg.inv(A) @ Y.T
    why = explain(model, "u03", "i04")
    rows = model.items.indices_of(why.parts["item"])
    np.testing.assert_allclose(why.parts["similarity"], S[4, rows], rtol=1e-4, atol=1e-7)


def test_without_history_the_way_out_is_named():
    model = model_of([[1.0]], [[1.0], [2.0]])
    with pytest.raises(SettingError, match="exclude_seen=False"):
        recommend_one(model, "u00000")
    with pytest.raises(SettingError, match="explain a score"):
        explain(model, "u00000", "i00000")


def test_numba_is_never_imported():
    code = """
        import sys
        import numpy as np
        from alsolike.data.interactions import Interactions
        from alsolike.models.als.model import ALSModel
        from alsolike.recommending import explain, single
        likes = Interactions.from_columns(["u", "u", "v", "v"], ["a", "b", "b", "c"])
        Y = np.diag([3.0, 2.0, 1.0]).astype(np.float32)
        model = ALSModel(
            likes.users, likes.items, np.ones((2, 3), np.float32), Y, likes.item_counts,
            {"factors": 3, "unobserved_weight": 0.5}, history=likes,
            eigenvalues=np.array([9.0, 4.0, 1.0]),
        )
        single.recommend_one(model, "u")
        single.recommend_for_likes(model, {"a": 1.0})
        single.similar_to(model, "a", min_count=1)
        explain.explain(model, "u", "c")
        sys.exit("numba" in sys.modules)
    """
    subprocess.run([sys.executable, "-W", "error", "-c", textwrap.dedent(code)], check=True)
