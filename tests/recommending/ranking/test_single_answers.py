"""Answers for one row without the compiler: the bytes of the lists of many rows."""

import gc
import subprocess
import sys
import textwrap
import threading
import weakref
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import alsolike as al
from alsolike.data.interactions import Interactions
from alsolike.errors import FitError
from alsolike.models.factor_model import FactorModel
from alsolike.models.neighbours.config import ItemKNNConfig
from alsolike.models.similarity.config import MARKS, SimilarityConfig
from alsolike.recommending.batch import recommend, top_items
from alsolike.recommending.ranking import leading, longest, prepared, stages
from alsolike.recommending.ranking.factor_single import best_items
from alsolike.recommending.ranking.leading import Leading
from alsolike.recommending.ranking.longest import Longest
from alsolike.recommending.ranking.nearest import Neighbours
from alsolike.recommending.ranking.stages import Stages
from alsolike.recommending.shared import MIN_COUNT
from alsolike.recommending.similarity import similar_indices
from alsolike.recommending.single import recommend_one
from alsolike.testing import tiny_likes
from made_up import make_likes, model_of, same, small_model

AFFINITIES = ("evidence", "audience", "cosine", "dot")


@contextmanager
def small_parts(*, of_many_factors=False):
    """Let a few items be many, and some factors, too, so that rows are left out in stages."""
    few = {longest: {"_FEW": 4, "_PART": 3}, leading: {"_LEAST_ITEMS": 64, "_LEAST_FACTORS": 2,
           "_SEEDS": 1, "_MOST_LEFT": 1}}  # fmt: skip
    if of_many_factors:
        few[stages] = {
            "_LEAST_ITEMS": 64, "_LEAST_FACTORS": 2, "_SEEDS": 1, "_MOST_LEFT": (1, 1),
            "_MOST_BYTES": 4000,
        }  # fmt: skip
        few[longest]["_EQUAL"] = 0.0
    with pytest.MonkeyPatch.context() as patch:
        for module, values in few.items():
            for name, value in values.items():
                patch.setattr(module, name, value)
        yield


def made_of(likes, factors, seed=0, spread=1.0):
    """Return a model with twins, an item without factors, and rows of very different lengths."""
    rng = np.random.default_rng(seed)
    items = rng.normal(size=(likes.n_items, factors)) + 0.3
    items *= np.exp(spread * rng.normal(size=(likes.n_items, 1)))
    items[likes.n_items // 2 :: 5] = items[0]
    items[-1] = 0
    return FactorModel(
        users=likes.users,
        items=likes.items,
        user_factors=(rng.normal(size=(likes.n_users, factors)) + 0.3).astype(np.float32),
        item_factors=items.astype(np.float32),
        item_counts=likes.like_counts,
        history=likes,
    )


def equals_batch(model, rows, k, min_count=MIN_COUNT, similarity=None):
    many = similar_indices(model, rows, k=k, min_count=min_count, similarity=similarity)
    neighbours = Neighbours(model, similarity)
    for place, row in enumerate(np.asarray(rows).tolist()):
        items, scores = neighbours.similar(row, k, min_count=min_count)
        n_listed = int((many.indices[place] >= 0).sum())
        assert items.tolist() == many.indices[place, :n_listed].tolist()
        assert items.dtype == np.int32
        assert scores.tobytes() == many.scores[place, :n_listed].tobytes()


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 10**6),
    st.sampled_from([1, 2, 7, 16, 33]),
    st.sampled_from(AFFINITIES),
    st.sampled_from(MARKS),
    st.sampled_from([0.01, 30.0, 1e6]),
    st.sampled_from([1, 10, 400]),
    st.integers(0, 4),
    st.sampled_from([None, "leading coordinates", "stages"]),
)
def test_one_item_is_as_in_the_lists_of_all(seed, f, affinity, bias, kappa, k, min_count, small):
    rng = np.random.default_rng(seed)
    likes = tiny_likes(int(rng.integers(3, 120)), int(rng.integers(1, 300)), seed=seed)
    config = SimilarityConfig(affinity=affinity, popularity_bias=bias, prior_strength=kappa)
    model = made_of(likes, f, seed, spread=rng.choice([0.0, 1.0, 3.0]))
    rows = rng.integers(likes.n_items, size=12)
    if small:
        with small_parts(of_many_factors=small == "stages"):
            equals_batch(model, rows, k, min_count, config)
    else:
        equals_batch(model, rows, k, min_count, config)


