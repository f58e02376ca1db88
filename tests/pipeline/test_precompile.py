"""Compiling ahead: by other processes, once, and never instead of a result."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from click.testing import CliRunner

from alsolike.cli.group import main
from alsolike.kernels.compiler import cache
from alsolike.models.neighbours.config import ItemKNNConfig
from alsolike.models.registry import family_named
from alsolike.pipeline import precompile

# Prints whether others compiled, how many kernels this process compiled itself, and a result.
USE = """
import json
from numba.core import event
from alsolike.pipeline import precompile

compiled = []

class Heard(event.Listener):
    def on_start(self, event):
        compiled.append(event.data["dispatcher"].py_func.__name__)
    def on_end(self, event):
        pass

event.register("numba:compile", Heard())
with precompile.ahead() as helped:
    model = precompile._fitted(precompile._full(4), factors=4)
own = [name for name in compiled if name in ("solve_small", "solve_single", "scan_panels")]
print(json.dumps({"helped": helped, "own": own, "factors": model.user_factors.tolist()}))
"""


def use(folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", USE],
        env=os.environ | {"NUMBA_CACHE_DIR": str(folder)},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_others_compile_and_this_process_waits_and_loads(tmp_path: Path) -> None:
    first, again = use(tmp_path), use(tmp_path)
    assert '"helped": true, "own": []' in first
    assert '"helped": false, "own": []' in again
    assert first.split('"factors"')[1] == again.split('"factors"')[1]


def test_where_nothing_can_be_kept_nobody_is_sent_ahead(tmp_path: Path) -> None:
    (tmp_path / "alsolike").mkdir(mode=0o777)
    (tmp_path / "alsolike").chmod(0o777)
    assert '"helped": false, "own": ["solve_small"]' in use(tmp_path)


def test_a_helper_that_dies_costs_time_and_no_result(monkeypatch) -> None:
    dead = subprocess.Popen([sys.executable, "-c", "raise SystemExit(1)"])
    monkeypatch.setattr(cache, "_helpers", [dead])
    model = precompile._fitted(precompile._full(3), factors=2)
    assert model.user_factors.shape == (3, 2)
    dead.wait()


def test_no_helper_outlives_a_process_that_a_signal_ends(tmp_path: Path) -> None:
    """Neither where it compiles for a run nor where that is all it does."""
    environment = {**os.environ, "NUMBA_CACHE_DIR": "", "XDG_CACHE_HOME": str(tmp_path)}
    command = [sys.executable, "-m", "alsolike", "compile"]
    process = subprocess.Popen(
        command, env=environment, stderr=subprocess.PIPE, start_new_session=True
    )
    until = time.monotonic() + 60
    while not helpers_of(process.pid) and time.monotonic() < until:
        time.sleep(0.02)
    helpers = helpers_of(process.pid)
    assert helpers
    process.terminate()
    process.communicate(timeout=30)
    assert process.returncode == 128 + signal.SIGTERM
    # One that the process did not know of yet ends once it has loaded its modules.
    until = time.monotonic() + 30
    while any(map(is_running, helpers)) and time.monotonic() < until:
        time.sleep(0.02)
    assert not [one for one in helpers if is_running(one)]


def test_a_helper_ends_with_a_process_that_is_killed(tmp_path: Path) -> None:
    environment = {**os.environ, "NUMBA_CACHE_DIR": "", "XDG_CACHE_HOME": str(tmp_path)}
    process = subprocess.Popen([sys.executable, "-m", "alsolike", "compile"], env=environment)
    until = time.monotonic() + 60
    while not helpers_of(process.pid) and time.monotonic() < until:
        time.sleep(0.02)
    helpers = helpers_of(process.pid)
    process.kill()
    process.wait()
    until = time.monotonic() + 30
    while any(map(is_running, helpers)) and time.monotonic() < until:
        time.sleep(0.02)
    assert helpers
    assert not [one for one in helpers if is_running(one)]


def is_running(process: str) -> bool:
    """Tell whether a process has not ended; one that init has yet to take leave of has."""
    try:
        status = Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return False
    return status.rsplit(")", 1)[1].split()[0] != "Z"


def helpers_of(process: int) -> list[str]:
    try:
        return Path(f"/proc/{process}/task/{process}/children").read_text().split()
    except OSError:
        return []


def test_what_could_not_be_kept_is_not_said_to_be(monkeypatch) -> None:
    assert cache.keeps()
    monkeypatch.setattr(cache, "_lost", ["No space left on device"])
    assert not cache.keeps()
    told = CliRunner().invoke(main, ["compile"])
    assert "Compiled, but not cached" in told.output


def test_all_of_a_runs_kernels_are_in_some_share() -> None:
    precompile.compile_all()
    assert precompile.is_compiled()
    told = CliRunner().invoke(main, ["compile"])
    assert told.output == "Everything was compiled already.\n"


def test_families_that_solve_nothing_wait_for_no_solver(monkeypatch) -> None:
    kept = {precompile.scan_block, precompile.measure_lists, precompile.rank_marks}
    monkeypatch.setattr(precompile, "is_kept", lambda kernel: kernel in kept)
    assert precompile.is_compiled(["popularity", "ease"])
    assert not precompile.is_compiled(["item-knn", "ease"])  # neighbours have kernels of their own
    kept |= set(family_named("item-knn").kernels(ItemKNNConfig()))
    assert precompile.is_compiled(["item-knn", "ease"])
    assert not precompile.is_compiled(["item-knn", "als"])
    assert not precompile.is_compiled()
    kept.clear()
    started: list[str] = []
    nothing = [sys.executable, "-c", ""]
    monkeypatch.setattr(
        precompile, "_helper", lambda share: started.append(share) or subprocess.Popen(nothing)
    )
    with precompile.ahead(["ease"]) as needed:
        assert needed
    assert started == list(precompile.MEASURES)
    with precompile.ahead(["als", "ease"]):
        pass
    assert started[len(precompile.MEASURES) :] == list(precompile.SHARES)
