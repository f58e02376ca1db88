"""Spread of recommendations over the catalogue: coverage, Gini coefficient, share of top items."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from alsolike.data.interactions import Interactions
from alsolike.errors import DataError
from alsolike.evaluation.metrics.exposure import Exposure
from alsolike.tables import Table
from alsolike.text import in_two_columns

Counts = npt.NDArray[np.int64]
Lists = npt.NDArray[np.int32]


@dataclass(frozen=True)
class Concentration:
    """Spread of a model's recommendations over the catalogue; None if nothing was recommended.

    Parameters
    ----------
    items : int
        Of the catalogue, recommended or not.
    recommended : int
        Filled places in the lists of all users.
    distinct : float
        Distinct items among them; under ties, the expected number over all orders.
    coverage : float
        ``distinct / items``.
    gini : float or None
        `gini` of how often each item is recommended, or expected to be under ties: 0 if all equally
        often, near 1 if few items get all. Compare with popularity's.
    top_items : int
        1 % of the catalogue, rounded up.
    top_share : float or None
        Share of all recommendations that the `top_items` most recommended items get.
    likes_recommended : float or None
        Mean over all recommendations of the training likes of their item.
    likes_held_out : float
        Mean over all held-out likes of the training likes of their item.
    """

    items: int
    recommended: int
    distinct: float
    coverage: float
    gini: float | None
    top_items: int
    top_share: float | None
    likes_recommended: float | None
    likes_held_out: float

    def facts(self) -> list[tuple[str, str]]:
        """Return the numbers as pairs of a label and a text."""
        facts = [
            ("recommendations", f"{self.recommended:,}"),
            (
                "coverage of the catalogue",
                f"{100 * self.coverage:.1f} % ({self.distinct:,.0f} of {self.items:,} items)",
            ),
        ]
        most = "1 item" if self.top_items == 1 else f"{self.top_items:,} items"
        spread = (
            ("Gini coefficient (0 even, 1 all to one item)", self.gini, "{:.3f}"),
            (f"share of the 1 % most recommended items ({most})", self.top_share, "{:.1%}"),
            ("mean likes of recommended items", self.likes_recommended, "{:,.1f}"),
        )
        for label, figure, form in spread:
            text = "nothing was recommended" if figure is None else form.format(figure)
            facts.append((label, text.replace("%", " %")))
        return [*facts, ("mean likes of held-out items", f"{self.likes_held_out:,.1f}")]

    def to_table(self) -> Table:
        """Return the facts as two columns, figure and value; rows of two models correspond."""
        labels, texts = zip(*self.facts(), strict=True)
        return Table({"figure": labels, "value": texts})

    def __str__(self) -> str:
        return in_two_columns(self.facts())


def concentration(
    wanted: sp.csr_array,
    lists: Lists,
    shown: Interactions,
    *,
    exposure: Exposure | None = None,
) -> Concentration:
    """Measure the spread of lists over the catalogue.

    Parameters
    ----------
    wanted : CSR, (n_users, n_items)
        The held-out likes of the users measured, at least one.
    lists : int32, (n_users, k)
        Their recommendations; -1 where a list has ended.
    shown : Interactions
        Source of the likes to count.
    exposure : Exposure or None
        How often each item is expected in these lists. None: count them as they are.

    Raises
    ------
    DataError
        `shown` has no like, or there is no held-out one.
    """
    likes = likes_of(shown)
    if not wanted.nnz:
        raise DataError("There is no held-out like to compare the recommendations with.")
    filled = lists[lists >= 0]
    often = np.bincount(filled, minlength=len(likes)).astype(np.float64)
    distinct = float(np.count_nonzero(often))
    if exposure is not None:
        often, distinct = exposure.expected, exposure.distinct
    top_items = math.ceil(len(likes) / 100)
    most = np.sort(often)[::-1][:top_items]
    is_any = filled.size > 0
    return Concentration(
        items=len(likes),
        recommended=int(filled.size),
        distinct=distinct,
        coverage=distinct / len(likes),
        gini=gini(often) if is_any else None,
        top_items=top_items,
        top_share=float(most.sum()) / filled.size if is_any else None,
        likes_recommended=float((likes * often).sum()) / filled.size if is_any else None,
        likes_held_out=float(likes[wanted.indices].mean()),
    )


def gini(counts: npt.ArrayLike) -> float:
    """Return the Gini coefficient of counts: 0 if all are equal, 1 if one has all.

    With the counts ascending, x_1 to x_n, it is [1]_::

        G = sum over j of (2 j - n - 1) x_j / ((n - 1) sum over j of x_j)

    Others divide by n instead of n - 1 and reach 1 - 1/n at most. With lists of k distinct items,
    no item has more than a k-th of all, and 1 cannot be reached.

    Parameters
    ----------
    counts : int64 or float64, (n,), not negative
        Of all items of the catalogue, zeros included.

    Raises
    ------
    DataError
        No counts, a negative one, or only zeros.

    References
    ----------
    .. [1] G. Shani, A. Gunawardana, "Evaluating recommendation systems", in: Recommender Systems
       Handbook, 2011, section 8.3.3.2.

    Examples
    --------
    >>> gini([0, 0, 0, 7]), gini([3, 3, 3])
    (1.0, 0.0)
    """
    ascending = np.sort(np.asarray(counts))
    n = len(ascending)
    is_usable = n and ascending.dtype.kind in "iuf" and np.isfinite(ascending).all()
    if not is_usable or ascending[0] < 0 or not ascending[-1]:
        raise DataError("A Gini coefficient needs numbers, none negative and not all 0.")
    if n == 1:
        return 0.0
    # Equal numbers give 0 to the last bit: each half of the weights cancels the other.
    weights = 2.0 * np.arange(1, n + 1) - n - 1
    half = n // 2
    weighted = float((weights[-half:] * (ascending[-half:] - ascending[:half][::-1])).sum())
    return weighted / ((n - 1) * float(ascending.sum()))


def likes_of(shown: Interactions) -> Counts:
    """Return how many users like each item, int64, (n_items,); DataError if there is no like."""
    likes = shown.like_counts
    if not likes.any():
        raise DataError(
            "The training data have no like (value above 0), so no item is more popular than "
            "another."
        )
    return likes
