"""Weighted matrix factorization as a scikit-learn estimator."""

from dataclasses import fields, replace
from typing import Any

from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from alsolike.data.interactions import Interactions
from alsolike.models.als.config import (
    ALSConfig,
    Confidence,
    RowCount,
    SolverName,
    Start,
)
from alsolike.models.als.train import fold_in
from alsolike.models.base import FittedModel, Floats
from alsolike.models.values import Values
from alsolike.sklearn.estimator import LikesEstimator, row_order


class ALSRecommender(
    ClassNamePrefixFeaturesOutMixin,  # type: ignore[misc]  # scikit-learn has no types
    TransformerMixin,  # type: ignore[misc]
    LikesEstimator,
):
    """Weighted matrix factorization of a users x items matrix, rows are users.

    Without `user_column`, X is a matrix: SciPy sparse, ndarray, or a wide frame whose columns are
    the items. Item ids are the column names of the frame, or else column numbers as text. Use this
    form for model selection, which splits rows: a row is a user.

    With `user_column` and `item_column`, X is a pandas or Polars frame with one interaction per
    row; repeated pairs are summed. Results have one row per distinct user, sorted by id. Items
    unknown to the model raise UnknownId. For model selection convert the frame to a matrix first
    (``Interactions.from_columns(...).user_items``): folds of a frame would split users, and contain
    items that no other fold has.

    Parameters
    ----------
    factors, regularization, user_regularization, item_regularization, alpha, confidence, \
values, value_scale, value_length, epsilon, unobserved_weight, regularization_exponent, \
regularization_count, iterations, solver, cg_steps, momentum, start, nonnegative, seed
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
    model_ : ALSModel
        The fitted model, ready for `alsolike.models.bundle.io.save` and all the rest.
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
        factors: int = 256,
        regularization: float = 0.01,
        user_regularization: float | None = None,
        item_regularization: float | None = None,
        alpha: float = 1.0,
        confidence: Confidence = "additive",
        values: Values | None = None,
        value_scale: float = 1.0,
        value_length: float = 0.0,
        epsilon: float = 1.0,
        unobserved_weight: float | None = None,
        regularization_exponent: float = 1.0,
        regularization_count: RowCount = "weighted",
        iterations: int = 8,
        solver: SolverName = "exact",
        cg_steps: int = 3,
        momentum: bool = False,
        start: Start = "small",
        nonnegative: bool = False,
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
        self.values = values
        self.value_scale = value_scale
        self.value_length = value_length
        self.epsilon = epsilon
        self.unobserved_weight = unobserved_weight
        self.regularization_exponent = regularization_exponent
        self.regularization_count = regularization_count
        self.iterations = iterations
        self.solver = solver
        self.cg_steps = cg_steps
        self.momentum = momentum
        self.start = start
        self.nonnegative = nonnegative
        self.seed = seed
        self.user_column = user_column
        self.item_column = item_column
        self.value_column = value_column
        self.metric = metric
        self.hidden_share = hidden_share
        self.n_jobs = n_jobs

    def transform(self, X: Any) -> Floats:
        """Return the factors of the users in X, by fold-in; the model does not change.

        Returns
        -------
        float32, (n_users, factors)
        """
        check_is_fitted(self)
        rows = self._interactions(X, reset=False)
        folded = fold_in(self.model_, rows, engine=self._engine)
        return folded if self._is_long else folded[row_order(rows)]

    def __sklearn_tags__(self) -> Tags:
        """Return the tags: sparse input is allowed, output is float32."""
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags

    def _config(self) -> ALSConfig:
        # Neither a matrix nor a frame of likes has times here.
        names = [one.name for one in fields(ALSConfig) if one.name != "half_life"]
        return ALSConfig(**{name: getattr(self, name) for name in names})

    @property
    def _n_features_out(self) -> int:
        return int(self.model_.factors)

    def _folded(self, rows: Interactions) -> FittedModel:
        """Return the model with the users of `rows` instead of the training users."""
        factors = fold_in(self.model_, rows, engine=self._engine)
        folded: FittedModel = replace(
            self.model_, users=rows.users, user_factors=factors, history=rows
        )
        return folded
