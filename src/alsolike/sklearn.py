"""A scikit-learn estimator over `alsolike.models.als`: thin, for those whose tools expect one."""

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from alsolike.data.interactions import Interactions, canonical
from alsolike.data.vocabulary import Vocabulary
from alsolike.engines.base import Engine
from alsolike.engines.local import LocalEngine
from alsolike.errors import DataError, SettingError
from alsolike.evaluation.measures import METRICS, evaluate
from alsolike.hints import way_to_install
from alsolike.models.als import fit, fold_in
from alsolike.models.base import Floats
from alsolike.models.confidence import Confidence
from alsolike.models.config import ALSConfig
from alsolike.models.factor_model import FactorModel
from alsolike.recommending.fallback import WithoutLikes
from alsolike.recommending.many import recommend, similar
from alsolike.tables import Table

try:
    from joblib import effective_n_jobs  # type: ignore[import-untyped]
    from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
    from sklearn.utils import Tags
    from sklearn.utils.validation import check_is_fitted, validate_data
except ImportError as error:
    raise ImportError(
        f"alsolike.sklearn needs scikit-learn 1.6 or newer: {way_to_install('scikit-learn>=1.6')}"
    ) from error

__all__ = ["ALSRecommender"]


class ALSRecommender(
    ClassNamePrefixFeaturesOutMixin,  # type: ignore[misc]  # scikit-learn has no types
    TransformerMixin,  # type: ignore[misc]
    BaseEstimator,  # type: ignore[misc]
):
    """Weighted matrix factorization of a users x items matrix, rows are users.

    Without `user_column`, X is a matrix: SciPy sparse, ndarray, or a wide frame whose columns are
    the items. Items are then called by the frame's column names, else by their column numbers as
    text. Model selection takes this form, since it splits rows and a row is a user.

    With `user_column` and `item_column`, X is a pandas or Polars frame with one interaction per
    row; repeated pairs are summed. Results have one row per distinct user, users sorted by id. An
    item that was not trained on is an UnknownId. For model selection turn the frame into a matrix
    first (``Interactions.from_columns(...).user_items``): folds of a frame would cut through users,
    and hold items that no other fold has.

    Parameters
    ----------
    factors, regularization, user_regularization, item_regularization, alpha, confidence, \
epsilon, unobserved_weight, regularization_exponent, regularization_count, iterations, solver, \
cg_steps, momentum, start, seed
        As in `ALSConfig`. `seed` also draws what `score` hides.
    user_column, item_column : str or None
        Columns of ids, texts or whole numbers, in a frame of one interaction per row.
    value_column : str or None
        Its column of values; None: 1 for each row.
    metric : str
        What `score` measures, such as ``"ndcg@10"``, ``"precision@5"`` or ``"auc"``.
    hidden_share : float
        Share of a user's relevant items that `score` hides, above 0 and below 1.
    n_jobs : int or None
        Threads, as everywhere in scikit-learn: None is 1 (outside a joblib context), -1 all.
        Results do not depend on it.

    Attributes
    ----------
    model_ : FactorModel
        The fitted model, ready for `alsolike.models.bundle.save` and all the rest.
    n_features_in_ : int
        Items, where X was a matrix.
    feature_names_in_ : ndarray of str, (n_features_in_,)
        Their names, where X was a frame with text column names.

    Examples
    --------
    >>> from sklearn.model_selection import GridSearchCV
    >>> from alsolike.testing import tiny_likes
    >>> likes = tiny_likes(60, 30).user_items
    >>> search = GridSearchCV(ALSRecommender(iterations=2), {"factors": [2, 4]}, cv=2).fit(likes)
    >>> print(search.best_estimator_.recommend(likes[:1], k=2).column_names)
    ('user', 'rank', 'item', 'score', 'basis')
    """

    def __init__(
        self,
        *,
        factors: int = 64,
        regularization: float = 0.1,
        user_regularization: float | None = None,
        item_regularization: float | None = None,
        alpha: float = 10.0,
        confidence: Confidence = "linear",
        epsilon: float = 1.0,
        unobserved_weight: float = 1.0,
        regularization_exponent: float = 0.0,
        regularization_count: Literal["weighted", "observed"] = "weighted",
        iterations: int = 15,
        solver: Literal["exact", "cg"] = "exact",
        cg_steps: int = 3,
        momentum: bool = False,
        start: Literal["small", "normal"] = "small",
        seed: int = 0,
        user_column: str | None = None,
        item_column: str | None = None,
        value_column: str | None = None,
        metric: str = "ndcg@10",
        hidden_share: float = 0.5,
        n_jobs: int | None = None,
    ) -> None:
        self.factors = factors
        self.regularization = regularization
        self.user_regularization = user_regularization
        self.item_regularization = item_regularization
        self.alpha = alpha
        self.confidence = confidence
        self.epsilon = epsilon
        self.unobserved_weight = unobserved_weight
        self.regularization_exponent = regularization_exponent
        self.regularization_count = regularization_count
        self.iterations = iterations
        self.solver = solver
        self.cg_steps = cg_steps
        self.momentum = momentum
        self.start = start
        self.seed = seed
        self.user_column = user_column
        self.item_column = item_column
        self.value_column = value_column
        self.metric = metric
        self.hidden_share = hidden_share
        self.n_jobs = n_jobs

    def fit(self, X: Any, y: None = None) -> "ALSRecommender":
        """Fit the model to X; `y` is there for scikit-learn and is not used.

        Raises
        ------
        ValueError
            X or a setting cannot be used (`DataError`, `SettingError`, or scikit-learn's own).
        FitError
            The numbers give no finite answer.
        """
        settings = {setting.name: getattr(self, setting.name) for setting in fields(ALSConfig)}
        config = ALSConfig(**settings)
        self.model_ = fit(self._interactions(X, reset=True), config, engine=self._engine)
        return self

    def transform(self, X: Any) -> Floats:
        """Return the factors of the users in X, by folding them in; the model stays as it is.

        Returns
        -------
        float32, (n_users, factors)
        """
        check_is_fitted(self)
        rows = self._interactions(X, reset=False)
        folded = fold_in(self.model_, rows, engine=self._engine)
        return folded if self._is_long else folded[_row_order(rows)]

    def recommend(
        self,
        X: Any,
        k: int = 10,
        *,
        exclude_seen: bool = True,
        without_likes: WithoutLikes = "popular",
    ) -> Table:
        """Recommend `k` items to each user in X, who need not have been trained on.

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
            Columns ``user`` (row number as text, or id), ``rank``, ``item``, ``score``, ``basis``.
        """
        check_is_fitted(self)
        rows = self._interactions(X, reset=False)
        users = rows.users.ids_of(
            np.arange(rows.n_users) if self._is_long else _row_order(rows)
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

    def similar(self, items: str | Sequence[str] | None = None, k: int = 10) -> Table:
        """Find the `k` items most similar to each of `items` (None: to all).

        Returns
        -------
        Table
            Columns ``item``, ``rank``, ``similar_item``, ``score``, the cosine.
        """
        check_is_fitted(self)
        return similar(self.model_, items, k=k, engine=self._engine)

    def score(self, X: Any, y: None = None) -> float:
        """Hide a part of each user's relevant items and return how well the rest foretells it.

        The shown part is folded in, so the users need not have been trained on, and for honest
        figures must not have been. Which items are hidden depends on X and `seed` alone. Users
        with a single relevant item cannot be asked and do not count.

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
        """Tell scikit-learn that sparse matrices are welcome and float32 comes out."""
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags

    @property
    def _n_features_out(self) -> int:
        return int(self.model_.factors)

    @property
    def _is_long(self) -> bool:
        return self.user_column is not None

    @property
    def _engine(self) -> Engine:
        return LocalEngine(effective_n_jobs(self.n_jobs))

    def _interactions(self, X: Any, *, reset: bool) -> Interactions:
        """Return X as interactions, over the model's items unless these are to be found."""
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

    def _folded(self, rows: Interactions) -> FactorModel:
        """Return the model with the users of `rows` in place of those that it was trained on."""
        factors = fold_in(self.model_, rows, engine=self._engine)
        return replace(self.model_, users=rows.users, user_factors=factors, history=rows)

    def _metric(self) -> tuple[str, int]:
        """Return the name and the list length of `metric`."""
        text = self.metric if isinstance(self.metric, str) else ""
        name, at, length = text.partition("@")
        if text == "auc":
            return name, 1
        if name in METRICS and name != "auc" and not at:
            raise SettingError(f"metric {name!r} needs a list length: give '{name}@10'.")
        if not name or not length.isdecimal():
            raise SettingError(f'metric must look like "ndcg@10" or "auc", not {self.metric!r}.')
        return name, int(length)

    def _hidden(self, rows: Interactions) -> npt.NDArray[np.bool_]:
        """Return which interactions `score` hides, at least one of each user and never all."""
        number = isinstance(self.hidden_share, (int, float, np.number))
        if not number or not 0 < self.hidden_share < 1:
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


def _row_order(rows: Interactions) -> npt.NDArray[np.int32]:
    """Return where each row of the caller's matrix went when ids were sorted as text."""
    return rows.users.indices_of(str(row) for row in range(rows.n_users))


def _ids(frame: Any, column: Any) -> list[str]:
    """Return a column of ids as text; 42 is "42", and what is neither text nor whole is refused."""
    ids = frame[column].to_list()
    for row, one in enumerate(ids):
        if isinstance(one, bool) or not isinstance(one, (str, int, np.integer)):
            raise DataError(
                f"Column {column!r}, row {row}: a text or whole number expected as id, {one!r} "
                "found. Drop such rows, or turn the column into texts."
            )
    return [str(one) for one in ids]
