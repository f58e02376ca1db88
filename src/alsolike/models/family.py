"""`Family`: base class of model families: training, search, saving, memory."""

from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from alsolike.data.catalogue import Catalogue
from alsolike.data.features.features import Features
from alsolike.data.interactions import Interactions
from alsolike.data.vocabulary import Vocabulary
from alsolike.engines.base import Engine
from alsolike.errors import DataError, SettingError
from alsolike.models.arrays import BundleArrays
from alsolike.models.base import FittedModel
from alsolike.models.memo import Memo
from alsolike.models.protocols import expect_model
from alsolike.models.similarity.config import USUAL_SIMILARITY, SimilarityConfig
from alsolike.models.similarity.evidence import ItemEvidence
from alsolike.progress import SILENT, Observer

Arrays = Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True, eq=False)
class TrainingData:
    """The data of a training.

    Parameters
    ----------
    interactions : Interactions
    memo : Memo or None
        Keeps what other trainings on these interactions need as well; results do not depend on it.
    """

    interactions: Interactions
    memo: Memo | None = None

    def offer(self, family: "Family", config: Any, model: FittedModel, score: float) -> None:
        """Offer the model of a training, with its score, to trainings that need it as a member."""
        if self.memo is not None and not (family.is_combined or family.is_baseline):
            train = self.interactions
            size = int(family.cost(config, train.n_users, train.n_items))
            self.memo.offer(family.name, training_key(config), model, score, size)


@dataclass(frozen=True, eq=False)
class Known:
    """The contents of a bundle apart from the arrays that the family packs.

    Parameters
    ----------
    users, items, item_counts, settings, sweeps, name, catalogue, history, item_features,
    user_features
        As of every `FittedModel`.
    similarity_config, stored_evidence
        As of `FactorModel` and `HistoryModel`.
    factors : int or None
        0 for a model without factors; None for a model inside another, whose arrays have it.
    """

    users: Vocabulary
    items: Vocabulary
    item_counts: npt.NDArray[np.int64]
    settings: Mapping[str, Any]
    factors: int | None = 0
    sweeps: int = 0
    name: str = ""
    catalogue: Catalogue | None = None
    history: Interactions | None = None
    similarity_config: SimilarityConfig = USUAL_SIMILARITY
    stored_evidence: ItemEvidence | None = None
    item_features: Features | None = None
    user_features: Features | None = None

    def of_history(self, config: type[Any]) -> dict[str, Any]:
        """Return the arguments that every `HistoryModel` takes."""
        return {**self._of_all(), "config": config.from_settings(self.settings)}

    def of_factors(self) -> dict[str, Any]:
        """Return the arguments that every `FactorModel` takes, but the factors."""
        own = {"settings": self.settings, "sweeps": self.sweeps, "name": self.name}
        return {**self._of_all(), **own}

    def _of_all(self) -> dict[str, Any]:
        names = (
            "users", "items", "item_counts", "catalogue", "history", "similarity_config",
            "stored_evidence", "item_features", "user_features",
        )  # fmt: skip
        return {name: getattr(self, name) for name in names}


