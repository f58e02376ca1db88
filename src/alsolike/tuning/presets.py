"""Defines whole searches by name: filter, split, search space and objective."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from alsolike.data.interactions import Interactions
from alsolike.errors import DataError, SettingError
from alsolike.evaluation.objectives.base import Objective
from alsolike.evaluation.objectives.item_to_item import ItemToItemObjective
from alsolike.evaluation.objectives.ranking import RankingObjective
from alsolike.models.als.config import ALSConfig
from alsolike.tuning.strategies.search_space import expand
from alsolike.usage_hints import did_you_mean

# The share of values at either end that is ignored: one odd row of a billionth must not set the
# unit of all others, and a few likes given twice are likes all the same.
_ODD = 0.01

# The kinds of objectives as ledgers name them; earlier versions took these names as options, too.
_KINDS = {"ranking": "lists", "item-to-item": "shelves"}


@dataclass(frozen=True, kw_only=True)
class Preset:
    """Everything that a search needs besides the data.

    Parameters
    ----------
    name, about : str
        For people.
    space : mapping of str to tuple
        What to try, see `alsolike.tuning.strategies.search_space.expand`.
    base : ALSConfig
        All other settings.
    sweeps : tuple of int
        Where each training is scored.
    min_per_user, min_per_item : int
        The filter before the split.
    held_out : int
        Items held out per held-out user.
    share, validation_share : float or None
        Test and validation users as shares of all users, see
        `alsolike.data.splitting.splitters.hold_out`.
    objective : {"ranking", "item-to-item"}
        Whether validation users score lists of recommendations or similar items.
    k, metric, exclude_seen
        As in `alsolike.evaluation.objectives.ranking.RankingObjective`; similar items know no seen
        items.
    beside : tuple of Objective
        Further ways to score and to choose, from the same trainings.
    """

    name: str
    about: str
    space: Mapping[str, tuple[Any, ...]]
    base: ALSConfig
    sweeps: tuple[int, ...]
    min_per_user: int = 5
    min_per_item: int = 5
    held_out: int = 5
    share: float | None = None
    validation_share: float | None = None
    objective: str = "ranking"
    k: int = 10
    metric: str = "precision"
    exclude_seen: bool = True
    beside: tuple[Objective, ...] = ()

    def ranking(self, seed: int = 0) -> Objective:
        """Return the objective that ranks; `seed` draws the queries of item-to-item.

        Raises
        ------
        SettingError
            The objective is unknown, or one of its settings is out of range.
        """
        kind = _KINDS.get(self.objective, self.objective)
        if kind not in _KINDS.values():
            raise SettingError(
                f"objective must be {' or '.join(_KINDS)}, not {self.objective!r}."
                f"{did_you_mean(self.objective, _KINDS)}"
            )
        if kind == _KINDS["item-to-item"]:
            return ItemToItemObjective(k=self.k, metric=self.metric, seed=seed)
        return RankingObjective(k=self.k, metric=self.metric, exclude_seen=self.exclude_seen)

    def configs(self) -> list[ALSConfig]:
        """Return the configurations to try."""
        return expand(self.space, self.base)


ARTICLE = Preset(
    name="article",
    about="the founding article's 180 runs as it ran them, and an honest choice among them",
    space={
        "factors": (10, 20, 40, 80, 120),
        "regularization": (0.0, 1e-5, 1e-3, 1e-1, 1e1, 1e3),
        "alpha": (1, 10, 50, 100, 500, 1000),
    },
    base=ALSConfig(confidence="scaled", start="normal"),
    sweeps=tuple(range(2, 40, 2)),
    share=0.2,
    k=5,
    beside=(RankingObjective(name="the article's", k=5, exclude_seen=False, choose="test"),),
)
"""The grid of the founding article.

Each of the 180 trainings is scored twice at each of the 19 sweeps: as the article did, with seen
items kept and the best chosen on the test users themselves, and honestly, with seen items left out
and the best chosen on validation users. These are held out beside the article's test users, so
training has that much less than the article's had.
"""


def quick_for(interactions: Interactions) -> Preset:
    """Return the default search, fit for the values of these interactions.

    Where (nearly) all values are equal, there is little in them, and the confidence is linear.
    Counts and amounts span orders of magnitude: there it is the logarithm of Hu et al. 2008
    (section 6), in units of a small value of the table, so that it does not matter whether hours
    or seconds were counted.

    Parameters
    ----------
    interactions : Interactions
        Before or after the filter.

    Returns
    -------
    Preset

    References
    ----------
    Hu, Koren, Volinsky 2008, "Collaborative Filtering for Implicit Feedback Datasets".

    Notes
    -----
    The values to try are those around what won, by precision@10 on validation users with seen
    items left out (filter 5 and 5, 5 items held out, seed 0; popularity in brackets):

    ====================== ============================= ============== ===================
    Last.fm, play counts   log, alpha 1, lambda 30       64 factors     .141 (.046)
    Last.fm, counts as 1   linear, alpha 10, lambda 30   64 factors     .143 (.046)
    Steam, hours           log, alpha 1, lambda 30       64 factors     .139 (.091)
    Steam, hours           scaled, alpha 1, lambda 10    32 factors     .102 (.091)
    Steam, hours as 1      linear, alpha 3, lambda 30    32 factors     .139 (.091)
    Gowalla, 5 % of users  linear, alpha 30, lambda 10   64 factors     .049
    ====================== ============================= ============== ===================

    Their intervals are about .01 to either side on the first two data, .004 on the third.

    Examples
    --------
    >>> likes = Interactions.from_columns(["u1", "u1", "u2"], ["a", "b", "a"])
    >>> plays = Interactions.from_columns(["u1", "u1", "u2"], ["a", "b", "a"], [21, 900, 4])
    >>> quick_for(likes).base.confidence, quick_for(plays).base.confidence
    ('linear', 'log')
    """
    values = np.abs(interactions.user_items.data)
    if not values.size:
        raise DataError("There are no interactions to search settings for.")
    small, large = map(float, np.quantile(values, (_ODD, 1 - _ODD), method="nearest"))
    alphas: tuple[float, ...]
    if small == large:
        base, alphas = ALSConfig(confidence="linear"), (1.0, 4.0, 16.0, 64.0)
    else:
        # Six digits: the float32 nearest to 0.1 is to be shown as 0.1.
        unit = float(f"{small:.6g}")
        base, alphas = ALSConfig(confidence="log", epsilon=unit), (1.0, 3.0, 10.0)
    return Preset(
        name="quick",
        about="a dozen runs around what did well on real data",
        space={"factors": (32, 64), "regularization": (10.0, 30.0), "alpha": alphas},
        base=base,
        sweeps=tuple(range(2, 18, 2)),
    )


PRESETS: Mapping[str, Callable[[Interactions], Preset]] = {
    "quick": quick_for,
    "article": lambda _: ARTICLE,
}


def preset_for(name: str, interactions: Interactions) -> Preset:
    """Return a preset by name, fit for these interactions.

    Raises
    ------
    SettingError
        There is no preset of that name.

    Examples
    --------
    >>> preset_for("article", Interactions.from_columns(["u1"], ["a"])).space["factors"]
    (10, 20, 40, 80, 120)
    """
    if name not in PRESETS:
        raise SettingError(
            f"There is no preset {name!r}; known are {', '.join(sorted(PRESETS))}."
            f"{did_you_mean(name, PRESETS)}"
        )
    return PRESETS[name](interactions)
