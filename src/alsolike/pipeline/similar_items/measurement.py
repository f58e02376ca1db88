"""Trains each contestant on folds without the asking users, and measures all marks of its dial."""

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

import numpy as np
import numpy.typing as npt

from alsolike.engines.base import Engine
from alsolike.evaluation.item_to_item.agreement import FeatureVectors
from alsolike.evaluation.item_to_item.dial import Dial, evaluate_dial
from alsolike.evaluation.item_to_item.unseen_users import Fold, Part
from alsolike.models.protocols import HasAffinities, compares_items
from alsolike.models.similarity.config import MARKS, USUAL_SIMILARITY, SimilarityConfig
from alsolike.pipeline.similar_items.contestants import Contestant
from alsolike.pipeline.similar_items.store import Arrays, MeasurementStore

Values = npt.NDArray[np.float64]
Users = npt.NDArray[np.int64]

# Strengths of the prior that are tried for evidence.
STRENGTHS = (30.0, 100.0, 300.0, 1000.0)
# Metrics that are quoted of test users.
QUOTED = ("precision", "hit_rate", "ndcg", "p_0.5", "p_1")
# Facts of the lists beside all items, of the first fold.
FACTS = (
    "share_shown", "median_likes", "degenerate_share",
    "agreement", "agreement_floor", "agreement_ceiling", "sources_without", "shown_without",
)  # fmt: skip
_DECIMALS = 12
_DEPEND_ON = ("alsolike", "numba", "numpy", "scipy")


