"""The pages of the documentation: finds their blocks, runs them, compares and rewrites the output.

A page is prose and fenced blocks. Comments say what is done with a block:

``<!-- run by SCRIPT: why -->``
    Before a block that takes long or needs more than the tests have: this script runs it.
``<!-- file: NAME -->``
    Before a block that is no command: it is written to this file, for the blocks after it.
``<!-- shown: PATTERN | PATTERN -->``
    Before a block of output. Where more than 60 lines are printed, only those that one of the
    patterns matches are shown, with the heads of their tables; ``...`` stands for the others.
``<!-- holds: EXPRESSION -->``
    After a block of Python: what the prose says of its output, as a condition to be checked.
``<!-- elsewhere: where -->``
    Before a paragraph or table whose numbers come from there, and not from the page's own blocks.

A block of text after a command is what it prints: standard output, then warnings and errors. Words
and whole numbers must be the same. Decimals may differ a little from one machine to another, what
follows a time or a size in MiB or GiB on its line at will, and ``...`` stands for anything.
"""

import contextlib
import dataclasses
import io
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from unittest import mock

import click.testing

from alsolike.cli.group import main

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
PAGES = (ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted(DOCS.rglob("*.md")))
DATA_PAGES = tuple(sorted((DOCS / "data").glob("*.md")))
WHOLE = 60  # lines of output, at most, that are always shown

_PIECE = re.compile(
    r"^```(?P<language>\w*)\n(?P<code>.*?)^```$"
    r"|<!-- (?P<key>run by|file:|shown:|holds:|elsewhere:) (?P<text>.+?) -->",
    re.MULTILINE | re.DOTALL,
)
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+")  # where pages say that a service listens
# Said by the first command alone that needs compiled kernels.
_ONCE = re.compile(r"Compiling for this processor")
_FOR_BASH = re.compile(r"""[\n|&;<>$`*?#~(){}\[\]\\'"]""")  # outside quotes
_QUOTED = re.compile(r"'[^']*'|\"[^\"$`\\]*\"")
_COMPLAINT = re.compile(r"(?:error|warning): ")
_PYTHON_WARNS = re.compile(r"^\S+:\d+: \w*Warning: ", re.MULTILINE)
_DECIMAL = r"-?\d+\.\d+(?:e[+-]?\d+)?"
_SIZE = re.compile(r"(?:about )?\d[\d,.]* ([MG]iB).*")
_UNIT = r"(?:(?:milli)?seconds?|minutes?|hours?|ms|s|min|h)"
_TIME = re.compile(rf"(?:about )?(?:less than a second|\d[\d,.]* ?{_UNIT}\b).*")
_PART = re.compile(rf"(\.\.\.|{_DECIMAL}|-{{2,}}|\s+)")
_QUANTITY = re.compile(r"(?<![\w.,/-])\d(?:[\d,]*\d)?(?:\.\d+)?(?![\w/-])")


@dataclass(frozen=True)
class Block:
    """A fenced block of a page, and what its comments say.

    `shown` is the output below it, if any, and `span` where that stands in the page. `run_by` is
    the script that runs it in place of the tests.
    """

    page: Path
    line: int
    language: str
    code: str
    run_by: str | None = None
    file: str | None = None
    shown: str | None = None
    span: tuple[int, int] = (0, 0)
    patterns: tuple[str, ...] = ()
    holds: tuple[str, ...] = ()

    @property
    def where(self) -> str:
        """The page and the line, for messages."""
        return f"{self.page.relative_to(ROOT).as_posix()}, line {self.line}"

    @property
    def does(self) -> bool:
        """Whether something happens here: output that belongs to no block is left alone."""
        return self.language in {"python", "sh"} or self.file is not None


def blocks_of(page: Path) -> list[Block]:
    """Return the blocks of a page in order; a block of output is part of the one above it."""
    text = page.read_text(encoding="utf-8")
    blocks: list[Block] = []
    said: dict[str, str] = {}
    end = 0
    for piece in _PIECE.finditer(text):
        between, end = text[end : piece.start()], piece.end()
        if piece["key"] == "holds:":
            blocks[-1] = dataclasses.replace(blocks[-1], holds=(*blocks[-1].holds, piece["text"]))
        elif piece["key"]:
            said[piece["key"].rstrip(":")] = piece["text"]
        elif piece["language"] == "text" and blocks and not between.strip() and _free(blocks[-1]):
            blocks[-1] = dataclasses.replace(
                blocks[-1],
                shown=piece["code"],
                span=piece.span("code"),
                patterns=tuple(filter(None, said.pop("shown", "").split(" | "))),
            )
        else:
            blocks.append(
                Block(
                    page,
                    text.count("\n", 0, piece.start()) + 1,
                    piece["language"],
                    piece["code"],
                    run_by=said.pop("run by", "").partition(":")[0] or None,
                    file=said.pop("file", None),
                )
            )
    return blocks


