"""Makes a search strategy from its name: growth, grid, random, tpe, halving or doubling."""

from collections.abc import Mapping, Sequence
from typing import Any

from alsolike.errors import SettingError
from alsolike.models.settings import Config
from alsolike.tuning.strategies.base import FixedList, Strategy
from alsolike.tuning.strategies.bayesian import Bayesian
from alsolike.tuning.strategies.factor_growth import FactorGrowth
from alsolike.tuning.strategies.search_space import Space, distinct, drawn, expand
from alsolike.tuning.strategies.successive_halving import FactorDoubling, Halving
from alsolike.usage_hints import did_you_mean

SEARCHES = ("doubling", "grid", "growth", "halving", "random", "tpe")
_TRIALS = 30


def strategy_of(
    name: str,
    space: Space,
    base: Config,
    *,
    trials: int | None = None,
    start: Sequence[Config] = (),
    patience: int | None = None,
    prune: bool = False,
    growth: Mapping[str, Any] | None = None,
) -> Strategy:
    """Return a search strategy by name.

    Parameters
    ----------
    name : {"growth", "grid", "random", "tpe", "halving", "doubling"}
    space : mapping of str to lists or ranges
        With `trials`, halving draws from it; without, it must be all lists.
    base : Config
        All other settings, and the seed of all draws.
    trials : int or None
        Trainings to draw; None: 30 for random and tpe.
    start : sequence of Config
        Tried first.
    patience, prune
        As of `Ending`.
    growth : mapping or None
        Further arguments of `FactorGrowth`.

    Raises
    ------
    SettingError
        The strategy is unknown, or cannot search this space.
    """
    ending: dict[str, Any] = {"patience": patience, "prune": prune}
    count = _TRIALS if trials is None else trials
    if name == "random":
        return FixedList(drawn(space, base, count, start=start), name, **ending)
    if name == "tpe":
        return Bayesian(space, base, count, start, **ending)
    if name not in SEARCHES:
        raise SettingError(
            f"There is no search {name!r}; known are {', '.join(SEARCHES)}."
            f"{did_you_mean(name, SEARCHES)}"
        )
    if trials is None:
        configs = distinct([*start, *expand(space, base)])
    elif name == "halving":
        configs = drawn(space, base, trials, start=start)
    else:
        raise SettingError(
            f"A search by {name} tries all combinations; trials does not apply to it."
        )
    if name == "grid":
        return FixedList(configs, **ending)
    if name == "growth":
        return FactorGrowth(configs, **(growth or {}), **ending)
    return Halving(configs, **ending) if name == "halving" else FactorDoubling(configs, **ending)
