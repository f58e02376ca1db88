"""Base classes of objectives: a kind of score, and that score on one split."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
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
from alsolike.models.base import Recommender
from alsolike.recommending.ranking.scan import Ranked
from alsolike.suggestions import did_you_mean

HeldOut = Literal["validation", "test"]
Rows = npt.NDArray[np.int64]
Values = npt.NDArray[np.float64]

# The name of the judge that ranks, where nothing is said; the others of a search have their own.
HONEST = "honest"

# The figure that degenerate points have beside those of their judge: the share of users, or of
# queries, whose list says next to nothing; see `Evaluation.is_degenerate`.
DEGENERATE = "degenerate_share"

# Intervals of points rank nothing; 1,000 resamples place their ends to about a tenth of the width.
_RESAMPLES = 1_000


class BoundObjective(Protocol):
    """A judge on one split: prepared once, for one point after another.

    Parameters
    ----------
    judge : Judge
    ground_truths : tuple of GroundTruth
        Whose lists it needs, each at least as long as the judge's `k`; judges who ask alike share
        them.
    """

    @property
    def objective(self) -> "Objective":
        """The judge."""

    @property
    def ground_truths(self) -> tuple[GroundTruth, ...]:
        """The users whose lists it needs."""

    def figures(
        self, model: Recommender, lists: Sequence[Ranked], engine: Engine
    ) -> tuple[dict[str, float], Values]:
        """Return the judge's figures for one model, from the lists that answer its truth.

        With `DEGENERATE` where it is degenerate; and the value of each user.
        """


@dataclass(frozen=True, kw_only=True)
class Objective(ABC):
    """One way to score a point: the metric, its users, with or without seen items.

    Parameters
    ----------
    name : str
        For people and as a prefix in the ledger.
    metric : str
        A metric of `alsolike.evaluation.metrics.evaluate` that each user has a value of.
    k : int
        Length of what is shown, at least 1.
    exclude_seen : bool
        Leave out what a user has in training already (False: the article's way).
    choose : {"validation", "test"}
        The held-out part that the best point is chosen on.

    Raises
    ------
    SettingError
        A setting is out of its range.
    """

    kind: ClassVar[str]
    metrics: ClassVar[tuple[str, ...]]

    name: str = HONEST
    metric: str = "precision"
    k: int = 10
    exclude_seen: bool = True
    choose: HeldOut = "validation"

    def __post_init__(self) -> None:
        if self.metric not in self.metrics:
            raise SettingError(
                f"{self.kind.capitalize()} are evaluate_queries by {', '.join(self.metrics)}, not by "
                f"{self.metric!r}.{did_you_mean(self.metric, self.metrics)}"
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
        """The same, distinct from the measures of other kinds."""
        return self.column

    @property
    def score(self) -> str:
        """The figure that ranks, such as ``"validation_precision@10"``."""
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
            ``split.shown()``, the same for all judges: who ask alike are found by it.
        seed : int
            Of the resamples.
        """

    def held_out(self, split: Split) -> tuple[Interactions, Rows]:
        """Return the part that is chosen on and the rows of its users.

        Raises
        ------
        SplitError
            The split has no such users.
        """
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
        """Describe the users that it cannot measure; empty where there are none.

        Raises
        ------
        SplitError
            It can ask nobody.
        """
        self.held_out(split)
        return ""

    def to_settings(self) -> dict[str, Any]:
        """Return all settings as plain values; ``"kind"`` names the kind where it is not lists."""
        return asdict(self)


def point_resamples(n_users: int, seed: int) -> Resamples:
    """Return draws that are the same for each point: two points do not differ by their draw."""
    return Resamples(n_users, np.random.default_rng(seed), resamples=_RESAMPLES)


def degenerate_mark(found: Evaluation) -> dict[str, float]:
    """Return the mark of a degenerate point among its figures, or nothing."""
    return {DEGENERATE: found.degenerate_share} if found.is_degenerate else {}


def describe_seen(exclude_seen: bool) -> str:
    """Return in words whether the seen items were left out."""
    return f"seen items {'excluded' if exclude_seen else 'kept'}"
