"""The documentation: its code runs and prints what it shows, and it leaves nothing out.

The blocks of README.md and docs/ are run here, but for those that take long: `scripts/run_docs.py`
runs those too, and says in its docstring how to rewrite what a page shows. `scripts/doc_pages.py`
says what counts as the same output.
"""

import re
import shutil
from collections.abc import Iterator
from dataclasses import MISSING, fields
from pathlib import Path

import click
import doc_pages
import package_tree
import pytest
import run_docs
from doc_folders import lay_out
from doc_pages import DATA_PAGES, DOCS, PAGES, ROOT, Block, Session, blocks_of, check_shown

from alsolike.cli.group import main
from alsolike.models.registry import trained

PAGES_THAT_RUN = [page for page in PAGES if any(block.does for block in blocks_of(page))]
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(?<!`)\[[^\]]*\]\(([^)\s]+)\)")
_OPTION = re.compile(r"--[a-z][a-z-]*")
# Who runs the blocks that the tests do not, and how one sees that it does.
_RUNNERS = {"scripts/run_docs.py": "blocks_of(page)", ".ci/run": "make test"}


def named(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def commands_in(code: str) -> Iterator[list[str]]:
    """Yield the words after `alsolike` of each line that starts with it."""
    for line in doc_pages.lines_of(code):
        if line.startswith("alsolike "):
            yield doc_pages.words_of(line)[1:]


@pytest.mark.parametrize("page", PAGES_THAT_RUN, ids=named)
def test_page_prints_what_it_shows(
    page: Path, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    if page in DATA_PAGES:
        request.getfixturevalue("shared_data")
    if shutil.which("curl") is None and any(
        block.code.startswith("curl ") for block in blocks_of(page)
    ):
        pytest.skip("curl is not installed")
    lay_out(page, tmp_path)
    outputs = []
    with Session(tmp_path) as session:
        for block in blocks_of(page):
            if block.does and block.run_by is None:
                outputs.append((block, session.run(block)))
                assert not session.fails(block), block.where
    assert outputs, "nothing was run"
    assert run_docs.shown_otherwise(page, outputs) == []


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_block_is_run_or_is_an_output_of_one(page: Path) -> None:
    blocks = blocks_of(page)
    text = page.read_text(encoding="utf-8")
    assert "<!-- not run" not in text
    assert text.count("```") == 2 * sum(1 + (block.shown is not None) for block in blocks)
    for block in blocks:
        assert block.does, f"{block.where} is neither a command, nor its output, nor a file"
        if block.run_by is not None:
            assert _RUNNERS[block.run_by] in (ROOT / block.run_by).read_text(), block.where
        if block.file is not None:
            later = [other.code for other in blocks if other.line > block.line]
            assert any(block.file in code for code in later), f"{block.where}: nothing reads it"
        if block.language == "sh":
            assert not re.search(r"install [^'\n]*\[", block.code), f"{block.where}: quote for zsh"


@pytest.mark.parametrize("page", DATA_PAGES, ids=named)
def test_numbers_of_the_prose_are_those_of_an_output(page: Path) -> None:
    assert doc_pages.loose_numbers(page) == []


@pytest.mark.parametrize("page", DATA_PAGES, ids=named)
def test_page_says_where_its_data_come_from(page: Path) -> None:
    section = sections_of(page)["Where the data come from"]
    assert "https://" in section
    assert re.search(r"licen[cs]e|terms", section, re.IGNORECASE)


def test_what_may_differ_from_one_machine_to_another() -> None:
    shown = "peak: about 1,310 MiB\nscore 0.50\nit takes about 4 seconds, 2 of them here"
    check_shown(shown, "peak: about 90 MiB\nscore 0.51\nit takes less than a second", "")
    for other in (
        "peak: about 90 GiB\nscore 0.51\nit takes 1 s",
        "peak: about 90 MiB\nscore 0.56\nit takes 1 s",
        "peak: about 90 MiB\nscore 0.51\nit took 1 s",
        "peak: about 90 MiB\nscore 0.51\nit takes 12",
    ):
        with pytest.raises(AssertionError):
            check_shown(shown, other, "")


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(doc_pages, "ROOT", tmp_path)
    return tmp_path / "page.md"


def run_here(page: Path, folder: Path) -> list[tuple[Block, str]]:
    folder.mkdir()
    with Session(folder) as session:
        return [(block, session.run(block)) for block in blocks_of(page) if block.does]


def test_a_page_is_rewritten_by_its_own_commands(page: Path, tmp_path: Path) -> None:
    page.write_text(
        "```sh\nseq 70\n```\n\nProse.\n\n```sh\nseq 70\n```\n"
        "<!-- shown: ^7$ | ^70 -->\n```text\nold\n```\n"
        "<!-- file: a.txt -->\n```json\n[1]\n```\n"
        "```python\nimport pathlib\nfound = pathlib.Path('a.txt').read_text()\nprint(found)\n```\n"
        "```text\n[2]\n```\n"
        "It is one.<!-- holds: '1' in found --><!-- holds: '->' in found -->\n"
    )
    outputs = run_here(page, tmp_path / "folder")
    assert doc_pages.rewrite(page, outputs) == 2
    shown = [block.shown for block in blocks_of(page)]
    assert shown == [None, "...\n7\n...\n70\n", None, "[1]\n"]
    assert doc_pages.rewrite(page, run_here(page, tmp_path / "again")) == 0
    with Session(tmp_path / "again") as session:
        *_, last = blocks_of(page)
        session.run(last)
        assert session.fails(last) == ["'->' in found"]


@pytest.mark.parametrize(
    "code",
    [
        "alsolike nothing-like-this",
        "false",
        "echo $UNSET",
        "curl http://127.0.0.1:1/",
        "alsolike serve nothing",
        "python -c 'import warnings; warnings.warn(\"x\")'",
    ],
)
def test_a_block_that_fails_is_a_failure(code: str, page: Path, tmp_path: Path) -> None:
    page.write_text(f"```sh\n{code}\n```\n")
    with pytest.raises(AssertionError, match=r"page.md, line 1"):
        run_here(page, tmp_path / "folder")


def test_only_a_plain_reading_is_run_in_this_process(tmp_path: Path) -> None:
    likes = tmp_path / "a b.csv"
    likes.write_text("user,item\nann,m1\n")
    plain = f"alsolike read '{likes}' \\\n  --user user --item item\n"
    with Session(tmp_path):
        assert doc_pages._run_reading(plain) == doc_pages._run_bash(f"python -m {plain}")
    for code in (f"{plain} | cat", f"{plain}echo", "alsolike read $X", "alsolike fit a"):
        assert doc_pages._run_reading(code) is None


def test_rows_of_a_long_output_are_shown_below_the_head_of_their_table() -> None:
    table = "+---+\n| a |\n+---+\n| 1 |\n| 2 |\n+---+\n"
    shown = doc_pages.elided(table + "more\n" * 60 + "the end", [r"\| 2", "end$"])
    assert shown == "+---+\n| a |\n+---+\n...\n| 2 |\n...\nthe end"


def test_a_pattern_that_matches_nothing_is_a_failure() -> None:
    with pytest.raises(AssertionError, match="no line of the output matches 'popularity'"):
        doc_pages.elided("1\n" * 70, ["popularity"])
    assert doc_pages.elided("1\n2", ["popularity"]) == "1\n2"


def test_a_number_of_the_prose_that_no_block_holds_is_named(page: Path) -> None:
    page.write_text(
        "In 2011, 1,234 of them scored 0.125; 0.126 before. See [128](a/129.md), `130`.\n\n"
        "<!-- elsewhere: a paper -->\n| a | 0.777 |\n\n```text\n1,234 0.125\n```\n"
    )
    assert doc_pages.loose_numbers(page) == ["0.126", "128"]


def test_readme_example_is_short() -> None:
    examples = [b.code for b in blocks_of(ROOT / "README.md") if b.language == "python"]
    assert len(examples) == 1
    assert len(examples[0].splitlines()) < 15


def test_the_family_from_outside_is_the_one_that_the_tests_take_all_the_way() -> None:
    shown = next(b.code for b in blocks_of(DOCS / "extending.md") if b.file == "cocounts.py")
    assert shown == (ROOT / "tests/toy_family.py").read_text(encoding="utf-8")
    assert len(shown.splitlines()) < 110


def verb_of(words: list[str]) -> click.Command | None:
    return main.commands.get(words[0]) if words else None


def options_of(verb: click.Command) -> set[str]:
    return {
        flag
        for option in verb.params
        if isinstance(option, click.Option)
        for flag in (*option.opts, *option.secondary_opts)
    }


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_commands_exist(page: Path) -> None:
    """Every command that a page names has its verb and its options; whole ones parse."""
    above = click.Context(main, info_name="alsolike", **main.context_settings)
    for block in blocks_of(page):
        if block.language != "sh":
            continue
        for words in commands_in(block.code):
            verb = verb_of(words)
            if verb is None:
                assert words[0] in {"--help", "--version"}, words
            else:
                verb.make_context(words[0], words[1:], parent=above)
    prose = _FENCE.sub("", page.read_text(encoding="utf-8"))
    for span in re.findall(r"`alsolike ([a-z][^`]*)`", prose):
        verb = verb_of(span.split())
        assert verb is not None, span
        assert set(_OPTION.findall(span)) <= options_of(verb) | {"--help"}, span


@pytest.mark.parametrize("page", PAGES, ids=named)
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
        if verb.hidden:  # an old name
            continue
        section = sections[f"alsolike {name}"]
        documented = set(_OPTION.findall(section))
        for heading, options in shared.items():
            if heading.lower() in section.lower():
                documented |= options
        assert options_of(verb) <= documented | {"--help", "-h"}, name
        assert documented & set(_OPTION.findall(section)) <= options_of(verb), name


def test_every_setting_is_documented_with_its_default() -> None:
    sections = sections_of(DOCS / "settings.md")
    for family in trained():
        heading = next(one for one in sections if family.name in one.split())
        shown = re.findall(r"^\| `(\w+)` \| `([^`]+)` \|", sections[heading], re.MULTILINE)
        known = {
            setting.name: str(setting.default)
            for setting in fields(family.config)
            if setting.default is not MISSING  # a default that is made is put in words
        }
        assert dict(shown) == known or (not known and family.name in heading), family.name


def test_the_tree_of_packages_is_as_the_page_shows_it() -> None:
    page = package_tree.PAGE.read_text(encoding="utf-8")
    assert package_tree.with_tree(page) == page
    assert "errors.py" in page
