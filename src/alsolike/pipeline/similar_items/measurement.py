"""Trains each contestant on folds without the asking users, and measures all marks of its dial."""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
import numpy.typing as npt

from alsolike.engines.base import Engine
from alsolike.evaluation.item_to_item.agreement import Features
from alsolike.evaluation.item_to_item.dial import Dial, evaluate_dial
from alsolike.evaluation.item_to_item.evaluate import ItemToItemEvaluation
from alsolike.evaluation.item_to_item.source_classes import CLASSES
from alsolike.evaluation.item_to_item.unseen_users import Fold, Part
from alsolike.models.base import HasAffinities, compares_items
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
    features : Features or None
        By which agreement is measured.
    popularity_bias : float or None
        A mark that is measured in addition to the usual ones.
    """

    folds: Sequence[Fold]
    metric: str = "precision"
    k: int = 10
    seed: int = 0
    features: Features | None = None
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

    def key(self, contestant: Contestant, fold: Fold, strength: float | None) -> dict[str, Any]:
        """Return all that a measurement depends on."""
        return {
            "contestant": contestant.key,
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
    test : mapping of str to float64, (n_marks, n_test_users)
        By the metric's name.
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
    test: Mapping[str, Values]
    facts: Mapping[str, Values]
    classes: Mapping[str, Values]


def measure(
    contestant: Contestant,
    folds: Sequence[Fold],
    how: Measuring,
    store: MeasurementStore,
    engine: Engine,
) -> Measured | None:
    """Train a contestant on folds of `how` and measure it; what is stored is not done again.

    `folds` begin with the first one, on which the prior strength of evidence is chosen.

    Returns None if its models compare no items.

    Raises
    ------
    FitError
        A training failed.
    """
    found: list[Arrays] = []
    strength = None
    for fold in folds:
        key = how.key(contestant, fold, strength)
        arrays = store.get(key)
        if arrays is None:
            arrays = _measured_on(contestant, fold, how, engine, strength)
            store.put(key, arrays)
        if not arrays:
            return None
        strength = _strength_of(arrays)
        found.append(arrays)
    return _pooled(contestant, found, how)


def rounded_means(validation: Values) -> Values:
    """Return the means over users, (n_marks,), rounded so that equal hits tie."""
    means: Values = np.round(validation.mean(axis=1), _DECIMALS)
    return means


def _measured_on(
    contestant: Contestant, fold: Fold, how: Measuring, engine: Engine, strength: float | None
) -> Arrays:
    """Return the measurements on one fold as arrays; none if the model compares no items."""
    model = contestant.trained(fold.train, engine)
    if not compares_items(model):
        return {}

    def dial(config: SimilarityConfig | None, part: Part, metrics: Sequence[str]) -> Dial:
        is_spread = part == "test" and how.is_first(fold)
        return evaluate_dial(
            [model],
            [fold],
            part,
            k=how.k,
            marks=how.marks_of(contestant),
            similarity=config,
            metrics=metrics,
            choose_by=how.metric,
            spread=is_spread,
            features=how.features if is_spread else None,
            engine=engine,
        )

    tried = [(config, dial(config, "validation", [how.metric]))
             for config in _configs(model, strength)]  # fmt: skip
    # Of equal ones the first.
    config, validation = max(tried, key=lambda one: round(max(one[1].values), _DECIMALS))
    return {
        "strength": np.array(np.nan if config is None else config.prior_strength),
        "strengths": np.array(len(tried)),
        "marks": np.array(validation.marks, dtype=np.float64),
        "validation users": validation.evaluations[0].user_indices,
        "validation": np.array([one.per_user[how.measure] for one in validation.evaluations]),
        **_of_test(dial(config, "test", how.metrics), how),
    }


def _configs(model: Any, strength: float | None) -> list[SimilarityConfig | None]:
    """Return the settings to try at each mark; None for a model without a dial."""
    if not isinstance(model, HasAffinities):
        return [None]
    first = model.affinities[0]
    strengths: tuple[float, ...] = (USUAL_SIMILARITY.prior_strength,)
    if first == "evidence":
        strengths = STRENGTHS if strength is None else (strength,)
    return [SimilarityConfig(affinity=first, prior_strength=one) for one in strengths]


def _of_test(dial: Dial, how: Measuring) -> dict[str, Any]:
    """Return the evaluations of test users as arrays."""
    marks, users = dial.evaluations, dial.evaluations[0].user_indices
    found: dict[str, Any] = {"test users": users}
    for name in how.metrics:
        found[f"test {name}"] = np.array([one.per_user[f"{name}@{how.k}"] for one in marks])
    for name in CLASSES:
        found[f"class {name}"] = np.full((len(marks), len(users)), np.nan)
    for name in FACTS:
        found[f"fact {name}"] = np.full(len(marks), np.nan)
    for at, one in enumerate(marks):
        for name, of_class in one.class_values.items():
            found[f"class {name}"][at, np.searchsorted(users, of_class.users)] = of_class.values
        for name, value in _facts(one).items():
            found[f"fact {name}"][at] = value
    return found


def _facts(one: ItemToItemEvaluation) -> dict[str, float]:
    """Return what is known of the lists besides the values of users, by the names of `FACTS`."""
    found = {
        "share_shown": one.share_shown,
        "median_likes": one.median_likes,
        "degenerate_share": one.degenerate_share,
    }
    agreement = None if one.shown is None else one.shown.agreement
    if agreement is not None:
        found |= {
            "agreement": agreement.mean,
            "agreement_floor": agreement.floor,
            "agreement_ceiling": agreement.ceiling,
            "sources_without": agreement.sources_without,
            "shown_without": agreement.shown_without,
        }
    return {name: value for name, value in found.items() if value is not None}


def _pooled(contestant: Contestant, folds: Sequence[Arrays], how: Measuring) -> Measured:
    """Return the measurements of all folds as one; a user's value is the mean over folds."""
    first = folds[0]
    strength = _strength_of(first)

    def users_of(name: str, users: str) -> Values:
        return _user_means([one[name] for one in folds], [one[users] for one in folds])

    return Measured(
        contestant,
        None if strength is None else SimilarityConfig(prior_strength=strength),
        int(first["strengths"]),
        tuple(first["marks"].tolist()) or (None,),
        users_of("validation", "validation users"),
        {name: users_of(f"test {name}", "test users") for name in how.metrics},
        {name: first[f"fact {name}"] for name in FACTS},
        {name: users_of(f"class {name}", "test users") for name in CLASSES},
    )


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
