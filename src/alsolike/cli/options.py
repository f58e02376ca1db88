"""Defines the options that several verbs share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

Verb = TypeVar("Verb", bound=Callable[..., Any])

# Of a table: one path, several, or none where a query takes its place.
Source = str | list[str] | None

# Names of objectives in earlier versions, still read; see `alsolike.tuning.presets`.
OLD_OBJECTIVES = ("lists", "shelves")


class _NamedPath(click.Path):
    """A path that is not empty: an empty text would silently be the current folder."""

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """Return the path, or refuse an empty text."""
        if value in ("", b""):
            self.fail("a path expected, an empty text given.", param, ctx)
        return super().convert(value, param, ctx)


class _Names(click.ParamType[list[str]]):
    """Names with commas between them."""

    name = "names"

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """Return the names, or refuse an empty one."""
        names = [one.strip() for one in value.split(",")] if isinstance(value, str) else value
        if not all(names):
            self.fail("names of columns with commas between them expected.", param, ctx)
        return names


class _Objective(click.Choice[str]):
    """An objective; the names of earlier versions are read, but not shown."""

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """Return the name of an objective, new or old."""
        return value if value in OLD_OBJECTIVES else super().convert(value, param, ctx)


PATH = _NamedPath(path_type=Path)
_AT_LEAST_0, _AT_LEAST_1 = click.IntRange(min=0), click.IntRange(min=1)
_OBJECTIVE = _Objective(["ranking", "item-to-item"])

_Option = tuple[str, dict[str, Any]]


def _given(flag: str, text: str, **settings: Any) -> _Option:
    return flag, {"help": text, "show_default": settings.get("default") is not None, **settings}


def _choice(flag: str, text: str, *choices: str, **settings: Any) -> _Option:
    return _given(flag, text, type=click.Choice(choices), **settings)


_READING = (
    _given("--user", "Column of user ids.", default="user"),
    _given("--item", "Column of item ids.", default="item"),
    _given("--value", "Column of counts or amounts [default: each row counts 1]."),
    _given("--timestamp", "Column of times: seconds or ISO dates."),
    _given("--event", "Column of events, such as view or purchase, weighed by --weights."),
    _given(
        "--weights",
        "Weight of each event; other=0 drops all that are not listed.",
        metavar="NAME=W,NAME=W",
    ),
    _given("--at-least", "Least --value that is a like; from it on, a row counts 1.", type=float),
    _choice("--below", "Rows below --at-least [default: drop].", "drop", "dislike"),
    _given("--items-separator", "What stands between several items of a cell, such as ','."),
    _choice(
        "--layout",
        "Of text: a table, a user and items a line, or Netflix's blocks [default: found].",
        *("table", "lines", "netflix"),
    ),
    _given("--items", "Table of the items, in one file or in parts.", type=_NamedPath()),
    _given("--item-id", "Id column of --items [default: the name given to --item]."),
    _given("--item-name", "Column of names, in --items or else in the likes."),
    _given("--item-image", "Column of images, or a URL with {id}."),
    _given("--item-link", "Column of links, or a URL with {id}."),
    _given(
        "--item-columns",
        "Further columns of --items, or else of the likes, to keep, for rules such as --only "
        "[default: all others of --items].",
        type=_Names(),
        metavar="NAME,NAME",
    ),
    _given("--delimiter", "Overrides detection; 'tab' or a character."),
    _given("--quote", "Overrides detection; 'none' or a character."),
    _given("--escape", "Overrides detection; 'none' or a character."),
    _given("--header/--no-header", "Whether the first line names the columns.", default=None),
    _given("--skip-lines", "Lines before the table.", type=_AT_LEAST_0, default=0),
    _given("--comment", "Text that begins lines to skip, such as '#'."),
    _given("--decimal", "Mark before decimals in numbers, such as ','."),
    _given("--thousands", "Mark between thousands in numbers, such as '.'."),
    _choice(
        "--time-unit",
        "Unit of times since 1970, or Excel's days [default: seconds, or ISO dates].",
        *("s", "ms", "us", "ns", "days", "excel"),
    ),
    _given("--time-format", "Form of dates, such as '%d/%m/%Y %H:%M'."),
    _given("--items-delimiter", "Like --delimiter, for --items."),
    _given("--items-quote", "Like --quote, for --items."),
    _given("--items-escape", "Like --escape, for --items."),
    _given("--items-header/--no-items-header", "Like --header, for --items.", default=None),
    _given("--encoding", "Of texts, such as latin-1 [default: utf-8, or found].", metavar="NAME"),
    _given("--items-encoding", "Like --encoding, for --items.", metavar="NAME"),
    # Eager: read before LIKES, which may be missing then.
    _given("--sql", "Instead of LIKES: a SELECT over files.", metavar="QUERY", is_eager=True),
    _given("--items-skip-lines", "Like --skip-lines, for --items.", type=_AT_LEAST_0, default=0),
    _given("--items-comment", "Like --comment, for --items."),
    _choice(
        "--duplicates",
        "Rows equal to an earlier one in every column.",
        *("drop", "keep", "error"),
        default="drop",
    ),
    _choice(
        "--repeats",
        "Rows of one user and item [default: sum with --value, else count].",
        *("sum", "count", "once", "max", "error"),
    ),
    _choice("--missing-id", "Rows without a user or an item.", "error", "drop", default="error"),
    _choice("--negative", "Values below 0.", "error", "net", "dislike", default="error"),
    _choice("--on-error", "Malformed lines, also of --items.", "error", "reject", default="error"),
    _given("--rejects", "File for rejected lines.", type=_NamedPath()),
)

_READING_NAMES = tuple(
    flag.split("/", maxsplit=1)[0].removeprefix("--").replace("-", "_") for flag, _ in _READING
)


def reading_options(verb: Verb) -> Verb:
    """Give a verb the options of reading a table."""
    return _with(_READING, verb)


def likes_argument(name: str = "likes") -> Callable[[Verb], Verb]:
    """Give a verb the argument of a source: files, patterns or folders of one table."""
    return click.argument(
        name,
        nargs=-1,
        type=_NamedPath(),
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
    return _with(tuple(one for one in _READING if one[0] in _DIALECT), verb)


def refuse_reading_options(flag: str) -> None:
    """Raise UsageError if an option of reading is given, which needs the option `flag`."""
    context = click.get_current_context()
    for option, name in zip(_READING, _READING_NAMES, strict=True):
        if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE:
            raise click.UsageError(f"{option[0].partition('/')[0]} needs {flag}: no table is read.")


_SEARCHING = (
    _given("--out", "Output folder.", required=True, type=PATH),
    _given(
        "--preset", "Search space: quick, thorough or article [default: quick].", metavar="NAME"
    ),
    _given(
        "--thorough",
        "More settings, more factors and more models, for those who have an hour: the preset "
        "thorough.",
        is_flag=True,
        default=None,
    ),
    _given("--min-per-user", "Minimum likes per user.", type=_AT_LEAST_0),
    _given("--min-per-item", "Minimum likes per item.", type=_AT_LEAST_0),
    _given("--k", "Number of items per scored list.", type=_AT_LEAST_1),
    _given(
        "--metric",
        "Metric to choose settings by [default: precision]; also recall, capped_recall, ndcg, map, "
        "mrr, hit_rate and, for ranking, auc.",
    ),
    _given(
        "--objective",
        "Measure it on users' lists (ranking) or on similar items (item-to-item) "
        "[default: ranking].",
        type=_OBJECTIVE,
    ),
    _given("--judge", "Old name of --objective.", type=_OBJECTIVE, hidden=True),
    _given(
        "--grid",
        "Values to try for a setting, replacing the preset's; repeatable.",
        multiple=True,
        metavar="NAME=V,V",
    ),
    _given("--sweeps", "Score after these sweeps.", metavar="N,N"),
    _choice(
        "--search",
        "Search strategy [default: the preset's, but grid if --grid or --set has factors].",
        *("growth", "grid", "random", "tpe", "halving", "doubling"),
    ),
    _given("--trials", "Number of sampled trainings [default: 30].", type=_AT_LEAST_1),
    _given("--space", "TOML file describing the search.", type=PATH),
    _given("--workers", "Training processes [default: 1].", type=_AT_LEAST_1),
    _given("--budget", "Time limit for the whole run, such as 10m.", metavar="TIME"),
    _given(
        "--patience",
        "Stop a training after this many scores without improvement.",
        type=_AT_LEAST_1,
    ),
    _given("--prune", "Stop runs scoring below the median.", is_flag=True, default=None),
    _given(
        "--families",
        "Models that may be published: als, item-knn, ease, sparse-linear [default: als, item-knn "
        "and, up to 10,000 items, ease and, up to 100,000, sparse-linear; with --baselines als].",
        metavar="NAME,NAME",
    ),
    _given(
        "--baselines",
        "Baselines: compared with, never published [default: popularity, random].",
        metavar="NAME,NAME",
    ),
    _choice(
        "--choose",
        "Fit the best run, or the cheapest one tied with it [default: best].",
        *("best", "cheapest"),
    ),
)

_SIMILAR = (
    _given(
        "--popularity-bias",
        "Similar items from 0 (specific) to 1 (popular); auto: the most specific mark that keeps "
        "97 % of the best precision on validation users [default: auto].",
        metavar="auto|T",
    ),
    _given(
        "--one-model",
        "Take similar items from the model of the lists, even if another is better.",
        is_flag=True,
        default=None,
    ),
    _given(
        "--agree",
        "Features of items, such as tags: a column of the item table, or a table and its columns "
        "of items and features. The report says whether similar items share them.",
        metavar="COLUMN|FILE:ITEM,FEATURE",
    ),
)

# Options that the file of --space may give as well.
STRATEGY = ("search", "trials", "workers", "budget", "patience", "prune", "choose")

_SPLITTING = (
    _choice(
        "--by",
        "Hold out k items of some users (items), one item per user (one), a fraction of each "
        "user's items (fraction), each user's last items (time), or whole users (users).",
        *("items", "one", "fraction", "time", "users"),
        default="items",
    ),
    _given(
        "--held-out",
        "Items held out per user, for --by items and time [default: 5].",
        type=_AT_LEAST_1,
    ),
    _given(
        "--share",
        "With --by items: test users as a share of all [default: 0.2]; fraction and time: share of "
        "each user's items [default: 0.2; k items]; users: test users [default: 0.1]; of "
        "--folds: likes in each window [default: 0.1].",
        type=float,
    ),
    _given(
        "--folds",
        "With --by time: test on so many windows of time, each with training on all before it.",
        type=_AT_LEAST_1,
    ),
)


def splitting_options(verb: Verb) -> Verb:
    """Give a verb the options of splitting."""
    return _with(_SPLITTING, verb)


def searching_options(verb: Verb) -> Verb:
    """Give a verb the options of filtering, splitting and searching."""
    return _with(_SEARCHING, splitting_options(verb))


def similar_items_options(verb: Verb) -> Verb:
    """Give a verb the options of choosing and measuring similar items."""
    return _with(_SIMILAR, verb)


def filtering_options(verb: Verb) -> Verb:
    """Give a verb the options of filtering alone."""
    for one in ("item", "user"):
        flag, said = f"--min-per-{one}", f"Minimum likes per {one}."
        verb = click.option(flag, type=_AT_LEAST_0, default=5, show_default=True, help=said)(verb)
    return verb


threads_option = click.option(
    "--threads",
    type=_AT_LEAST_1,
    help="Number of threads [default: all]; results do not depend on it.",
)
seed_option = click.option(
    "--seed", type=_AT_LEAST_0, default=0, show_default=True, help="Random seed."
)
quiet_option = click.option("--quiet", is_flag=True, help="Print only warnings and errors.")
verbose_option = click.option(
    "--verbose", is_flag=True, help="Print everything, in lines of any width."
)
set_option = click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="NAME=VALUE",
    help="A setting of the model, such as confidence=scaled; repeatable.",
)
half_life_option = click.option(
    "--half-life",
    metavar="TIME",
    help="Time in which the weight of a like halves, such as 90d, 12h or 2w, back from the last "
    "moment of the table; needs --timestamp. Short for --set half_life=TIME.",
)
k_option = click.option(
    "--k", type=_AT_LEAST_1, default=10, show_default=True, help="Number of items per list."
)
min_count_option = click.option(
    "--min-count",
    type=_AT_LEAST_1,
    default=2,
    show_default=True,
    help="Minimum likes of a similar item.",
)
keep_seen_option = click.option(
    "--keep-seen", is_flag=True, help="Keep items that the user has seen."
)
without_likes_option = click.option(
    "--without-likes",
    type=click.Choice(["popular", "empty"]),
    default="popular",
    show_default=True,
    help="List for users about whom the model knows nothing: the most liked items, or empty.",
)
fallback_option = click.option(
    "--fallback",
    type=click.Choice(["error", "popular", "none"]),
    default="error",
    show_default=True,
    help="For users who are not in the model: an error, the most liked items, or no list.",
)
without_history_option = click.option(
    "--without-history", is_flag=True, help="Do not save the likes in the model."
)
remote_images_option = click.option(
    "--remote-images", is_flag=True, help="Let pages load images from the web."
)
to_option = click.option(
    "--to", type=PATH, help="Write to this .csv or .parquet file instead of printing."
)


_RULES = (
    _given(
        "--only",
        "List only items with one of these values in a column of the item table; repeatable.",
        multiple=True,
        metavar="COLUMN=VALUE|VALUE",
    ),
    _given(
        "--at-most",
        "Items of one value of a column in a list, such as 2:artist; repeatable.",
        multiple=True,
        metavar="N:COLUMN",
    ),
    _given(
        "--one-of",
        "One item of each value of a column in a list, for near-duplicates; repeatable.",
        multiple=True,
        metavar="COLUMN",
    ),
    _given(
        "--available",
        "List only items of this file: one id per line, or the column of a table.",
        metavar="FILE|FILE:COLUMN",
    ),
)


def rules_options(verb: Verb) -> Verb:
    """Give a verb the options of rules on lists, see `alsolike.Rules`."""
    exclude = click.option(
        "--not",
        "exclude",
        multiple=True,
        metavar="COLUMN=VALUE|VALUE",
        help="Never list items with one of these values; repeatable.",
    )
    return _with(_RULES[:1], exclude(_with(_RULES[1:], verb)))


def _with(options: tuple[_Option, ...], verb: Verb) -> Verb:
    for flag, settings in reversed(options):
        verb = click.option(flag, **settings)(verb)
    return verb
