"""Compiles all code that trainings need, before anything is timed."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import numpy as np
import scipy.sparse as sp

from alsolike.data.interactions import Interactions
from alsolike.data.splitting.splitters import hold_out
from alsolike.data.splitting.unseen_users import hold_out_unseen_users
from alsolike.engines.local import LocalEngine
from alsolike.evaluation.learning_curve import Panel
from alsolike.evaluation.objectives.base import Objective
from alsolike.evaluation.objectives.ratings import RatingsObjective
from alsolike.kernels.solver.batch import SMALL
from alsolike.models.baselines.popularity import fit_popularity
from alsolike.models.fit import fit
from alsolike.models.registry import family_named, family_of
from alsolike.models.settings import Config

# Code that a training needs: its family, and `alsolike.models.family.Family.code`.
Code = tuple[str, tuple[Any, ...]]


def code_of(configs: Iterable[Config], train: Interactions) -> set[Code]:
    """Return the code that these trainings need."""
    wanted = ((family_of(config), config) for config in configs)
    codes = ((family.name, family.code(config, train)) for family, config in wanted)
    return {(name, code) for name, code in codes if code is not None}


def compile_for(objectives: Mapping[str, Objective], codes: Collection[Code]) -> None:
    """Compile or load all code of trainings and objectives, by a training on a tiny table."""
    # Some rows are longer than small systems are, and some shorter, on both sides.
    busy = np.linspace(1.0, 0.2, 3 * SMALL)
    draws = np.random.default_rng(0).random((len(busy), len(busy)))
    liked = (draws < np.outer(busy, busy)).astype(np.float32)
    if any(family_named(name).predicts_ratings for name, _ in codes):  # of one value there are none
        liked *= np.where(np.arange(len(busy)) % 2 == 0, 1, 2)
    likes = Interactions.from_matrix(sp.csr_array(liked.astype(np.float32)))
    alone = LocalEngine(1)
    unseen = any(objective.is_of_unseen_users for objective in objectives.values())
    split = hold_out_unseen_users(likes) if unseen else hold_out(likes, k=2, share=0.3)
    panel = Panel(split, objectives, 0, alone)
    if not any(isinstance(objective, RatingsObjective) for objective in objectives.values()):
        panel.point(1, fit_popularity(split.train))
    for name, code in sorted(codes):
        panel.point(1, fit(split.train, family_named(name).small(code), engine=alone))
