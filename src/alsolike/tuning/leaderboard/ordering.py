"""What points and runs are ordered by: a degenerate one is below all others and never chosen."""

from collections.abc import Mapping, Sequence

from alsolike.evaluation.objectives.base import DEGENERATE
from alsolike.models.registry import family_named

# The state of a run on a leaderboard of which no point is fit to be chosen.
DEAD = "degenerate"


def rank_key(figures: Mapping[str, float], score: str, prefix: str = "") -> tuple[bool, float]:
    """Return what a point is compared by: a degenerate one is below all others.

    Parameters
    ----------
    figures : mapping of str to float
        Of the point.
    score, prefix : str
        Which figure ranks, and what its judge's figures begin with.
    """
    return prefix + DEGENERATE not in figures, tied(figures[prefix + score])


def tied(score: float) -> float:
    """Return the score as it ranks: means of the same hits tie, whatever their last bits."""
    return round(score, 12)


def said_of_all(families: Sequence[str]) -> str:
    """Return what is to be said where all runs that may be chosen, of these, are degenerate."""
    each = "The only run is" if len(families) == 1 else f"All {len(families):,} runs are"
    advice = dict.fromkeys(family_named(name).advice for name in families)
    return (
        f"{each} degenerate: for more than half of those asked, the list ends among items of equal "
        "score, half of all items or more, so that what it shows is as good as drawn by lot. None "
        f"is chosen. {' '.join(advice)}"
    )
