"""A model of any family as a scikit-learn estimator."""

from dataclasses import fields
from typing import Any, Self

from alsolike.models.fit import config_for
from alsolike.models.registry import family_named
from alsolike.sklearn.estimator import LikesEstimator


class FamilyRecommender(LikesEstimator):
    """A model of any family, fitted to a users x items matrix or to a frame of likes.

    Parameters
    ----------
    family : str
        Such as ``"item-knn"``, ``"ease"`` or ``"popularity"``, see `alsolike.fit`.
    user_column, item_column, value_column, metric, hidden_share, n_jobs
        As in `ALSRecommender`.
    seed : int
        What `score` hides is drawn by it; also the seed of a model that has one.
    **settings
        Of the family, such as ``neighbours=100``; `get_params`, `set_params` and searches know
        them by their names.

    Attributes
    ----------
    model_ : FittedModel
        The fitted model, ready for `alsolike.save` and all the rest.
    n_features_in_, feature_names_in_
        As of `ALSRecommender`.

    Examples
    --------
    >>> from sklearn.model_selection import GridSearchCV
    >>> from alsolike.testing import tiny_likes
    >>> likes = tiny_likes(60, 30).user_items
    >>> knn = FamilyRecommender(family="item-knn", neighbours=5)
    >>> search = GridSearchCV(knn, {"neighbours": [5, 20]}, cv=2).fit(likes)
    >>> search.best_estimator_.model_
    ItemKNNModel(cosine: 60 users, 30 items, 20 neighbours)
    """

    def __init__(
        self,
        *,
        family: str = "item-knn",
        user_column: str | None = None,
        item_column: str | None = None,
        value_column: str | None = None,
        metric: str = "ndcg@10",
        hidden_share: float = 0.5,
        seed: int = 0,
        n_jobs: int | None = None,
        **settings: Any,
    ) -> None:
        self.family = family
        self.user_column = user_column
        self.item_column = item_column
        self.value_column = value_column
        self.metric = metric
        self.hidden_share = hidden_share
        self.seed = seed
        self.n_jobs = n_jobs
        for name, value in settings.items():
            setattr(self, name, value)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return all parameters, including the given settings of the family."""
        return {**super().get_params(deep=deep), **self._settings()}

    def set_params(self, **params: Any) -> Self:
        """Set parameters; `fit` checks the settings of the family."""
        for name in [one for one in params if self._is_setting(one)]:
            setattr(self, name, params.pop(name))
        super().set_params(**params)
        return self

    def _settings(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if self._is_setting(name)}

    def _is_setting(self, name: str) -> bool:
        """Return whether a name is a setting, not a parameter."""
        is_ours = not name.startswith("_") and not name.endswith("_") and "__" not in name
        return is_ours and name not in self._get_param_names()

    def _config(self) -> Any:
        settings = self._settings()
        if "seed" in {one.name for one in fields(family_named(self.family).config)}:
            settings["seed"] = self.seed
        return config_for(None, settings, family=self.family)
