"""Base classes of objectives: what a search maximises, alone and bound to one split."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Literal, Protocol, get_args

import numpy as np
import numpy.typing as npt

from alsolike.data.interactions import Interactions
from alsolike.data.splitting.split import Split
from alsolike.data.validation import check_whole
from alsolike.engines.base import Engine
from alsolike.errors import SettingError, SplitError
from alsolike.evaluation.metrics.ground_truth import GroundTruth
from alsolike.evaluation.metrics.result import Evaluation
from alsolike.evaluation.statistics.intervals import Resamples
from alsolike.models.protocols import Recommender
from alsolike.recommending.ranking.scan import Ranked
from alsolike.usage_hints import did_you_mean

HeldOut = Literal["validation", "test"]
Rows = npt.NDArray[np.int64]
Values = npt.NDArray[np.float64]

# Default name of the first objective; the other ones of a search have their own.
HONEST = "honest"

# Figure of degenerate points: the share of users, or of queries, whose list is nearly random; see
# `Evaluation.is_degenerate`.
DEGENERATE = "degenerate_share"

# Intervals of points rank nothing; 1,000 resamples place their ends to about a tenth of the width.
_RESAMPLES = 1_000


# Measures that are better the lower they are: their values per user are gains, see `Objective`.
_LOWER_IS_BETTER = ("rmse", "mae")


def as_gain(figure: str, value: float) -> float:
    """Return the value of a figure such that larger is better: minus an error.

    Examples
    --------
    >>> as_gain("validation_rmse", 0.9), as_gain("validation_ndcg@10", 0.9)
    (-0.9, 0.9)
    """
    return -value if figure.rpartition("_")[2] in _LOWER_IS_BETTER else value


class BoundObjective(Protocol):
    """An objective on one split, prepared once and used for all points.

    Parameters
    ----------
    objective : Objective
    ground_truths : tuple of GroundTruth
        The users whose lists it needs, each longer than the objective's `k`; objectives with equal
        ones share lists.
    """

    @property
    def objective(self) -> "Objective":
        """The objective."""

    @property
    def ground_truths(self) -> tuple[GroundTruth, ...]:
        """The users whose lists it needs."""

    def figures(
        self, model: Recommender, lists: Sequence[Ranked], engine: Engine
    ) -> tuple[dict[str, float], Values]:
        """Return the figures of a model by its lists for `ground_truths`, and a value per user."""


@dataclass(frozen=True, kw_only=True)
class Objective(ABC):
    """How to score a point: metric, list length, held-out part.

    Parameters
    ----------
    name : str
        Shown to people, and prefix in the ledger.
    metric : str
        A metric of `alsolike.evaluation.metrics.evaluate` with a value per user.
    k : int
        Length of the lists, at least 1.
    choose : {"validation", "test"}
        The held-out part that the best point is chosen on.

    Raises
    ------
    SettingError
        A setting is out of its range.
    """

    kind: ClassVar[str]
    # Whether it asks users of whom training has seen nothing; one split serves one of both kinds.
    is_of_unseen_users: ClassVar[bool] = False
    metrics: ClassVar[tuple[str, ...]]
    # Metrics that nothing can be chosen by, and why.
    unfit: ClassVar[Mapping[str, str]] = {}

    name: str = HONEST
    metric: str = "precision"
    k: int = 10
    choose: HeldOut = "validation"

    def __post_init__(self) -> None:
        if self.metric not in self.metrics:
            why = self.unfit.get(str(self.metric))
            hint = f" {why}" if why else did_you_mean(self.metric, self.metrics)
            raise SettingError(
                f"The {self.kind} objective has the metrics {', '.join(self.metrics)}, not "
                f"{self.metric!r}.{hint}"
            )
        check_whole("k", self.k, least=1)
        if self.choose not in get_args(HeldOut):
            raise SettingError(
                f"The best is chosen on 'validation' or on 'test', not on {self.choose!r}."
            )

    @property
    def column(self) -> str:
        """The metric with its length, as an `Evaluation` has it: ``"precision@10"``."""
        return self.metric if self.metric == "auc" else f"{self.metric}@{self.k}"

    @property
    def measure(self) -> str:
        """The same, distinct from the measures of other objectives."""
        return self.column

    @property
    def score(self) -> str:
        """The figure to maximise, such as ``"validation_precision@10"``."""
        return f"{self.choose}_{self.measure}"

    @property
    def interval(self) -> tuple[str, str, str]:
        """The names of the score and of both ends of its interval."""
        return self.score, f"{self.score}_low", f"{self.score}_high"

    @property
    @abstractmethod
    def figures(self) -> tuple[str, ...]:
        """The names of all figures of a point, in order."""

    @abstractmethod
    def bind(self, split: Split, shown: Interactions, seed: int) -> BoundObjective:
        """Prepare the scoring on one split.

        Parameters
        ----------
        split : Split
        shown : Interactions
            ``split.shown()``, the same object for all objectives, which share lists by it.
        seed : int
            Seed of the resamples.
        """

    def of_gain(self, gain: float) -> float:
        """Return the figure that a mean of values per user stands for."""
        return gain

    def held_out(self, split: Split) -> tuple[Interactions, Rows]:
        """Return the part to choose on and the rows of its users; SplitError if it has none."""
        if self.choose == "validation":
            held_out, users = split.validation, split.validation_users
        else:
            held_out, users = split.test, split.test_users
        if not users.size:
            raise SplitError(
                f"The best cannot be chosen on {self.choose}: this split has no {self.choose} "
                "users. Make the split with some, or choose on the other part."
            )
        return held_out, users

    def left_out(self, split: Split) -> str:
        """Describe the users that cannot be scored, if any; SplitError if none can."""
        self.held_out(split)
        return ""

    def to_settings(self) -> dict[str, Any]:
        """Return all settings as plain values."""
        return asdict(self)


def point_resamples(n_users: int, seed: int) -> Resamples:
    """Return resamples that are the same for all points of a training."""
    return Resamples(n_users, np.random.default_rng(seed), resamples=_RESAMPLES)


def degenerate_mark(found: Evaluation) -> dict[str, float]:
    """Return the figure that marks a degenerate point, or nothing."""
    return {DEGENERATE: found.degenerate_share} if found.is_degenerate else {}
