"""How much memory a run is said to need, and how much it takes."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from alsolike.data.datasets.demo import write_demo
from alsolike.data.datasets.synthetic import synthetic
from alsolike.engines import hardware
from alsolike.engines.base import Shape
from alsolike.models.als.config import ALSConfig
from alsolike.tuning.budget.memory_forecast import MIB, MemoryForecast, forecast, search_memory

# The command line in a process of its own, which ends by saying what the system counted.
COUNTED = """
import re, sys
from alsolike.cli.group import main
try:
    main(sys.argv[1:])
finally:
    print(re.search(r"VmHWM:.*", open("/proc/self/status").read())[0])
"""
NO_LEGEND = pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="the system does not count memory"
)
SETTINGS = [
    *("--set", "regularization=0.01", "--set", "values=binary", "--grid", "unobserved_weight=0.1"),
    *("--sweeps", "1,2", "--out", "out"),
]


def run(folder: Path, *words: str) -> tuple[float, float]:
    """Run `alsolike run`; return the MiB that it forecast and those that it took."""
    done = subprocess.run(
        [sys.executable, "-c", COUNTED, "run", *words, *SETTINGS],
        cwd=folder,
        env=os.environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said = re.search(r"^memory: peak of about ([\d,]+) MiB$", done.stdout, re.MULTILINE)
    took = re.search(r"^VmHWM:\s+(\d+) kB$", done.stdout, re.MULTILINE)
    assert said is not None
    assert took is not None
    return float(said[1].replace(",", "")), int(took[1]) / 1024


@NO_LEGEND
def test_a_small_run_takes_what_was_forecast(tmp_path: Path) -> None:
    files = write_demo(tmp_path)
    said, took = run(
        tmp_path, str(files.likes), "--user", "uid", "--item", "mid", "--set", "factors=16"
    )
    assert 1 / 1.25 < said / took < 1.25, (said, took)


@NO_LEGEND
def test_a_larger_run_takes_what_was_forecast(tmp_path: Path) -> None:
    """The arrays and tables of the data take more here than the code does."""
    likes = synthetic(36_000, 3_000, 300_000, minimum=6)
    users, items = (list(map(str, ids)) for ids in (likes.users, likes.items))
    rows, columns = likes.user_items.tocoo().coords
    with (tmp_path / "likes.csv").open("w", encoding="utf-8") as file:
        file.write("user,item\n")
        for row, column in zip(rows.tolist(), columns.tolist(), strict=True):
            file.write(f"{users[row]},{items[column]}\n")
    said, took = run(tmp_path, "likes.csv", "--set", "factors=32", "--families", "als")
    assert took > 450
    assert 1 / 1.25 < said / took < 1.25, (said, took)


def stages(*configs: ALSConfig, **changes: Any) -> dict[str, int]:
    likes = synthetic(*changes.pop("size", (2_000, 1_000, 20_000)))
    usual = {"points": 8, "test_users": 400, "folds": 1, "shelf": 10, "threads": 2}
    return dict(forecast(likes, configs or (ALSConfig(factors=32),), **usual | changes).stages)


def test_the_forecast_grows_with_all_that_takes_memory() -> None:
    usual = stages()
    assert set(usual) == {"baselines", "search", "finalists", "test", "shelves", "writing"}
    for stage in ("search", "test", "shelves", "writing"):
        assert stages(size=(40_000, 1_000, 80_000))[stage] > usual[stage]
        assert stages(size=(2_000, 40_000, 80_000))[stage] > usual[stage]
        assert stages(size=(2_000, 1_000, 500_000))[stage] > usual[stage]
        assert stages(ALSConfig(factors=8), ALSConfig(factors=64))[stage] > usual[stage]
    large = {"size": (20_000, 1_000, 100_000)}
    plain = ALSConfig(factors=32)
    more = stages(ALSConfig(factors=32, confidence="log"), **large)
    assert more["search"] == stages(plain, **large)["search"] + 16 * 100_000
    many = large | {"test_users": 20_000}
    assert stages(threads=16, **many)["test"] > stages(**many)["test"]
    assert stages(shelf=40)["shelves"] > usual["shelves"]
    assert stages(points=3_420)["writing"] > usual["writing"] + 30 * MIB
    momentum = stages(ALSConfig(factors=32, momentum=True), **large)
    assert momentum["search"] == stages(plain, **large)["search"] + 4 * 32 * 2 * 20_000


def test_what_was_taken_before_counts_and_what_is_there_is_not_asked_for() -> None:
    expected = MemoryForecast(
        present=100 * MIB, so_far=900 * MIB, stages={"a": 5 * MIB, "b": 40 * MIB}
    )
    assert str(expected) == "memory: peak of about 900 MiB"
    assert expected.danger(40 * MIB) is None
    assert expected.danger(None) is None
    said = expected.danger(39 * MIB)
    assert said is not None
    assert "may need 40 MiB more memory, but only 40 MiB is free" in said
    low = MemoryForecast(present=1000 * MIB, so_far=900 * MIB, stages={"a": 234 * MIB})
    assert str(low) == "memory: peak of about 1,230 MiB"


def test_workers_take_memory_of_their_own() -> None:
    expected = MemoryForecast(100 * MIB, 100 * MIB, {"a": 50 * MIB}, workers=2, each=80 * MIB)
    assert str(expected) == ("memory: peak of about 150 MiB, and about 80 MiB in each of 2 workers")
    assert expected.danger(210 * MIB) is None
    said = expected.danger(209 * MIB)
    assert said is not None
    assert "may need 210 MiB" in said
    likes, configs = synthetic(20_000, 1_000, 100_000), [ALSConfig(factors=64)]
    here = search_memory(likes, configs * 4, Shape(2, 1))
    there = search_memory(likes, configs * 4, Shape(2, 1, processes=2))
    assert here.workers == here.each == 0
    assert there.workers == 2
    assert there.more < here.more < there.more + 2 * there.each
    usual = {"points": 8, "test_users": 400, "folds": 1, "shelf": 10, "threads": 2}
    assert forecast(likes, configs, **usual, workers=2).workers == 2


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder in place of the system's own, empty."""
    for name in ("_STATUS", "_MACHINE", "_OWN_GROUP", "_GROUPS"):
        monkeypatch.setattr(hardware, name, tmp_path / name)
    return tmp_path


