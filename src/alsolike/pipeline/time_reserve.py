"""Forecasts how long a run takes after its search, so that a budget keeps it free.

The steps are counted in small figures: one is drawn before the search, which loads what draws, and
once more, which tells how fast this machine is now. How many such figures each step takes was
measured on three public tables.
"""

import time
from collections.abc import Callable

from alsolike.tables import Table
from alsolike.views.figures.learning_curves import best_curve, to_page, to_png, to_svg

# Ranking and lists, the four figures, the report and the model.
_ALWAYS = 11.0
# More for each run, each point that is drawn, each score on test users, and each byte of the model.
_RUN, _POINT, _SCORE, _BYTE = 0.04, 0.015, 3e-6, 20.0 / 2**30


def seconds_afterwards(
    figure: float, *, runs: int, points: int, scores: int, model: float = 0.0
) -> float:
    """Return the seconds of all but the two last fits, if a small figure takes `figure` seconds.

    There may be so many runs, drawn points, scores of test users, and bytes of the model.
    """
    return figure * (_ALWAYS + _RUN * runs + _POINT * points + _SCORE * scores + _BYTE * model)


def seconds_of_a_figure(clock: Callable[[], float] = time.perf_counter) -> float:
    """Draw a small figure twice, and return how long the second one takes."""
    row: dict[str, object] = {"run": 1, "sweep": 2, "train_recall@1": 0.2, "state": "done"}
    row |= {f"validation_recall@1{end}": 0.1 for end in ("", "_low", "_high")}
    took = 0.0
    for _ in range(2):
        began = clock()
        spec = best_curve(Table.from_rows([row]), metric="recall@1", title="", chosen_sweep=2)
        for draw in (to_png, to_svg, to_page):
            draw(spec)
        took = clock() - began
    return took
