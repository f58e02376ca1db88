"""Prepares the dial of an item's page, from specific to popular, as links."""

from collections.abc import Sequence
from dataclasses import dataclass

from alsolike.models.similarity.config import MARKS
from alsolike.web.serving.registry import ServedModel
from alsolike.web.serving.similar_items import at_mark, mark_text


@dataclass(frozen=True)
class Mark:
    """One mark of the dial.

    Parameters
    ----------
    text : str
    address : str
        Address of the page at this mark, which opens at the dial.
    is_chosen : bool
        Whether all lists of the page are at this mark.
    is_own : bool
        Whether it is a model's own mark.
    """

    text: str
    address: str
    is_chosen: bool
    is_own: bool


@dataclass(frozen=True)
class Dial:
    """The dial of a page.

    Parameters
    ----------
    marks : tuple of Mark
        From specific to popular.
    chosen : str
        The mark in the address, if there is one, else empty.
    own : tuple of (str, str)
        Name and own mark of each model that has the dial.
    reset : str
        Address of the page with each model at its own mark.
    """

    marks: tuple[Mark, ...]
    chosen: str
    own: tuple[tuple[str, str], ...]
    reset: str


def dial_of(models: Sequence[ServedModel], address: str, chosen: float | None) -> Dial | None:
    """Return the dial of a page of these models; None if no model has one.

    Parameters
    ----------
    models : sequence of ServedModel
    address : str
        Of the page, without a mark.
    chosen : float or None
        The popularity bias of the lists; None: each model's own.
    """
    own = {one.name: one.own_similarity for one in models if one.own_similarity is not None}
    if not own:
        return None
    biases = {config.popularity_bias for config in own.values()}
    shown = chosen if chosen is not None else next(iter(biases)) if len(biases) == 1 else None
    marks = tuple(
        Mark(
            mark_text(mark),
            f"{at_mark(address, mark)}#dial",
            shown == mark,
            mark in biases,
        )
        for mark in MARKS
    )
    of_models = tuple((name, mark_text(config.popularity_bias)) for name, config in own.items())
    return Dial(marks, "" if chosen is None else mark_text(chosen), of_models, address)


def dates_of(models: Sequence[ServedModel]) -> list[str]:
    """Return the distinct days as of which the models count likes, in order."""
    return sorted({f"{one.counts_as_of:%Y-%m-%d}" for one in models})
