"""The documentation: its code runs and prints what it shows, and it leaves nothing out.

On README.md, docs/tutorial.md and the pages of docs/data every block of Python and every line that
starts with `alsolike` is run, except after a comment `<!-- not run: why -->`. A block of text after
it is what it must print: word for word and number for number, but for decimals, which may differ
by 0.02 or a twentieth from one machine to another, and sizes in MiB, which may differ at will;
`...` stands for anything.

``python tests/test_docs.py PAGE`` puts what is printed now in place of what no longer holds; of a
page of docs/data with ``ALSOLIKE_DATA`` set.
"""

import contextlib
import io
import os
import re
import shlex
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from alsolike import ALSConfig
from alsolike.cli import main
from alsolike.data.datasets import write_demo

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted(DOCS.rglob("*.md"))]
DATA_PAGES = sorted((DOCS / "data").glob("*.md"))

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_NOT_RUN = re.compile(r"<!-- not run: [^>]+-->\s*\Z")
_DECIMAL = re.compile(r"-?\d+\.\d+(?:e[+-]?\d+)?")
_LINK = re.compile(r"(?<!`)\[[^\]]*\]\(([^)\s]+)\)")
_OPTION = re.compile(r"--[a-z][a-z-]*")


@dataclass(frozen=True)
class Block:
    """A fenced block of a page; `shown` is the block of text that follows at once, if any."""

    language: str
    code: str
    is_run: bool
    shown: str | None
    line: int


def blocks_of(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    found = list(_FENCE.finditer(text))
    blocks = []
    for match, after in zip(found, [*found, None][1:], strict=True):
        follows = (
            after is not None
            and after[1] == "text"
            and not text[match.end() : after.start()].strip()
        )
        before = text[: match.start()]
        blocks.append(
            Block(
                match[1],
                match[2],
                not _NOT_RUN.search(before),
                after[2] if after is not None and follows else None,
                before.count("\n") + 1,
            )
        )
    return blocks


def commands_in(code: str) -> Iterator[list[str]]:
    """Yield the words after `alsolike` of each line that starts with it."""
    for line in code.replace("\\\n", " ").splitlines():
        if line.startswith("alsolike "):
            yield shlex.split(line, comments=True)[1:]


def run(block: Block, names: dict[str, Any]) -> str:
    """Run a block; return what it printed."""
    printed = io.StringIO()
    if block.language == "python":
        with contextlib.redirect_stdout(printed):
            exec(compile(block.code, f"<line {block.line}>", "exec"), names)  # noqa: S102
        return printed.getvalue()
    for words in commands_in(block.code):
        result = CliRunner().invoke(main, words, catch_exceptions=False)
        assert result.exit_code == 0 or "error:" in (block.shown or ""), result.output
        # Warnings stand in the report, too; a page shows them once.
        printed.write(result.output if result.exit_code else result.stdout)
    return printed.getvalue()


def check_shown(shown: str, printed: str, where: str) -> None:
    """Compare what a page shows with what was printed; decimals may differ a little."""
    pattern = ""
    for part in re.split(r"(\.\.\.|[\d,]+ MiB|-?\d+\.\d+(?:e[+-]?\d+)?|-{2,}|\s+)", shown.strip()):
        if part == "...":
            pattern += ".*?"
        elif part.endswith(" MiB"):
            pattern += r"[\d,]+ MiB"
        elif part.startswith("--"):
            pattern += "-+"
        elif not part.strip():
            pattern += r"\s+" if part else ""
        else:
            pattern += f"({_DECIMAL.pattern})" if _DECIMAL.fullmatch(part) else re.escape(part)
    match = re.fullmatch(pattern, printed.strip(), re.DOTALL)
    assert match, f"{where} shows\n{shown}\nand prints\n{printed}"
    expected = _DECIMAL.findall(shown.replace("...", " "))
    for one, other in zip(expected, match.groups(), strict=True):
        assert float(other) == pytest.approx(float(one), rel=0.05, abs=0.02), where


def test_what_may_differ_from_one_machine_to_another() -> None:
    check_shown("peak: about 1,310 MiB\nscore 0.50", "peak: about 90 MiB\nscore 0.51", "")
    for other in ("peak: about 90 GiB\nscore 0.51", "peak: about 90 MiB\nscore 0.56"):
        with pytest.raises(AssertionError):
            check_shown("peak: about 1,310 MiB\nscore 0.50", other, "")


def run_page(page: Path) -> list[tuple[Block, str]]:
    names: dict[str, Any] = {"__name__": "__page__"}
    return [
        (block, run(block, names))
        for block in blocks_of(page)
        if block.is_run and (block.language == "python" or any(commands_in(block.code)))
    ]


def check_page(page: Path) -> None:
    ran = run_page(page)
    assert ran, "nothing was run"
    for block, printed in ran:
        if block.shown is not None:
            check_shown(block.shown, printed, f"{page.name}, line {block.line}")


def lay_out_data(shared_data: Path) -> None:
    """Make the files of all public sets reachable by their plain names."""
    for file in sorted(shared_data.glob("*/*.gz")):
        Path(file.name).symlink_to(file)
    Path("gowalla").symlink_to(shared_data / "lightgcn-gowalla")


def test_readme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_demo("demo")
    check_page(ROOT / "README.md")


def test_readme_example_is_short() -> None:
    examples = [b.code for b in blocks_of(ROOT / "README.md") if b.language == "python"]
    assert len(examples) == 1
    assert len(examples[0].splitlines()) < 15


def test_tutorial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    check_page(DOCS / "tutorial.md")


@pytest.mark.parametrize("page", DATA_PAGES, ids=lambda page: page.stem)
def test_page_on_real_data(
    page: Path, shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    lay_out_data(shared_data)
    check_page(page)


def verb_of(words: list[str]) -> click.Command | None:
    return main.commands.get(words[0]) if words else None


def options_of(verb: click.Command) -> set[str]:
    return {
        flag
        for option in verb.params
        if isinstance(option, click.Option)
        for flag in (*option.opts, *option.secondary_opts)
    }


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_commands_exist(page: Path) -> None:
    """Every command that a page names has its verb and its options; whole ones parse."""
    for block in blocks_of(page):
        if block.language != "sh":
            continue
        for words in commands_in(block.code):
            verb = verb_of(words)
            if verb is None:
                assert words[0] in {"--help", "--version"}, words
            else:
                verb.make_context(words[0], words[1:])
    prose = _FENCE.sub("", page.read_text(encoding="utf-8"))
    for span in re.findall(r"`alsolike ([a-z][^`]*)`", prose):
        verb = verb_of(span.split())
        assert verb is not None, span
        assert set(_OPTION.findall(span)) <= options_of(verb) | {"--help"}, span


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_what_is_pointed_to_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    goals = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"(?:^|`)make ([a-z]+)", text, re.MULTILINE)) <= goals
    for path in re.findall(r"`((?:tests|benchmarks|scripts|docs|src)/[\w./-]+)`", text):
        assert (ROOT / path).exists(), path
    for name in re.findall(r"`alsolike\.([a-z_.]+)", text):
        room = ROOT / "src/alsolike" / name.replace(".", "/")
        assert any(
            place.exists() for at in (room, room.parent) for place in (at, at.with_suffix(".py"))
        ), name
    for target in _LINK.findall(_FENCE.sub("", text)):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        goal = (page.parent / path) if path else page
        assert goal.exists(), target
        assert not anchor or anchor in anchors_of(goal), target


