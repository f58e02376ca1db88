"""Defines whole searches by name: filter, split, search space and objective."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from alsolike.data.interactions import Interactions
from alsolike.errors import DataError, SettingError
from alsolike.evaluation.objectives.base import Objective
from alsolike.evaluation.objectives.item_to_item import ItemToItemObjective
from alsolike.evaluation.objectives.ranking import RankingObjective
from alsolike.evaluation.objectives.ratings import RATINGS, RatingsObjective
from alsolike.models.als.config import ALSConfig, sweep_operations, unobserved_weight_of
from alsolike.models.values import forms_to_try
from alsolike.tuning.strategies.search_space import Space, expand
from alsolike.usage_hints import did_you_mean

# The share of values at either end that is ignored: one odd row of a billionth must not set the
# unit of all others, and a few likes given twice are likes all the same.
_ODD = 0.01

# The kinds of objectives as ledgers name them; earlier versions took these names as options, too.
_KINDS = {"ranking": "lists", "item-to-item": "shelves", RATINGS: RATINGS}


# Where a search by growth begins.
_FIRST_FACTORS = 64
# Multiply-adds of the largest sweep: some seconds on two cores, and a minute.
_QUICK_OPERATIONS = 2.5e11
_THOROUGH_OPERATIONS = 5e12


@dataclass(frozen=True, kw_only=True)
class Growth:
    """Options of a search by growth, see `alsolike.tuning.strategies.factor_growth`."""

    most: int
    kept: int = 1
    neighbours: tuple[Mapping[str, float], ...] = ()


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
    objective : {"ranking", "item-to-item", "ratings"}
        Whether validation users score lists of recommendations, similar items or predicted ratings.
    k, metric, exclude_seen
        As in `alsolike.evaluation.objectives.ranking.RankingObjective`; similar items know no seen
        items.
    beside : tuple of Objective
        Further ways to score and to choose, from the same trainings.
    search : str
        The strategy, see `alsolike.tuning.strategies.by_name`.
    growth : Growth or None
        Of a search by growth.
    patience : int or None
        Scores without improvement after which a training is stopped.
    thorough : bool
        Whether other families search more settings, too.
    """

    name: str
    about: str
    space: Space
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
    search: str = "grid"
    growth: Growth | None = None
    patience: int | None = None
    thorough: bool = False

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
        if kind == RATINGS:
            is_usual = self.metric == Preset.metric  # nobody asked for another
            return RatingsObjective(k=self.k, metric="rmse" if is_usual else self.metric)
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
    base=ALSConfig(confidence="scaled", regularization_exponent=0.0, start="normal"),
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
    """Return the default search, fit for the counts and values of these interactions.

    It begins with 64 factors, a grid of weights of unobserved cells and regularizations, and goes
    on with more factors while that gains. The weights are in proportion to how many cells are
    filled: the best is such that an average user's empty cells weigh a few times as much as his
    likes. Where values differ, their logarithm is tried beside likes that all count alike, in units
    of a small value of the table, so that it does not matter whether hours or seconds were counted.

    Parameters
    ----------
    interactions : Interactions
        After the filter: it changes how many cells are filled.

    Returns
    -------
    Preset

    References
    ----------
    Hu, Koren, Volinsky 2008, "Collaborative Filtering for Implicit Feedback Datasets", section 6.
    Rendle, Krichene, Zhang, Koren 2022, "Revisiting the Performance of iALS on Item Recommendation
    Benchmarks".

    Notes
    -----
    What was measured is in docs/decisions/0032-defaults.md.

    Examples
    --------
    >>> likes = Interactions.from_columns(["u1", "u1", "u2"], ["a", "b", "a"])
    >>> plays = Interactions.from_columns(["u1", "u1", "u2"], ["a", "b", "a"], [21, 900, 4])
    >>> "values" in quick_for(likes).space, quick_for(plays).space["values"]
    (False, ('binary', 'log'))
    """
    return _growing(
        interactions,
        name="quick",
        about="64 factors, then twice as many for the best while that gains",
        empty_to_filled=(1.5, 5.0, 15.0),
        regularization=(0.003, 0.01, 0.03),
        sweeps=tuple(range(1, 9)),
        patience=2,
        growth=Growth(most=_most_factors(interactions, 1024, _QUICK_OPERATIONS), kept=4),
    )


def thorough_for(interactions: Interactions) -> Preset:
    """Return the search for those who have an hour: a wider grid, more factors, neighbours.

    Examples
    --------
    >>> likes = Interactions.from_columns(["u1", "u1", "u2"], ["a", "b", "a"])
    >>> len(quick_for(likes).configs()), len(thorough_for(likes).configs())
    (9, 20)
    """
    return _growing(
        interactions,
        name="thorough",
        about="a wider grid, up to 2,048 factors, and neighbours of the best settings",
        empty_to_filled=(0.5, 1.5, 5.0, 15.0, 50.0),
        regularization=(0.001, 0.003, 0.01, 0.03),
        sweeps=tuple(range(1, 13)),
        patience=3,
        growth=Growth(
            most=_most_factors(interactions, 2048, _THOROUGH_OPERATIONS),
            kept=5,
            neighbours=(
                # Between the values of the grid, which are three times as far apart.
                {"unobserved_weight": 2.0},
                {"unobserved_weight": 0.5},
                {"regularization": 2.0},
                {"regularization": 0.5},
            ),
        ),
        thorough=True,
    )


def _growing(
    interactions: Interactions,
    *,
    empty_to_filled: Sequence[float],
    regularization: tuple[float, ...],
    **how: Any,
) -> Preset:
    """Return a search by growth; `empty_to_filled` as in `ALSConfig.for_table`."""
    values = interactions.user_items.data
    if not values.size:
        raise DataError("There are no interactions to search settings for.")
    forms = forms_to_try(values)
    weights = [unobserved_weight_of(interactions, times) for times in empty_to_filled]
    space: dict[str, tuple[Any, ...]] = {
        "unobserved_weight": tuple(dict.fromkeys(weights)),
        "regularization": regularization,
    }
    if len(forms) > 1:
        space["values"] = tuple(one.values for one in forms)
    return Preset(
        space=space,
        base=ALSConfig(factors=_FIRST_FACTORS, value_scale=forms[-1].value_scale),
        search="growth",
        **how,
    )


def _most_factors(interactions: Interactions, most: int, operations: float) -> int:
    """Return how many factors to try at most: twice the first ones, as often as a sweep allows.

    As many factors as users or items express any scores: no more than that are tried.

    Parameters
    ----------
    operations : float
        Multiply-adds of a sweep at most.
    """
    factors, enough = _FIRST_FACTORS, min(interactions.n_users, interactions.n_items)
    while factors < enough and 2 * factors <= most:
        if sweep_operations(interactions, 2 * factors) > operations:
            break
        factors *= 2
    return factors


PRESETS: Mapping[str, Callable[[Interactions], Preset]] = {
    "quick": quick_for,
    "thorough": thorough_for,
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
