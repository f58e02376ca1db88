"""Predicted ratings: of pairs of users and items, and of new users by their ratings. No Numba."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from alsolike.data.vocabulary import Id
from alsolike.errors import SettingError
from alsolike.models.base import FittedModel, Floats
from alsolike.models.protocols import FoldsIn, PredictsRatings, able
from alsolike.recommending.pair_scores import scores
from alsolike.recommending.ranking.single_row import scores_for_likes
from alsolike.recommending.shared import known_items
from alsolike.tables import Table
from alsolike.usage_hints import with_example

_PREDICT = "predict ratings"


@with_example('al.predict_ratings(model, ["u1", "u2"], ["i1", "i1"])')
def predict_ratings(
    model: FittedModel, users: Sequence[Id], items: Sequence[Id], *, clip: bool = False
) -> Table:
    """Predict the ratings that users give to items.

    Parameters
    ----------
    model : FittedModel
        One that `PredictsRatings`, as ``alsolike.fit(ratings, family="explicit-als")`` returns it.
    users : sequence of str or int
        Ids of users; they may repeat.
    items : sequence of str or int
        Ids or names of items, one for each user.
    clip : bool
        Clip predictions to the range of the training ratings. False: they may lie beyond it, and
        order items better.

    Returns
    -------
    Table
        Columns ``user``, ``item`` and ``rating``, a row for each pair, in the order given.

    Raises
    ------
    Unable
        The scores of the model are not ratings.
    SettingError, UnknownId, FitError
        As of `alsolike.scores`.

    Examples
    --------
    >>> from alsolike.data.interactions import Interactions
    >>> from alsolike.models.fit import fit
    >>> given = Interactions.from_columns(["u", "u", "v"], ["a", "b", "a"], [5, 3, 4])
    >>> model = fit(given, family="explicit-als", factors=1)
    >>> predict_ratings(model, ["v"], ["b"]).column_names
    ('user', 'item', 'rating')
    """
    able(model, PredictsRatings, _PREDICT)
    found = scores(model, users, items).to_dict()
    return Table(
        {
            "user": found["user"],
            "item": found["item"],
            "rating": _clipped(model, found["score"], clip=clip),
        }
    )


@with_example('al.predict_ratings_for(model, {"i1": 5, "i2": 2}, ["i3"])')
def predict_ratings_for(
    model: FittedModel, ratings: Mapping[Id, float], items: Sequence[Id], *, clip: bool = False
) -> Table:
    """Predict the ratings of somebody who is not in the model, by the ratings that we have.

    Parameters
    ----------
    model : FittedModel
        As in `predict_ratings`.
    ratings : mapping of str or int to float
        Ids or names of items, and the rating of each. Empty: what is expected for anybody.
    items : sequence of str or int
        Ids or names of the items to predict ratings of.
    clip : bool
        As in `predict_ratings`.

    Returns
    -------
    Table
        Columns ``item`` and ``rating``, in the order given.

    Raises
    ------
    Unable
        The scores of the model are not ratings.
    UnknownId
        An item is not in the model.
    SettingError
        A rating is zero or not finite, or an item is given twice in `ratings`.

    Examples
    --------
    >>> from alsolike.data.interactions import Interactions
    >>> from alsolike.models.fit import fit
    >>> given = Interactions.from_columns(["u", "u", "v"], ["a", "b", "a"], [5, 3, 4])
    >>> model = fit(given, family="explicit-als", factors=0)
    >>> float(predict_ratings_for(model, {}, ["b"])["rating"][0]) < 4
    True
    """
    able(model, PredictsRatings, _PREDICT)
    folding: Any = able(model, FoldsIn, _PREDICT)
    if not isinstance(ratings, Mapping):
        raise SettingError(
            f"ratings must map items to numbers, such as {{'an item': 5}}, not {ratings!r}."
        )
    wanted = _rows_of(model, items)
    rated = known_items(model, list(ratings)) if ratings else np.empty(0, dtype=np.int32)
    values = np.array(list(ratings.values()), dtype=np.float32)
    predicted = scores_for_likes(folding, rated, values)[wanted]
    return Table(
        {"item": model.items.ids_of(wanted), "rating": _clipped(model, predicted, clip=clip)}
    )


def _rows_of(model: FittedModel, items: Sequence[Id]) -> npt.NDArray[np.int32]:
    if isinstance(items, (str, int)):
        items = [items]
    return np.array([model.item_index(item) for item in items], dtype=np.int32)


def _clipped(model: Any, predicted: Floats, *, clip: bool) -> Floats:
    if not clip:
        return predicted
    low, high = (np.float32(end) for end in model.rating_range)
    return np.minimum(np.maximum(predicted, low), high)
