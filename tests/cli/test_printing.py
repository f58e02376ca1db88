"""How much is printed: a page that fits the terminal, everything with --verbose."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

import click.testing
import numpy as np
import pytest

from alsolike.cli.group import main

FEW = (
    "--held-out", "2", "--grid", "factors=2,3,4", "--grid", "unobserved_weight=0.1,0.3,1", "--grid",
    "regularization=0.003,0.01", "--sweeps", "1,2,4",
)  # fmt: skip
RUNS = 18


def said(*words: object) -> str:
    """Run a verb in this process and return what it prints; it must end well."""
    result = click.testing.CliRunner().invoke(main, [str(word) for word in words])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with likes of two tastes, and in ``out`` what a run on them left."""
    folder = tmp_path_factory.mktemp("page")
    rng = np.random.default_rng(0)
    likes = ["user,item"]
    for user in range(80):
        likes += [f"u{user},i{2 * one + user % 2}" for one in rng.choice(14, 9, replace=False)]
    (folder / "likes.csv").write_text("\n".join(likes) + "\n")
    (folder / "first").write_text(said("run", folder / "likes.csv", *FEW, "--out", folder / "out"))
    return folder


def run_again(folder: Path, *more: object) -> str:
    """Return what the same run prints; its trainings stand in the ledger."""
    return said("run", folder / "likes.csv", *FEW, "--out", folder / "out", *more)


def test_a_run_prints_a_page_that_begins_its_results_with_the_verdicts(folder: Path) -> None:
    lines = (folder / "first").read_text().splitlines()
    assert len(lines) <= 72  # similar items, then lists, then families
    text = "\n".join(lines)
    assert re.search(r"^(Lists|Similar items): (not )?better than popularity: ", text, re.M)
    results = ("better than popularity", "test users (not used", "Best on", "Done. Open")
    places = [text.index(part) for part in results]
    assert places == sorted(places)
    assert "| sweep |" not in text
    assert "+---" not in text
    for part in ("720 rows", "after the filter", "split:", "memory:", "The search will"):
        assert part in text
    shown = re.search(r"(\d+)\s+more\s+rows; --verbose or\s+leaderboard.csv has", text)
    assert shown is not None