@pytest.mark.parametrize("weighting", ["cosine", "bm25"])
@pytest.mark.parametrize("bias", [0.0, 0.7, 1.0])
def test_counts_alone(weighting, bias):
    model = al.fit(make_likes(dislikes=True), ItemKNNConfig(weighting=weighting))
    config = SimilarityConfig(popularity_bias=bias)
    for k in (1, 9, 200):
        equals_batch(model, np.arange(len(model.items)), k, similarity=config)


@pytest.mark.parametrize("affinity", AFFINITIES)
@pytest.mark.parametrize("bias", [0.0, 0.8])
def test_more_items_than_are_copied(affinity, bias):
    likes = tiny_likes(600, 9000, seed=2)
    model = made_of(likes, 12, spread=0.7)
    config = SimilarityConfig(affinity=affinity, popularity_bias=bias)
    rows = np.concatenate((np.arange(0, 9000, 700), [8999]))
    for min_count in (0, 2):
        equals_batch(model, rows, 10, min_count, config)


def test_leading_coordinates_find_the_nearest_rows():
    rng = np.random.default_rng(4)
    scale = np.exp(-np.arange(40) / 4.0)
    rows = (rng.normal(size=(20_000, 40)) * scale).astype(np.float32)
    rows[3::7] = rows[2::7][: len(rows[3::7])]
    model = model_of(np.ones((1, 40)), rows)
    found = []
    kept = Leading.scan

    def noted(self, *given):
        answer = kept(self, *given)
        found.append(answer is not None)
        return answer

    cosine = SimilarityConfig(affinity="cosine", popularity_bias=0.0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Leading, "scan", noted)
        equals_batch(model, np.arange(0, 20_000, 997), 10, similarity=cosine)
    assert sum(found[-21:]) > 15
    even = model_of(np.ones((1, 40)), rng.normal(size=(20_000, 40)))
    equals_batch(even, np.arange(0, 20_000, 4999), 10, similarity=cosine)


def falling_model(n_items, factors):
    """Return a model whose first coordinates are the largest, as in the basis of a Gramian."""
    rng = np.random.default_rng(factors)
    items = rng.normal(size=(n_items, factors)) * np.exp(-np.arange(factors) / (factors / 6))
    items[7::11] = items[3::11][: len(items[7::11])]
    users = rng.normal(size=(40, factors)) * np.exp(-np.arange(factors) / (factors / 6))
    return model_of(users, items)


@pytest.mark.parametrize("copied", [True, False])
def test_stages_leave_out_most_rows_of_many_factors(copied):
    model = falling_model(17_000, 264)
    found = []
    kept = Stages.scan

    def noted(self, *given):
        answer = kept(self, *given)
        found.append(answer is not None)
        return answer

    users = np.arange(0, 40, 7)
    many = top_items(model, users, k=20, exclude=None)
    similarity = SimilarityConfig(affinity="cosine", popularity_bias=0.0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Stages, "scan", noted)
        if not copied:
            patch.setattr(stages, "_MOST_BYTES", 0)
        for place, row in enumerate(users.tolist()):
            items, scores = best_items(
                model, model.user_factors[row], np.ones(17_000, dtype=bool), 20, "a user"
            )
            assert items.tolist() == many.indices[place].tolist()
            assert scores.tobytes() == many.scores[place].tobytes()
        of_users = len(found)
        equals_batch(model, np.arange(0, 17_000, 2999), 10, min_count=0, similarity=similarity)
    assert sum(found[:of_users]) >= 12
    assert sum(found[of_users:]) >= 12


