"""Measures what a report shows on the test users of each fold, after the choice."""

from dataclasses import replace
from typing import Any

import numpy as np

from alsolike.engines.base import Engine
from alsolike.evaluation.item_to_item.dial import Dial
from alsolike.evaluation.item_to_item.evaluate import (
    ItemToItemEvaluation,
    evaluate_item_to_item,
)
from alsolike.evaluation.item_to_item.item_recommender import item_recommender_of
from alsolike.evaluation.item_to_item.source_classes import CLASSES
from alsolike.evaluation.item_to_item.unseen_users import Fold
from alsolike.models.protocols import HasAffinities
from alsolike.pipeline.similar_items.measurement import (
    FACTS,
    Measured,
    Measuring,
    dial_of_model,
    users_of,
)
from alsolike.pipeline.similar_items.store import Arrays, MeasurementStore


def measure_test(
    measured: Measured,
    how: Measuring,
    store: MeasurementStore,
    engine: Engine,
    *,
    spread_at: int,
) -> Measured:
    """Return a measurement with that of the test users of the same folds.

    The models are trained again, since those of all finalists may not fit into memory together.

    Parameters
    ----------
    measured : Measured
        From `measure`.
    how, store, engine
        As of `measure`.
    spread_at : int
        The place of the mark at which the lists beside all items are looked at; with features, at
        all marks.
    """
    contestant, mark = measured.contestant, measured.marks[spread_at]
    strength = None if measured.config is None else measured.config.prior_strength
    found: list[Arrays] = []
    for fold in how.folds[: measured.folds]:
        key = how.key(contestant, fold, strength, "test", mark)
        arrays = store.get(key)
        if arrays is None:
            arrays = _tested_on(measured, fold, how, engine, spread_at)
            store.put(key, arrays)
        found.append(arrays)
    return replace(
        measured,
        test={name: users_of(found, f"test {name}", "test users") for name in how.metrics},
        facts={name: found[0][f"fact {name}"] for name in FACTS},
        classes={name: users_of(found, f"class {name}", "test users") for name in CLASSES},
    )


def _tested_on(
    measured: Measured, fold: Fold, how: Measuring, engine: Engine, spread_at: int
) -> Arrays:
    """Return the measurements of test users on one fold as arrays."""
    contestant, config = measured.contestant, measured.config
    model = contestant.trained(fold.train, engine)
    if config is not None and isinstance(model, HasAffinities):
        config = replace(config, affinity=model.affinities[0])
    is_spread = how.is_first(fold)
    everywhere = is_spread and how.features is not None
    dial = dial_of_model(
        model, contestant, fold, "test", how, config, engine, spread=everywhere,
        features=how.features if everywhere else None,
    )  # fmt: skip
    found = _of_test(dial, how)
    if is_spread and not everywhere:
        mark = measured.marks[spread_at]
        if config is not None and mark is not None:
            config = replace(config, popularity_bias=mark)
        # At one mark alone, most products need not be made.
        recommender = item_recommender_of(model, fold.train, similarity=config, engine=engine)
        alone = evaluate_item_to_item(
            [recommender], [fold], "test", k=how.k, metrics=[how.metric], spread=True
        )
        for name, value in _facts(alone).items():
            found[f"fact {name}"][spread_at] = value
    return found


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
