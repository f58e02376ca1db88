"""Tags under the likes: the linear models are those of likes with a row for each tag."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp

from alsolike.data.features.features import Block, Features
from alsolike.data.interactions import Interactions
from alsolike.data.string_array import StringArray
from alsolike.models.family import TrainingData
from alsolike.models.linear.ease import EASEConfig, fit_ease
from alsolike.models.linear.sparse import SparseLinearConfig, fit_sparse_linear
from alsolike.models.linear.training_rows import training_rows
from alsolike.models.registry import family_named, uses_features
from alsolike.testing import tiny_likes, with_tiny_features

LIKES = with_tiny_features(tiny_likes())


def test_ease_is_the_closed_form_of_both() -> None:
    config = EASEConfig(regularization=20.0, feature_weight=5.0)
    rows = training_rows(LIKES, config).toarray()
    assert len(rows) > LIKES.n_users
    inverse = np.linalg.inv(rows.T @ rows + 20.0 * np.eye(LIKES.n_items))
    expected = -inverse / np.diag(inverse)
    np.fill_diagonal(expected, 0.0)
    np.testing.assert_allclose(fit_ease(LIKES, config).weights, expected, atol=1e-10)


def test_neighbourhoods_are_those_of_likes_and_tags() -> None:
    config = SparseLinearConfig(regularization=20.0, feature_weight=5.0, neighbours=9, dropout=0.2)
    stacked = Interactions.from_matrix(training_rows(LIKES, config).astype(np.float32))
    as_likes = replace(config, feature_weight=0.0, values="given")
    expected = fit_sparse_linear(stacked, as_likes).weights
    order = stacked.items.indices_of(range(LIKES.n_items))
    found = fit_sparse_linear(LIKES, config).weights
    both = expected.tocsr()[order][:, order]
    np.testing.assert_allclose(found.toarray(), both.toarray(), atol=1e-6)


def test_tags_tell_of_items_without_likes() -> None:
    likes = LIKES.keep(LIKES.user_items.indices != 3)
    plain, tagged = (
        fit_ease(likes, EASEConfig(regularization=20.0, feature_weight=weight))
        for weight in (0.0, 5.0)
    )
    assert not plain.weights[:, 3].any()
    assert tagged.weights[:, 3].any()


def test_only_sets_count_and_without_features_nothing_changes() -> None:
    config = EASEConfig(regularization=20.0, feature_weight=5.0)
    price = Block("price", "number", StringArray.pack(["price"]))
    numbers = Features(sp.csr_array(np.ones((LIKES.n_items, 1), dtype=np.float32)), (price,))
    for features in (None, numbers):
        likes = replace(LIKES, item_features=features)
        rows = training_rows(likes, config)
        assert (rows != training_rows(likes, EASEConfig())).nnz == 0


@pytest.mark.parametrize("name", ["ease", "sparse-linear"])
def test_a_search_tries_weights_where_there_are_tags(name: str) -> None:
    family = family_named(name)
    for likes, tried in ((LIKES, {0.0, 3.0, 10.0, 30.0}), (tiny_likes(), {0.0})):
        space = family.search_space(TrainingData(likes))
        assert {config.feature_weight for config in space} == tried
    assert not uses_features(family.config())
    assert uses_features(replace(family.config(), feature_weight=1.0))
