"""AUC: the share of pairs in order, by the very scores that lists are ranked by."""

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from alsolike.engines.base import Engine
from alsolike.errors import FitError
from alsolike.evaluation.questions import Questions, as_lists
from alsolike.kernels.launch import plain
from alsolike.kernels.metrics import mark_near, measure_auc
from alsolike.kernels.topk import score_all
from alsolike.models.base import FactorModel, Floats, Recommender
from alsolike.recommending.many import source_of
from alsolike.recommending.scan import Products

Indices = npt.NDArray[np.int64]
Values = npt.NDArray[np.float64]

# Scores that are held at once per thread: 16 MB.
_SCORES_PER_BLOCK = 1 << 22


def auc_of(model: Recommender, questions: Questions, engine: Engine) -> Values:
    """Return the area under the ROC curve of each user, float64, (n_users,).

    Parameters
    ----------
    model : Recommender
    questions : Questions
        Whose items are to be told from the others, those set aside left out.
    engine : Engine

    Raises
    ------
    FitError
        A score is NaN.
    """
    users, wanted = questions.users, questions.wanted
    n_items = wanted.shape[1]
    left_out = sp.csr_array(wanted.shape) if questions.aside is None else questions.aside
    step = max(_SCORES_PER_BLOCK // n_items, 1)
    products = source_of(model, users.astype(np.int32)) if isinstance(model, FactorModel) else None

    def measure(first: int) -> Values:
        rows = slice(first, min(first + step, len(users)))
        own = as_lists(wanted[rows])
        if isinstance(products, Products):
            scores = _ordered(products, rows, own)
        else:
            block = model.scores(users[rows], slice(0, n_items))
            scores = np.ascontiguousarray(block, dtype=np.float32)
        values = np.empty(len(scores))
        broken = measure_auc(scores, *own, *as_lists(left_out[rows]), values)
        if broken >= 0:
            row, item = divmod(broken, n_items)
            raise FitError(
                f"The score of user {model.users.id_of(int(users[first + row]))!r} and item "
                f"{model.items.id_of(item)!r} is NaN. The model is broken; fit it again."
            )
        return values

    return np.concatenate(engine.each(measure, range(0, len(users), step)))


def _ordered(
    products: Products, rows: slice, relevant: tuple[Indices, npt.NDArray[np.int32]]
) -> Floats:
    """Return scores of all items that stand to the relevant ones as those of lists do.

    The linear algebra library rounds by where an item stands in the catalogue, so that equal items
    may score unequally; its products are ten times as fast as the scores of lists. They are kept
    but for items so near a relevant one that rounding might decide between the two.
    """
    x, lifts, lengths = products.lifted(rows)
    right, raised = products.everything_raised
    if raised or lifts.any():
        every, scores = np.arange(len(x)), np.empty((len(x), len(right)), dtype=np.float32)
        for items, found in products.scored(rows, every):
            scores[:, items] = found
        return scores
    scores = np.ascontiguousarray(x @ right.T)
    is_near = np.zeros(scores.shape, dtype=np.bool_)
    n_near = np.zeros(len(x), dtype=np.int64)
    mark_near(scores, *relevant, *products.margins(lengths), is_near, n_near)
    for row in np.flatnonzero(n_near > np.diff(relevant[0])).tolist():
        near = np.flatnonzero(is_near[row])
        settled = np.empty((1, len(near)), dtype=np.float32)
        score_all(x[row : row + 1], plain(right[near]), products.ceiling, settled)
        scores[row, near] = settled[0]
    return scores
