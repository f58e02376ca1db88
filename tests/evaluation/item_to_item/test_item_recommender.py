"""What each kind of model shows beside an item, against rankings written out."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alsolike.data.interactions import Interactions
from alsolike.engines.local import LocalEngine
from alsolike.errors import SettingError
from alsolike.evaluation.item_to_item.evaluate import evaluate_item_to_item
from alsolike.evaluation.item_to_item.item_recommender import item_recommender_of
from alsolike.evaluation.item_to_item.unseen_users import unseen_users
from alsolike.models.als.config import ALSConfig
from alsolike.models.als.train import fit
from alsolike.models.baselines.popularity import fit_popularity
from alsolike.models.baselines.random import RandomConfig, fit_random
from alsolike.models.linear.ease import EASEConfig, fit_ease
from alsolike.models.neighbours.config import ItemKNNConfig
from alsolike.models.neighbours.fit import fit_item_knn
from alsolike.models.similarity.config import SimilarityConfig
from alsolike.testing import tiny_likes

LIKES = tiny_likes(50, 30)


def by_hand(
    scores: np.ndarray[Any, Any], counts: np.ndarray[Any, Any], item: int, k: int, least: int
) -> list[int]:
    """Sort all other items that may be shown; equals in their order, -inf not at all."""
    rows = [
        (-float(np.float32(score)), other)
        for other, score in enumerate(scores)
        if other != item and counts[other] >= least and score > -np.inf
    ]
    return [other for _, other in sorted(rows)][:k]


def cosine_of(likes: Interactions) -> np.ndarray[Any, Any]:
    """Return the cosine of the columns of likes, -inf where nobody likes both."""
    liked = (likes.user_items.toarray() > 0).astype(float)
    together = liked.T @ liked
    sizes = np.diag(together)
    with np.errstate(invalid="ignore", divide="ignore"):
        found = np.sqrt(together**2 / np.outer(sizes, sizes))
    return np.where(together > 0, found, -np.inf)


def weights_of(likes: Interactions, regularization: float) -> np.ndarray[Any, Any]:
    """Return EASE's weights as the paper writes them."""
    liked = (likes.user_items.toarray() > 0).astype(float)
    inverse = np.linalg.inv(liked.T @ liked + regularization * np.eye(likes.n_items))
    return np.asarray(-inverse / np.diag(inverse))


@settings(max_examples=15)
@given(st.integers(0, 10**6), st.integers(1, 4), st.integers(1, 40))
def test_shelves_are_those_written_out(seed: int, least: int, k: int) -> None:
    likes = tiny_likes(25, 20, seed=seed)
    by_cosine = SimilarityConfig(popularity_bias=0.0)
    chance = fit_random(likes, RandomConfig(seed=seed))
    of_users = chance.scores(slice(None), slice(None))
    asked = np.arange(likes.n_items, dtype=np.int32)[::-1]
    for model, scores in (
        (fit_item_knn(likes, ItemKNNConfig()).with_similarity(by_cosine), cosine_of(likes)),
        (fit_ease(likes, EASEConfig(regularization=3.0)), weights_of(likes, 3.0)),
        # There are more users than items: the row of a user stands for that of an item.
        (chance, of_users),
    ):
        found = item_recommender_of(model, likes, min_count=least).ranked(asked, k)
        for row, item in enumerate(asked):
            expected = by_hand(scores[item], likes.item_counts, item, k, least)
            shown = found.indices[row][found.indices[row] >= 0].tolist()
            if model.name in ("ease", "item-knn"):  # equal to rounding may stand in another order
                assert np.allclose(scores[item, shown], scores[item, expected], atol=1e-7)
                assert len(shown) == len(expected)
            else:
                assert shown == expected


def test_who_is_kept_for_users_lists_does_not_matter_beside_an_item() -> None:
    """Similar items are by all co-counts; the neighbours that are kept are for users' lists."""
    asked = np.arange(30, dtype=np.int32)
    few, many = (
        item_recommender_of(model, LIKES).ranked(asked, 5)
        for model in (fit_item_knn(LIKES, ItemKNNConfig(neighbours=n)) for n in (3, 30))
    )
    assert few.indices.tolist() == many.indices.tolist()
    assert (few.indices[:, 3:] >= 0).any()


def test_a_model_that_compares_items_recommends_items() -> None:
    als = fit(LIKES, ALSConfig(factors=2, iterations=1))
    for model in (als, fit_popularity(LIKES), fit_random(LIKES, RandomConfig())):
        shelves = item_recommender_of(model, LIKES)
        assert (shelves.name, shelves.items) == (model.name, LIKES.items)

    class ForUsers:
        users, items, name = LIKES.users, LIKES.items, "lists_alone"

        def scores(self, user_indices: Any, item_indices: slice) -> Any:
            raise NotImplementedError

    with pytest.raises(SettingError, match="'lists_alone' has no similar items: it needs"):
        item_recommender_of(ForUsers(), LIKES)


def test_what_was_given_of_others_later_changes_no_shelf() -> None:
    """Whole held-out users are shown to a model for its lists; shelves are those of training."""
    less = LIKES.keep(np.arange(LIKES.n_interactions) % 3 > 0)
    asked = np.arange(30, dtype=np.int32)
    for model in (
        fit_ease(less, EASEConfig()),
        fit_popularity(less),
        fit_random(less, RandomConfig()),
    ):
        before, after = (
            item_recommender_of(one, less, min_count=5).ranked(asked, 6).indices.tolist()
            for one in (model, model.with_history(LIKES))
        )
        assert before == after


def test_shelves_do_not_depend_on_threads_nor_on_who_else_is_asked() -> None:
    asked = np.arange(30, dtype=np.int32)
    for model in (
        fit_item_knn(LIKES, ItemKNNConfig(weighting="bm25")),
        fit_ease(LIKES, EASEConfig()),
        fit_random(LIKES, RandomConfig(seed=4)),
    ):
        one, many = (
            item_recommender_of(model, LIKES, engine=LocalEngine(threads)).ranked(asked, 4)
            for threads in (1, 3)
        )
        assert one.scores.tobytes() == many.scores.tobytes()
        alone = item_recommender_of(model, LIKES).ranked(asked[7:8], 4)
        assert alone.indices.tolist() == one.indices[7:8].tolist()
        deeper = item_recommender_of(model, LIKES).ranked(asked, 9)
        assert deeper.indices[:, :4].tolist() == one.indices.tolist()


def test_chance_is_below_all_others() -> None:
    folds = unseen_users(tiny_likes(400, 80, seed=2))
    means = [
        evaluate_item_to_item(
            [item_recommender_of(fitted(fold.train), fold.train) for fold in folds], folds, k=5
        ).mean("precision@5")
        for fitted in (
            lambda likes: fit_random(likes, RandomConfig()),
            fit_popularity,
            lambda likes: fit_ease(likes, EASEConfig(regularization=50.0)),
            lambda likes: fit_item_knn(likes, ItemKNNConfig()),
            lambda likes: fit(likes, ALSConfig(factors=4)),
        )
    ]
    assert means[0] < 0.27
    assert min(means[1:]) > 0.3
