"""The affinity that a model compares items by, and its settings with some changed. No Numba."""

from dataclasses import replace
from typing import Any

import numpy as np

from alsolike.models.base import HasAffinities, HasFactors, able
from alsolike.models.similarity.config import SimilarityConfig
from alsolike.models.similarity.terms import AffinityTerms, cosine_terms

_DIAL = "choose between specific and popular items"


def affinity_terms_of(model: Any, config: SimilarityConfig | None = None) -> AffinityTerms | None:
    """Return the terms by which a model compares items; None if it has scores of its own.

    Raises
    ------
    Unable
        A configuration is given, and the model has no dial.
    """
    if isinstance(model, HasAffinities):
        return model.affinity_terms(config)
    if config is not None:
        able(model, HasAffinities, _DIAL)
    if isinstance(model, HasFactors):
        likes = np.maximum(model.item_counts, 1).astype(np.float64)
        return cosine_terms(model.item_factors, model.item_norms, likes, 0.0)
    return None


def similarity_with(model: Any, **changes: Any) -> SimilarityConfig | None:
    """Return a model's settings of similar items with some changed; None if none is given.

    Parameters
    ----------
    model : HasAffinities
    **changes
        Settings of `SimilarityConfig`; None: not changed.

    Raises
    ------
    Unable
        A setting is given, and the model has no dial.
    SettingError
        A setting is out of its range, or the model does not have the affinity.

    Examples
    --------
    >>> from alsolike.testing import tiny_model
    >>> similarity_with(tiny_model(), popularity_bias=0.3, affinity=None).popularity_bias
    0.3
    """
    given = {name: value for name, value in changes.items() if value is not None}
    if not given:
        return None
    own: HasAffinities = able(model, HasAffinities, _DIAL)
    config = replace(own.similarity_config, **given)
    own.with_similarity(config)
    return config
