"""What is done before anything is timed: code is compiled, trainings of one go tried in small."""

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp

from alsolike.data.interactions import Interactions
from alsolike.data.splitting.split import Split
from alsolike.data.splitting.splitters import hold_out
from alsolike.engines.base import Engine
from alsolike.engines.local import LocalEngine
from alsolike.evaluation.learning_curve import Panel, with_given
from alsolike.evaluation.objectives.base import Judge
from alsolike.kernels.solver.batch import SMALL
from alsolike.models.baselines.popularity import fit_popularity
from alsolike.models.fit import fit
from alsolike.models.registry import family_named, family_of
from alsolike.models.settings import Config
from alsolike.tuning.trial_plan import Plan

# Which code a training needs: its family, and what `alsolike.models.family.Family.code` tells.
Kind = tuple[str, tuple[Any, ...]]

# Of the items, one in so many is taken where trainings of one go are tried; never fewer than these.
_ONE_IN = 2
_FEWEST = 200

# How seconds of scoring grow with the number of items from a half to all, on three public tables.
_SCORING = 1.5


def kinds_of(configs: Iterable[Config], train: Interactions) -> set[Kind]:
    """Return which code these trainings need."""
    wanted = ((family_of(config), config) for config in configs)
    codes = ((family.name, family.code(config, train)) for family, config in wanted)
    return {(name, code) for name, code in codes if code is not None}


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
    for name, code in sorted(kinds):
        panel.point(1, fit(split.train, family_named(name).small(code), engine=alone))


def seconds_of_lines(plan: Plan, lines: Sequence[Config], engine: Engine) -> dict[str, float]:
    """Return about how many seconds trainings of one go take with their scores, by families.

    Of each family the last configuration is tried, on half of the items.
    """
    part = _part_of(plan.split)
    share = part.train.n_items / plan.split.train.n_items
    panel = Panel(part, plan.judges, plan.seed, engine)
    found: dict[str, float] = {}
    for family, config in {family_of(one): one for one in lines}.items():
        began = time.perf_counter()
        model = fit(part.train, config, engine=engine)
        fitted = time.perf_counter()
        panel.point(1, with_given(model, part, engine))
        scored = time.perf_counter()
        found[family.name] = (fitted - began) / share**family.growth
        found[family.name] += (scored - fitted) / share**_SCORING
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
