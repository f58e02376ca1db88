"""Messages of the command line: no parameter of Python's, no option that is not there."""

import ast
import functools
import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import click
import click.testing
import pytest

from alsolike.cli.group import main
from alsolike.cli.syntax import as_typed
from alsolike.models.registry import trained

SOURCE = Path(__file__).resolve().parents[2] / "src" / "alsolike"

OPTIONS = {
    option.name for verb in main.commands.values() for option in verb.params
    if isinstance(option, click.Option)
}  # fmt: skip
SETTINGS = {one.name for family in trained() for one in fields(family.config)}
# What callers of Python alone can meet, and where.
ONLY_PYTHON = {
    "likes": "evaluate: the command takes those of the model",
    "features": "evaluate: --agree reads them",
    "at": "a moment to split at: no way of splitting of the command line takes one",
    "validation_at": "likewise",
    "minimum": "of made-up tables",
    "exclude": "is --keep-seen",
    "exclude_seen": "is --keep-seen",
    "recall_with_cutoff": "of another library",
    "tzinfo": "of a moment in Python",
    "fraction": "of an example in Python",
    "id_column": "of read_features: the command takes FILE:ITEM,FEATURE",
    "feature": "likewise",
    "columns": "of pandas, for objects in Python",
    "index": "likewise",
    "union_by_name": "of DuckDB, within a command",
    "comments": "of NumPy, within a command",
    "sep": "of Excel's first line",
    "is_by_items": "of splits that callers make; the command's are made by --by",
    "other": "a weight, within --weights",
    "tag": "a weight, within --set weights",
    "citation": "likewise",
    "view": "likewise",
    "cart": "likewise",
    "purchase": "likewise",
    "key": "of an element that a path leads to",
    "page": "likewise",
    "rules": "the command makes them of its options",
    "category": "a column, within --only",
}
NO_MESSAGES = re.compile(
    r"SELECT |FROM read_|read_csv\(|CREATE |NAME=VALUE|<\w|^https?:|\bmode=ro|user=5|max-age"
)


def texts_of(module: Path) -> Iterator[str]:
    """Yield the texts of a module that are no docstrings, `x` for what is put into them."""
    tree = ast.parse(module.read_text(encoding="utf-8"))
    seen = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef))
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            seen |= {id(part) for part in node.values}
            yield "".join(
                str(part.value) if isinstance(part, ast.Constant) else "x" for part in node.values
            )
        elif (
            isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in seen
        ):
            yield node.value


@functools.cache
def messages() -> list[tuple[str, str, str]]:
    """Return module, parameter and text of each message that names a parameter."""
    return [  # what is put before a name is the prefix of the item table's options
        (module.relative_to(SOURCE).as_posix(), name.replace("x", "items_", name[:1] == "x"), text)
        for module in sorted(SOURCE.rglob("*.py"))
        if module.relative_to(SOURCE).parts[0] not in ("web", "views", "sklearn")
        for text in texts_of(module)
        if not NO_MESSAGES.search(text)
        for name in re.findall(r"(?<![\w/-])(?!xx=)([a-z_]{2,})=(?!=)", text)
    ]


def test_each_parameter_that_a_message_names_is_an_option_or_for_python_alone() -> None:
    found = messages()
    assert len(found) > 25
    unknown = [one for one in found if one[1] not in OPTIONS | SETTINGS | ONLY_PYTHON.keys()]
    assert not unknown


@pytest.mark.parametrize(
    "verb", ["read", "run", "evaluate", "filter", "split", "fit", "metric-definitions"]
)
def test_no_message_names_a_parameter_that_is_an_option_of_the_verb(verb: str) -> None:
    command = main.commands[verb]
    options = {one.name for one in command.params if isinstance(one, click.Option)}
    flags = {flag for one in command.params for flag in (*one.opts, *one.secondary_opts)}
    for module, name, text in messages():
        said = as_typed(text, command)
        if name in options:
            assert not re.search(rf"\b{name}=", said), (module, said)
        if name in options or as_typed(text, command) != text:
            named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", said))
            named -= {"--seed", "--sweeps", "--search"}  # of the run that such a message is of
            assert named <= flags, (module, said)


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("pass on_error='reject', rejects='file'.", "pass --on-error reject, --rejects file."),
        ("Pass delimiter=, quote=.", "Pass --delimiter, --quote."),
        ("pass quote='' if so", "pass --quote none if so"),
        ("pass header=True.", "pass --header."),
        ("header=False; missing_id=\"drop\"", "--no-header; --missing-id drop"),
        ("Pass repeats='sum', 'count', 'once' or 'max'.",
         "Pass --repeats sum, count, once or max."),
        ("threads=0: at least 1.", "--threads 0: at least 1."),
        ("the filter min_per_user=5, min_per_item=2.",
         "the filter --min-per-user 5, --min-per-item 2."),
        ("rejects=/tmp/a.csv is read", "--rejects /tmp/a.csv is read"),
        ("filter more strictly (min_per_item), or", "filter more strictly (--min-per-item), or"),
        ("Lower alpha, or use confidence='log'.", "Lower alpha, or use --set confidence=log."),
        ("alpha=1e30 times 3", "alpha=1e30 times 3"),
        ("no item_name column 'item_name'", "no --item-name column 'item_name'"),
        ("day/user=5/a.csv: no user column 'on_error=x'",
         "day/user=5/a.csv: no user column 'on_error=x'"),
        ("/data/min_per_item.csv: the users' own", "/data/min_per_item.csv: the users' own"),
        ("found \"header=True\" in it", "found \"header=True\" in it"),
        ("on_error_x='a', xon_error='b'", "on_error_x='a', xon_error='b'"),
    ],
)  # fmt: skip
def test_parameters_are_options_and_what_is_quoted_stays(message: str, said: str) -> None:
    assert as_typed(message, main.commands["run"]) == said
    assert as_typed(message, None) == message


def test_what_a_verb_lacks_is_left() -> None:
    assert as_typed("pass exclude_seen=False", main.commands["recommend"]) == "pass --keep-seen"
    assert as_typed("pass exclude=None.", main.commands["evaluate"]) == "pass --keep-seen."
    assert as_typed("see repeats='sum'", main.commands["runs"]) == "see repeats='sum'"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("user,item\na,b\nc\n", "--on-error reject --rejects FILE"),
        ("user,item\na,b\n,c\n", "--missing-id drop"),
        ("user,item\na,b\na,b\n", "--duplicates drop"),
    ],
)
def test_following_a_hint_works(content: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "l.csv").write_text(content)
    flag, value = words.split()[:2]
    strict = ["--duplicates", "error"] if flag == "--duplicates" else []
    command = ["read", str(tmp_path / "l.csv")]
    refused = click.testing.CliRunner().invoke(main, [*command, *strict])
    assert refused.exit_code == 1
    assert f"{flag} {value}" in refused.stderr
    more = [word.replace("FILE", str(tmp_path / "r.csv")) for word in words.split()]
    followed = click.testing.CliRunner().invoke(main, [*command, *more])
    assert followed.exit_code == 0, followed.stderr
