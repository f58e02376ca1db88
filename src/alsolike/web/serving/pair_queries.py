"""Says why two items are similar: the cosine of their factors, and who likes both."""

from typing import Any

import numpy as np

from alsolike.models.factor_model import row_norms
from alsolike.models.protocols import HasFactors, item_directions
from alsolike.models.similarity.exact import exact_products
from alsolike.recommending.co_likes import pair_evidence
from alsolike.recommending.shared import unit_rows
from alsolike.web.serving.queries import name_of
from alsolike.web.serving.registry import ServedModel


def cosine(served: ServedModel, row: int, other: int) -> float | None:
    """Return the cosine of two items' factors; None for a model without factors."""
    model = served.model
    if not isinstance(model, HasFactors):
        return None
    own = item_directions(model)[np.array([row, other])]
    one, two = unit_rows(own, row_norms(own))
    (product,) = exact_products(one[None], two)
    return float(np.float32(np.clip(product, -1.0, 1.0)))  # as in lists by the cosine


def pair_why(served: ServedModel, row: int, other: int) -> dict[str, Any]:
    """Return why an item is similar to another, in numbers of people and in a sentence.

    One or two people are never counted out: they could be recognized.
    """
    if served.likers is None:
        return {
            "shared": None,
            "expected": None,
            "by_popularity": None,
            "sentence": "The model was saved without its history, so users cannot be counted.",
        }
    found = pair_evidence(served.model, row, other, served.likers)
    names = [name_of(served, one) or served.model.items.text_of(one) for one in (row, other)]
    return {
        "shared": found.shared_to_show,
        "expected": found.expected,
        "by_popularity": found.by_popularity,
        "sentence": found.sentence(*names),
    }
