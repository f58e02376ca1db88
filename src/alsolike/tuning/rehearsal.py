"""What is done before anything is timed: code is compiled, and the lines to beat tried in small."""

import time
from collections.abc import Collection, Iterable, Mapping, Sequence

import numpy as np
import scipy.sparse as sp

from alsolike.data.interactions import Interactions
from alsolike.data.split import Split
from alsolike.data.splitting import hold_out
from alsolike.engines.base import Engine
from alsolike.engines.local import LocalEngine
from alsolike.evaluation.curves import Panel
from alsolike.evaluation.judging import Judge
from alsolike.kernels.batch import SMALL
from alsolike.models.als import fit
from alsolike.models.config import ALSConfig
from alsolike.models.halfsweep import may_need_float64
from alsolike.models.popularity import fit_popularity
from alsolike.tuning.candidates import Config, fit_baseline, model_of
from alsolike.tuning.plan import Plan

# Which code a training needs: its solver, whether its amounts are float64, and whether some rows
# may be solved in float64.
Kind = tuple[str, bool, bool]

# Of the items, one in so many is taken where the lines to beat are tried; never fewer than these.
_ONE_IN = 2
_FEWEST = 200

# How seconds grow with the number of items from a half to all, on three public tables: a little
# less than operations do, which are as many as their cube (EASE), or their square.
_GROWTH = {"ease": 2.7, "item-knn": 1.7}
_SCORING = 1.5


def kinds_of(configs: Iterable[Config], train: Interactions) -> set[Kind]:
    """Return which code these trainings need."""
    values = train.user_items.data
    return {
        (
            config.solver,
            config.confidence == "log",
            config.solver == "exact" and may_need_float64(values, config),
        )
        for config in configs
        if isinstance(config, ALSConfig)
    }


def compile_for(judges: Mapping[str, Judge], kinds: Collection[Kind]) -> None:
    """Have all code compiled or loaded that these trainings and judges need, on a tiny table.

    What is compiled in the first sweep that is measured would be taken for a part of each sweep.
    """
    # Some rows are longer than small systems are, and some shorter, on both sides.
    busy = np.linspace(1.0, 0.2, 3 * SMALL)
    draws = np.random.default_rng(0).random((len(busy), len(busy)))
    likes = Interactions.from_matrix(
        sp.csr_array((draws < np.outer(busy, busy)).astype(np.float32))
    )
    split, alone = hold_out(likes, k=2, share=0.3), LocalEngine(1)
    panel = Panel(split, judges, 0, alone)
    panel.point(1, fit_popularity(split.train))
    for solver, logarithmic, in_float64 in sorted(kinds):
        # More factors than small systems have, and perhaps weights that ask for float64.
        config = ALSConfig(
            factors=SMALL + 8,
            iterations=1,
            alpha=1e8 if in_float64 else 1.0,
            regularization=1e-3 if in_float64 else 1.0,
            solver="cg" if solver == "cg" else "exact",
            confidence="log" if logarithmic else "linear",
        )
        panel.point(1, fit(split.train, config, engine=alone))


def seconds_of_lines(plan: Plan, lines: Sequence[Config], engine: Engine) -> dict[str, float]:
    """Return about how many seconds each line to beat takes to be fitted and scored, by its model.

    Of each model the last configuration is tried, on half of the items.
    """
    part = _part_of(plan.split)
    share = part.train.n_items / plan.split.train.n_items
    panel = Panel(part, plan.judges, plan.seed, engine)
    found: dict[str, float] = {}
    for name, config in {model_of(one.to_settings()): one for one in lines}.items():
        began = time.perf_counter()
        model = fit_baseline(part.train, config, engine)
        fitted = time.perf_counter()
        panel.point(1, model if part.given is None else model.with_history(part.shown()))
        scored = time.perf_counter()
        found[name] = (fitted - began) / share ** _GROWTH.get(name, 1)
        found[name] += (scored - fitted) / share**_SCORING
    return found


def _part_of(split: Split) -> Split:
    """Return the split of all users and some of the items, spread evenly."""
    n_items = split.train.n_items
    step = max(min(_ONE_IN, n_items // _FEWEST), 1)
    if step == 1:
        return split
    users, items = np.arange(split.train.n_users), np.arange(0, n_items, step)
    train, validation, test = (
        part.subset(users, items) for part in (split.train, split.validation, split.test)
    )
    given = None if split.given is None else split.given.subset(users, items)
    return Split(train, validation, test, split.method, given)
