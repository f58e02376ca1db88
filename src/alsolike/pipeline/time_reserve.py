"""How long a run takes after its search: what a budget has to keep for ranking, judging, writing.

Fits are known from the sweeps that were measured. The rest is known in figures: one is drawn before
the search, which loads what draws (so that this time is over), and then once more, which tells how
fast this machine is now. How many such figures each step takes was measured on three public tables.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from alsolike.tables import Table
from alsolike.tuning.budget.time_forecast import TimeForecast
from alsolike.views.figures.learning_curves import best_curve, to_page, to_png, to_svg

# Each in the time of a small figure: ranking and lists; more for each hundred runs.
_RANKING, _RANKING_HUNDRED = 4.0, 4.0
# The four figures, the report and the model; more for each hundred points that are drawn.
_WRITING, _WRITING_HUNDRED = 7.0, 1.5
# Judging on test users, for each million of their scores.
_JUDGING = 3.0
# Saving and checking the model, for each GiB of it.
_SAVING = 20.0
# Seconds of a small figure, where none is drawn.
_USUAL = 0.2
# Threads of one fit never gain all that their number says.
_GAIN = 0.75


@dataclass(frozen=True)
class Afterwards:
    """What comes after a search.

    Parameters
    ----------
    figure : float or None
        Seconds of a small figure; None where only the ranking comes after.
    runs, points : int
        How many there may be at the end.
    scores : int
        Test users times items.
    threads : int
        Of the two fits.
    model : float
        Bytes of the largest model that may be chosen.
    """

    figure: float | None
    runs: int
    points: int
    scores: int
    threads: int
    model: float = 0.0

    def seconds(self, found: TimeForecast) -> float:
        """Return about how long it takes, whichever settings are chosen."""
        ranking = _RANKING + _RANKING_HUNDRED * self.runs / 100
        if self.figure is None:
            return ranking * _USUAL
        figures = ranking + _WRITING + _WRITING_HUNDRED * self.points / 100
        figures += _JUDGING * self.scores / 1e6 + _SAVING * self.model / 2**30
        return figures * self.figure + 2 * found.dearest_fit / max(_GAIN * self.threads, 1.0)


def seconds_of_a_figure(clock: Callable[[], float] = time.perf_counter) -> float:
    """Draw a small figure twice, and return what the second takes."""
    row: dict[str, object] = {
        "run": 1,
        "sweep": 2,
        "train_recall@1": 0.2,
        "validation_recall@1": 0.1,
    }
    row |= {"validation_recall@1_low": 0.1, "validation_recall@1_high": 0.1, "state": "done"}
    took = 0.0
    for _ in range(2):
        began = clock()
        spec = best_curve(Table.from_rows([row]), metric="recall@1", title="", chosen_sweep=2)
        for draw in (to_png, to_svg, to_page):
            draw(spec)
        took = clock() - began
    return took
