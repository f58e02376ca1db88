"""AUC and percentile rank: how the whole catalogue is ranked for each user."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from alsolike.engines.base import Engine
from alsolike.errors import FitError
from alsolike.evaluation.metrics.ground_truth import GroundTruth, as_lists
from alsolike.kernels.compiler.jit import plain
from alsolike.kernels.ranking.catalogue_order import measure_order, measure_product_order
from alsolike.models.protocols import HasFactors, Recommender
from alsolike.recommending.batch import source_of
from alsolike.recommending.ranking.scan import Products

Values = npt.NDArray[np.float64]
# Relevant items with their weights, and those left out, as the kernels of
# `alsolike.kernels.ranking.catalogue_order` take them.
_Array = npt.NDArray[Any]
Lists = tuple[_Array, _Array, _Array, _Array, _Array]

# Scores that are held at once per thread: 16 MB.
_SCORES_PER_BLOCK = 1 << 22


@dataclass(frozen=True, eq=False)
class CatalogueOrder:
    """How all items are ordered for each user.

    Parameters
    ----------
    auc, percentile_rank : float64, (n_users,)
    weights : float64, (n_users,)
        Sum of the values of the user's relevant items.
    """

    auc: Values
    percentile_rank: Values
    weights: Values

    @property
    def pooled_percentile_rank(self) -> float:
        """The weighted mean over all relevant items of all users: equation 8 of Hu et al. 2008."""
        return float(np.average(self.percentile_rank, weights=self.weights))


def catalogue_order(
    model: Recommender, truth: GroundTruth, engine: Engine, *, block: int = _SCORES_PER_BLOCK
) -> CatalogueOrder:
    """Return the AUC and the percentile rank of each user, from one pass over all scores.

    Parameters
    ----------
    model : Recommender
    truth : GroundTruth
        Relevant items; those set aside are left out.
    engine : Engine
    block : int
        Scores held at once by each thread.

    Raises
    ------
    FitError
        A score is NaN.
    """
    users, wanted = truth.users, truth.wanted
    n_items = wanted.shape[1]
    left_out = sp.csr_array(wanted.shape) if truth.aside is None else truth.aside
    step = max(block // n_items, 1)
    weights = truth.weights
    products = source_of(model, users.astype(np.int32)) if isinstance(model, HasFactors) else None

    def measure(first: int) -> Values:
        rows = slice(first, min(first + step, len(users)))
        starts, relevant = as_lists(wanted[rows])
        own = plain(weights[wanted.indptr[rows.start] : wanted.indptr[rows.stop]])
        lists = starts, relevant, own, *as_lists(left_out[rows])
        values = np.empty((2, rows.stop - rows.start))
        if isinstance(products, Products):
            broken = _measure_products(products, rows, lists, values)
        else:
            block = model.scores(users[rows], slice(0, n_items))
            broken = measure_order(np.ascontiguousarray(block, dtype=np.float32), *lists, values)
        if broken >= 0:
            row, item = divmod(broken, n_items)
            raise FitError(
                f"The score of user {model.users.id_of(int(users[first + row]))!r} and item "
                f"{model.items.id_of(item)!r} is NaN. The model is broken; fit it again."
            )
        return values

    auc, ranks = np.concatenate(engine.each(measure, range(0, len(users), step)), axis=1)
    return CatalogueOrder(auc, ranks, np.add.reduceat(weights, wanted.indptr[:-1]))


def _measure_products(products: Products, rows: slice, lists: Lists, values: Values) -> int:
    """Fill `values` as `measure_order` does, with the scores of lists where rounding matters.

    The linear algebra library rounds by the position of an item in the catalogue, so that equal
    items may score unequally, but is ten times as fast as the scores of lists. These are only
    computed for items so near a relevant one that rounding could decide between the two.
    """
    x, lifts, lengths = products.lifted(rows)
    right, raised = products.everything_raised
    if raised or lifts.any():
        every, scores = np.arange(len(x)), np.empty((len(x), len(right)), dtype=np.float32)
        for items, found in products.scored(rows, every):
            scores[:, items] = found
        return measure_order(scores, *lists, values)
    scores = np.ascontiguousarray(x @ right.T)
    margins, reach = products.margins(lengths)
    return measure_product_order(
        scores, *lists, x, right, products.ceiling, plain(margins), plain(reach), values
    )
