"""How much time a search may take, and whether that is told before."""

from collections.abc import Callable
from dataclasses import dataclass

from alsolike.data.validation import said
from alsolike.errors import SettingError
from alsolike.models.settings import is_finite
from alsolike.tuning.budget.time_forecast import TimeForecast


def _nothing(_: TimeForecast) -> float:
    return 0.0


@dataclass(frozen=True, kw_only=True)
class Budget:
    """How much time a search may take.

    Parameters
    ----------
    seconds : float or None
        From the call on; what would not end by then is skipped, and the result says so. Lists are
        tried in an order drawn by their seed then, so that what there is time for is no corner.
        None: as long as it takes.
    afterwards : callable
        Of these, the seconds that the caller needs for what comes after, by the forecast.
    forecast : bool
        Measure a few sweeps first, and tell how long it will take and in how much memory.

    Raises
    ------
    SettingError
        `seconds` is no number.
    """

    seconds: float | None = None
    afterwards: Callable[[TimeForecast], float] = _nothing
    forecast: bool = False

    def __post_init__(self) -> None:
        if self.seconds is not None and not is_finite(self.seconds):
            raise SettingError(f"A budget is a number of seconds, not {said(self.seconds)}.")


def budget_of(given: Budget | float | None) -> Budget:
    """Return a budget as it is, or of so many seconds; None: no end."""
    return given if isinstance(given, Budget) else Budget(seconds=given)
