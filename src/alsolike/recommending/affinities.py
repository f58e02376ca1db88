"""The affinity that a model compares items by, and its settings with some changed. No Numba."""

from dataclasses import replace
from typing import Any, TypeVar

import numpy as np

from alsolike.models.factor_model import row_norms
from alsolike.models.protocols import HasAffinities, HasFactors, able, item_directions
from alsolike.models.similarity.co_counts import KeptCounts
from alsolike.models.similarity.config import FEW_LIKES, Affinity, SimilarityConfig
from alsolike.models.similarity.evidence import KEPT
from alsolike.models.similarity.terms import AffinityTerms, cosine_terms
from alsolike.text import counted
from alsolike.usage_hints import with_example

AnyModel = TypeVar("AnyModel")

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
        own = item_directions(model)
        return cosine_terms(own, row_norms(own), likes, 0.0)
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


@with_example("al.with_similarity(model, popularity_bias=0.3)")
def with_similarity(
    model: AnyModel,
    *,
    affinity: Affinity | None = None,
    popularity_bias: float | None = None,
    prior_strength: float | None = None,
) -> AnyModel:
    """Return the same model that compares items by other settings; nothing is trained.

    `alsolike.save` keeps the settings with the model.

    Parameters
    ----------
    model : HasAffinities
    affinity, popularity_bias, prior_strength
        See `alsolike.similar`; None: as the model has it.

    Raises
    ------
    Unable
        A setting is given, and the model has no dial.
    SettingError
        A setting is out of its range, or the model does not have the affinity.

    Examples
    --------
    >>> from alsolike.testing import tiny_model
    >>> specific = with_similarity(tiny_model(), popularity_bias=0.3)
    >>> described(specific)
    'evidence, popularity bias 0.3, prior strength 30'
    """
    config = similarity_with(
        model,
        affinity=affinity,
        popularity_bias=popularity_bias,
        prior_strength=prior_strength,
    )
    if config is None:
        return model
    changed: AnyModel = able(model, HasAffinities, _DIAL).with_similarity(config)
    return changed


def described(model: Any, config: SimilarityConfig | None = None) -> str:
    """Return the affinity and the dial in words; empty for a model without a dial."""
    if not isinstance(model, HasAffinities):
        return ""
    config = config or model.similarity_config
    affinity = config.affinity or model.affinities[0]
    words = f"{affinity}, popularity bias {config.popularity_bias:g}"
    return f"{words}, prior strength {config.prior_strength:g}" if affinity == "evidence" else words


def note_on_counts(model: Any, config: SimilarityConfig | None = None) -> str:
    """Say that counts are of the strongest neighbours only, as stored without likes; or nothing.

    Examples
    --------
    >>> from alsolike.testing import tiny_model
    >>> note_on_counts(tiny_model())
    ''
    """
    terms = affinity_terms_of(model, config)
    if terms is None or not isinstance(terms.counts, KeptCounts):
        return ""
    return (
        f"The model was saved without its likes: counts of the {KEPT} strongest neighbours of each "
        "item are used."
    )


def note_on_few_likes(model: Any, row: int) -> str:
    """Say that an item has few likes, so what is similar to it is weakly founded; or nothing.

    Examples
    --------
    >>> from alsolike.testing import tiny_model
    >>> note_on_few_likes(tiny_model(), 0)
    '1 like: weakly founded'
    """
    likes = int(model.item_counts[row])
    return f"{counted(likes, 'like')}: weakly founded" if 0 < likes <= FEW_LIKES else ""
