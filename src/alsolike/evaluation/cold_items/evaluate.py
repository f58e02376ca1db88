"""Evaluation of a cold start: held-out likes of items that a model has no likes of."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from alsolike.data.interactions import Interactions
from alsolike.engines.base import Engine
from alsolike.engines.local import LocalEngine
from alsolike.errors import DataError, SettingError
from alsolike.evaluation.cold_items.shown import shown_new_items
from alsolike.evaluation.metrics.evaluate import (
    ACCURACY,
    checked_lengths,
    checked_metrics,
    measured,
)
from alsolike.evaluation.metrics.ground_truth import GroundTruth, check_matching_ids
from alsolike.evaluation.metrics.list_contents import CONTENTS
from alsolike.evaluation.metrics.result import Evaluation
from alsolike.evaluation.statistics.intervals import bootstrap_mean
from alsolike.models.protocols import Recommender
from alsolike.tables import Table, wrapped
from alsolike.text import listed
from alsolike.usage_hints import with_example

Indices = npt.NDArray[np.int64]
Values = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ColdEvaluation:
    """Result of `evaluate_new_items`.

    Parameters
    ----------
    among_new : Evaluation
        Of lists of the new items alone.
    among_all : Evaluation
        Of lists of all items; relevant are the new ones.
    shown : mapping of str to float64, (n_users,)
        ``"new_places@10"``, the share of a list's places that new items have, and
        ``"new_lists@10"``, whether a list has any, as means over orders of equal scores.
    n_items : int
        New items.
    without_features : int or None
        Those of which the model knows no feature either, so that it cannot tell them apart; None
        for a model that knows no features at all.
    likes_without_features : float
        Share of the held-out likes of new items that are of those.
    """

    among_new: Evaluation
    among_all: Evaluation
    shown: dict[str, Values]
    n_items: int
    without_features: int | None = None
    likes_without_features: float = 0.0

    def table(self) -> Table:
        """Return lists, metric, mean, low, high, users: a row for each metric of both lists."""
        rows: list[dict[str, Any]] = [
            {"lists": lists} | row
            for lists, evaluation in (("new items", self.among_new), ("all items", self.among_all))
            for row in evaluation.summary().rows()
        ]
        for metric, values in self.shown.items():
            found = bootstrap_mean(values, np.random.default_rng(0))
            row = {"mean": found.mean, "low": found.low, "high": found.high, "users": found.n}
            rows.append({"lists": "all items", "metric": metric} | row)
        return Table.from_rows(rows)

    @property
    def about(self) -> str:
        """The number of new items, and of those without features, as a sentence."""
        users = len(self.among_new.user_indices)
        text = f"{self.n_items:,} new items, with held-out likes of {users:,} users"
        if self.without_features is None:
            return f"{text}; the model knows no features of items."
        return (
            f"{text}; {self.without_features:,} of them have no features, and "
            f"{100 * self.likes_without_features:.3g} % of these likes."
        )

    @property
    def about_shown(self) -> str:
        """How often new items are in lists of all items, as a sentence."""
        parts = []
        for metric, values in self.shown.items():
            found = bootstrap_mean(values, np.random.default_rng(0))
            name, _, length = metric.partition("@")
            what = "places" if name == "new_places" else "lists"
            low, high = 100 * found.low, 100 * found.high
            parts.append(
                f"{100 * found.mean:.3g} % ({low:.3g} to {high:.3g} %) of the {what} of {length}"
            )
        return f"among all items, new ones are in {listed(parts)}."

    def brief(self, width: int) -> str:
        """Return the sentence and the table, at most `width` columns wide."""
        table = self.table().fitted(width, least=("users", "high", "low"), whole="--verbose")
        return f"{wrapped(self.about, width, indent=2)}\n{table}"

    def __str__(self) -> str:
        return f"{self.about}\n{self.table()}"


@with_example("al.evaluate_new_items(model, split.test, exclude=split.train, k=10)")
def evaluate_new_items(
    model: Recommender,
    held_out: Interactions,
    *,
    exclude: Interactions | None,
    k: int | Sequence[int] = 10,
    metrics: Sequence[str] = ACCURACY,
    new_items: npt.ArrayLike | None = None,
    engine: Engine | None = None,
) -> ColdEvaluation:
    """Measure how well new items are recommended: among themselves, and among all items.

    Only held-out likes of new items count: users without any are left out, and the likes of a
    recall are those of new items. Items that a model scores all alike count in expectation.

    Parameters
    ----------
    model : Recommender
        It knows the new items, by their features or not at all.
    held_out, exclude, k, metrics, engine
        As of `alsolike.evaluate`; metrics with a value per user.
    new_items : int, (n,), or None
        Rows of the new items, which are those that lists of new items are of. None: the items of
        `held_out` that the model has no likes of.

    Raises
    ------
    SettingError, DataError, FitError
        As `alsolike.evaluate`; or there are no new items.

    Examples
    --------
    >>> from alsolike.data.splitting.new_items import hold_out_new_items
    >>> from alsolike.models.fit import fit
    >>> from alsolike.testing import tiny_likes, with_tiny_features
    >>> split = hold_out_new_items(with_tiny_features(tiny_likes()), share=0.2)
    >>> model = fit(split.train, family="item-profile")
    >>> found = evaluate_new_items(model, split.test, exclude=split.train, k=3, metrics=["recall"])
    >>> found.n_items, found.without_features, found.table()["metric"].tolist()
    (7, 0, ['recall@3', 'recall@3', 'new_places@3', 'new_lists@3'])
    """
    check_matching_ids(model, "evaluate", held_out=held_out, exclude=exclude)
    lengths, names = checked_lengths(k), checked_metrics(metrics)
    if odd := next((name for name in names if name in CONTENTS), None):
        raise SettingError(
            f"{odd} says nothing of new items, which nobody likes yet. Measure "
            f"{', '.join(ACCURACY)}."
        )
    engine = engine or LocalEngine()
    rows = _checked_rows(model, held_out, new_items)
    is_new = np.zeros(held_out.n_items, dtype=bool)
    is_new[rows] = True
    of_new = held_out.keep(is_new[held_out.user_items.indices])
    found = []
    for among in (rows, None):
        truth = GroundTruth.of(of_new, exclude, None, among=among)
        ranked = truth.ranked(model, max(lengths) + 1, engine)
        found.append(measured(truth.asked(model), truth, ranked, lengths, names, engine))
    shown: dict[str, Values] = {}
    for length in lengths:
        one = shown_new_items(model, truth, ranked, is_new, length, engine)
        shown |= {f"new_places@{length}": one.places, f"new_lists@{length}": one.lists}
    features = getattr(model, "item_features", None)
    if features is None:
        return ColdEvaluation(found[0], found[1], shown, len(rows))
    lacks = ~features.has
    relevant = of_new.user_items.indices[of_new.user_items.data > 0]
    return ColdEvaluation(
        found[0],
        found[1],
        shown,
        len(rows),
        int(np.count_nonzero(lacks[rows])),
        float(lacks[relevant].mean()),
    )


def _checked_rows(
    model: Recommender, held_out: Interactions, new_items: npt.ArrayLike | None
) -> Indices:
    """Return the rows of new items, ascending."""
    if new_items is not None:
        rows = np.unique(np.asarray(new_items))
        if not rows.size or rows.dtype.kind not in "iu" or not 0 <= rows[0] <= rows[-1] < len(
            model.items
        ):  # fmt: skip
            raise SettingError(
                f"new_items must be row numbers from 0 to {len(model.items) - 1:,}, at least one."
            )
        return rows.astype(np.int64)
    counts = getattr(model, "item_counts", None)
    if counts is None:
        raise SettingError(
            f"{model.name!r} does not count likes of its items: give the rows of new ones, "
            "new_items=[...]."
        )
    rows = np.flatnonzero((held_out.item_counts > 0) & (np.asarray(counts) == 0))
    if not rows.size:
        raise DataError(
            "None of the held-out items is new: the model has likes of all of them. Split by new "
            "items: alsolike.hold_out_new_items(likes)."
        )
    return rows
