"""Run every check and end with one line: ran N, skipped M because ...

Fails where a check failed, and under CI=true where one was skipped: there, everything that the
tests need is to be had, so a skip is a broken set-up.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import IO, NamedTuple
from xml.etree import ElementTree as ET

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
LINTS = {
    "ruff check": [BIN / "ruff", "check", "."],
    "ruff format": [BIN / "ruff", "format", "--check", "."],
    "mypy": [BIN / "mypy"],
    "import-linter": [BIN / "lint-imports", "--no-cache"],
}

# Those that mostly wait for commands, services and signals: about half of the time of all.
APART = (
    "tests/benchmarks",
    "tests/cli/test_pipeline.py",
    "tests/cli/test_signals.py",
    "tests/data/reading/files/test_foreign_files.py",
    "tests/data/reading/test_guesses.py",
    "tests/export/test_export.py",
    "tests/pipeline/test_precompile.py",
    "tests/project/test_docs.py",
    "tests/storage/test_system_errors.py",
    "tests/tuning/budget/test_memory_forecast.py",
    "tests/web/pages/test_browser.py",
    "tests/web/test_serve.py",
)


class Outcome(NamedTuple):
    """What a set of checks came to."""

    ran: int
    failed: list[str]
    skips: Counter[str]


def run_lints() -> Outcome:
    """Run the checks that need no test."""
    failed = []
    for name, command in LINTS.items():
        print(f"-- {name}", flush=True)
        if subprocess.run(command, cwd=ROOT, check=False).returncode:
            failed.append(name)
    return Outcome(len(LINTS), failed, Counter())


def run_tests(options: list[str]) -> list[Outcome]:
    """Run pytest on everything, in two processes beside each other; what they did, in order.

    With `options`, all that they choose in one process.
    """
    if options:
        with tempfile.TemporaryDirectory() as folder:
            return [outcome_of(*begun(options, Path(folder) / "report.xml"))]
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile("w+") as printed:
        first = begun([f"--ignore={file}" for file in APART], Path(folder) / "first.xml")
        second = begun([*APART], Path(folder) / "second.xml", printed)
        outcomes = [outcome_of(*first), outcome_of(*second)]
        printed.seek(0)
        print(f"-- {', '.join(APART)}, run beside these", flush=True)
        print(printed.read(), flush=True)
    return outcomes


def begun(
    options: list[str], report: Path, printed: IO[str] | None = None
) -> tuple[subprocess.Popen[bytes], Path]:
    """Begin a run of pytest that leaves a report, and prints to a file if there is one."""
    command = [sys.executable, "-m", "pytest", f"--junitxml={report}", "--durations=15", *options]
    return subprocess.Popen(command, cwd=ROOT, stdout=printed, stderr=printed), report


def outcome_of(process: subprocess.Popen[bytes], report: Path) -> Outcome:
    """Wait for a run of pytest; count what it did from its own report."""
    code = process.wait()
    failed = [f"pytest (exit {code})"] if code else []
    if not report.exists():
        return Outcome(0, failed or ["pytest (no report)"], Counter())
    cases = list(ET.parse(report).iter("testcase"))  # noqa: S314 - written just above
    skips = Counter(
        reason_of(skip)
        for case in cases
        for skip in case.findall("skipped")
        if skip.get("type") != "pytest.xfail"
    )
    ran = len(cases) - skips.total()
    return Outcome(ran, failed or ([] if ran else ["pytest (ran nothing)"]), skips)


def reason_of(skip: ET.Element) -> str:
    """Return why a test was skipped, without the prefix of a skipped module."""
    return (skip.get("message") or "no reason given").removeprefix("Skipped: ").strip(" .")


def last_line(ran: int, skips: Counter[str]) -> str:
    """Say what ran and what did not, and why.

    >>> last_line(7, Counter({"no browser": 2}))
    'ran 7, skipped 2 because no browser (2)'
    >>> last_line(9, Counter())
    'ran 9, skipped 0 because nothing was missing'
    """
    reasons = ", ".join(f"{reason} ({count})" for reason, count in skips.most_common())
    return f"ran {ran}, skipped {skips.total()} because {reasons or 'nothing was missing'}"


def main() -> int:
    """Run what was asked for; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lint", action="store_true", help="only the checks that run no test")
    chosen, options = parser.parse_known_args()
    outcomes = [run_lints()]
    if not chosen.lint:
        outcomes += run_tests(options)
    skips = sum((outcome.skips for outcome in outcomes), Counter())
    failed = [name for outcome in outcomes for name in outcome.failed]
    if skips and os.environ.get("CI") == "true":
        failed.append("nothing may be skipped in CI")
    if failed:
        print(f"FAILED: {', '.join(failed)}")
    print(last_line(sum(outcome.ran for outcome in outcomes), skips), flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
