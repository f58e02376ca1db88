"""Lists by affinities: compiled, at several marks, on several threads, against all scores."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import alsolike as al
from alsolike.data.interactions import Interactions
from alsolike.engines.local import LocalEngine
from alsolike.errors import FitError
from alsolike.models.factor_model import FactorModel
from alsolike.models.neighbours.config import ItemKNNConfig
from alsolike.models.similarity.config import MARKS, SimilarityConfig
from alsolike.recommending.ranking.affinity import AffinitySource
from alsolike.recommending.ranking.scan import Ranked
from alsolike.recommending.similarity import similar_at_marks, similar_indices
from alsolike.testing import tiny_likes


def factor_model(likes: Interactions, factors: int, rng: np.random.Generator) -> FactorModel:
    """Return a model whose items include twins, and one without factors."""
    items = (rng.normal(size=(likes.n_items, factors)) + 0.3).astype(np.float32)
    items[likes.n_items // 2 :: 5] = items[0]
    items[-1] = 0
    return FactorModel(
        users=likes.users,
        items=likes.items,
        user_factors=(rng.normal(size=(likes.n_users, factors)) + 0.3).astype(np.float32),
        item_factors=items,
        item_counts=likes.like_counts,
        history=likes,
    )


def literal_lists(model, k: int, min_count: int) -> Ranked:
    """Return the lists by sorting all scores."""
    scores = np.array(model.item_scores(slice(None), slice(None)))
    np.fill_diagonal(scores, -np.inf)
    scores[:, model.item_counts < min_count] = -np.inf
    order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    best = np.take_along_axis(scores, order, axis=1)
    ranked = Ranked.empty(len(scores), k)
    ranked.indices[:, : order.shape[1]] = np.where(best > -np.inf, order, -1)
    ranked.scores[:, : order.shape[1]] = best
    return ranked


def same(found: Ranked, expected: Ranked) -> None:
    np.testing.assert_array_equal(found.indices, expected.indices)
    assert found.scores.tobytes() == expected.scores.tobytes()


@settings(max_examples=30, deadline=None)
@given(
    st.integers(0, 10_000),
    st.sampled_from([1, 3, 16, 33, 70]),
    st.sampled_from(["evidence", "audience", "cosine", "dot"]),
    st.sampled_from([0.0, 0.3, 1.0]),
    st.sampled_from([0.01, 30.0, 1e6]),
    st.sampled_from([1, 10, 90]),
)
def test_lists_are_the_sorted_scores(seed, factors, affinity, bias, kappa, k):
    rng = np.random.default_rng(seed)
    likes = tiny_likes(int(rng.integers(3, 80)), int(rng.integers(2, 70)))
    config = SimilarityConfig(affinity=affinity, popularity_bias=bias, prior_strength=kappa)
    model = factor_model(likes, factors, rng).with_similarity(config)
    min_count = int(rng.integers(0, 4))

    found = similar_indices(model, np.arange(likes.n_items), k=k, min_count=min_count)

    same(found, literal_lists(model, k, min_count))


@pytest.mark.parametrize("weighting", ["cosine", "bm25"])
@pytest.mark.parametrize("bias", [0.0, 0.7, 1.0])
def test_counts_alone_are_the_sorted_scores(weighting, bias):
    model = al.fit(tiny_likes(90, 50), ItemKNNConfig(weighting=weighting))
    model = model.with_similarity(SimilarityConfig(popularity_bias=bias))
    same(similar_indices(model, np.arange(50), k=8, min_count=2), literal_lists(model, 8, 2))


@pytest.mark.parametrize("affinity", ["evidence", "audience", "cosine", "dot"])
def test_all_marks_in_one_pass_are_the_lists_mark_by_mark(affinity):
    likes = tiny_likes(300, 200)
    model = factor_model(likes, 12, np.random.default_rng(1))
    rows = np.array([5, 199, 7, 5, 0, 120])
    config = SimilarityConfig(affinity=affinity, prior_strength=20)
    for threads in (1, 2):
        together = similar_at_marks(
            model, rows, k=9, marks=MARKS, similarity=config, engine=LocalEngine(threads)
        )
        for mark, found in zip(MARKS, together, strict=True):
            own = replace(config, popularity_bias=mark)
            same(found, similar_indices(model, rows, k=9, similarity=own))


def test_marks_of_counts_alone():
    model = al.fit(tiny_likes(90, 50), ItemKNNConfig())
    for mark, found in zip((0.0, 1.0), similar_at_marks(model, [3, 4], k=5, marks=(0.0, 1.0)),
                           strict=True):  # fmt: skip
        same(found, similar_indices(model, [3, 4], k=5, similarity=SimilarityConfig(
            popularity_bias=mark)))  # fmt: skip


def test_stored_counts_rank_like_the_likes(tmp_path):
    likes = tiny_likes(90, 50)
    model = factor_model(likes, 8, np.random.default_rng(2))
    al.save(model, tmp_path / "model", with_history=False)
    rows = np.arange(50)
    same(similar_indices(al.load(tmp_path / "model"), rows, k=6),
         similar_indices(model, rows, k=6))  # fmt: skip


def test_the_number_of_threads_changes_no_byte():
    model = factor_model(tiny_likes(700, 900), 20, np.random.default_rng(3))
    rows = np.arange(900)
    one, two = (similar_indices(model, rows, k=10, engine=LocalEngine(n)) for n in (1, 2))
    same(one, two)


def test_scores_of_rows_are_those_of_lists():
    model = factor_model(tiny_likes(90, 50), 8, np.random.default_rng(4))
    rows = np.array([4, 9, 30], dtype=np.int32)
    source = AffinitySource(rows, model.affinity_terms())
    ((_, scores),) = source.scored(slice(0, 3), np.arange(3))
    expected = np.array(model.item_scores(rows, slice(None)))
    expected[np.arange(3), rows] = -np.inf
    np.testing.assert_array_equal(scores, expected)


def test_factors_that_are_not_finite_are_named():
    model = factor_model(tiny_likes(90, 50), 8, np.random.default_rng(5))
    broken = model.item_factors.copy()
    broken[7, 2] = np.nan
    model = replace(model, item_factors=broken)
    item = model.items.id_of(7)
    with pytest.raises(FitError, match=f"item '{item}' .row 7. has factors that are not finite"):
        similar_indices(
            model, [0], k=3, similarity=SimilarityConfig(affinity="dot", popularity_bias=1.0)
        )