class Family(ABC):
    """One kind of model: how to train, search and save it, and its memory.

    To add a family, derive from this and add it to `alsolike.models.registry.FAMILIES` or to the
    entry point ``alsolike.families`` of a package. See docs/extending.md.

    Attributes
    ----------
    name : str
        Such as ``"als"`` or ``"item-knn"``.
    config : type
        Its settings: a frozen dataclass with ``to_settings`` and ``from_settings``.
    model : type
        The class of its models.
    scored : {"sweeps", "end"}
        Whether a training can be scored after each sweep (the settings have ``iterations`` then),
        or only at its end.
    goes_on : bool
        Whether a training can continue from a model.
    is_baseline : bool
        Whether its models are for comparison only, and never published.
    is_trained : bool
        Whether it can be fitted.
    is_combined : bool
        Whether its models are made of models of other families.
    builds_on_others : bool
        Whether a search asks its `combinations` after all other trainings, as it does of families
        that are combined.
    uses_features : bool
        Whether its models learn from features of items or users, where the data have some.
    needs_features : bool
        Whether it cannot be fitted without.
    predicts_ratings : bool
        Whether its models predict ratings, see `alsolike.models.protocols.PredictsRatings`.
    advice : str
        A sentence for users if all its trainings are degenerate.
    """

    name: ClassVar[str]
    config: ClassVar[type[Any]]
    model: ClassVar[type[FittedModel]]
    scored: ClassVar[Literal["sweeps", "end"]] = "end"
    goes_on: ClassVar[bool] = False
    is_baseline: ClassVar[bool] = False
    is_trained: ClassVar[bool] = True
    is_combined: ClassVar[bool] = False
    builds_on_others: ClassVar[bool] = False
    uses_features: ClassVar[bool] = False
    needs_features: ClassVar[bool] = False
    predicts_ratings: ClassVar[bool] = False
    advice: ClassVar[str] = "Try other settings."

    def train(self, data: TrainingData, config: Any, **how: Any) -> FittedModel:
        """Train a model that is only scored at its end; `how` are engine and observer."""
        raise SettingError(not_fitted(self.name))

    def iterate(
        self,
        data: TrainingData,
        config: Any,
        *,
        start: FittedModel | None = None,
        engine: Engine | None = None,
        observer: Observer = SILENT,
    ) -> Iterator[FittedModel]:
        """Yield a usable model after each sweep; without sweeps, the one that `train` returns.

        Parameters
        ----------
        data : TrainingData
        config : Config
            Of `Family.config`.
        start : FittedModel or None
            A model of this family to continue from; SettingError if it cannot.
        engine : Engine or None
            Where to compute; None: the threads of this machine. Results do not depend on it.
        observer : Observer
        """
        refuse_start(self, start)
        yield self.train(data, config, engine=engine, observer=observer)

    def fit(
        self,
        data: TrainingData,
        config: Any,
        *,
        start: FittedModel | None = None,
        engine: Engine | None = None,
        observer: Observer = SILENT,
    ) -> FittedModel:
        """Return the last model of `iterate`."""
        last = None
        for model in self.iterate(data, config, start=start, engine=engine, observer=observer):
            last = model
        if last is None:
            raise DataError(f"The family {self.name!r} gave no model.")
        return last

    @abstractmethod
    def pack(self, model: Any) -> Arrays:
        """Return the arrays of a model by name, without ids, counts and history."""

    @abstractmethod
    def unpack(self, arrays: BundleArrays, known: Known) -> FittedModel:
        """Build the model from the arrays of `pack`; `BundleArrays` checks each one."""

    def cost(self, config: Any, n_users: int, n_items: int) -> float:
        """Estimate the bytes of a model, by which the cheapest is chosen."""
        return 0.0

    def memory(self, data: TrainingData, config: Any, threads: int) -> int:
        """Estimate the peak memory of a training in bytes, without the interactions."""
        return int(self.cost(config, data.interactions.n_users, data.interactions.n_items))

    def held(self, data: TrainingData, config: Any) -> int:
        """Estimate the bytes that a training holds besides its model while scoring."""
        return 0

    def factors(self, config: Any) -> int:
        """Return the number of factors; 0 if there are none."""
        return 0

    def refuse(self, data: TrainingData, config: Any) -> None:
        """Raise DataError if a training would not fit into memory."""
        return

    def search_space(self, data: TrainingData, *, seed: int = 0) -> Sequence[Any]:
        """Return the configurations to try, by the counts of the data only.

        Empty if `alsolike.tuning.presets` has a grid for the family.
        """
        return [self.config()]

    def wide_space(self, data: TrainingData, *, seed: int = 0) -> Sequence[Any]:
        """Return the configurations of a thorough search, by default those of `search_space`."""
        return self.search_space(data, seed=seed)

    def members(self, config: Any) -> Sequence[Any]:
        """Return the configurations of the models that a model is made of; none by default."""
        return ()

    def combinations(
        self,
        data: TrainingData,
        best: Sequence[tuple[Any, float]],
        tried: Sequence[tuple[Any, float]],
    ) -> Sequence[Any]:
        """Return the configurations to try next, made of the best of other families.

        A search of a family that `builds_on_others` asks this again until nothing is returned.

        Parameters
        ----------
        data : TrainingData
        best : sequence of (Config, float)
            Of each family that may be chosen and is not combined, the best configuration, ending
            at its best sweep, and its validation score; the best first.
        tried : sequence of (Config, float)
            What was returned before and could be scored, with validation scores.
        """
        return ()

    def labels(self, config: Any) -> Mapping[str, Any]:
        """Return the settings by which a leaderboard tells trainings of the family apart."""
        settings: Mapping[str, Any] = config.to_settings()
        return settings

    def learns_from_features(self, config: Any) -> bool:
        """Tell whether models of a configuration learn from features, where there are some."""
        return self.uses_features

    def half_life(self, config: Any) -> float | None:
        """Return the days in which the weight of a like halves; None if weights do not decay."""
        days: float | None = getattr(config, "half_life", None)
        return days

    def with_half_life(self, config: Any, half_life: Any) -> Any:
        """Return the configuration with a half-life, if it is one of its settings."""
        if not any(setting.name == "half_life" for setting in fields(config)):
            return config
        return replace(config, half_life=half_life)

    def similar_space(self, data: TrainingData) -> Sequence[Any]:
        """Return configurations to try for similar items alone, beside those of a search."""
        return []

    def is_tried(self, data: TrainingData) -> bool:
        """Tell whether a search tries it by default, by the counts of the data only."""
        return False

    def rating_baselines(self, *, seed: int = 0) -> Sequence[Any]:
        """Return simpler configurations to compare predicted ratings with; none by default."""
        return ()

    def is_tried_when_thorough(self, data: TrainingData) -> bool:
        """Tell whether a thorough search tries it; by default as any search."""
        return self.is_tried(data)

    def why_tried(self, data: TrainingData) -> str:
        """Say why a search tries it by default, as the end of a sentence; see `is_tried`."""
        return "on every table"

    def fit_beside_items(
        self, data: TrainingData, config: Any, *, engine: Engine | None = None
    ) -> FittedModel:
        """Fit a model that is asked for similar items alone; by default, the whole model."""
        return self.fit(data, config, engine=engine)

    def beside_items(self, config: Any) -> Any:
        """Return the configuration whose models have the same similar items, by default itself.

        Of a model made of models, that of the member that compares items.
        """
        return config

    def compared_by(self, config: Any) -> str:
        """Name the settings by which similar items differ, as ``"bm25"``; empty if there are none.

        A run compares the similar items of the best training under each name.
        """
        return ""

    def kind(self, config: Any) -> str:
        """Name the kind of model within the family, as ``"bm25"``; empty if there is only one."""
        return ""

    def effort(self, config: Any) -> float:
        """Return a key that orders settings with equal factors by training time."""
        return 0.0

    def code(self, config: Any, train: Interactions) -> tuple[Any, ...] | None:
        """Return a key of the compiled code that a training needs; None: none."""
        return None

    def kernels(self, config: Any) -> Sequence[Any]:
        """List the compiled functions that a training is known to use."""
        return ()

    def small(self, code: tuple[Any, ...]) -> Any:
        """Return a small configuration whose training compiles the code of a key."""
        return self.config()

    @property
    def growth(self) -> float:
        """Exponent of the number of items in the time of a training."""
        return 1.0


class Baseline(Family):
    """A family to compare with, never published; models are rebuilt from settings and counts."""

    is_baseline: ClassVar[bool] = True

    def is_tried(self, data: TrainingData) -> bool:
        """Return True."""
        return True

    def pack(self, model: Any) -> Arrays:
        """Return no arrays."""
        return {}

    def unpack(self, arrays: BundleArrays, known: Known) -> FittedModel:
        """Rebuild the model."""
        return self.model(**known.of_history(self.config))


def training_key(config: Any) -> tuple[tuple[str, Hashable], ...]:
    """Return a key that is equal for equal settings, whole numbers as floats or not."""
    settings = config.to_settings().items()
    return tuple(
        sorted((name, value if isinstance(value, Hashable) else repr(value))
               for name, value in settings)
    )  # fmt: skip


def refuse_start(family: Family, start: FittedModel | None) -> None:
    """Raise SettingError if `start` is given to a family that cannot continue."""
    if start is not None:
        expect_model(start, "go on from it")
        raise SettingError(f"{family.name} cannot continue training. Leave out start.")


def not_fitted(name: str | None) -> str:
    """Return the message for a family that cannot be fitted."""
    return f"Models of the family {name!r} are made by other programs and cannot be fitted."
