"""Each benchmark beside peers runs on tiny inputs, prints its table and writes its JSON.

Nothing is said here of how long anything takes.
"""

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"
TINY = "80x50x900"
ROW = {"task", "contender", "median", "low", "high", "ratio", "gflops", "share", "peak_mib"}
ONCE = ("--turns", "1", "--threads", "2")
# Each benchmark with its arguments and the peers that must have come, where they are installed.
RUNS = {
    "training": (
        f"--data {TINY} --factors 8 --goal-sweeps 3 --most-sweeps 4 --no-memory",
        ("implicit cholesky", "implicit cg", "irspack cholesky", "irspack cg", "irspack ialspp"),
    ),
    "ranking": (f"--data {TINY} --factors 8 --calls 3 --no-memory", ("implicit", "irspack")),
    "evaluation": (f"--data {TINY} --factors 8 --no-memory", ("implicit", "irspack")),
    "reading": ("--rows 2000", ("pandas", "polars")),
    "grid": (f"--data {TINY} --factors 10 --limit 2 --sweeps 2,4 --compare", ()),
    "features": (
        f"--data {TINY} --factors 8 --tags 30 --cells 90 --no-memory",
        ("irspack features",),
    ),
    "scaling": ("--millions 0.002 --users 200 --items 100 --factors 8", ()),
}


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return that of the benchmarks."""
    # Public data are left out: the tests are the same with and without them. Bytecode is kept for
    # the next benchmark even where none is to be written: irspack imports a lot.
    unwanted = {"ALSOLIKE_DATA", "PYTHONDONTWRITEBYTECODE"}
    kept = {name: value for name, value in os.environ.items() if name not in unwanted}
    return kept | {"PYTHONPYCACHEPREFIX": str(tmp_path_factory.mktemp("bytecode"))}


def run(
    name: str, arguments: str, folder: Path, environment: dict[str, str]
) -> tuple[str, dict[str, Any]]:
    """Return what a benchmark printed and the JSON that it wrote."""
    file = folder / "results" / f"{name}.json"
    command = [sys.executable, FOLDER / f"{name}.py", *arguments.split(), *ONCE, "--json", file]
    done = subprocess.run(
        list(map(str, command)), capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert [path.name for path in file.parent.iterdir()] == [file.name], "a part was left behind"
    return done.stdout, json.loads(file.read_text(encoding="utf-8"))


def rows_of(written: dict[str, Any]) -> list[dict[str, Any]]:
    return [row for section in written["sections"] for row in section["rows"]]


def installed(contender: str) -> bool:
    return importlib.util.find_spec(contender.split(maxsplit=1)[0]) is not None


@pytest.mark.parametrize("name", RUNS)
def test_prints_a_table_and_writes_json(
    name: str, tmp_path: Path, environment: dict[str, str]
) -> None:
    arguments, peers = RUNS[name]
    printed, written = run(name, arguments, tmp_path, environment)
    assert re.search(r"^task +contender +median s +lowest +highest", printed, re.MULTILINE)
    assert (written["benchmark"], written["threads"], written["turns"]) == (name, 2, 1)
    assert written["versions"]["alsolike"]
    assert all(section["settings"] for section in written["sections"])
    rows = rows_of(written)
    assert all(row.keys() >= ROW for row in rows)
    measured = {row["contender"] for row in rows if row["median"] is not None}
    assert any(one.startswith("alsolike") for one in measured)
    missing = {one for one in peers if not installed(one)}
    assert set(peers) - missing <= measured
    CHECKS.get(name, lambda _: None)(written)
    if missing:
        for one in missing:
            assert f"{one.split()[0]} is not installed: left out" in printed
        pytest.skip(f"ran without {', '.join(sorted(missing))}: not installed")


def all_minimize_the_same_from_the_same_start(written: dict[str, Any]) -> None:
    exact = [row for row in rows_of(written) if row["contender"].endswith(("exact", "cholesky"))]
    same_start = [row for row in exact if "sweeps" in row and "cmfrec" not in row["contender"]]
    assert {row["sweeps"] for row in same_start} == {3}
    reached = [row["loss_to_goal"] for row in same_start]
    assert reached == pytest.approx([reached[0]] * len(reached), abs=1e-5)


def all_rank_the_same(written: dict[str, Any]) -> None:
    same = [row["same_lists"] for row in rows_of(written) if "same_lists" in row]
    assert same == pytest.approx([1.0] * len(same), abs=0.05)  # equal scores may stand otherwise


def all_measure_the_same(written: dict[str, Any]) -> None:
    compared = [row for section in written["sections"] for row in section["agreement"]]
    assert [row["agree"] for row in compared] == ["yes"] * len(compared)


def each_has_its_memory(written: dict[str, Any]) -> None:
    assert min(row["peak_mib"] for row in rows_of(written)) > 10


CHECKS = {
    "training": all_minimize_the_same_from_the_same_start,
    "ranking": all_rank_the_same,
    "evaluation": all_measure_the_same,
    "reading": each_has_its_memory,
}


def test_a_large_table_is_read_beside_plain_scans(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    _, written = run("reading", "--large 2000x300 --peers none", tmp_path, environment)
    assert [section["rows_in_file"] for section in written["sections"]] == [2000, 2000]
    assert [row["contender"] for row in rows_of(written)] == ["alsolike", "duckdb", "duckdb"] * 2
    each_has_its_memory(written)


def test_missing_peers_and_data_are_named(tmp_path: Path, environment: dict[str, str]) -> None:
    # A module of this name that cannot be imported stands before the one that can.
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "implicit.py").write_text("raise ImportError\n", encoding="utf-8")
    code = (
        f"import sys; sys.path[:0] = [{str(tmp_path / 'broken')!r}, {str(FOLDER)!r}]\n"
        "import _side_by_side as shared\n"
        "asked = shared.arguments('').parse_args([])\n"
        "print(shared.peer('implicit', asked), list(shared.tables('gowalla')))\n"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    told = done.stdout.splitlines()
    assert told[0] == "implicit is not installed: left out"
    assert told[1].startswith("gowalla is left out: ALSOLIKE_DATA")
    assert told[2] == "None []"


def test_gowalla_is_searched_and_measured(tmp_path: Path, environment: dict[str, str]) -> None:
    folder = tmp_path / "lightgcn-gowalla"
    folder.mkdir()
    likes = np.argsort(np.random.default_rng(0).random((60, 30)))
    for name, part in (("train", likes[:, :12]), ("test", likes[:, 12:15])):
        lines = [f"{user} {' '.join(map(str, items))}\n" for user, items in enumerate(part)]
        (folder / f"{name}.txt").write_text("".join(lines))
    command = [sys.executable, FOLDER / "gowalla.py", "--out", tmp_path / "out", "--users", 30]
    command += ["--families", "als,item-knn,blend"]
    told = []
    for _ in range(2):  # the second finds the ledger of the first
        done = subprocess.run(
            list(map(str, command)),
            capture_output=True,
            text=True,
            env=environment | {"ALSOLIKE_DATA": str(tmp_path)},
            check=False,
        )
        assert done.returncode == 0, done.stderr
        own = done.stdout.split("search ")[-1].split("published")[0]
        told.append(re.findall(r"^(\S+) +([0-9.]+) .*$", own, re.MULTILINE))
    assert told[0] == told[1]
    assert {family for family, _ in told[0]} == {"als", "item-knn", "blend"}


def test_halving_is_held_against_the_grid(environment: dict[str, str]) -> None:
    command = [sys.executable, str(FOLDER / "halving.py"), "--data", TINY, "--limit", "9"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert not done.stderr
    assert re.search(r"^halving took [0-9.]+ of the grid's time", done.stdout, re.MULTILINE)
    assert re.search(r"% below the grid's .* it (does not )?ties? with", done.stdout)
