r"""Affinities of items as sums of a few terms, which ranking takes apart. No Numba.

Every affinity has the form ::

    score(i -> j) = (c_ij + min(max(q_i . z_j, 0), ceiling)) * n_j ** e / D_i

with n_j the likes of j. Scores not above 0 are not shown. t is the popularity bias.

==========  =====================  ===  ===============  =======  ===========
affinity    q_i                    z_j  c_ij             D_i      e
==========  =====================  ===  ===============  =======  ===========
evidence    kappa s_i a_i          y_j  weighted counts  W_i + k  (t - 1) / 2
audience    s_i a_i                y_j                   1        (t - 1) / 2
dot         y_i                    y_j                   1        (t - 1) / 2
cosine      y_i / \|y_i\|           same                  1        t / 2
counts                                  weighted counts  W_i      (t - 1) / 2
==========  =====================  ===  ===============  =======  ===========
"""

import functools
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from alsolike.models.similarity.co_counts import CoCounts, KeptCounts
from alsolike.models.similarity.evidence import ItemEvidence

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Rows = npt.NDArray[np.integer] | slice


@dataclass(frozen=True, eq=False)
class AffinityTerms:
    """The terms of the scores of items with items.

    Parameters
    ----------
    likes : float64, (n_items,)
        n_j, at least 1.
    popularity_bias : float
        t.
    exponent : float
        e at t = 0.
    masses : float64, (n_items,)
        Weight of each item in a set of several: W_i, or 1.
    prior : float
        D_i is ``masses + prior`` with counts, and this alone without.
    counts : CoCounts, KeptCounts or None
        c_ij; None: 0.
    left, right : float32, (n_items, factors), or None
        q_i and z_j times `left_lengths` and `right_lengths`; None: no product.
    left_lengths, right_lengths : float32, (n_items,), or None
        A row of length inf is a row of zeros. None: all 1.
    ceiling : float
    """

    likes: Doubles
    popularity_bias: float
    exponent: float
    masses: Doubles
    prior: float
    counts: CoCounts | KeptCounts | None = None
    left: Floats | None = None
    right: Floats | None = None
    left_lengths: Floats | None = None
    right_lengths: Floats | None = None
    ceiling: float = np.inf

    def at(self, popularity_bias: float) -> "AffinityTerms":
        """Return the same terms at another mark of the dial."""
        return replace(self, popularity_bias=popularity_bias)

    @functools.cached_property
    def weights(self) -> Doubles:
        """``n_j ** e``, float64, (n_items,)."""
        weights: Doubles = self.likes ** (self.exponent + self.popularity_bias / 2)
        return weights

    def queries(self, rows: Rows) -> Floats:
        """Return q of items, float32, (n, factors)."""
        return _over(self.left, self.left_lengths, rows)

    @functools.cached_property
    def sizes(self) -> Doubles:
        """D_i, float64, (n_items,), above 0."""
        if self.counts is None:
            return np.full(len(self.likes), self.prior)
        sizes = self.masses + self.prior
        return np.where(sizes > 0, sizes, 1.0)

    def size_of(self, rows: Rows) -> float:
        """Return D of a set of items: of all their likers, and of one prediction."""
        if self.counts is None:
            return self.prior
        size = float(self.masses[rows].sum()) + self.prior
        return size if size > 0 else 1.0

    def targets(self, rows: Rows) -> Floats:
        """Return z of items, float32, (n, factors)."""
        return _over(self.right, self.right_lengths, rows)


def _over(factors: Floats | None, lengths: Floats | None, rows: Rows) -> Floats:
    if factors is None:
        raise ValueError("these terms have no product")
    if lengths is None:
        return factors[rows]
    scaled: Floats = np.divide(factors[rows], lengths[rows][..., None], dtype=np.float32)
    return scaled


def cosine_terms(factors: Floats, norms: Floats, likes: Doubles, bias: float) -> AffinityTerms:
    """Return the terms of the cosine; items without a direction have none."""
    lengths = np.where(norms >= np.finfo(np.float32).tiny, norms, np.float32(np.inf))
    return AffinityTerms(
        likes, bias, 0.0, np.ones(len(likes)), 1.0, None, factors, factors, lengths, lengths, 1.0
    )


def dot_terms(factors: Floats, likes: Doubles, bias: float) -> AffinityTerms:
    """Return the terms of the dot product of two items' factors."""
    return AffinityTerms(likes, bias, -0.5, np.ones(len(likes)), 1.0, None, factors, factors)


def audience_terms(
    evidence: ItemEvidence, factors: Floats, likes: Doubles, bias: float
) -> AffinityTerms:
    """Return the terms of the audience's prediction."""
    return AffinityTerms(
        likes, bias, -0.5, evidence.counts.sizes, 1.0, None, evidence.audiences, factors,
        _divisors(evidence.shares), None, 1.0,
    )  # fmt: skip


def evidence_terms(
    evidence: ItemEvidence, factors: Floats, likes: Doubles, bias: float, prior_strength: float
) -> AffinityTerms:
    """Return the terms of evidence."""
    return AffinityTerms(
        likes, bias, -0.5, evidence.counts.sizes, prior_strength, evidence.counts,
        evidence.audiences, factors, _divisors(prior_strength * evidence.shares), None,
        prior_strength,
    )  # fmt: skip


def count_terms(counts: CoCounts | KeptCounts, likes: Doubles, bias: float) -> AffinityTerms:
    """Return the terms of counts alone."""
    return AffinityTerms(likes, bias, -0.5, counts.sizes, 0.0, counts)


def _divisors(factors: Doubles) -> Floats:
    """Return ``1 / factors``, inf for 0, float32."""
    divisors = np.divide(1.0, factors, out=np.full(len(factors), np.inf), where=factors > 0)
    return np.asarray(divisors, dtype=np.float32)
