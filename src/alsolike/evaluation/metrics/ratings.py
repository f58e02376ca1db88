"""Errors of predicted ratings: RMSE and MAE on held-out ratings, with intervals over users."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from alsolike.data.interactions import Interactions
from alsolike.engines.base import Engine
from alsolike.errors import DataError
from alsolike.evaluation.metrics.ground_truth import check_matching_ids, checked_rows
from alsolike.evaluation.statistics.intervals import Estimate
from alsolike.evaluation.statistics.ratios import bootstrap_ratio
from alsolike.models.explicit_als.config import ExplicitALSConfig
from alsolike.models.fit import fit
from alsolike.models.protocols import PredictsRatings, Recommender, able
from alsolike.recommending.pair_scores import scores_of_pairs
from alsolike.tables import Table, wrapped
from alsolike.usage_hints import with_example

Values = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]

RATING_METRICS = ("rmse", "mae")
_MEAN, _BIASES = "the mean of all ratings", "biases alone"


@dataclass(frozen=True, eq=False)
class RatingErrors:
    """Errors of the predictions of one model, summed for each user.

    Parameters
    ----------
    counts : float64, (n_users,)
        Held-out ratings of each user, at least one.
    squares, sizes : float64, (n_users,)
        Sums of the squared and of the absolute errors.
    """

    counts: Values
    squares: Values
    sizes: Values

    def figure(self, metric: str) -> float:
        """Return the RMSE or the MAE over all ratings; lower is better."""
        total = self._sums(metric).sum() / self.counts.sum()
        return float(np.sqrt(total) if metric == "rmse" else total)

    def estimate(self, metric: str, rng: np.random.Generator, *, resamples: int = 2000) -> Estimate:
        """Return it with its 95 % bootstrap interval over users."""
        return bootstrap_ratio(
            self._sums(metric), self.counts, rng, resamples=resamples,
            as_figure=np.sqrt if metric == "rmse" else lambda ratios: ratios,
        )  # fmt: skip

    def gains(self, metric: str) -> Values:
        """Return a value per user whose mean is minus the mean (squared) error of all ratings.

        So that larger is better, and paired tests over users weigh each rating equally.
        """
        gains: Values = -self._sums(metric) * (len(self.counts) / self.counts.sum())
        return gains

    def _sums(self, metric: str) -> Values:
        return self.squares if metric == "rmse" else self.sizes


class HeldOutRatings:
    """Held-out ratings of some users, to measure one model after another.

    Parameters
    ----------
    held_out : Interactions
        All its values are ratings, those below zero too.
    users : int64, (n,)
        Rows of users; those without a rating are left out.
    """

    def __init__(self, held_out: Interactions, users: Indices) -> None:
        self.users = users[held_out.user_counts[users] > 0]
        cells = held_out.user_items[self.users].tocoo()
        self._rows, self._columns = cells.row, cells.col.astype(np.int32)
        self._ratings = cells.data.astype(np.float64)

    def errors(
        self, model: Recommender, *, clip: tuple[float, float] | None = None
    ) -> RatingErrors:
        """Return the errors of a model's predictions, clipped to a range if one is given."""
        users = self.users[self._rows].astype(np.int32)
        return self.errors_of(scores_of_pairs(model, users, self._columns), clip=clip)

    def errors_of(
        self, predicted: npt.ArrayLike, *, clip: tuple[float, float] | None = None
    ) -> RatingErrors:
        """Return the errors of predictions, one for each rating or one for all."""
        guesses = np.broadcast_to(np.asarray(predicted, dtype=np.float64), self._ratings.shape)
        missed = (guesses if clip is None else np.clip(guesses, *clip)) - self._ratings

        def summed(each: Values | None) -> Values:
            return np.bincount(self._rows, each, len(self.users)).astype(np.float64)

        return RatingErrors(summed(None), summed(missed**2), summed(np.abs(missed)))


