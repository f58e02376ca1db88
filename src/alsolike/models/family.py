"""`Family`: one kind of model: how it is trained, searched and saved."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from alsolike.data.catalogue import Catalogue
from alsolike.data.interactions import Interactions
from alsolike.data.vocabulary import Vocabulary
from alsolike.engines.base import Engine
from alsolike.errors import DataError, SettingError
from alsolike.models.arrays import BundleArrays
from alsolike.models.base import FittedModel, expect_model
from alsolike.progress import SILENT, Observer

Arrays = Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True, eq=False)
class TrainingData:
    """The data of a training."""

    interactions: Interactions


@dataclass(frozen=True, eq=False)
class Known:
    """What a bundle holds of every model, beside the arrays that its family packs.

    Parameters
    ----------
    users, items, item_counts, settings, sweeps, name, catalogue, history
        As of every `FittedModel`.
    factors : int or None
        0 of a model without factors; None of a model inside another, whose arrays say it.
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

    def of_history(self, config: type[Any]) -> dict[str, Any]:
        """Return the arguments that every `HistoryModel` takes."""
        return {**self._of_all(), "config": config.from_settings(self.settings)}

    def of_factors(self) -> dict[str, Any]:
        """Return the arguments that every `FactorModel` takes, but the factors."""
        own = {"settings": self.settings, "sweeps": self.sweeps, "name": self.name}
        return {**self._of_all(), **own}

    def _of_all(self) -> dict[str, Any]:
        names = ("users", "items", "item_counts", "catalogue", "history")
        return {name: getattr(self, name) for name in names}


class Family(ABC):
    """One kind of model: how it is trained, searched and saved, and the memory that takes.

    Derive from this to add a family, and put it into `alsolike.models.registry.FAMILIES` or under
    the entry point ``alsolike.families`` of a package. See docs/extending.md.

    Attributes
    ----------
    name : str
        Its one spelling everywhere: ``"als"``, ``"item-knn"``.
    config : type
        Its settings: a frozen dataclass with ``to_settings`` and ``from_settings``.
    model : type
        The class of its models.
    scored : {"sweeps", "end"}
        Whether a training can be scored after each sweep (the settings have ``iterations`` then),
        or at its end alone.
    goes_on : bool
        Whether a training can start from a model.
    is_baseline : bool
        Whether its models are only compared with, and never published.
    is_trained : bool
        Whether it can be fitted at all.
    advice : str
        What to try when all its trainings are degenerate, as a sentence.
    """

    name: ClassVar[str]
    config: ClassVar[type[Any]]
    model: ClassVar[type[FittedModel]]
    scored: ClassVar[Literal["sweeps", "end"]] = "end"
    goes_on: ClassVar[bool] = False
    is_baseline: ClassVar[bool] = False
    is_trained: ClassVar[bool] = True
    advice: ClassVar[str] = "Try other settings."

    def train(self, data: TrainingData, config: Any, **how: Any) -> FittedModel:
        """Return the one model of a training that is scored at its end alone.

        Parameters
        ----------
        data : TrainingData
        config : Config
            Of `Family.config`.
        **how
            ``engine`` and ``observer``, as `iterate` takes them.
        """
        raise SettingError(f"Models of the family {self.name!r} are made elsewhere, not fitted.")

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
        data, config
            As in `train`.
        start : FittedModel or None
            A model of this family to go on from; SettingError where it cannot go on.
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
        """Return the arrays of a model by name; ids, likes and history are saved already."""

    @abstractmethod
    def unpack(self, arrays: BundleArrays, known: Known) -> FittedModel:
        """Build the model of what `pack` gave; `BundleArrays` checks each array that is taken."""

    def cost(self, config: Any, n_users: int, n_items: int) -> float:
        """Estimate the bytes that a model keeps: "cheapest that ties" compares them."""
        return 0.0

    def memory(self, data: TrainingData, config: Any, threads: int) -> int:
        """Estimate the bytes that a training takes at its peak, above the interactions."""
        return int(self.cost(config, data.interactions.n_users, data.interactions.n_items))

    def held(self, data: TrainingData, config: Any) -> int:
        """Estimate the bytes that a training holds, beside its model, while that is scored."""
        return 0

    def factors(self, config: Any) -> int:
        """Return the columns of both factor matrices; 0 where there are none."""
        return 0

    def refuse(self, data: TrainingData, config: Any) -> None:
        """Raise DataError where a training would not fit into memory."""
        return

    def search_space(self, data: TrainingData, *, seed: int = 0) -> Sequence[Any]:
        """Return the configurations to try, which depend on the counts of the data alone.

        Empty where `alsolike.tuning.presets` has a grid for the family.
        """
        return [self.config()]

    def is_tried(self, data: TrainingData) -> bool:
        """Tell whether a search tries it by default, which depends on the same counts alone."""
        return False

    def effort(self, config: Any) -> float:
        """Return a key that orders settings with equal factors by the time they train."""
        return 0.0

    def code(self, config: Any, train: Interactions) -> tuple[Any, ...] | None:
        """Return a key of the compiled code that a training needs; None: it needs none."""
        return None

    def kernels(self, config: Any) -> Sequence[Any]:
        """List the compiled functions that a training uses, as far as is known before it."""
        return ()

    def small(self, code: tuple[Any, ...]) -> Any:
        """Return a small configuration whose training compiles the code of such a key."""
        return self.config()

    @property
    def growth(self) -> float:
        """The power of the number of items by which the time of a training grows."""
        return 1.0


class Baseline(Family):
    """A family to compare with, which is not published, and whose models are no more than counts.

    They are made again of the settings and of what every bundle holds.
    """

    is_baseline: ClassVar[bool] = True

    def is_tried(self, data: TrainingData) -> bool:
        """Tell that it always is compared with."""
        return True

    def pack(self, model: Any) -> Arrays:
        """Return no arrays."""
        return {}

    def unpack(self, arrays: BundleArrays, known: Known) -> FittedModel:
        """Return the model of the settings and of what is known."""
        return self.model(**known.of_history(self.config))


def refuse_start(family: Family, start: FittedModel | None) -> None:
    """Raise SettingError where a model to go on from is given to a family that cannot."""
    if start is not None:
        expect_model(start, "go on from it")
        raise SettingError(f"Training of {family.name} starts anew each time. Leave out start.")
