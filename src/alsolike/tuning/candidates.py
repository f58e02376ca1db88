"""What can stand on a leaderboard: settings of models, and how each is trained and scored."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from alsolike.data.interactions import Interactions
from alsolike.engines.base import Engine
from alsolike.errors import SettingError
from alsolike.evaluation.curves import CurvePoint, learning_curve, one_point
from alsolike.hints import did_you_mean
from alsolike.models.chance import ChanceConfig, fit_chance
from alsolike.models.config import ALSConfig
from alsolike.models.ease import EASEConfig, fit_ease
from alsolike.models.history_model import HistoryModel
from alsolike.models.neighbours import ItemKNNConfig, fit_neighbours
from alsolike.models.popularity import PopularityConfig, fit_popularity
from alsolike.tuning.plan import Plan

# What a training of one go is said to have as sweeps.
ONE_GO = 1


class Config(Protocol):
    """Settings of one model, frozen."""

    def to_settings(self) -> dict[str, Any]:
        """Return them as plain values; ``"model"`` names the model where it is not ALS."""


Fit = Callable[[Interactions, Any, Engine], HistoryModel]

# The lines to beat: each model's settings, and how it is fitted.
BASELINES: Mapping[str, tuple[Any, Fit]] = {
    "popularity": (PopularityConfig, lambda train, _, __: fit_popularity(train)),
    "item-knn": (
        ItemKNNConfig,
        lambda train, config, engine: fit_neighbours(train, config, engine=engine),
    ),
    "ease": (EASEConfig, lambda train, config, engine: fit_ease(train, config, engine=engine)),
    "random": (ChanceConfig, lambda train, config, _: fit_chance(train, config)),
}


def model_of(settings: Mapping[str, Any]) -> str:
    """Return the word for the model that these are settings of."""
    return str(settings.get("model", "als"))


def config_of(settings: Mapping[str, Any]) -> Any:
    """Return settings as the configuration they were; raise SettingError for an unknown model."""
    name = model_of(settings)
    if name == "als":
        return ALSConfig.from_settings(settings)
    if name not in BASELINES:
        raise SettingError(
            f"There is no model {name!r}; known are als, {', '.join(sorted(BASELINES))}."
            f"{did_you_mean(name, ['als', *BASELINES])}"
        )
    return BASELINES[name][0].from_settings(settings)


def sweeps_of(config: Config, sweeps: Sequence[int]) -> tuple[int, ...]:
    """Return at which of these sweeps a configuration is scored."""
    return tuple(sweeps) if isinstance(config, ALSConfig) else (ONE_GO,)


def fit_baseline(train: Interactions, config: Config, engine: Engine) -> HistoryModel:
    """Fit one of the lines to beat."""
    return BASELINES[model_of(config.to_settings())][1](train, config, engine)


def points_of(
    plan: Plan, config: Config, sweeps: Sequence[int], engine: Engine
) -> Iterator[CurvePoint]:
    """Train a configuration and yield its points."""
    split, judges = plan.split, plan.judges
    if not sweeps:
        return
    if isinstance(config, ALSConfig):
        yield from learning_curve(
            split,
            config,
            sweeps=sweeps,
            judge=judges[""],
            beside=[judge for prefix, judge in judges.items() if prefix],
            engine=engine,
        )
        return
    model = fit_baseline(split.train, config, engine)
    if split.given is not None:
        model = model.with_history(split.shown())
    yield one_point(split, model, judges=judges, seed=plan.seed, engine=engine)
