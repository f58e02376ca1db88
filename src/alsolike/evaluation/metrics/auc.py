"""AUC: the share of pairs of a relevant and another item that are ranked in order."""

from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from alsolike.engines.base import Engine
from alsolike.errors import FitError
from alsolike.evaluation.metrics.ground_truth import GroundTruth, as_lists
from alsolike.kernels.compiler.jit import plain
from alsolike.kernels.ranking.metrics import measure_auc, measure_product_auc
from alsolike.models.base import HasFactors, Recommender
from alsolike.recommending.batch import source_of
from alsolike.recommending.ranking.scan import Products

Values = npt.NDArray[np.float64]
# Relevant items, and those left out, as `alsolike.kernels.ranking.metrics` takes them.
Lists = tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any]]

# Scores that are held at once per thread: 16 MB.
_SCORES_PER_BLOCK = 1 << 22


def auc_of(
    model: Recommender, truth: GroundTruth, engine: Engine, *, block: int = _SCORES_PER_BLOCK
) -> Values:
    """Return the area under the ROC curve of each user, float64, (n_users,).

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
    products = source_of(model, users.astype(np.int32)) if isinstance(model, HasFactors) else None

    def measure(first: int) -> Values:
        rows = slice(first, min(first + step, len(users)))
        lists = *as_lists(wanted[rows]), *as_lists(left_out[rows])
        values = np.empty(rows.stop - rows.start)
        if isinstance(products, Products):
            broken = _measure_products(products, rows, lists, values)
        else:
            block = model.scores(users[rows], slice(0, n_items))
            broken = measure_auc(np.ascontiguousarray(block, dtype=np.float32), *lists, values)
        if broken >= 0:
            row, item = divmod(broken, n_items)
            raise FitError(
                f"The score of user {model.users.id_of(int(users[first + row]))!r} and item "
                f"{model.items.id_of(item)!r} is NaN. The model is broken; fit it again."
            )
        return values

    return np.concatenate(engine.each(measure, range(0, len(users), step)))


def _measure_products(products: Products, rows: slice, lists: Lists, values: Values) -> int:
    """Fill `values` as `measure_auc` does, with the scores of lists where rounding matters.

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
        return measure_auc(scores, *lists, values)
    scores = np.ascontiguousarray(x @ right.T)
    margins, reach = products.margins(lengths)
    return measure_product_auc(
        scores, *lists, x, right, products.ceiling, plain(margins), plain(reach), values
    )
