"""What halving finds of what the whole grid finds, and in how much of its time.

Run as ``python benchmarks/halving.py [--data lastfm] [--limit 60]``. The grid is the article's, 180
trainings of 38 sweeps; the split and the judge too: precision@5 on validation users, seen items
left out. ``lastfm`` is Last.fm's plays as likes (its folder in that of ALSOLIKE_DATA), ``article``
made-up likes in the article's shape. Both searches are one process, with nothing in common.

Printed are both times and their ratio, which may be a fifth; the best of both with its interval; by
how much halving's best lies below the grid's, which may be 2 %, with the interval of the paired
difference, corrected for the choice among all; and whether it ties. Then both on the test users,
whom no choice has seen.
"""

import argparse
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

import alsolike as al
from _side_by_side import held, seconds_of, table, tables
from alsolike.engines.local import LocalEngine
from alsolike.evaluation.statistics.selection import compare_with_best
from alsolike.tuning.leaderboard.leaderboard import SearchResult
from alsolike.tuning.presets import ARTICLE
from alsolike.tuning.search import search
from alsolike.tuning.storage.ledger import Ledger
from alsolike.tuning.strategies.base import FixedList, Strategy, evenly
from alsolike.tuning.strategies.successive_halving import Halving

TIME, BELOW = 0.2, 0.02  # of the grid's time, and of its best score
SCORE = f"{ARTICLE.metric}@{ARTICLE.k}"
SCORE_ON = f"validation_{SCORE}"


@dataclass(frozen=True)
class Ran:
    """One search: its seconds, what it found, and each user's values at the best point of each."""

    seconds: float
    found: SearchResult
    answers: npt.NDArray[np.float64]


def likes_of(name: str) -> al.Interactions:
    """Return the likes after the preset's filter."""
    if name != "lastfm":
        return next(likes for _, likes, _ in tables(name))
    plays = Path(os.environ["ALSOLIKE_DATA"]) / "lastfm-2k" / "user_artists.dat.gz"
    likes, _ = al.read(plays, user="userID", item="artistID")
    return al.filter_counts(
        likes, min_per_user=ARTICLE.min_per_user, min_per_item=ARTICLE.min_per_item
    )[0]


def run(split: al.Split, strategy: Strategy, asked: argparse.Namespace) -> Ran:
    """Search one way, with a ledger of its own."""
    kept: list[SearchResult] = []
    with tempfile.TemporaryDirectory() as folder, Ledger(Path(folder) / "l.sqlite") as ledger:

        def whole() -> None:
            kept.append(
                search(
                    split,
                    strategy,
                    sweeps=ARTICLE.sweeps,
                    ledger=ledger,
                    objective=ARTICLE.ranking(),
                    engine=LocalEngine(asked.threads),
                )
            )

        with held(asked.threads):
            seconds = seconds_of(whole)
        bests = [ledger.best(entry["id"], "") for entry in ledger.to_table().rows()]
        return Ran(seconds, kept[0], np.array([best[1] for best in bests if best is not None]))


def apart(grid: Ran, halving: Ran) -> tuple[float, bool]:
    """Print how far halving's best lies below the grid's; return that share, and if they tie."""
    best = halving.answers[halving.answers.mean(axis=1).argmax()]
    both = np.vstack([grid.answers, best])
    compared = compare_with_best(both, np.random.default_rng(0))
    below = abs(float(compared.differences[-1] / compared.means[compared.best]))
    ties = bool(compared.ties[-1])
    print(
        f"halving's best is {100 * below:.2f} % below the grid's (it may be {100 * BELOW:g} %): "
        f"{compared.differences[-1]:.5f}, 95 % interval {compared.low[-1]:.5f} to "
        f"{compared.high[-1]:.5f}, of width {compared.high[-1] - compared.low[-1]:.5f}, over "
        f"{both.shape[1]:,} users; it {'ties' if ties else 'does not tie'} with the best of "
        f"{len(grid.answers)}"
    )
    return below, ties


def told(name: str, ran: Ran, split: al.Split) -> dict[str, object]:
    """Return a search as a row: its time, its choice, and what that scores on both."""
    first, chosen = next(iter(ran.found.leaderboard.rows())), ran.found.best
    fitted = split.train_and_validation()
    test = al.evaluate(al.fit(fitted, chosen), split.test, exclude=fitted, k=ARTICLE.k)
    estimate = next(row for row in test.summary().rows() if row["metric"] == SCORE)
    return {
        "search": name,
        "seconds": round(ran.seconds, 1),
        "best": ", ".join(f"{name} {getattr(chosen, name):g}" for name in ARTICLE.space),
        "sweep": chosen.iterations,
        f"validation {SCORE}": f"{first[SCORE_ON]:.5f}",
        "from": f"{first[SCORE_ON + '_low']:.5f}",
        "to": f"{first[SCORE_ON + '_high']:.5f}",
        f"test {SCORE}": f"{estimate['mean']:.5f}",
        "test from": f"{estimate['low']:.5f}",
        "test to": f"{estimate['high']:.5f}",
    }


def main() -> int:
    """Search both ways; fail where halving takes too long or finds too little."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--data", default="lastfm", help="lastfm, article, gowalla or 300x200x6000")
    parser.add_argument("--limit", type=int, help="only so many configurations, spread evenly")
    asked = parser.parse_args()
    if asked.data == "lastfm" and "ALSOLIKE_DATA" not in os.environ:
        print("lastfm is left out: ALSOLIKE_DATA does not name the folder of public data")
        return 0
    likes = likes_of(asked.data)
    split = al.hold_out(likes, k=ARTICLE.held_out, share=ARTICLE.share)
    configs = ARTICLE.configs()
    configs = evenly(configs, min(asked.limit or len(configs), len(configs)))
    print(f"{asked.data}: {likes!r}; {len(configs)} configurations")
    # Compiled kernels are not what is compared.
    al.fit(split.train, ARTICLE.configs()[0])
    halving = run(split, Halving(configs), asked)
    grid = run(split, FixedList(configs), asked)
    rows = [told("grid", grid, split), told("halving", halving, split)]
    print(table(rows))
    share = halving.seconds / grid.seconds
    print(f"halving took {share:.3f} of the grid's time; it may take {TIME:g}")
    below, ties = apart(grid, halving)
    return int(share > TIME or below > BELOW or not ties)


if __name__ == "__main__":
    sys.exit(main())