@dataclass(frozen=True, kw_only=True)
class Measuring:
    """How similar items are measured.

    Parameters
    ----------
    folds : sequence of Fold
    metric : str
        By which a mark, a prior strength and the winner are chosen.
    k : int
        Length of the lists.
    seed : int
        Of the folds.
    features : FeatureVectors or None
        By which agreement is measured.
    popularity_bias : float or None
        A mark that is measured in addition to the usual ones.
    """

    folds: Sequence[Fold]
    metric: str = "precision"
    k: int = 10
    seed: int = 0
    features: FeatureVectors | None = None
    popularity_bias: float | None = None

    @property
    def marks(self) -> tuple[float, ...]:
        """The marks of dials that are measured, ascending."""
        return tuple(sorted({*MARKS, *filter(None, [self.popularity_bias])}))

    def marks_of(self, contestant: Contestant) -> tuple[float, ...]:
        """Return the marks of a contestant, if its models have a dial; plain co-counts are at 1."""
        return (1.0,) if contestant.config is None else self.marks

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics of test users, that of the choice first."""
        return (self.metric, *(one for one in QUOTED if one != self.metric))

    @property
    def measure(self) -> str:
        """The metric of the choice with the length of the lists, such as ``"precision@10"``."""
        return f"{self.metric}@{self.k}"

    def is_first(self, fold: Fold) -> bool:
        """Tell whether a fold is the one on which `FACTS` are measured: these need no users."""
        return fold is self.folds[0]

    def key(
        self,
        contestant: Contestant,
        fold: Fold,
        strength: float | None,
        part: Part,
        spread_at: float | None = None,
    ) -> dict[str, Any]:
        """Return all that a measurement depends on."""
        return {
            "contestant": contestant.key,
            "part": part,
            "spread_at": spread_at,
            "strength": list(STRENGTHS) if strength is None else strength,
            "data": fold.train.fingerprint,
            "seed": self.seed,
            "pages": [len(fold.validation.items), len(fold.test.items)],
            "min_count": fold.test.min_count,
            "metrics": list(self.metrics),
            "k": self.k,
            "marks": list(self.marks),
            "features": None if self.features is None else self.features.fingerprint,
            "is_first": self.is_first(fold),
            "versions": _versions(),
        }


@functools.cache
def _versions() -> list[str]:
    return [version(package) for package in _DEPEND_ON]


@dataclass(frozen=True, eq=False, repr=False)
class Measured:
    """The similar items of one contestant at all marks, with the users of all folds pooled.

    Parameters
    ----------
    contestant : Contestant
    config : SimilarityConfig or None
        With the prior strength whose best mark is the best on the validation users of the first
        fold. None: no dial.
    strengths : int
        The number of prior strengths that were tried.
    marks : tuple of float or None
        ``(None,)`` without a dial.
    validation : float64, (n_marks, n_validation_users)
        The metric of the choice.
    folds : int
        How many it was measured on.
    test : mapping of str to float64, (n_marks, n_test_users)
        By the metric's name; empty before `measure_test`, as are facts and classes.
    facts : mapping of str to float64, (n_marks,)
        Of `FACTS`; NaN where not measured.
    classes : mapping of str to float64, (n_marks, n_test_users)
        Precision by class of the items that are asked about; NaN for users without such a query.
    """

    contestant: Contestant
    config: SimilarityConfig | None
    strengths: int
    marks: tuple[float | None, ...]
    validation: Values
    folds: int = 1
    test: Mapping[str, Values] = field(default_factory=dict)
    facts: Mapping[str, Values] = field(default_factory=dict)
    classes: Mapping[str, Values] = field(default_factory=dict)


def measure(
    contestant: Contestant,
    folds: Sequence[Fold],
    how: Measuring,
    store: MeasurementStore,
    engine: Engine,
) -> Measured | None:
    """Train a contestant on folds of `how` and measure it; what is stored is not done again.

    By the validation users. `folds` begin with the first one, on which the prior strength of
    evidence is chosen.

    Returns None if its models compare no items.

    Raises
    ------
    FitError
        A training failed.
    """
    found: list[Arrays] = []
    strength = None
    for fold in folds:
        key = how.key(contestant, fold, strength, "validation")
        arrays = store.get(key)
        if arrays is None:
            arrays = _validated_on(contestant, fold, how, engine, strength)
            store.put(key, arrays)
        if not arrays:
            return None
        strength = _strength_of(arrays)
        found.append(arrays)
    first = found[0]
    return Measured(
        contestant,
        None if strength is None else SimilarityConfig(prior_strength=strength),
        int(first["strengths"]),
        tuple(first["marks"].tolist()) or (None,),
        users_of(found, "validation", "validation users"),
        len(folds),
    )


def rounded_means(validation: Values) -> Values:
    """Return the means over users, (n_marks,), rounded so that equal hits tie."""
    means: Values = np.round(validation.mean(axis=1), _DECIMALS)
    return means


def dial_of_model(
    model: Any,
    contestant: Contestant,
    fold: Fold,
    part: Part,
    how: Measuring,
    config: SimilarityConfig | None,
    engine: Engine,
    **more: Any,
) -> Dial:
    """Evaluate a model of one fold along its dial."""
    given: dict[str, Any] = {"marks": how.marks_of(contestant), "metrics": how.metrics} | more
    return evaluate_dial(
        [model], [fold], part, k=how.k, similarity=config, choose_by=how.metric, engine=engine,
        **given,
    )  # fmt: skip


def _validated_on(
    contestant: Contestant, fold: Fold, how: Measuring, engine: Engine, strength: float | None
) -> Arrays:
    """Return the measurements on one fold as arrays; none if the model compares no items."""
    model = contestant.trained(fold.train, engine)
    if not compares_items(model):
        return {}

    def dial(config: SimilarityConfig | None) -> Dial:
        return dial_of_model(
            model, contestant, fold, "validation", how, config, engine, metrics=[how.metric]
        )

    config, validation, tried = _best_strength(model, dial, strength)
    return {
        "strength": np.array(np.nan if config is None else config.prior_strength),
        "strengths": np.array(tried),
        "marks": np.array(validation.marks, dtype=np.float64),
        "validation users": validation.evaluations[0].user_indices,
        "validation": np.array([one.per_user[how.measure] for one in validation.evaluations]),
    }


def _best_strength(
    model: Any, dial: Callable[[SimilarityConfig | None], Dial], strength: float | None
) -> tuple[SimilarityConfig | None, Dial, int]:
    """Return the best prior strength by the best mark, its dial, and how many were tried.

    From 100 on, larger ones as long as they gain, or else the smaller one.
    """
    if not isinstance(model, HasAffinities):
        return None, dial(None), 1
    affinity, usual = model.affinities[0], USUAL_SIMILARITY.prior_strength

    def at(prior: float) -> tuple[SimilarityConfig, Dial]:
        config = SimilarityConfig(affinity=affinity, prior_strength=prior)
        return config, dial(config)

    if affinity != "evidence" or strength is not None:
        return *at(usual if strength is None else strength), 1

    def value(one: tuple[SimilarityConfig, Dial]) -> float:
        return float(round(max(one[1].values), _DECIMALS))

    smaller, first, *larger = STRENGTHS
    best, tried = at(first), 1
    for prior in larger:
        other, tried = at(prior), tried + 1
        if value(other) <= value(best):
            break
        best = other
    if best[0].prior_strength == first:
        other, tried = at(smaller), tried + 1
        best = other if value(other) > value(best) else best
    return *best, tried


def users_of(folds: Sequence[Arrays], name: str, users: str) -> Values:
    """Return the values of all folds as one; a user's value is the mean over folds."""
    return _user_means([one[name] for one in folds], [one[users] for one in folds])


def _strength_of(arrays: Arrays) -> float | None:
    """Return the prior strength of stored measurements; None without a dial."""
    strength = float(arrays["strength"])
    return None if np.isnan(strength) else strength


def _user_means(values: Sequence[Values], users: Sequence[Users]) -> Values:
    """Return the mean of each user over the folds with a value, (n_marks, n_distinct_users)."""
    distinct, places = np.unique(np.concatenate(users), return_inverse=True)
    sums = np.zeros((len(values[0]), len(distinct)))
    counts = np.zeros_like(sums)
    first = 0
    for own in values:
        at = places[first : first + own.shape[1]]
        known = ~np.isnan(own)
        sums[:, at] += np.where(known, own, 0.0)
        counts[:, at] += known
        first += own.shape[1]
    means: Values = np.divide(sums, counts, out=np.full_like(sums, np.nan), where=counts > 0)
    return means