@pytest.mark.parametrize("affinity", AFFINITIES)
@pytest.mark.parametrize("power", [-130, -60, -20, 30])
def test_factors_that_all_but_vanish_or_are_huge(affinity, power):
    likes = tiny_likes(90, 160, seed=5)
    model = made_of(likes, 6)
    with np.errstate(all="ignore"):
        model = replace(model, item_factors=np.ldexp(model.item_factors, power))
    for bias in (0.0, 1.0):
        config = SimilarityConfig(affinity=affinity, popularity_bias=bias)
        with small_parts():
            equals_batch(model, np.arange(0, 160, 9), 10, similarity=config)


def test_only_what_may_appear():
    likes = tiny_likes(200, 300, seed=6)
    model = made_of(likes, 8)
    for affinity in AFFINITIES:
        for may_appear in (np.arange(300) % 7 == 3, np.zeros(300, bool), np.arange(300) < 299):
            config = SimilarityConfig(affinity=affinity)
            with small_parts():
                items, scores = Neighbours(model, config).similar(5, 9, may_appear=may_appear)
            whole, of_whole = Neighbours(model, config).similar(5, 300)
            wanted = may_appear[whole]
            assert items.tolist() == whole[wanted][:9].tolist()
            assert scores.tobytes() == of_whole[wanted][:9].tobytes()


def test_catalogues_of_one_item_and_of_none_that_anybody_likes():
    alone = Interactions.from_columns(["u", "v"], ["a", "a"])
    unliked = Interactions.from_columns(list("uv"), list("ab"), [-1, -1])
    for likes in (alone, unliked):
        model = made_of(likes, 3)
        for affinity in AFFINITIES:
            equals_batch(model, [0], 5, 0, SimilarityConfig(affinity=affinity))


@pytest.mark.parametrize("affinity", AFFINITIES)
@pytest.mark.parametrize("bias", [0.0, 0.8])
def test_many_rows_are_each_alone(affinity, bias):
    model = made_of(tiny_likes(200, 150, seed=7), 9)
    rows = np.random.default_rng(0).permutation(150).astype(np.int32)
    neighbours = Neighbours(model, SimilarityConfig(affinity=affinity, popularity_bias=bias))
    items, scores = neighbours.similar_to_many(rows, 12, block=7 * 150)
    for row, many, of_many in zip(rows.tolist(), items, scores, strict=True):
        one, of_one = neighbours.similar(row, 12)
        assert many[: len(one)].tolist() == one.tolist()
        assert (many[len(one) :] == -1).all()
        assert of_many[: len(one)].tobytes() == of_one.tobytes()
        assert np.isnan(of_many[len(one) :]).all()


def test_a_set_of_items_is_summed_over_the_set():
    likes = tiny_likes(200, 150, seed=8)
    model = made_of(likes, 5)
    rows = np.array([3, 40, 7], dtype=np.int32)
    terms = model.affinity_terms()
    totals = np.zeros(150)
    for row in rows.tolist():
        items, counts = terms.counts.of(row)
        totals[items] += counts
    shares = terms.masses[rows]
    query = (terms.queries(rows).T @ shares / shares.sum()).astype(np.float64)
    expected = totals + np.clip(model.item_factors.astype(np.float64) @ query, 0, terms.ceiling)
    expected = expected * terms.weights / terms.size_of(rows)
    expected[rows], expected[model.item_counts < MIN_COUNT] = 0, 0
    with small_parts():
        items, scores = Neighbours(model).similar_to_set(rows, 20)
    np.testing.assert_allclose(scores, np.sort(expected)[::-1][: len(items)], rtol=1e-5)
    np.testing.assert_allclose(scores, expected[items], rtol=1e-5)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 10**6), st.sampled_from([1, 5, 16]), st.sampled_from([1, 10, 500]),
    st.sampled_from([0, -70, 40]), st.sampled_from([0.0, 2.0]), st.booleans(),
)  # fmt: skip
def test_one_user_is_as_in_the_lists_of_all(seed, f, k, power, spread, is_staged):
    rng = np.random.default_rng(seed)
    likes = tiny_likes(int(rng.integers(3, 60)), int(rng.integers(1, 300)), seed=seed)
    model = made_of(likes, f, seed, spread)
    model = replace(model, item_factors=np.ldexp(model.item_factors, power))
    users = np.arange(likes.n_users)[:9]
    many = top_items(model, users, k=k, exclude=likes.user_items)
    ids = model.users.ids_of(users).tolist()
    with small_parts(of_many_factors=is_staged):
        for user, wanted, of_wanted in zip(ids, many.indices, many.scores, strict=True):
            n_listed = int((wanted >= 0).sum())
            row = model.users.index_of(user)
            unseen = np.ones(likes.n_items, dtype=bool)
            start, stop = likes.user_items.indptr[row : row + 2]
            unseen[likes.user_items.indices[start:stop]] = False
            items, scores = best_items(model, model.user_factors[row], unseen, k, "the user")
            assert items.tolist() == wanted[:n_listed].tolist()
            assert scores.tobytes() == of_wanted[:n_listed].tobytes()
            for options in ({}, {"without_likes": "empty"}, {"exclude_seen": False}):
                same(recommend_one(model, user, k=k, **options),
                     recommend(model, user, k=k, **options))  # fmt: skip


