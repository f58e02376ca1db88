"""Searches by several workers: the same bytes, through kills of any of them at any moment."""

import contextlib
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from alsolike.data.splitting.split import Split
from alsolike.data.splitting.splitters import hold_out
from alsolike.data.splitting.unseen_users import hold_out_unseen_users
from alsolike.engines.local import LocalEngine
from alsolike.errors import SettingError
from alsolike.evaluation.objectives.item_to_item import ItemToItemObjective
from alsolike.models.als.config import ALSConfig
from alsolike.models.family import TrainingData
from alsolike.models.registry import family_named
from alsolike.testing import tiny_likes
from alsolike.tuning.candidate_families import lineup_for
from alsolike.tuning.leaderboard.leaderboard import SearchResult
from alsolike.tuning.search import search
from alsolike.tuning.status import status_of
from alsolike.tuning.storage.ledger import Ledger
from alsolike.tuning.strategies.base import FixedList
from alsolike.tuning.strategies.search_space import expand
from alsolike.tuning.strategies.successive_halving import Halving

HOST = """
import sys
from pathlib import Path
from alsolike.data.splitting.splitters import hold_out
from alsolike.engines.local import LocalEngine
from alsolike.models.als.config import ALSConfig
from alsolike.testing import tiny_likes
from alsolike.tuning.storage.ledger import Ledger
from alsolike.tuning.candidate_families import lineup_for
from alsolike.tuning.search import search
from alsolike.tuning.strategies.search_space import expand
from alsolike.tuning.strategies.successive_halving import Halving

if __name__ == "__main__":
    folder, workers = Path(sys.argv[1]), int(sys.argv[2])
    split = hold_out(tiny_likes(300, 60), k=2, share=0.3)
    configs = expand({"factors": [2, 4, 8], "alpha": [1.0, 3.0, 9.0, 27.0]}, ALSConfig(seed=3))
    lineup = lineup_for(None, None, split.train)
    with Ledger(folder / "ledger.sqlite") as book:
        found = search(split, Halving(configs), sweeps=list(range(1, 13)), ledger=book,
                       objective="precision@5", candidates=lineup.candidates,
                       baselines=lineup.baselines, workers=workers, engine=LocalEngine(2))
    with open(folder / "found.txt", "w") as file:
        for table in (found.curves, found.leaderboard):
            print([{n: repr(v) for n, v in row.items()} for row in table.rows()], file=file)
        print(found.best, found.proposed, found.optimism, file=file)
"""


def started(folder: Path, workers: int) -> subprocess.Popen[str]:
    folder.mkdir(exist_ok=True)
    script = folder / "host.py"
    script.write_text(HOST)
    return subprocess.Popen(
        [sys.executable, str(script), str(folder), str(workers)],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
    )