def _free(block: Block) -> bool:
    return block.shown is None and block.language != "text"


def lines_of(code: str) -> list[str]:
    """Return the lines of a block of shell, continued ones in one piece, without comments alone.

    A line goes on after a backslash, and within quotes.
    """
    joined: list[str] = []
    goes_on = False
    for line in code.replace("\\\n", " ").splitlines():
        if goes_on:
            joined[-1] += f"\n{line}"
        elif line.strip() and not line.lstrip().startswith("#"):
            joined.append(line)
        goes_on = bool(joined) and _is_open(joined[-1])
    return joined


def _is_open(line: str) -> bool:
    """Return whether a quote of a line of shell is not closed."""
    try:
        shlex.split(line, comments=True)
    except ValueError:
        return True
    return False


def words_of(line: str) -> list[str]:
    """Return the words of a line of shell, up to a pipe."""
    words = shlex.split(line, comments=True)
    return words[: words.index("|")] if "|" in words else words


class Session:
    """Runs the blocks of one page, one after the other, in a folder.

    Python blocks share their names. Blocks of shell are given to bash as they are; ``alsolike`` is
    that of this checkout. A single ``alsolike read`` of which a shell would only take the words is
    run in this process, which is much faster. A block that serves goes on in the background, at a
    free port, until the next one that serves or the end of the page; requests for 127.0.0.1 are
    sent to it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._names: dict[str, Any] = {"__name__": "__page__"}
        self._server: subprocess.Popen[str] | None = None
        self._address = ""
        self._around = contextlib.ExitStack()

    def __enter__(self) -> Self:
        (self._folder / ".curlrc").write_text("fail-with-body\nsilent\nshow-error\n")
        programs = [self._folder / ".venv" / "bin", Path(sys.executable).parent]
        given = {
            "PATH": os.pathsep.join([*map(str, programs), os.environ["PATH"]]),
            "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(self._folder / "installed")]),
            "COLUMNS": "100",
            "CURL_HOME": str(self._folder),
        }
        self._around.enter_context(mock.patch.dict(os.environ, given))
        self._around.enter_context(contextlib.chdir(self._folder))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop()
        self._around.close()

    def run(self, block: Block) -> str:
        """Run a block and return what it printed; check what the prose says of it."""
        if block.file is not None:
            Path(block.file).write_text(block.code, encoding="utf-8")
            printed = ""
        elif block.language == "python":
            with contextlib.redirect_stdout(io.StringIO()) as out:
                exec(compile(block.code, f"<{block.where}>", "exec"), self._names)  # noqa: S102
            printed = out.getvalue()
        else:
            printed = self._shell(block)
        return "\n".join(line.rstrip() for line in printed.strip().splitlines())

    def fails(self, block: Block) -> list[str]:
        """Return the conditions of a block that do not hold after it."""
        return [one for one in block.holds if not eval(one, self._names)]  # noqa: S307

    def _shell(self, block: Block) -> str:
        if any(line.startswith("alsolike serve ") for line in lines_of(block.code)):
            self._serve(block)
            return ""
        code = _ADDRESS.sub(self._address, block.code) if self._address else block.code
        status, out, err = _run_reading(code) or _run_bash(code)
        complaints = [line for line in err.splitlines() if _COMPLAINT.match(line)]
        expected = "error:" in (block.shown or "")
        if bool(status) != expected or _PYTHON_WARNS.search(err):
            raise AssertionError(f"{block.where}: {block.code}\n{out}\n{err}")
        printed = [line for line in out.splitlines() if not _ONCE.match(line)]
        return "\n".join([*printed, *complaints])

    def _serve(self, block: Block) -> None:
        self._stop()
        code = "exec " + block.code.strip() + " --port 0"
        self._server = subprocess.Popen(
            ["bash", "-c", code], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        said = ""
        for line in self._server.stderr or ():
            said += line
            if found := _ADDRESS.search(line):
                self._address = found[0]
                return
        raise AssertionError(f"{block.where} does not serve:\n{said}")

    def _stop(self) -> None:
        if self._server is not None:
            self._server.terminate()
            self._server.communicate(timeout=30)
            self._server = None


def _run_bash(code: str) -> tuple[int, str, str]:
    """Run a block of shell; return its status and what it printed on both streams."""
    command = ["bash", "-euo", "pipefail", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def _run_reading(code: str) -> tuple[int, str, str] | None:
    """Run a block that is one plain `alsolike read` as `_run_bash` does, or return None."""
    line = code.replace("\\\n", " ").strip()
    if not line.startswith("alsolike read ") or _FOR_BASH.search(_QUOTED.sub("", line)):
        return None
    done = click.testing.CliRunner().invoke(main, shlex.split(line)[1:], prog_name="alsolike")
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.stdout, done.stderr


def elided(printed: str, patterns: Sequence[str]) -> str:
    """Return what a page shows of an output: all of up to 60 lines, else what patterns match."""
    lines = printed.splitlines()
    if len(lines) <= WHOLE or not patterns:
        return printed
    for pattern in patterns:
        if not re.search(pattern, printed, re.MULTILINE):
            raise AssertionError(f"no line of the output matches {pattern!r}:\n{printed}")
    wanted = {
        row for row, line in enumerate(lines) if any(re.search(one, line) for one in patterns)
    }
    for head, rows in _tables(lines):
        if wanted.intersection(rows):
            wanted.update(head)
    kept: list[str] = []
    for row, line in enumerate(lines):
        if row in wanted:
            kept.append(line)
        elif not kept or kept[-1] != "...":
            kept.append("...")
    return "\n".join(kept)


def _tables(lines: list[str]) -> Iterator[tuple[range, range]]:
    """Yield of each drawn table the rows of its head, and all its rows."""
    start = 0
    while start < len(lines):
        end = start
        while end < len(lines) and lines[end][:1] in {"+", "|"}:
            end += 1
        rules = [row for row in range(start, end) if lines[row].startswith("+")]
        if len(rules) > 1:
            yield range(start, rules[1] + 1), range(start, end)
        start = max(end, start + 1)


def check_shown(
    shown: str, printed: str, where: str, *, rel: float = 0.05, near: float = 0.02
) -> None:
    """Compare what a page shows with what was printed; decimals may differ a little."""
    pattern = ""
    parts = _PART.split(_steady(shown))
    for part in parts:
        if part == "...":
            pattern += ".*?"
        elif part.startswith("--"):
            pattern += "-+"
        elif not part.strip():
            pattern += r"\s+" if part else ""
        else:
            pattern += f"({_DECIMAL})" if re.fullmatch(_DECIMAL, part) else re.escape(part)
    match = re.fullmatch(pattern, _steady(printed), re.DOTALL)
    if not match:
        raise AssertionError(f"{where} shows\n{shown}\nand prints\n{printed}")
    expected = [part for part in parts if re.fullmatch(_DECIMAL, part)]
    for one, other in zip(expected, match.groups(), strict=True):
        if abs(float(other) - float(one)) > max(near, rel * abs(float(one))):
            raise AssertionError(f"{where} shows {one} and prints {other}")


def _steady(output: str) -> str:
    """Return an output without what differs from run to run: a time or a size, and what follows."""
    return _TIME.sub("(a time)", _SIZE.sub(r"(a size in \1)", output.strip()))


def loose_numbers(page: Path) -> list[str]:
    """Return the numbers of a page's prose that none of its blocks holds.

    Looked at are decimals and numbers of three digits or more, but for years.
    """
    text = page.read_text(encoding="utf-8")
    held = set(_QUANTITY.findall("\n".join(piece[0] for piece in _PIECE.finditer(text))))
    prose = re.sub(r"<!-- elsewhere: .+? -->\s*(?:.+\n)+", "", text)
    prose = _COMMENT.sub("", re.sub(r"^```.*?^```$", "", prose, flags=re.MULTILINE | re.DOTALL))
    prose = re.sub(r"`[^`]*`|\]\([^)]*\)", "", prose)
    return [
        number
        for number in _QUANTITY.findall(prose)
        if len(re.sub(r"\D", "", number)) > 2
        and not re.fullmatch(r"(?:19|20)\d\d", number)
        and number not in held
    ]


def rewrite(page: Path, outputs: Sequence[tuple[Block, str]]) -> int:
    """Put what is printed now in place of what a page shows; return how many blocks changed."""
    text = page.read_text(encoding="utf-8")
    changed = 0
    for block, printed in reversed(outputs):
        if block.shown is None:
            continue
        new = elided(printed, block.patterns)
        try:
            check_shown(block.shown, new, block.where, rel=0, near=0)
        except AssertionError:
            start, end = block.span
            if text[start:end] != block.shown:
                raise RuntimeError(f"{page} was changed meanwhile; run it again") from None
            text = f"{text[:start]}{new}\n{text[end:]}"
            changed += 1
    page.write_text(text, encoding="utf-8")
    return changed