def test_products_beyond_float32_are_named():
    model = model_of([[1e30]], [[1e30], [1.0], [-1.0]])
    with pytest.raises(FitError, match="'i00000' for user 'u00000' as inf"):
        recommend_one(model, "u00000", exclude_seen=False)
    broken = model_of([[1.0]], [[1.0], [np.nan]])
    with pytest.raises(FitError, match=r"'i00001' \(row 1\) has factors that are not finite"):
        Neighbours(broken).similar(0, 1)


def test_what_is_prepared_lives_as_long_as_its_model():
    model = replace(small_model())
    first = Neighbours(model)._comparison
    assert Neighbours(model)._comparison is first
    other = Neighbours(model.with_similarity(SimilarityConfig(popularity_bias=0.1)))
    assert other._comparison is not first
    made = []
    for number in range(40):
        prepared.prepared(model, number, lambda: made.append(1) or 7)
    assert prepared.prepared(model, 39, lambda: made.append(1) or 7) == 7
    assert len(made) == 40
    assert prepared.prepared(object(), 1, lambda: 5) == 5
    told = weakref.ref(model)
    del model, first, other
    gc.collect()
    assert told() is None


def test_threads_prepare_one_model_at_a_time_or_twice_the_same():
    model = made_of(tiny_likes(200, 300, seed=9), 8)
    wanted = Neighbours(replace(model)).similar(3, 10)[1].tobytes()
    found = []

    def ask():
        found.append(Neighbours(model).similar(3, 10)[1].tobytes())

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(found) == {wanted}
    assert len(found) == 6


def test_rows_of_equal_lengths_are_not_copied():
    ones = np.ones(9)
    assert Longest.of(np.eye(9, dtype=np.float32).__getitem__, 9, ones, ones) is not None
    with small_parts():
        assert Longest.of(np.eye(9, dtype=np.float32).__getitem__, 9, ones, ones) is None


def test_evidence_needs_no_compiler():
    code = """
        import sys
        from alsolike.models.als.model import ALSModel
        from alsolike.recommending.single import recommend_one, similar_to
        from alsolike.data.interactions import Interactions
        import numpy as np
        likes = Interactions.from_columns(list("uuvvvw"), list("abbcaa"))
        Y = np.diag([3.0, 2.0, 1.0]).astype(np.float32)
        model = ALSModel(
            likes.users, likes.items, np.ones((3, 3), np.float32), Y, likes.item_counts,
            {"factors": 3}, history=likes, eigenvalues=np.array([9.0, 4.0, 1.0]),
        )
        assert model.affinity() == "evidence"
        assert len(similar_to(model, "a", min_count=1)) == 2
        recommend_one(model, "u")
        sys.exit("numba" in sys.modules)
    """
    subprocess.run([sys.executable, "-W", "error", "-c", textwrap.dedent(code)], check=True)