def children_of(process: int) -> list[int]:
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                status = (folder / "stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            if int(status[1]) == process:
                found.append(int(folder.name))
    return found


def kill(process: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(process, signal.SIGKILL)


def finished(host: subprocess.Popen[str]) -> None:
    _, said = host.communicate(timeout=240)
    assert host.returncode == 0, said


def test_kills_of_anybody_change_no_byte(tmp_path: Path) -> None:
    alone, killed = tmp_path / "alone", tmp_path / "killed"
    finished(started(alone, 1))
    chance, kills = random.Random(7), 0
    while kills < 4:
        host = started(killed, 2)
        waited = time.monotonic() + chance.uniform(1.5, 6.0)
        while host.poll() is None and time.monotonic() < waited:
            time.sleep(0.05)
        workers = children_of(host.pid)
        victims = chance.choice([workers[:1], [host.pid], [*workers, host.pid]])
        for victim in victims:
            kill(victim)
        kills += bool(victims)
        if host.pid not in victims and host.poll() is None:
            time.sleep(chance.uniform(0.1, 1.0))
            kill(host.pid)
        host.communicate(timeout=60)
        if host.returncode == 0:
            break
    finished(started(killed, 2))
    assert (killed / "found.txt").read_bytes() == (alone / "found.txt").read_bytes()
    connections = [sqlite3.connect(folder / "ledger.sqlite") for folder in (alone, killed)]
    for statement in (
        "SELECT settings, sweeps, state, attempts FROM configurations ORDER BY id",
        "SELECT configuration, sweep, figures FROM points ORDER BY 1, 2",
        "SELECT configuration, judge, sweep, answers FROM bests ORDER BY 1, 2",
    ):
        one, other = (connection.execute(statement).fetchall() for connection in connections)
        assert one == other
    for connection in connections:
        connection.close()


@pytest.fixture(scope="module")
def split() -> Split:
    return hold_out(tiny_likes(120, 40), k=2, share=0.3)


CONFIGS = expand({"factors": [2, 4], "alpha": [1.0, 3.0, 9.0]}, ALSConfig(seed=3))


def rows(found: SearchResult) -> list[object]:
    return [*found.curves.rows(), *found.leaderboard.rows()]


def test_patience_and_pruning_do_not_depend_on_threads(split: Split) -> None:
    found = [
        search(
            split,
            FixedList(CONFIGS, patience=2, prune=True),
            sweeps=list(range(1, 13)),
            objective="precision@5",
            engine=LocalEngine(threads),
        )
        for threads in (1, 3)
    ]
    assert rows(found[0]) == rows(found[1])
    states = set(found[0].leaderboard["state"].tolist())
    assert "stopped" in states
    for row in found[0].leaderboard.rows():
        own = [p for p in found[0].curves.rows() if p["run"] == row["run"]]
        assert row["state"] != "stopped" or len(own) < 12


def test_baselines_stand_on_the_leaderboard(split: Split) -> None:
    lines = lineup_for(None, ["item-knn", "ease", "random"], split.train).baselines
    found = search(split, CONFIGS[:1], sweeps=[3], objective="precision@5", baselines=lines)
    models = found.leaderboard["model"].tolist()
    assert {"als", "popularity", "random"} <= set(models)
    for family in ("item-knn", "ease"):
        expected = len(family_named(family).search_space(TrainingData(split.train)))
        assert sum(model.startswith(family) for model in models) == expected
    assert found.best == found.proposed
    assert set(found.curves["run"].tolist()) == {found.best_run}


def test_a_deadline_skips_and_the_same_call_goes_on(split: Split, tmp_path: Path) -> None:
    sweeps = list(range(1, 13))
    whole = search(split, CONFIGS, sweeps=sweeps, objective="precision@5", budget=600)
    with Ledger(tmp_path / "l.sqlite") as ledger:
        search(split, CONFIGS[:1], sweeps=sweeps, objective="precision@5", ledger=ledger)
        cut = search(
            split,
            CONFIGS,
            sweeps=sweeps,
            objective="precision@5",
            ledger=ledger,
            budget=-1,
        )
        assert (len(cut.leaderboard), cut.skipped) == (1, 5)
        again = search(
            split,
            CONFIGS,
            sweeps=sweeps,
            objective="precision@5",
            ledger=ledger,
            budget=600,
        )
    assert again.skipped == 0
    assert sorted(map(repr, again.leaderboard["validation_precision@5"].tolist())) == sorted(
        map(repr, whole.leaderboard["validation_precision@5"].tolist())
    )


def test_shelves_rank_alike_for_any_number_of_workers(tmp_path: Path) -> None:
    split = hold_out_unseen_users(tiny_likes(60, 40))
    found, lineup = [], lineup_for(None, None, split.train)
    for workers in (1, 2):
        with Ledger(tmp_path / f"{workers}.sqlite") as ledger:
            found.append(
                search(
                    split,
                    Halving(CONFIGS),
                    sweeps=[1, 2, 4],
                    objective=ItemToItemObjective(k=5),
                    ledger=ledger,
                    workers=workers,
                    candidates=lineup.candidates,
                    baselines=lineup.baselines,
                    engine=LocalEngine(2),
                )
            )
        shown = status_of(tmp_path / f"{workers}.sqlite").leaderboard
        assert "validation_shelf_precision@5_low" in shown
        assert len(shown) == len(found[-1].leaderboard)
    assert rows(found[0]) == rows(found[1])
    assert found[0].proposed == found[1].proposed


def test_several_workers_need_a_file(split: Split) -> None:
    with pytest.raises(SettingError, match="Several workers need a ledger on disk"):
        search(split, CONFIGS, sweeps=[1], workers=2)
    with pytest.raises(SettingError, match="workers must be a whole number"):
        search(split, CONFIGS, sweeps=[1], workers=0)


def test_a_search_can_be_watched(split: Split, tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        found = search(
            split, Halving(CONFIGS), sweeps=[1, 2, 4, 8], objective="precision@5", ledger=ledger
        )
        ledger.enlist([ALSConfig(factors=9).to_settings()], sweeps=8)
        seen = status_of(tmp_path)
    assert seen.states == {"done": 6, "waiting": 1}
    assert seen.left is not None
    assert seen.leaderboard["run"].tolist() == found.leaderboard["run"].tolist()
    assert "6 done, 1 waiting" in str(seen)
