"""`fit` and `iterate` for all families."""

import inspect
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from alsolike.data.interactions import Interactions
from alsolike.data.validation import expect_interactions, said
from alsolike.engines.base import Engine
from alsolike.errors import SettingError
from alsolike.models.base import FittedModel
from alsolike.models.family import Family, TrainingData, not_fitted
from alsolike.models.registry import USUAL, family_named, family_of, trained
from alsolike.progress import SILENT, Observer
from alsolike.text import listed
from alsolike.usage_hints import did_you_mean, with_example

# Values, and kinds of values, below which they say little.
_FEW, _KINDS = 20, 4


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
    """Fit a model of the family given by `config` or `family`.

    A warning says so if values look like ratings, and the family takes a low one as a like.

    Parameters
    ----------
    likes : Interactions, or SciPy sparse matrix, (n_users, n_items)
        The ids of a matrix are row and column numbers as text, sorted like all ids: the row of
        number 7 is ``model.users.index_of(7)``.
    config : Config or None
        Such as ``ALSConfig(factors=64)`` or ``EASEConfig()``; None: `settings` over the defaults.
    family : str or None
        ``"als"`` (default), ``"explicit-als"``, ``"item-knn"``, ``"ease"``, ``"sparse-linear"``,
        ``"item-profile"``, ``"popularity"``, ``"random"``, or a family of an installed package.
    start : FittedModel or None
        A model to continue from, if the family can.
    engine : Engine or None
        Where to compute; None: the threads of this machine. The result does not depend on it.
    observer : Observer
        Notified of progress.
    **settings
        Of the family, such as ``factors=64``; they override those of `config`.

    Raises
    ------
    SettingError
        A setting or a family is unknown, or a configuration is of another family.
    DataError
        ALS has nothing to train on, or a training would not fit into memory.
    FitError
        The data have no unique finite solution under these settings.

    Examples
    --------
    >>> likes = Interactions.from_columns(["ann", "ann", "bob"], ["m1", "m2", "m1"])
    >>> fit(likes, factors=2, iterations=3)
    ALSModel(2 users, 2 items, 2 factors, 3 sweeps)
    >>> fit(likes, family="item-knn", neighbours=5)
    ItemKNNModel(cosine: 2 users, 2 items, 5 neighbours)
    """
    chosen = config_for(config, settings, family=family)
    _check_start(start, chosen)
    data = _data(likes)
    if engine is None:  # not from within: where a table is read, the report has said it
        _warn_of_ratings(data, family_of(chosen))
    return family_of(chosen).fit(data, chosen, start=start, engine=engine, observer=observer)


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
    """Yield a usable model after each sweep, or the only one of a family without sweeps.

    Parameters and errors are those of `fit`.

    Examples
    --------
    >>> likes = Interactions.from_columns(["ann", "ann", "bob"], ["m1", "m2", "m1"])
    >>> [model.sweeps for model in iterate(likes, factors=2, iterations=3)]
    [1, 2, 3]
    """
    chosen = config_for(config, settings, family=family)
    _check_start(start, chosen)
    return family_of(chosen).iterate(
        _data(likes), chosen, start=start, engine=engine, observer=observer
    )


def config_for(
    config: Any = None, settings: Mapping[str, Any] | None = None, *, family: str | None = None
) -> Any:
    """Return `config` with `settings`, or those of a family by name, by default ALS.

    Raises
    ------
    SettingError
        As `fit`.

    Examples
    --------
    >>> config_for(None, {"regularization": 100.0}, family="ease").to_settings()["model"]
    'ease'
    >>> config_for(config_for(None, {"factors": 64}), {"alpha": 3.0}).alpha
    3.0
    """
    settings = settings or {}
    if config is None:
        chosen = family_named(USUAL if family is None else family)
        if not chosen.is_trained:
            raise SettingError(not_fitted(family))
        return _changed(chosen, chosen.config(), settings)
    chosen = family_of(config)
    if family is not None and family_named(family) is not chosen:
        raise SettingError(
            f"The settings are of {chosen.name}, but family is {family!r}. Leave out one of them."
        )
    return _changed(chosen, config, settings)


def _changed(family: Family, config: Any, settings: Mapping[str, Any]) -> Any:
    """Return a configuration with these settings; SettingError for an unknown one."""
    known = [setting.name for setting in fields(config)]
    if "half_life" in settings and "half_life" not in known and family.members(config):
        of_blend = {name: value for name, value in settings.items() if name != "half_life"}
        return family.with_half_life(_changed(family, config, of_blend), settings["half_life"])
    unknown = next((name for name in settings if name not in known), None)
    if unknown is None:
        return replace(config, **settings) if settings else config
    arguments = set(inspect.signature(fit).parameters) - {"settings", unknown}
    hint = did_you_mean(unknown, [*known, *sorted(arguments)], plain=True)
    others = [one.name for one in trained() if unknown in {own.name for own in fields(one.config)}]
    if others and not hint:
        hint = f" It is a setting of {listed(others)}."
    has = f"Settings of {family.name} are {', '.join(known)}." if known else "It has no settings."
    raise SettingError(f"The family {family.name!r} has no setting {unknown!r}.{hint} {has}")


def _check_start(start: Any, config: Any) -> None:
    """Raise SettingError if `start` is a value of a setting of this name, not a model."""
    if not isinstance(start, str) or "start" not in {setting.name for setting in fields(config)}:
        return
    try:
        replace(config, start=start)
    except SettingError:
        return  # the training has the message
    raise SettingError(
        f"start must be a model to continue from, not {said(start)}. For the setting called start, "
        f"use {type(config).__name__}(start={start!r})."
    )


def _warn_of_ratings(data: TrainingData, family: Family) -> None:
    """Warn if values look like ratings, and the family takes a low one as a weak like."""
    train = data.interactions
    if not isinstance(train, Interactions) or family.predicts_ratings or family.is_baseline:
        return
    if look_like_ratings(train.user_items.data):
        warnings.warn(
            f"The values look like ratings, from {train.user_items.data.min():g} to "
            f"{train.user_items.data.max():g}, and {family.name} takes a low one as a like. Leave "
            "low ratings out, give them a value below zero as dislikes, or predict ratings: "
            "family='explicit-als'.",
            stacklevel=4,
        )


def look_like_ratings(values: npt.NDArray[np.float32]) -> bool:
    """Tell whether values look like ratings, by the rule of `alsolike.data.reading`.

    They are whole or half, from 0.5 or 1 up to 5 or 10, of four kinds or more, and high more often
    than low, as counts are not.

    Examples
    --------
    >>> [look_like_ratings(np.float32(20 * one)) for one in ([5, 4, 3, 5, 1], [1, 2, 1, 1, 5])]
    [True, False]
    """
    if len(values) < _FEW or values.max() not in (5, 10):
        return False
    low, high = values.min(), values.max()
    if not 0 < low < high or (values * 2 % 1).any():
        return False
    middle = (low + high) / 2
    return bool(values.mean(dtype=np.float64) >= middle and len(np.unique(values)) >= _KINDS)


def _data(likes: Any) -> TrainingData:
    if isinstance(likes, TrainingData):
        return likes
    if sp.issparse(likes):
        return TrainingData(Interactions.from_matrix(likes))
    expect_interactions(likes)
    return TrainingData(likes)
