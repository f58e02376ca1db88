"""The benchmark of the service runs on tiny inputs: it prints its tables and writes its JSON.

Nothing is said here of how long anything takes; whether requests failed is.
"""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="the extra 'serve' is not installed")

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"


def test_nothing_fails_while_models_are_swapped(tmp_path: Path) -> None:
    has_peer = importlib.util.find_spec("implicit") is not None
    file = tmp_path / "results" / "serving.json"
    command = [sys.executable, FOLDER / "serving.py", "--quick", "--soak", "0.05", "--json", file]
    (tmp_path / "temporary").mkdir()
    done = subprocess.run(
        list(map(str, command)),
        capture_output=True,
        text=True,
        env=os.environ | {"TMPDIR": str(tmp_path / "temporary")},
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "missed:" not in done.stdout
    assert not list((tmp_path / "temporary").iterdir()), "nothing is left behind"
    written = json.loads(file.read_text(encoding="utf-8"))
    assert written["benchmark"] == "serving"
    rows = {(row["task"], row["contender"]): row for s in written["sections"] for row in s["rows"]}
    assert all(row["failed"] == 0 for row in rows.values() if "failed" in row)
    swap = rows["swap, 2 workers, under load", "alsolike"]
    assert (swap["swaps"], swap["refused"]) == (9, 5)
    for workers in (1, 2):
        for kind in ("first asked", "again"):
            assert rows[f"similar, {workers} workers, {kind}", "alsolike"]["requests_per_s"] > 0
    assert rows["fold-in of 50 likes, unloaded", "alsolike"]["p99"] > 0
    assert rows["mixed, 2 workers, with swaps", "alsolike"]["mib"] > 10
    peers = {contender for _, contender in rows} - {"alsolike"}
    assert peers == ({"implicit, one route"} if has_peer else set())
    if not has_peer:
        assert "implicit is not installed: left out" in done.stdout