@pytest.mark.parametrize("width", [40, 60, 80, 100, 200])
def test_a_page_fits_the_terminal(
    folder: Path, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    for line in run_again(folder).splitlines():
        # But for paths, commands, and a sentence, which a pipe gets whole.
        assert len(line) <= width or str(folder) in line or line.startswith("Fitting "), line
    for line in said("runs", folder / "out").splitlines():
        assert len(line) <= width or line.startswith(("settings", str(folder))), line


def test_verbose_prints_everything_in_lines_as_long_as_they_need(
    folder: Path, tmp_path: Path
) -> None:
    text = said("run", folder / "likes.csv", *FEW, "--out", tmp_path, "--verbose")
    assert text.count("\n| sweep |") == RUNS
    board = text.split("Best on ")[1]
    assert len(re.findall(r"^\| +\d+ \| +\d+ \| als", board, re.M)) == RUNS
    assert "validation_precision@10_low" in board
    assert "Not shown" not in text
    assert max(map(len, text.splitlines())) > 100
    for name in ("precision@10", "map@10", "p_0.5@10", "mse_all"):
        assert f"| {name} " in text
    whole = said("runs", tmp_path, "--verbose")
    assert len(re.findall(r"^\| +\d+ \| +\d+ \| factors", whole, re.M)) == RUNS
    # The files have everything either way.
    files = [(place / "leaderboard.csv").read_bytes() for place in (tmp_path, folder / "out")]
    assert files[0] == files[1]


def test_search_prints_a_page_too(folder: Path, tmp_path: Path) -> None:
    text = said("search", folder / "likes.csv", *FEW, "--out", tmp_path / "search")
    assert len(text.splitlines()) <= 34
    assert max(map(len, text.splitlines())) <= 100 + len(str(tmp_path))
    assert "Best on precision@10 on validation" in text


def on_a_terminal(width: int, *words: object, errors: bool = False) -> list[str]:
    """Return the lines that a verb prints on a terminal of this width, errors among them or not."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    command = [sys.executable, "-m", "alsolike", *map(str, words)]
    stderr = theirs if errors else subprocess.PIPE
    with subprocess.Popen(command, stdout=theirs, stderr=stderr, env=environment) as verb:
        os.close(theirs)
        drawn = b""
        while chunk := _rest(ours):
            drawn += chunk
    os.close(ours)
    assert verb.returncode == 0
    return drawn.decode().replace("\r\n", "\n").splitlines()


def _rest(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # Linux says so where nobody writes any more
        return b""


def test_an_answer_fits_a_terminal_and_is_whole_in_a_pipe(folder: Path) -> None:
    model = folder / "out" / "model"
    piped = said("similar", model, "i3", "--k", 3)
    assert piped.count("| i3 ") == 3
    assert said("similar", model, "i3", "--k", 3, "--verbose") == piped
    assert "\n".join(on_a_terminal(100, "similar", model, "i3", "--k", 3)) + "\n" == piped
    narrow = on_a_terminal(18, "similar", model, "i3", "--k", 3)
    assert max(map(len, narrow)) <= 18
    assert len([line for line in narrow if re.match(r"i\d+$", line)]) == 3
    assert "\n".join(on_a_terminal(18, "similar", model, "i3", "--k", 3, "--verbose")) in piped


@pytest.mark.parametrize("width", [40, 60, 80])
def test_longer_answers_fit_a_terminal_too(folder: Path, width: int) -> None:
    model = folder / "out" / "model"
    for words in (("explain", model, "u0", "i1"), ("diff", model, model)):
        lines = on_a_terminal(width, *words)
        assert max(map(len, lines)) <= width, words
        assert len(lines) <= 45
    lines = on_a_terminal(width, "metric-definitions", model, folder / "likes.csv", "--keep-seen")
    assert max(map(len, lines)) <= width
    assert "where they differ; --verbose" in " ".join(" ".join(lines).split())


def test_a_warning_stands_once_on_a_terminal_and_in_both_streams_elsewhere(
    folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "likes.csv").write_text("user,item\na,NULL\na,x\nb,x\n")
    words = ("read", tmp_path / "likes.csv")
    drawn = on_a_terminal(400, *words, errors=True)
    assert sum("is called 'NULL'" in line for line in drawn) == 1
    piped = click.testing.CliRunner().invoke(main, list(map(str, words)))
    for stream in (piped.stdout, piped.stderr):
        assert "warning" in stream
        assert "pass --missing-id drop" in stream  # and not as Python has it
    more = ("fit", tmp_path / "likes.csv", "--to", tmp_path / "model", "--verbose")
    drawn = on_a_terminal(400, *more, errors=True)
    assert sum("is called 'NULL'" in line for line in drawn) == 1
    words = ("run", folder / "likes.csv", *FEW, "--out", folder / "out")
    drawn = on_a_terminal(400, *words, errors=True)
    verdicts = [line for line in drawn if "better than popularity" in line]
    assert len(verdicts) == len(set(verdicts)) == 2


def test_a_page_says_that_more_is_known_of_a_dialect(folder: Path, tmp_path: Path) -> None:
    """Also where the delimiter looks like what parts the reasons."""
    lines = ["user; item", '"Weird Al" Yankovic; x', *(f"u{one}; i{one}" for one in range(8))]
    (tmp_path / "likes.txt").write_text("\n".join(lines) + "\n")
    words = ("fit", tmp_path / "likes.txt", "--delimiter", "; ", "--set", "factors=2")
    text = said(*words, "--to", tmp_path / "model")
    (line,) = (one for one in text.splitlines() if one.startswith("dialect: "))
    assert line.startswith("dialect: delimiter '; ', quote none, escape none, header yes (")
    assert "reads every row; --verbose says more)" in " ".join(text.split())
