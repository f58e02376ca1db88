"""Defines the options of reading a table, and the argument that names it."""

from collections.abc import Callable
from typing import Any

import click

from alsolike.cli.options import (
    AT_LEAST_0,
    AT_LEAST_1,
    NamedPath,
    Option,
    Verb,
    choice,
    given,
    with_options,
)

# Of a table: one path, several, or none where a query takes its place.
Source = str | list[str] | None


class _Names(click.ParamType[list[str]]):
    """Names with commas between them."""

    name = "names"

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """Return the names, or refuse an empty one."""
        names = [one.strip() for one in value.split(",")] if isinstance(value, str) else value
        if not all(names):
            self.fail("names of columns with commas between them expected.", param, ctx)
        return names


def _files(flag: str, text: str) -> Option:
    """Return an option that names files, each perhaps with its columns."""
    columns = "FILE" if "vectors" in flag else "FILE[:ID,NAME[,VALUE][@USER]]"
    return given(flag, f"{text}; repeatable.", type=NamedPath(), multiple=True, metavar=columns,
                 callback=lambda _context, _option, files: list(files))  # fmt: skip


_READING = (
    given("--user", "Column of user ids.", default="user"),
    given("--item", "Column of item ids.", default="item"),
    given("--value", "Column of counts or amounts [default: each row counts 1]."),
    given("--timestamp", "Column of times: seconds or ISO dates."),
    given("--event", "Column of events, such as view or purchase, weighed by --weights."),
    given(
        "--weights",
        "Weight of each event; other=0 drops all that are not listed.",
        metavar="NAME=W,NAME=W",
    ),
    given("--at-least", "Least --value that is a like; from it on, a row counts 1.", type=float),
    choice("--below", "Rows below --at-least [default: drop].", "drop", "dislike"),
    given("--items-separator", "What stands between several items of a cell, such as ','."),
    choice(
        "--layout",
        "Of text: a table, a user and items a line, or Netflix's blocks [default: found].",
        *("table", "lines", "netflix"),
    ),
    given("--items", "Table of the items, in one file or in parts.", type=NamedPath()),
    given("--item-id", "Id column of --items [default: the name given to --item]."),
    given("--item-name", "Column of names, in --items or else in the likes."),
    given("--item-image", "Column of images, or a URL with {id}."),
    given("--item-link", "Column of links, or a URL with {id}."),
    given(
        "--item-columns",
        "Further columns of --items, or else of the likes, to keep, for rules such as --only "
        "[default: all others of --items].",
        type=_Names(),
        metavar="NAME,NAME",
    ),
    given(
        "--item-feature",
        "Columns of --items, or else of the likes, that models learn from. Kinds: set, category, "
        "number, bins, date, text, words, vector [default: guessed, and said].",
        metavar="NAME:KIND,NAME",
    ),
    _files("--item-features", "Table with a row for each item and feature, such as a tag"),
    _files("--item-vectors", "Vectors of items: .npz, .npy:IDS, or a table with lists"),
    given("--user-table", "Table of the users, in one file or in parts.", type=NamedPath()),
    given("--user-id", "Id column of --user-table [default: the name given to --user]."),
    given("--user-feature", "Like --item-feature, of --user-table.", metavar="NAME:KIND,NAME"),
    _files("--user-features", "Like --item-features, of users"),
    _files("--user-vectors", "Like --item-vectors, of users"),
    given(
        "--feature-min",
        "Least items, or users, of a word of features; rarer ones are left out.",
        type=AT_LEAST_1,
        default=3,
    ),
    given("--delimiter", "Overrides detection; 'tab' or a character."),
    given("--quote", "Overrides detection; 'none' or a character."),
    given("--escape", "Overrides detection; 'none' or a character."),
    given("--header/--no-header", "Whether the first line names the columns.", default=None),
    given("--skip-lines", "Lines before the table.", type=AT_LEAST_0, default=0),
    given("--comment", "Text that begins lines to skip, such as '#'."),
    given("--decimal", "Mark before decimals in numbers, such as ','."),
    given("--thousands", "Mark between thousands in numbers, such as '.'."),
    choice(
        "--time-unit",
        "Unit of times since 1970, or Excel's days [default: seconds, or ISO dates].",
        *("s", "ms", "us", "ns", "days", "excel"),
    ),
    given("--time-format", "Form of dates, such as '%d/%m/%Y %H:%M'."),
    given("--items-delimiter", "Like --delimiter, for --items."),
    given("--items-quote", "Like --quote, for --items."),
    given("--items-escape", "Like --escape, for --items."),
    given("--items-header/--no-items-header", "Like --header, for --items.", default=None),
    given("--encoding", "Of texts, such as latin-1 [default: utf-8, or found].", metavar="NAME"),
    given("--items-encoding", "Like --encoding, for --items.", metavar="NAME"),
    # Eager: read before LIKES, which may be missing then.
    given("--sql", "Instead of LIKES: a SELECT over files.", metavar="QUERY", is_eager=True),
    given("--items-skip-lines", "Like --skip-lines, for --items.", type=AT_LEAST_0, default=0),
    given("--items-comment", "Like --comment, for --items."),
    choice(
        "--duplicates",
        "Rows equal to an earlier one in every column.",
        *("drop", "keep", "error"),
        default="drop",
    ),
    choice(
        "--repeats",
        "Rows of one user and item [default: sum with --value, else count].",
        *("sum", "count", "once", "max", "error"),
    ),
    choice("--missing-id", "Rows without a user or an item.", "error", "drop", default="error"),
    choice("--negative", "Values below 0.", "error", "net", "dislike", default="error"),
    choice("--on-error", "Malformed lines, also of --items.", "error", "reject", default="error"),
    given("--rejects", "File for rejected lines.", type=NamedPath()),
)

_READING_NAMES = tuple(
    flag.split("/", maxsplit=1)[0].removeprefix("--").replace("-", "_") for flag, _ in _READING
)


def reading_options(verb: Verb) -> Verb:
    """Give a verb the options of reading a table."""
    return with_options(_READING, verb)


def likes_argument(name: str = "likes") -> Callable[[Verb], Verb]:
    """Give a verb the argument of a source: files, patterns or folders of one table."""
    return click.argument(
        name,
        nargs=-1,
        type=NamedPath(),
        callback=_one_or_several,
        metavar=f"{name.upper()}...",
    )


def _one_or_several(
    context: click.Context, parameter: click.Parameter, given: tuple[str, ...]
) -> Source:
    """Return one path, several as a list, or None without one: `--sql` may take its place."""
    if not given and context.params.get("sql") is None and not context.resilient_parsing:
        raise click.MissingParameter(ctx=context, param=parameter)
    return given[0] if len(given) == 1 else list(given) or None


def taken_for_reading(options: dict[str, Any]) -> dict[str, Any]:
    """Take the options of reading out of `options` and return them."""
    return {name: options.pop(name) for name in _READING_NAMES}


# Of reading, what a table needs that is read and written again, row by row.
_DIALECT = ("--delimiter", "--quote", "--escape", "--header/--no-header", "--on-error", "--rejects")


def dialect_options(verb: Verb) -> Verb:
    """Give a verb the options of the dialect of a table, and of its malformed lines."""
    return with_options(tuple(one for one in _READING if one[0] in _DIALECT), verb)


def refuse_reading_options(flag: str) -> None:
    """Raise UsageError if an option of reading is given, which needs the option `flag`."""
    context = click.get_current_context()
    for option, name in zip(_READING, _READING_NAMES, strict=True):
        if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE:
            raise click.UsageError(f"{option[0].partition('/')[0]} needs {flag}: no table is read.")