def test_a_system_that_says_nothing(system: Path) -> None:
    assert hardware.available() is None
    present, most = hardware.taken()
    assert 100 * MIB < present == most


def test_what_this_process_takes_is_read(system: Path) -> None:
    (system / "_STATUS").write_text("Name:\tx\nVmHWM:\t  300 kB\nVmRSS:\t  200 kB\n")
    assert hardware.taken() == (200 * 1024, 300 * 1024)


def test_the_narrowest_limit_is_what_is_available(system: Path) -> None:
    (system / "_MACHINE").write_text("MemTotal: 9000 kB\nMemAvailable:    5000 kB\n")
    assert hardware.available() == 5000 * 1024
    (system / "_OWN_GROUP").write_text("4:memory:/other\n0::/outer/inner\n")
    inner = system / "_GROUPS/outer/inner"
    inner.mkdir(parents=True)
    for name, value in (("max", "max"), ("current", "77"), ("stat", "anon 1\nfile 2\n")):
        (inner / f"memory.{name}").write_text(f"{value}\n")
    assert hardware.available() == 5000 * 1024
    for name, value in (("max", "4000"), ("current", "3000"), ("stat", "anon 1\nfile 600\n")):
        (inner.parent / f"memory.{name}").write_text(f"{value}\n")
    assert hardware.available() == 4000 - 3000 + 600
    (inner.parent / "memory.current").write_text("5000\n")
    assert hardware.available() == 0


def test_this_system_is_understood() -> None:
    present, most = hardware.taken()
    assert 0 < present <= most
    free = hardware.available()
    assert free is None or free > 0
