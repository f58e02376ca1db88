"""What a terminal and a log see of long work: bars here, a plain line now and then there."""

import os
import pty
import re
import subprocess
import sys

import pytest

from alsolike.cli.terminal import Terminal
from alsolike.text import duration


class Clock:
    """A clock that the test turns."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_log_gets_a_line_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    with Terminal(clock=clock) as terminal:
        terminal.start("grid search", 96)
        for _ in range(96):
            clock.now += 3
            terminal.advance()
        terminal.finish()
    out, err = capsys.readouterr()
    lines = err.splitlines()
    assert out == ""
    assert "\x1b" not in err
    assert lines[0] == "grid search: 4 of 96 (12 s, about 5 min left)"
    assert lines[-1] == "grid search: done (4 min 48 s)"
    assert len(lines) == 96 // 4 + 1


def test_a_log_of_long_work_gets_few_lines(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    with Terminal(clock=clock) as terminal:
        terminal.start("grid search", 36_000)
        for _ in range(36_000):
            clock.now += 1
            terminal.advance()
        terminal.finish()
    lines = capsys.readouterr().err.splitlines()
    assert 50 < len(lines) < 200  # of ten hours
    assert lines[0].startswith("grid search: 10 of 36,000 (10 s, about ")


class Finding:
    """A finding that has a short text and a long one."""

    def __init__(self, short: str) -> None:
        self.short = short

    def brief(self, width: int) -> str:
        return self.short.format(width=width)

    def __str__(self) -> str:
        return "all of it"


def test_a_page_has_the_short_text_of_a_finding_and_verbose_the_long_one(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "63")
    findings = [Finding("short {width}"), Finding(""), "a line", Finding("\n".join("abcdefghijk"))]
    with Terminal(verbose=False) as terminal:
        for finding in (*findings, findings[0]):
            terminal.tell(finding)
    # A long finding stands apart; an empty one is nothing, not an empty line.
    apart = "\n".join("abcdefghijk")
    assert capsys.readouterr().out == f"short 63\na line\n\n{apart}\n\nshort 63\n"
    with Terminal(verbose=True) as terminal:
        for finding in findings[:3]:
            terminal.tell(finding)
    assert capsys.readouterr().out == "all of it\n\nall of it\n\na line\n\n"


@pytest.mark.parametrize("quiet", [False, True])
def test_a_warning_is_printed_at_once_quiet_or_not(
    capsys: pytest.CaptureFixture[str], quiet: bool
) -> None:
    with Terminal(quiet=quiet) as terminal:
        terminal.warn("that may go wrong")
        assert capsys.readouterr() == ("", "warning: that may go wrong\n")


def test_quick_work_says_nothing_in_a_log(capsys: pytest.CaptureFixture[str]) -> None:
    with Terminal(clock=Clock()) as terminal:
        for total in (3, None):
            terminal.start("sweeps", total)
            terminal.advance(3)
            terminal.finish()
    assert capsys.readouterr() == ("", "")


def test_what_was_done_before_does_not_make_the_rest_look_quick(
    capsys: pytest.CaptureFixture[str],
) -> None:
    clock = Clock()
    with Terminal(clock=clock) as terminal:
        terminal.start("grid search", 1000)
        terminal.advance(900)  # stood in the ledger already
        clock.now += 20
        terminal.advance(10)
    assert capsys.readouterr().err == "grid search: 910 of 1,000 (20 s, about 3 min left)\n"


def test_work_of_unknown_length_and_work_within_work(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    with Terminal(clock=clock) as terminal:
        terminal.start("Reading")
        terminal.start("inner", 2)
        clock.now += 11
        terminal.advance()
        terminal.finish()
        terminal.advance(5)
        terminal.finish()
        terminal.finish()  # one too many does no harm
        terminal.advance()
    assert capsys.readouterr().err.splitlines() == [
        "inner: 1 of 2 (11 s)",
        "inner: done (11 s)",
        "Reading: 5 (11 s)",
        "Reading: done (11 s)",
    ]


def test_findings_go_to_standard_output_and_act_on_nothing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with Terminal() as terminal:
        terminal.tell("[bold]two\nlines\x1b[2J")
    assert capsys.readouterr() == ("[bold]two\nlines\\x1b[2J\n\n", "")


def test_quiet_is_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    with Terminal(quiet=True, clock=clock) as terminal:
        terminal.tell("finding")
        terminal.start("task", 2)
        clock.now += 60
        terminal.advance()
        terminal.finish()
    assert capsys.readouterr() == ("", "")


def test_colours_asked_for_elsewhere_make_no_bars_in_a_log(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    with Terminal() as terminal:
        terminal.start("task", 2)
        terminal.advance()
        terminal.tell("x")
        terminal.finish()
    assert capsys.readouterr() == ("x\n\n", "")


WORK = """
from alsolike.cli.terminal import Terminal
from alsolike.text import duration
with Terminal() as terminal:
    terminal.start("grid search", 4)
    terminal.advance(3)
    terminal.tell("a finding")
    terminal.finish()
"""


@pytest.mark.parametrize(("kind", "bars"), [("xterm-256color", True), ("dumb", False)])
def test_a_person_at_a_terminal_sees_a_bar_that_goes_away(kind: str, bars: bool) -> None:
    ours, theirs = pty.openpty()
    try:
        done = subprocess.run(
            [sys.executable, "-c", WORK],
            stdout=subprocess.PIPE,
            stderr=theirs,
            env=os.environ | {"TERM": kind, "COLUMNS": "100"},
            check=True,
        )
        os.close(theirs)
        drawn = b""
        while chunk := _rest(ours):
            drawn += chunk
    finally:
        os.close(ours)
    assert done.stdout == b"a finding\n\n"
    assert (b"grid search" in drawn and b"3/4" in drawn) is bars
    if bars:
        assert re.search(rb"\x1b\[2K$|\x1b\[\?25h", drawn)  # the line wiped, the cursor back


def _rest(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # Linux says so where nobody writes any more
        return b""


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.4, "0 s"), (59.9, "59 s"), (60, "1 min"), (3600, "1 h"), (93_784, "26 h 3 min")],
)
def test_lengths_of_time_are_spelled(seconds: float, words: str) -> None:
    assert duration(int(seconds)) == words
