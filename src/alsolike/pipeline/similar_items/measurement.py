"""Trains each contestant on folds without the asking users, and measures all marks of its dial."""

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

    def key(self, contestant: Contestant, fold: Fold) -> dict[str, Any]:
        """Return all that a measurement depends on."""
        return {
            "contestant": contestant.key,
            "data": fold.train.fingerprint,
            "seed": self.seed,
            "pages": [len(fold.validation.items), len(fold.test.items)],
            "min_count": fold.test.min_count,
            "metrics": list(self.metrics),
            "k": self.k,
            "marks": list(self.marks),
            "strengths": list(STRENGTHS),
            "features": None if self.features is None else self.features.fingerprint,
            "folds": len(self.folds),
            "is_first": self.is_first(fold),
            "versions": [version(package) for package in _DEPEND_ON],
        }


@dataclass(frozen=True, eq=False)
class Measured:
    """The similar items of one contestant at all marks, with the users of all folds pooled.

    Parameters
    ----------
    contestant : Contestant
    configs : tuple of SimilarityConfig or None
        What was tried at each mark; ``(None,)`` without a dial.
    marks : tuple of float or None
        ``(None,)`` without a dial.
    validation : float64, (n_configs, n_marks, n_validation_users)
        The metric of the choice.
    test : mapping of str to float64, (n_configs, n_marks, n_test_users)
        By the metric's name; NaN at configurations that were not measured.
    facts : mapping of str to float64, (n_configs, n_marks)
        Of `FACTS`; NaN where not measured.
    classes : mapping of str to float64, (n_configs, n_marks, n_test_users)
        Precision by class of the items that are asked about; NaN for users without such a query.
    """

    contestant: Contestant
    configs: tuple[SimilarityConfig | None, ...]
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

    Returns None if its models compare no items.

    Raises
    ------
    FitError
        A training failed.
    """
    found = []
    for fold in folds:
        key = how.key(contestant, fold)
        arrays = store.get(key)
        if arrays is None:
            arrays = _measured_on(contestant, fold, how, engine)
            store.put(key, arrays)
        found.append(arrays)
    return _pooled(contestant, found, how) if found[0] else None


def best_config(validation: Values) -> int:
    """Return the place of the settings whose best mark is the best; of equal ones, the first.

    `validation` are values per user, (n_configs, n_marks, n_users).
    """
    return int(np.argmax(rounded_means(validation).max(axis=1)))


def rounded_means(validation: Values) -> Values:
    """Return the means over users, (n_configs, n_marks), rounded so that equal hits tie."""
    means: Values = np.round(validation.mean(axis=2), _DECIMALS)
    return means


def _measured_on(contestant: Contestant, fold: Fold, how: Measuring, engine: Engine) -> Arrays:
    """Return the measurements on one fold as arrays; none if the model compares no items."""
    model = contestant.trained(fold.train, engine)
    if not compares_items(model):
        return {}
    configs = _configs(model)

    def dial(place: int, part: Part, metrics: Sequence[str]) -> Dial:
        return evaluate_dial(
            [model],
            [fold],
            part,
            k=how.k,
            marks=how.marks_of(contestant),
            similarity=configs[place],
            metrics=metrics,
            choose_by=how.metric,
            spread=part == "test" and how.is_first(fold),
            features=how.features if part == "test" and how.is_first(fold) else None,
            engine=engine,
        )

    places = range(len(configs))
    validation = [dial(place, "validation", [how.metric]) for place in places]
    values = np.array(
        [[one.per_user[how.measure] for one in each.evaluations] for each in validation]
    )
    # With several folds, the best settings are known only after the last one.
    wanted = places if len(how.folds) > 1 else [best_config(values)]
    test = {place: dial(place, "test", how.metrics) for place in wanted}
    return {
        "strengths": np.array([np.nan if c is None else c.prior_strength for c in configs]),
        "marks": np.array(validation[0].marks, dtype=np.float64),
        "validation users": validation[0].evaluations[0].user_indices,
        "validation": values,
        **_of_test(test, len(configs), how),
    }


def _configs(model: Any) -> list[SimilarityConfig | None]:
    """Return the settings to try at each mark; None for a model without a dial."""
    if not isinstance(model, HasAffinities):
        return [None]
    first = model.affinities[0]
    strengths = STRENGTHS if first == "evidence" else (USUAL_SIMILARITY.prior_strength,)
    return [SimilarityConfig(affinity=first, prior_strength=one) for one in strengths]


def _of_test(test: Mapping[int, Dial], n_configs: int, how: Measuring) -> dict[str, Any]:
    """Return the evaluations of test users, by the place of the settings, as arrays."""
    some = next(iter(test.values())).evaluations
    users, shape = some[0].user_indices, (n_configs, len(some))
    by_user = [*(f"test {name}" for name in how.metrics), *(f"class {name}" for name in CLASSES)]
    found = {name: np.full((*shape, len(users)), np.nan) for name in by_user}
    found |= {f"fact {name}": np.full(shape, np.nan) for name in FACTS}
    for place, dial in test.items():
        for mark, one in enumerate(dial.evaluations):
            for name in how.metrics:
                found[f"test {name}"][place, mark] = one.per_user[f"{name}@{how.k}"]
            for name, of_class in one.class_values.items():
                at = np.searchsorted(users, of_class.users)
                found[f"class {name}"][place, mark, at] = of_class.values
            for name, value in _facts(one).items():
                found[f"fact {name}"][place, mark] = value
    return {"test users": users, **found}


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
    marks = tuple(first["marks"].tolist()) or (None,)
    configs = tuple(
        None if np.isnan(one) else SimilarityConfig(prior_strength=one)
        for one in first["strengths"].tolist()
    )

    def users_of(name: str, users: str) -> Values:
        return _user_means([one[name] for one in folds], [one[users] for one in folds])

    return Measured(
        contestant,
        configs,
        marks,
        users_of("validation", "validation users"),
        {name: users_of(f"test {name}", "test users") for name in how.metrics},
        {name: first[f"fact {name}"] for name in FACTS},
        {name: users_of(f"class {name}", "test users") for name in CLASSES},
    )


def _user_means(values: Sequence[Values], users: Sequence[Users]) -> Values:
    """Return the mean of each user over the folds with a value, (..., n_distinct_users)."""
    distinct, places = np.unique(np.concatenate(users), return_inverse=True)
    sums = np.zeros((*values[0].shape[:-1], len(distinct)))
    counts = np.zeros_like(sums)
    first = 0
    for own in values:
        at = places[first : first + own.shape[-1]]
        known = ~np.isnan(own)
        sums[..., at] += np.where(known, own, 0.0)
        counts[..., at] += known
        first += own.shape[-1]
    means: Values = np.divide(sums, counts, out=np.full_like(sums, np.nan), where=counts > 0)
    return means
