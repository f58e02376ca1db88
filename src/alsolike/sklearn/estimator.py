"""Base class of the scikit-learn estimators: reads likes, returns lists and a score."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from joblib import effective_n_jobs  # type: ignore[import-untyped]
from sklearn.base import BaseEstimator
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted, validate_data

from alsolike.data.interactions import Interactions, canonical
from alsolike.data.vocabulary import Id, Vocabulary
from alsolike.engines.base import Engine
from alsolike.engines.local import LocalEngine
from alsolike.errors import DataError, SettingError
from alsolike.evaluation.metrics.evaluate import ACCURACY, METRICS, evaluate
from alsolike.models.base import FittedModel, Floats, Rows
from alsolike.models.fit import fit
from alsolike.models.protocols import FoldsIn, able
from alsolike.models.settings import is_finite
from alsolike.models.similarity.config import Affinity
from alsolike.recommending.batch import recommend, similar
from alsolike.recommending.unknown.fallback import WithoutLikes
from alsolike.tables import Table


class LikesEstimator(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Base of the estimators; subclasses define `_config`.

    They take ``user_column``, ``item_column``, ``value_column``, ``metric``, ``hidden_share``,
    ``seed`` and ``n_jobs``, as in `ALSRecommender`.
    """

    model_: Any
    user_column: str | None
    item_column: str | None
    value_column: str | None
    metric: str
    hidden_share: float
    seed: int
    n_jobs: int | None

    def fit(self, X: Any, y: None = None) -> Self:
        """Fit the model to X; `y` is ignored.

        Raises
        ------
        ValueError
            X or a setting cannot be used (`DataError`, `SettingError`, or scikit-learn's own).
        FitError
            The numbers give no finite answer.
        """
        config = self._config()
        self.model_ = fit(self._interactions(X, reset=True), config, engine=self._engine)
        return self

    def _config(self) -> Any:
        """Return the configuration to fit, of any family."""
        raise NotImplementedError

    def recommend(
        self,
        X: Any,
        k: int = 10,
        *,
        exclude_seen: bool = True,
        without_likes: WithoutLikes = "popular",
    ) -> Table:
        """Recommend `k` items to each user in X; new users are allowed.

        Parameters
        ----------
        X : matrix or frame, as for `fit`
            What the users like so far.
        k : int
            Items per user, or all that may appear where they are fewer.
        exclude_seen : bool
            Leave out the items that X has for the user.
        without_likes : {"popular", "empty"}
            What a user gets without a value above zero in X, see `alsolike.recommend`.

        Returns
        -------
        Table
            Columns ``user`` (row number, or id), ``rank``, ``item``, ``score``, ``basis``.
        """
        check_is_fitted(self)
        rows = self._interactions(X, reset=False)
        users = rows.users.ids_of(
            np.arange(rows.n_users) if self._is_long else row_order(rows)
        ).tolist()
        model = self._folded(rows)
        return recommend(
            model,
            users,
            k=k,
            exclude_seen=exclude_seen,
            without_likes=without_likes,
            engine=self._engine,
        )

    def similar(
        self,
        items: Id | Sequence[Id] | None = None,
        k: int = 10,
        *,
        affinity: Affinity | None = None,
        popularity_bias: float | None = None,
        prior_strength: float | None = None,
    ) -> Table:
        """Find the `k` items most similar to each of `items` (None: to all).

        Parameters
        ----------
        items, k, affinity, popularity_bias, prior_strength
            See `alsolike.similar`.

        Returns
        -------
        Table
            Columns ``item``, ``rank``, ``similar_item``, ``score``.
        """
        check_is_fitted(self)
        return similar(
            self.model_,
            items,
            k=k,
            affinity=affinity,
            popularity_bias=popularity_bias,
            prior_strength=prior_strength,
            engine=self._engine,
        )

    def score(self, X: Any, y: None = None) -> float:
        """Hide a part of each user's relevant items and return how well the rest predicts it.

        The shown part is folded in, so users need not be in the training data, and for honest
        scores must not be. The hidden items depend on X and `seed` only. Users with a single
        relevant item do not count.

        Returns
        -------
        float
            Mean of `metric` over users; higher is better.

        Raises
        ------
        DataError
            No user has two relevant items (values above 0).
        """
        check_is_fitted(self)
        rows = self._interactions(X, reset=False)
        hidden = self._hidden(rows)
        name, length = self._metric()
        shown = rows.keep(~hidden)
        found = evaluate(
            self._folded(shown),
            rows.keep(hidden),
            exclude=shown,
            k=length,
            metrics=[name],
            engine=self._engine,
        )
        return found.mean(self.metric)

    def __sklearn_tags__(self) -> Tags:
        """Return the tags: sparse input is allowed."""
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    @property
    def _is_long(self) -> bool:
        return self.user_column is not None

    @property
    def _engine(self) -> Engine:
        return LocalEngine(effective_n_jobs(self.n_jobs))

    def _interactions(self, X: Any, *, reset: bool) -> Interactions:
        """Return X as interactions, over the items of the model except in `fit`."""
        if self._is_long:
            return self._from_frame(X, None if reset else self.model_.items)
        # Not float32 alone: what is too large for it is for `Interactions` to refuse.
        kinds = (np.float64, np.float32)
        checked = validate_data(self, X, reset=reset, accept_sparse="csr", dtype=kinds)
        matrix = sp.csr_array(checked, copy=True)
        matrix.eliminate_zeros()
        return Interactions.from_matrix(matrix, items=getattr(self, "feature_names_in_", None))

    def _from_frame(self, frame: Any, items: Vocabulary | None) -> Interactions:
        columns = (self.user_column, self.item_column, self.value_column)
        if self.item_column is None:
            raise SettingError("user_column needs item_column beside it.")
        known = list(getattr(frame, "columns", ()))
        missing = [column for column in columns if column is not None and column not in known]
        if missing:
            raise DataError(
                f"A pandas or Polars frame with columns {missing} expected, "
                f"{type(frame).__name__} with columns {known} found."
            )
        values = None if self.value_column is None else frame[self.value_column].to_numpy()
        found = Interactions.from_columns(
            _ids(frame, self.user_column), _ids(frame, self.item_column), values
        )
        if items is None:
            return found
        matrix = found.user_items.tocoo()
        columns_here = items.indices_of(found.items)[matrix.col]
        shape = (found.n_users, len(items))
        turned = sp.coo_array((matrix.data, (matrix.row, columns_here)), shape=shape)
        return Interactions(canonical(turned), found.users, items)

    def _folded(self, rows: Interactions) -> FittedModel:
        """Return the model with the users of `rows` instead of the training users."""
        able(self.model_, FoldsIn, "recommend to the users in X")
        return _People(self.model_, rows)

    def _metric(self) -> tuple[str, int]:
        """Return the name and the list length of `metric`."""
        text = self.metric if isinstance(self.metric, str) else ""
        name, at, length = text.partition("@")
        if text == "auc":
            return name, 1
        if name in METRICS and name not in ACCURACY:
            raise SettingError(
                f"The larger a score, the better the model must be: score has no {name}, but "
                f"{', '.join(ACCURACY)}."
            )
        if name in ACCURACY and not at:
            raise SettingError(f"metric {name!r} needs a list length: give '{name}@10'.")
        if not name or not length.isdecimal():
            raise SettingError(f'metric must look like "ndcg@10" or "auc", not {self.metric!r}.')
        return name, int(length)

    def _hidden(self, rows: Interactions) -> npt.NDArray[np.bool_]:
        """Return which interactions `score` hides: at least one per user, never all."""
        if not is_finite(self.hidden_share) or not 0 < self.hidden_share < 1:
            raise SettingError(
                f"hidden_share must be above 0 and below 1, not {self.hidden_share!r}."
            )
        matrix = rows.user_items
        users = np.repeat(np.arange(rows.n_users), rows.user_counts)
        relevant = np.flatnonzero(matrix.data > 0)
        counts = np.bincount(users[relevant], minlength=rows.n_users)
        if not (counts > 1).any():
            raise DataError(
                f"None of the {rows.n_users:,} users has two relevant items (values above 0), one "
                "to show and one to hide. Score on more users."
            )
        quotas = np.clip(np.rint(self.hidden_share * counts), 1, np.maximum(counts - 1, 0))
        draws = np.random.default_rng(self.seed).random(len(relevant))
        order = relevant[np.lexsort((draws, users[relevant]))]
        places = np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)
        hidden = np.zeros(matrix.nnz, dtype=bool)
        hidden[order] = places < np.repeat(np.where(counts > 1, quotas, 0), counts)
        return hidden


