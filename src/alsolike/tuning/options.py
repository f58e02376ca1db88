"""Options of a search within a run."""

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

from alsolike.data.interactions import Interactions
from alsolike.data.validation import check_whole
from alsolike.errors import SettingError
from alsolike.tuning.candidate_families import Lineup, lineup_for, lineup_for_ratings
from alsolike.tuning.leaderboard.leaderboard import SearchResult
from alsolike.tuning.presets import Preset
from alsolike.tuning.strategies.base import Ending, Strategy
from alsolike.tuning.strategies.by_name import strategy_of
from alsolike.usage_hints import did_you_mean, with_hints

Choice = Literal["best", "cheapest"]

_UNITS = {"s": 1, "m": 60, "h": 3600}


@with_hints
@dataclass(frozen=True, kw_only=True)
class Searching:
    """Options of a search, apart from the data and the space.

    Parameters
    ----------
    by : str or None
        ``"growth"``, ``"grid"``, ``"random"``, ``"tpe"``, ``"halving"`` or ``"doubling"``. None:
        the preset's, but a grid if numbers of factors or settings to start with are given.
    trials : int or None
        Trainings to draw, if the strategy draws.
    start : sequence of mappings
        Settings to try first.
    families : sequence of str or None
        Families that may be chosen, see `alsolike.tuning.candidate_families.lineup_for`.
    baselines : sequence of str or None
        Families that are only compared with, see the same.
    patience : int or None
        Points without a better score after which a training is stopped.
    prune : bool
        End trainings below the median of earlier ones.
    workers : int
        Processes that train.
    budget : float or None
        Seconds for the whole run, from `began` on.
    choose : {"best", "cheapest"}
        The run to choose: the best, or the cheapest that ties with it.
    began : float
        In seconds of `time.monotonic`; by default now.

    Raises
    ------
    SettingError
        A setting is out of its range.
    """

    by: str | None = None
    trials: int | None = None
    start: Sequence[Mapping[str, Any]] = ()
    families: Sequence[str] | None = None
    baselines: Sequence[str] | None = None
    patience: int | None = None
    prune: bool = False
    workers: int = 1
    budget: float | None = None
    choose: Choice = "best"
    began: float = field(default_factory=time.monotonic, compare=False)

    def __post_init__(self) -> None:
        check_whole("workers", self.workers, least=1)
        Ending(patience=self.patience)  # checks it
        if self.choose not in get_args(Choice):
            hint = did_you_mean(self.choose, get_args(Choice))
            raise SettingError(f"choose is 'best' or 'cheapest', not {self.choose!r}.{hint}")
        if self.budget is not None and not self.budget > 0:
            raise SettingError(f"A budget is a time above 0, not {self.budget!r} seconds.")

    def lineup(
        self,
        interactions: Interactions,
        *,
        seed: int = 0,
        thorough: bool = False,
        by_features: bool = False,
        of_ratings: bool = False,
    ) -> Lineup:
        """Return the families to try on these interactions, with their settings.

        `by_features`: by default, only those that use features. `of_ratings`: only those that
        predict ratings.
        """
        if of_ratings:
            return lineup_for_ratings(self.families, self.baselines, interactions, seed=seed)
        return lineup_for(
            self.families, self.baselines, interactions, seed=seed, thorough=thorough,
            by_features=by_features,
        )  # fmt: skip

    def strategy(self, preset: Preset, *, of_preset: bool = True) -> Strategy:
        """Return the search strategy; `of_preset` False: a grid unless one is named."""
        by = self.by or (preset.search if of_preset and not self.start else "grid")
        own = by == preset.search
        return strategy_of(
            by,
            preset.space,
            preset.base,
            trials=self.trials,
            start=[replace(preset.base, **settings) for settings in self.start],
            patience=preset.patience if own and self.patience is None else self.patience,
            prune=self.prune,
            growth=None if preset.growth is None else vars(preset.growth),
        )

    def left(self) -> float | None:
        """Return the seconds of the budget that are left; None without a budget."""
        return None if self.budget is None else self.began + self.budget - time.monotonic()

    def chosen(self, found: SearchResult) -> Any:
        """Return the settings to fit."""
        return found.best if self.choose == "best" else found.proposed

    def chosen_run(self, found: SearchResult) -> int:
        """Return the number of the chosen run."""
        return found.best_run if self.choose == "best" else found.proposed_run


def seconds_of(text: str) -> float:
    """Return a time such as 90s, 10m, 1.5h or 1h30m in seconds.

    Examples
    --------
    >>> seconds_of("10m"), seconds_of("1h30m"), seconds_of("90")
    (600.0, 5400.0, 90.0)
    """
    plain = text.strip().casefold()
    if re.fullmatch(r"\d+(\.\d+)?", plain):
        return float(plain)
    if not re.fullmatch(r"(\d+(\.\d+)?[smh])+", plain):
        raise SettingError(f"A time such as 90s, 10m or 1h30m expected, not {text!r}.")
    parts = re.findall(r"(\d+(?:\.\d+)?)([smh])", plain)
    return float(sum(float(number) * _UNITS[unit] for number, unit in parts))