@dataclass(frozen=True, eq=False)
class RatingEvaluation:
    """Result of `evaluate_ratings`: errors of a model, and of simpler predictions beside it.

    Parameters
    ----------
    model_name : str
    user_ids : object, (n_users,)
        The users, as the errors have them.
    errors : RatingErrors
        Of the model.
    beside : mapping of str to RatingErrors
        Of simpler predictions on the same ratings, by their names.
    clip : tuple of float, or None
        The range that the model's predictions were clipped to.
    """

    model_name: str
    user_ids: npt.NDArray[np.object_]
    errors: RatingErrors
    beside: Mapping[str, RatingErrors]
    clip: tuple[float, float] | None = None

    def mean(self, metric: str) -> float:
        """Return ``"rmse"`` or ``"mae"`` of the model."""
        return self.errors.figure(metric)

    @property
    def per_user(self) -> Table:
        """Ratings of each user, with their RMSE and MAE."""
        own = self.errors
        return Table(
            {
                "user": self.user_ids,
                "ratings": own.counts.astype(np.int64),
                "rmse": np.sqrt(own.squares / own.counts),
                "mae": own.sizes / own.counts,
            }
        )

    def table(self) -> Table:
        """Return model, metric, mean, low, high, users and ratings, lower is better."""
        rows: list[dict[str, Any]] = []
        named = {self.model_name: self.errors, **self.beside}
        for metric in RATING_METRICS:
            for name, errors in named.items():
                found = errors.estimate(metric, np.random.default_rng(0))
                rows.append({
                    "model": name, "metric": metric, "mean": found.mean, "low": found.low,
                    "high": found.high, "users": found.n, "ratings": int(errors.counts.sum()),
                })  # fmt: skip
        return Table.from_rows(rows)

    @property
    def about(self) -> str:
        """What was measured, in a sentence."""
        how = "not clipped"
        if self.clip is not None:
            how = f"clipped to {self.clip[0]:g} to {self.clip[1]:g}"
        return (
            f"Errors of {int(self.errors.counts.sum()):,} held-out ratings of "
            f"{len(self.user_ids):,} users; lower is better; predictions are {how}."
        )

    def brief(self, width: int) -> str:
        """Return the errors, at most `width` columns wide."""
        text = self.table().fitted(width, least=("ratings", "users"), whole="--verbose")
        return f"{wrapped(self.about, width, indent=2)}\n{text}"

    def __str__(self) -> str:
        return f"{self.about}\n{self.table()}"

    def _repr_html_(self) -> str:
        return f"<p>{self.about}</p>{self.table()._repr_html_()}"


@with_example("al.evaluate_ratings(model, split.test)")
def evaluate_ratings(
    model: PredictsRatings,
    held_out: Interactions,
    *,
    train: Interactions | None = None,
    user_indices: npt.ArrayLike | None = None,
    clip: bool = False,
    engine: Engine | None = None,
) -> RatingEvaluation:
    """Measure predicted ratings against held-out ones: RMSE and MAE.

    They are over all ratings of all users, each rating alike; intervals draw users anew. Beside
    them are two predictions that any model should beat: the mean of all training ratings, and
    biases of users and items alone.

    Parameters
    ----------
    model : PredictsRatings
    held_out : Interactions
        Over the model's users and items. All its values are ratings.
    train : Interactions or None
        The training ratings, of which the simpler predictions are made. None: the model's history;
        without one they are left out.
    user_indices : int, (n,), or None
        Rows of the users to measure; None: all with a held-out rating.
    clip : bool
        Clip predictions to the range of the training ratings.
    engine : Engine or None
        Where biases are fitted; None: all threads of this machine.

    Raises
    ------
    Unable
        The model does not predict ratings.
    DataError
        Model and ratings differ in users or items, or there is no held-out rating.

    Examples
    --------
    >>> likes = Interactions.from_columns(["u", "u", "v", "v"], ["a", "b", "a", "b"], [5, 1, 4, 2])
    >>> model = fit(likes, family="explicit-als", factors=1)
    >>> evaluate_ratings(model, likes).mean("rmse") < 1.6
    True
    """
    able(model, PredictsRatings, "measure errors of ratings")
    check_matching_ids(model, "measure errors of ratings", held_out=held_out)
    rows = (
        np.arange(held_out.n_users)
        if user_indices is None
        else checked_rows(user_indices, held_out.n_users)
    )
    ratings = HeldOutRatings(held_out, rows)
    if not len(ratings.users):
        raise DataError("There is no held-out rating to measure errors of.")
    own = model.rating_range if clip else None
    known = getattr(model, "history", None) if train is None else train
    if known is not None and not known.n_interactions:
        known = None
    return RatingEvaluation(
        model.name,
        held_out.users.ids_of(ratings.users),
        ratings.errors(model, clip=own),
        {} if known is None else simpler(ratings, known, clip=own, engine=engine),
        own,
    )


def simpler(
    ratings: HeldOutRatings,
    train: Interactions,
    *,
    clip: tuple[float, float] | None = None,
    engine: Engine | None = None,
) -> dict[str, RatingErrors]:
    """Return the errors of the mean of the training ratings, and of biases alone, by name.

    Where all training ratings are equal, there are no biases.
    """
    values = train.user_items.data
    found = {_MEAN: ratings.errors_of(values.mean(dtype=np.float64), clip=clip)}
    if values.min() == values.max():
        return found
    biases = fit(train, ExplicitALSConfig(factors=0), engine=engine)
    return {_BIASES: ratings.errors(biases, clip=clip), **found}