class _People(FittedModel):
    """Scores other users than the training users, by their likes."""

    def __init__(self, model: Any, likes: Interactions) -> None:
        for name in ("items", "item_counts", "catalogue", "name", "settings", "sweeps"):
            setattr(self, name, getattr(model, name))
        vars(self).update(basis=model.basis, score_of_nothing=model.score_of_nothing)
        self.users, self.history, self._model, self._likes = likes.users, likes, model, likes

    def scores(self, user_indices: Rows, item_indices: slice) -> Floats:
        """Return a block of scores, (n_chosen_users, n_chosen_items)."""
        likes = self._likes.user_items[user_indices]
        scores: Floats = self._model.user_scores(likes, item_indices)
        return scores


def row_order(rows: Interactions) -> npt.NDArray[np.int32]:
    """Return the new index of each row of the caller's matrix after sorting by the digits."""
    return rows.users.indices_of(range(rows.n_users))


def _ids(frame: Any, column: Any) -> list[Id]:
    """Return a column of ids; refuse values that are neither text nor whole numbers."""
    ids = frame[column].to_list()
    for row, one in enumerate(ids):
        if isinstance(one, bool) or not isinstance(one, (str, int, np.integer)):
            raise DataError(
                f"Column {column!r}, row {row}: a text or whole number expected as id, {one!r} "
                "found. Drop such rows, or turn the column into texts."
            )
    return list(ids)
