"""`fit` and `iterate` for every family: the configuration says which."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import scipy.sparse as sp

from alsolike.data.arguments import expect_interactions, said
from alsolike.data.interactions import Interactions
from alsolike.engines.base import Engine
from alsolike.errors import SettingError
from alsolike.hints import with_example
from alsolike.models.base import FittedModel
from alsolike.models.config import ALSConfig
from alsolike.models.family import TrainingData
from alsolike.models.registry import family_named, family_of
from alsolike.observing import SILENT, Observer


@with_example("model = al.fit(likes)")
def fit(
    likes: Any,
    config: Any = None,
    *,
    family: str | None = None,
    start: FittedModel | None = None,
    engine: Engine | None = None,
    observer: Observer = SILENT,
    **settings: Any,
) -> FittedModel:
    """Fit a model; its configuration, or the name of its family, says which.

    Parameters
    ----------
    likes : Interactions, or SciPy sparse matrix, (n_users, n_items)
        Of a matrix, the ids are the row and column numbers as text.
    config : Config or None
        Such as ``ALSConfig(factors=64)`` or ``EASEConfig()``; None: `settings` over the defaults.
    family : str or None
        ``"als"`` (where it is None), ``"item-knn"``, ``"ease"``, ``"popularity"``, ``"random"``, or
        one that a package brings.
    start : FittedModel or None
        A model to go on from, where the family can.
    engine : Engine or None
        Where to compute; None: the threads of this machine. The result does not depend on it.
    observer : Observer
        Hears how it goes on.
    **settings
        Of the family, such as ``factors=64``; they stand over those of `config`.

    Returns
    -------
    FittedModel

    Raises
    ------
    SettingError
        A setting or a family is unknown, or a configuration is of another family.
    DataError
        There is nothing to train on, or it would not fit into memory.
    FitError
        The data have no unique finite solution under these settings.

    Examples
    --------
    >>> likes = Interactions.from_columns(["ann", "ann", "bob"], ["m1", "m2", "m1"])
    >>> fit(likes, factors=2, iterations=3)
    ALSModel(2 users, 2 items, 2 factors, 3 sweeps)
    >>> fit(likes, family="item-knn", neighbours=5)
    NeighboursModel(cosine: 2 users, 2 items, 5 neighbours)
    """
    chosen = config_for(config, family=family, **settings)
    return family_of(chosen).fit(
        _data(likes), chosen, start=start, engine=engine, observer=observer
    )


@with_example("for model in al.iterate(likes, al.ALSConfig(factors=64)): ...")
def iterate(
    likes: Any,
    config: Any = None,
    *,
    family: str | None = None,
    start: FittedModel | None = None,
    engine: Engine | None = None,
    observer: Observer = SILENT,
    **settings: Any,
) -> Iterator[FittedModel]:
    """Yield a usable model after each sweep; of a family without sweeps, the one that there is.

    Parameters and errors are those of `fit`.

    Examples
    --------
    >>> likes = Interactions.from_columns(["ann", "ann", "bob"], ["m1", "m2", "m1"])
    >>> [model.sweeps for model in iterate(likes, factors=2, iterations=3)]
    [1, 2, 3]
    """
    chosen = config_for(config, family=family, **settings)
    return family_of(chosen).iterate(
        _data(likes), chosen, start=start, engine=engine, observer=observer
    )


def config_for(config: Any = None, *, family: str | None = None, **settings: Any) -> Any:
    """Return the configuration that is asked for: of a family by name, or as given, or of ALS.

    Raises
    ------
    SettingError
        As `fit`.

    Examples
    --------
    >>> config_for(family="ease", regularization=100.0)
    EASEConfig(regularization=100.0)
    """
    if config is None:
        kind = ALSConfig if family is None else family_named(family).config
        config = kind()
    known = family_of(config)
    if family is not None and known is not family_named(family):
        raise SettingError(f"The configuration is of {known.name}, not of {family!r}.")
    return replace(config, **_checked(config, known.name, settings)) if settings else config


def _checked(config: Any, name: str, settings: dict[str, Any]) -> dict[str, Any]:
    """Return settings; raise SettingError, in our words, where one is unknown."""
    own = {key: value for key, value in config.to_settings().items() if key != "model"}
    type(config).from_settings({**config.to_settings(), **settings})
    unknown = [key for key in settings if key not in own]
    if unknown:
        raise SettingError(f"The family {name} has no setting {unknown[0]!r}.")
    return settings


def _data(likes: Any) -> TrainingData:
    if isinstance(likes, Interactions):
        return TrainingData(likes)
    if sp.issparse(likes):
        return TrainingData(Interactions.from_matrix(likes))
    if isinstance(likes, np.ndarray):
        raise SettingError(f"Interactions or a SciPy sparse matrix expected, not {said(likes)}.")
    expect_interactions(likes)
    return TrainingData(likes)