def anchors_of(page: Path) -> set[str]:
    prose = _FENCE.sub("", page.read_text(encoding="utf-8"))
    headings = re.findall(r"^#+ (.+)$", prose, re.MULTILINE)
    return {re.sub(r"[\s-]+", "-", re.sub(r"[^\w\s-]", "", h).strip().lower()) for h in headings}


def sections_of(page: Path) -> dict[str, str]:
    parts = re.split(r"^## (.+)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_every_command_and_option_is_documented() -> None:
    sections = sections_of(DOCS / "commands.md")
    shared = {
        heading: set(_OPTION.findall(text))
        for heading, text in sections.items()
        if heading.startswith("Options of ")
    }
    for name, verb in main.commands.items():
        section = sections[f"alsolike {name}"]
        documented = set(_OPTION.findall(section))
        for heading, options in shared.items():
            if heading.lower() in section.lower():
                documented |= options
        assert options_of(verb) <= documented | {"--help", "-h"}, name
        assert documented & set(_OPTION.findall(section)) <= options_of(verb), name


def test_every_setting_is_documented_with_its_default() -> None:
    text = (DOCS / "settings.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \| `([^`]+)` \|", text, re.MULTILINE))
    assert rows == {setting.name: str(setting.default) for setting in fields(ALSConfig)}


def test_every_room_is_on_the_map() -> None:
    house = ROOT / "src/alsolike"
    text = (DOCS / "architecture.md").read_text(encoding="utf-8")
    drawn = re.findall(r"^    (?:\S+/|  [\w.]+\.py|[\w.]+\.py)(?= )", text, re.MULTILINE)
    rooms, floor = set(), ""
    for name in (line[4:] for line in drawn):
        if name.endswith("/"):
            floor = name
        else:
            rooms.add(floor + name.strip() if name.startswith(" ") else name)
    expected = {
        path.relative_to(house).as_posix()
        for path in house.rglob("*.py")
        if path.parent == house or path.name != "__init__.py"
    }
    assert rooms == expected


def rewrite(page: Path) -> None:
    """Put what is printed now in place of what no longer holds."""
    text = page.read_text(encoding="utf-8")
    for block, printed in run_page(page):
        if block.shown is None:
            continue
        try:
            check_shown(block.shown, printed, "")
        except AssertionError:
            new = "\n".join(line.rstrip() for line in printed.strip().splitlines())
            both = f"```{block.language}\n{block.code}```\n\n```text\n"
            text = text.replace(f"{both}{block.shown}```", f"{both}{new}\n```", 1)
    page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    wanted = Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        if wanted in DATA_PAGES:
            lay_out_data(Path(os.environ["ALSOLIKE_DATA"]))
        elif wanted.name == "README.md":
            write_demo("demo")
        rewrite(wanted)
