"""Returns the rows that linear models are regressed on: likes, and under them features of items."""

import numpy as np
import scipy.sparse as sp

from alsolike.data.features.features import Features
from alsolike.data.interactions import Interactions
from alsolike.models.feature_vectors import column_scales, vectors_of
from alsolike.models.history_model import training_likes
from alsolike.models.linear.config import LinearConfig

_RARITY = 1.0  # plain tf-idf


def training_rows(train: Interactions, config: LinearConfig) -> sp.csr_array:
    """Return weighted likes of users, and a row for each tag, CSR of float64, (n, n_items).

    A tag is as a user who likes the items that have it: it weighs its tf-idf, the vectors of items
    having length 1, times the root of `feature_weight`. So G is ``X'X + w V V'`` (Jeunen, Van
    Balen, Goethals 2020, "Closed-Form Models for Collaborative Filtering with Side-Information",
    section 3.1).

    Examples
    --------
    >>> from dataclasses import replace
    >>> likes = Interactions.from_columns(["ann", "bob", "bob"], ["m1", "m2", "m3"])
    >>> tagged = replace(likes, item_features=Features.of_words("tag", [["a"], ["a"], ["b"]]))
    >>> training_rows(tagged, LinearConfig(feature_weight=4.0)).toarray()
    array([[1., 0., 0.],
           [0., 1., 1.],
           [2., 2., 0.],
           [0., 0., 2.]])
    """
    likes = training_likes(train, config.value_weights)
    if not config.feature_weight or train.item_features is None:
        return likes
    tags = _sets(train.item_features)
    scales = column_scales(tags, train.like_counts > 0, _RARITY, None)
    vectors = vectors_of(tags.matrix, tags.blocks, scales)
    rows = sp.csr_array(vectors.T) * np.sqrt(config.feature_weight)
    return sp.csr_array(sp.vstack([likes, rows], format="csr"))


def _sets(features: Features) -> Features:
    """Return the blocks that are sets, such as tags: words of texts have too many items."""
    kept = [place for place, block in enumerate(features.blocks) if block.kind == "set"]
    columns = [np.arange(features.n_features)[features.columns_of(place)] for place in kept]
    chosen = np.concatenate(columns) if columns else np.empty(0, dtype=np.int64)
    matrix = sp.csr_array(features.matrix[:, chosen])
    matrix.sort_indices()
    return Features(matrix, tuple(features.blocks[place] for place in kept))


def feature_weights_to_try(train: Interactions) -> tuple[float, ...]:
    """Return the weights of features that a search tries; none without tags of items."""
    known = train.item_features
    has_sets = known is not None and _sets(known).matrix.nnz > 0
    return (3.0, 10.0, 30.0) if has_sets else ()
