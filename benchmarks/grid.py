"""The article's whole grid: 180 trainings of 38 sweeps, scored at 19 of them, both ways.

Run as ``python benchmarks/grid.py [--solver exact] [--compare] [--figures article]
[--factors 10,20] [--limit 6]``. Settings, split and sweeps are those of ``alsolike run --preset
article``. With ``--figures article`` each point has what the article gave it: precision@5 of 3,054
users on what they were trained with and on what was held out, seen items kept, and both mean
squared errors. With ``--figures preset`` it has these of the test users, and of as many validation
users the same with seen items left out, which is what the preset chooses by. The likes are made up
in the article's shape; the ledger is on disk, in a folder that is removed afterwards. The grid runs
once: its trainings are its turns.

A row for each number of factors, the seconds being those of its trainings; then one for the whole.
``--compare`` runs the same with the exact solver and prints by how much any precision@5 of any
point is apart, which may be 0.002. A training without an answer (regularization 0) is recorded by
the search as failed, and counted here. Peak memory is that of the whole process so far.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from _side_by_side import Report, Row, arguments, held, listed, own_peak, seconds_of, tables
from alsolike.data.splitting.split import Split
from alsolike.data.splitting.splitters import hold_out
from alsolike.engines.local import LocalEngine
from alsolike.models.als.config import ALSConfig
from alsolike.tuning.presets import ARTICLE
from alsolike.tuning.search import search
from alsolike.tuning.storage.ledger import Ledger

APART = 0.002  # of a precision@5, between an approximate solver and the exact one
SCORE = f"{ARTICLE.metric}@{ARTICLE.k}"

Figures = Mapping[tuple[str, int], Mapping[str, float]]  # by settings and sweep


@dataclass(frozen=True)
class Ran:
    """One grid: seconds of the whole and of each training by its factors, and its points."""

    seconds: float
    by_factors: Mapping[int, list[float]]
    points: Figures
    failures: int


def configs(asked: argparse.Namespace, solver: str) -> list[ALSConfig]:
    """Return the configurations asked for; a limit takes them from the whole grid evenly."""
    named, *switched_on = solver.split("+")
    settings = {"solver": named} | dict.fromkeys(switched_on, True)
    wanted = None if asked.factors is None else set(map(int, listed(asked.factors)))
    found = [
        replace(config, **settings)
        for config in ARTICLE.configs()
        if wanted is None or config.factors in wanted
    ]
    count = len(found) if asked.limit is None else min(asked.limit, len(found))
    return [found[place * len(found) // count] for place in range(count)]


def run(split: Split, asked: argparse.Namespace, solver: str) -> Ran:
    """Search with one solver and read the ledger."""
    tried = configs(asked, solver)
    with tempfile.TemporaryDirectory() as folder, Ledger(Path(folder) / "l.sqlite") as ledger:

        def whole() -> None:
            # As many users are held out for validation as for test: the article's work is on one.
            honest = asked.figures == "preset"
            first = replace(ARTICLE.ranking(), exclude_seen=honest)
            search(
                split,
                tried,
                objective=[first, *(ARTICLE.beside if honest else ())],
                sweeps=sweeps_of(asked),
                ledger=ledger,
                engine=LocalEngine(asked.threads),
            )

        with held(asked.threads):
            seconds = seconds_of(whole)
        return read_back(ledger, seconds)


def read_back(ledger: Ledger, seconds: float) -> Ran:
    """Return what a ledger holds."""
    by_factors: dict[int, list[float]] = {}
    points: dict[tuple[str, int], Mapping[str, float]] = {}
    failures = 0
    for entry in ledger.to_table().rows():
        settings = json.loads(entry["settings"])
        failures += entry["state"] == "failed"
        by_factors.setdefault(settings["factors"], []).append(entry["seconds"])
        tried = json.dumps({name: settings[name] for name in ARTICLE.space})
        for sweep, figures in ledger.points(entry["id"]).items():
            points[tried, sweep] = figures
    return Ran(seconds, by_factors, points, failures)


def sweeps_of(asked: argparse.Namespace) -> tuple[int, ...]:
    """Return where each training is scored."""
    return ARTICLE.sweeps if asked.sweeps is None else tuple(map(int, listed(asked.sweeps)))


def rows_of(ran: Ran, solver: str, asked: argparse.Namespace) -> list[Row]:
    """Return a row for each number of factors, and one for the whole."""
    name = f"alsolike {solver}"
    rows = [
        Row(f"training, {factors} factors", name, seconds, more={"trainings": len(seconds)})
        for factors, seconds in ran.by_factors.items()
    ]
    trainings = sum(map(len, ran.by_factors.values()))
    more = {
        "trainings": trainings,
        "seconds_per_training": ran.seconds / trainings,
        "points": len(ran.points),
        "failures": ran.failures,
    }
    peak = None if asked.no_memory else own_peak()
    return [*rows, Row("whole grid", name, [ran.seconds], peak_mib=peak, more=more)]


def furthest(exact: Figures, other: Figures) -> tuple[float, str]:
    """Return the largest difference of a precision@5 over all points, and where it is."""
    worst, place = 0.0, "nowhere"
    for (settings, sweep), figures in exact.items():
        for name, value in figures.items():
            if not name.endswith(SCORE) or (settings, sweep) not in other:
                continue
            apart = abs(other[settings, sweep][name] - value)
            if apart > worst:
                worst, place = apart, f"{name}, sweep {sweep}, {settings}"
    return worst, place


def main() -> int:
    """Run the grid; compare with the exact solver where that is asked for."""
    parser = arguments(__doc__)
    parser.add_argument("--data", default="article", help="or a size such as 300x200x6000")
    parser.add_argument("--solver", default="exact", help="as exact, cg or exact+momentum")
    parser.add_argument("--factors", help="only these numbers of factors")
    parser.add_argument("--limit", type=int, help="only so many configurations, spread evenly")
    parser.add_argument("--sweeps", help="where to score, in place of the article's 2,4,...,38")
    parser.add_argument("--figures", choices=["article", "preset"], default="article")
    parser.add_argument("--compare", action="store_true", help="with the exact solver")
    asked = parser.parse_args()
    report, worst = Report("grid", asked), 0.0
    for data, likes, _ in tables(asked.data):
        split = hold_out(likes, k=ARTICLE.held_out, share=ARTICLE.share)
        ran = run(split, asked, asked.solver)
        rows, told = rows_of(ran, asked.solver, asked), ""
        if asked.compare:
            exact = run(split, asked, "exact")
            # The exact rows first: what the ratios are to.
            rows = rows_of(exact, "exact", asked) + rows
            worst, place = furthest(exact.points, ran.points)
            told = f"{SCORE} is apart by at most {worst:.6f} ({place}); it may be {APART}"
        scored = f"{len(sweeps_of(asked))} scored points of {max(sweeps_of(asked))} sweeps each"
        report.section(
            f"{data}: {likes!r}; {scored}",
            rows,
            settings={"alsolike": f"{ARTICLE.base.to_settings()}"},
            data=data,
            largest_difference=worst if asked.compare else None,
        )
        if told:
            print(told)
    return 1 if worst > APART else 0


if __name__ == "__main__":
    sys.exit(main())
