"""The options of the command line that several verbs share, and how their texts become values."""

import time
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

import click

from alsolike.errors import SettingError
from alsolike.suggestions import did_you_mean

Verb = TypeVar("Verb", bound=Callable[..., Any])


class _Named(click.Path):
    """A path that is named: an empty text would silently be the current folder."""

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """Return the path, or refuse an empty text."""
        if value in ("", b""):
            self.fail("a name expected, an empty text given.", param, ctx)
        return super().convert(value, param, ctx)


PATH = _Named(path_type=Path)

_READING: tuple[tuple[tuple[str, ...], dict[str, Any]], ...] = (
    (("--user",), {"default": "user", "show_default": True, "help": "Column of user ids."}),
    (("--item",), {"default": "item", "show_default": True, "help": "Column of item ids."}),
    (("--value",), {"help": "Column of counts or amounts; without it each row counts 1."}),
    (("--timestamp",), {"help": "Column of times: seconds or ISO dates."}),
    (("--items",), {"type": _Named(), "help": "A table of the items."}),
    (("--item-id",), {"help": "Id column of --items [default: the name given to --item]."}),
    (("--item-name",), {"help": "Column of names, of --items or else of the likes."}),
    (("--item-image",), {"help": "Column of pictures, or a text with {id} in it."}),
    (("--item-link",), {"help": "Column of links, or a text with {id} in it."}),
    (("--delimiter",), {"help": "Overrides detection; 'tab' is understood."}),
    (("--quote",), {"help": "Overrides detection; 'none' is understood."}),
    (("--escape",), {"help": "Overrides detection; 'none' is understood."}),
    (("--header/--no-header",), {"default": None, "help": "Does the first line name columns?"}),
    (("--items-delimiter",), {"help": "As --delimiter, of --items."}),
    (("--items-quote",), {"help": "As --quote, of --items."}),
    (("--items-escape",), {"help": "As --escape, of --items."}),
    (("--items-header/--no-items-header",), {"default": None, "help": "As --header, of --items."}),
    (
        ("--duplicates",),
        {
            "type": click.Choice(["drop", "keep", "error"]),
            "default": "drop",
            "show_default": True,
            "help": "Rows equal to an earlier one in every column.",
        },
    ),
    (
        ("--repeats",),
        {
            "type": click.Choice(["sum", "count", "once", "max", "error"]),
            "help": "Rows of one user and item [default: sum with --value, else count].",
        },
    ),
    (
        ("--missing-id",),
        {
            "type": click.Choice(["error", "drop"]),
            "default": "error",
            "show_default": True,
            "help": "Rows without a user or an item.",
        },
    ),
    (
        ("--negative",),
        {
            "type": click.Choice(["error", "net", "dislike"]),
            "default": "error",
            "show_default": True,
            "help": "Values below 0.",
        },
    ),
    (
        ("--on-error",),
        {
            "type": click.Choice(["error", "reject"]),
            "default": "error",
            "show_default": True,
            "help": "Malformed lines, also of --items.",
        },
    ),
    (("--rejects",), {"type": _Named(), "help": "File for the lines that were rejected."}),
)

_READING_NAMES = tuple(
    flags[0].split("/", maxsplit=1)[0].removeprefix("--").replace("-", "_") for flags, _ in _READING
)


def reading_options(verb: Verb) -> Verb:
    """Give a verb the options of reading a table."""
    return _with(_READING, verb)


def taken_for_reading(options: dict[str, Any]) -> dict[str, Any]:
    """Take the options of reading out of `options` and return them."""
    return {name: options.pop(name) for name in _READING_NAMES}


_SEARCHING: tuple[tuple[tuple[str, ...], dict[str, Any]], ...] = (
    (("--out",), {"required": True, "type": PATH, "help": "Output folder."}),
    (
        ("--preset",),
        {"default": "quick", "show_default": True, "help": "What to try: quick or article."},
    ),
    (("--min-per-user",), {"type": click.IntRange(min=0), "help": "Likes a user must have."}),
    (("--min-per-item",), {"type": click.IntRange(min=0), "help": "Likes an item must have."}),
    (("--k",), {"type": click.IntRange(min=1), "help": "Number of items per scored list."}),
    (
        ("--metric",),
        {
            "help": "What settings are chosen by [default: precision]; also recall, capped_recall, "
            "ndcg, map, mrr, hit_rate and, of lists, auc."
        },
    ),
    (
        ("--judge",),
        {
            "type": click.Choice(["lists", "shelves"]),
            "help": "What that is measured on: users' lists, or the shelves of similar items "
            "[default: lists].",
        },
    ),
    (
        ("--grid",),
        {
            "multiple": True,
            "metavar": "NAME=V,V",
            "help": "Values to try of a setting, in place of the preset's.",
        },
    ),
    (("--sweeps",), {"metavar": "N,N", "help": "Sweeps at which to score."}),
    (
        ("--search",),
        {
            "type": click.Choice(["grid", "random", "tpe", "halving", "doubling"]),
            "help": "Way to search [default: grid].",
        },
    ),
    (("--trials",), {"type": click.IntRange(min=1), "help": "Trainings to draw [default: 30]."}),
    (("--space",), {"type": PATH, "help": "A TOML file that describes the search."}),
    (("--workers",), {"type": click.IntRange(min=1), "help": "Processes that train [default: 1]."}),
    (("--budget",), {"metavar": "TIME", "help": "Time for the whole run, such as 10m."}),
    (
        ("--patience",),
        {
            "type": click.IntRange(min=1),
            "help": "Stop a training after so many points without a better score.",
        },
    ),
    (
        ("--prune",),
        {"is_flag": True, "default": None, "help": "Stop runs scoring below the median."},
    ),
    (
        ("--families",),
        {
            "metavar": "NAME,NAME",
            "help": "Models that may be published: als, item-knn, ease [default: als, item-knn "
            "and, up to 10,000 items, ease; with --baselines als].",
        },
    ),
    (
        ("--baselines",),
        {
            "metavar": "NAME,NAME",
            "help": "Models that are only compared with [default: popularity, random].",
        },
    ),
    (
        ("--choose",),
        {
            "type": click.Choice(["best", "cheapest"]),
            "help": "Fit the best run, or the cheapest that ties with it [default: best].",
        },
    ),
)


# Options that a file may give in their place.
_HOW = ("search", "trials", "workers", "budget", "patience", "prune", "choose")

_SPLITTING: tuple[tuple[tuple[str, ...], dict[str, Any]], ...] = (
    (
        ("--by",),
        {
            "type": click.Choice(["items", "one", "fraction", "time", "users"]),
            "default": "items",
            "show_default": True,
            "help": "Hold out: k items of some users; one item of each; a fraction of each user's; "
            "the last of each user's; whole users.",
        },
    ),
    (
        ("--held-out",),
        {"type": click.IntRange(min=1), "help": "k of --by items and time [default: 5]."},
    ),
    (
        ("--share",),
        {
            "type": float,
            "help": "Of --by items: test users as a share of all [default: 0.2]; of fraction and "
            "time: of each user's items [default: 0.2; k]; of users: test users [default: 0.1].",
        },
    ),
)


def splitting_options(verb: Verb) -> Verb:
    """Give a verb the options of splitting."""
    return _with(_SPLITTING, verb)


def searching_options(verb: Verb) -> Verb:
    """Give a verb the options of filtering, splitting and searching."""
    return _with(_SEARCHING, splitting_options(verb))


threads_option = click.option(
    "--threads",
    type=click.IntRange(min=1),
    help="Threads to use [default: all]; results do not depend on it.",
)
seed_option = click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Random seed."
)
quiet_option = click.option("--quiet", is_flag=True, help="Print only warnings and errors.")
verbose_option = click.option(
    "--verbose", is_flag=True, help="Print everything, in lines as wide as they need."
)
set_option = click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="NAME=VALUE",
    help="A setting of the model, such as confidence=scaled. May be given again.",
)
k_option = click.option(
    "--k", type=click.IntRange(min=1), default=10, show_default=True, help="Length of a list."
)
without_likes_option = click.option(
    "--without-likes",
    type=click.Choice(["popular", "empty"]),
    default="popular",
    show_default=True,
    help="What users get of whom the model knows nothing: the most liked items, or no list.",
)
to_option = click.option("--to", type=PATH, help="A .csv or .parquet file, in place of printing.")


def settings_of(texts: tuple[str, ...]) -> dict[str, Any]:
    """Return ``name=value`` texts as settings; numbers become numbers, and lists lists.

    >>> settings_of(("alpha=40", "confidence=log", "steps=[1, 2]"))
    {'alpha': 40, 'confidence': 'log', 'steps': [1, 2]}
    """
    return {name: _value(text, name) for name, text in _named(texts)}


def grid_of(texts: tuple[str, ...]) -> dict[str, list[Any]]:
    """Return ``name=value,value`` texts as lists of values to try.

    >>> grid_of(("factors=16,32",))
    {'factors': [16, 32]}
    """
    return {name: [_value(part) for part in text.split(",")] for name, text in _named(texts)}


def asked_of(options: dict[str, Any]) -> dict[str, Any]:
    """Take the options of searching out of `options`; return them as arguments of a job.

    What is typed and what the file of --space says are put together; nothing may be in both.
    """
    from alsolike.tuning.options import Searching, seconds_of
    from alsolike.tuning.toml_config import read_recipe

    typed = {
        "space": checked(grid_of(options.pop("grid"))),
        "settings": checked(settings_of(options.pop("settings"))),
        "sweeps": numbers_of(options.pop("sweeps")),
        "judge": options.pop("judge"),
        "families": names_of(options.pop("families")),
        "baselines": names_of(options.pop("baselines")),
        **{name: options.pop(name) for name in _HOW},
    }
    file = options.pop("space")
    found = {} if file is None else read_recipe(file)
    for name, value in typed.items():
        if value in (None, {}):
            continue
        if name in found:
            raise SettingError(f"{file} and the command line both say {name}. Say it in one.")
        found[name] = value
    job = {"grid": found.pop("space", {}), "settings": found.pop("settings", {})}
    job |= {name: found.pop(name, None) for name in ("sweeps", "judge")}
    how = {"by" if name == "search" else name: value for name, value in found.items()}
    if "budget" in how:
        how["budget"] = seconds_of(str(how["budget"]))
        # Python and its libraries have been loaded by now, on the same budget.
        how["began"] = time.monotonic() - time.process_time()
    return job | {"search": Searching(**how)}


def checked(settings: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return `settings`, or raise SettingError for a name that is none of what is searched."""
    from alsolike.models.registry import trained

    searched = [one for one in trained() if one.scored == "sweeps"]
    known = [setting.name for one in searched for setting in fields(one.config)]
    for name in settings:
        if name not in known:
            others = [one for one in trained() if name in {s.name for s in fields(one.config)}]
            if others:
                raise SettingError(
                    f"{name} is a setting of {others[0].name}, of which a run tries settings of "
                    "its own. alsolike fit takes others."
                )
            raise SettingError(
                f"Unknown setting {name!r}.{did_you_mean(name, known, plain=True)} Known are: "
                f"{', '.join(known)}."
            )
    return settings


def names_of(text: str | None) -> list[str] | None:
    """Return names with commas between them as a list.

    >>> names_of("als, item-knn")
    ['als', 'item-knn']
    """
    return None if text is None else [one.strip() for one in text.split(",")]


def numbers_of(text: str | None) -> list[int] | None:
    """Return whole numbers with commas between them as a list."""
    try:
        return None if text is None else [int(part) for part in text.split(",")]
    except ValueError:
        raise SettingError(f"Numbers with commas expected, such as 2,4,8, not {text!r}.") from None


def _with(options: tuple[tuple[tuple[str, ...], dict[str, Any]], ...], verb: Verb) -> Verb:
    for flags, settings in reversed(options):
        verb = click.option(*flags, **settings)(verb)
    return verb


def _named(texts: tuple[str, ...]) -> list[tuple[str, str]]:
    """Return the names and the values, each name once."""
    pairs: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not name.strip() or not equals or not all(map(str.strip, value.split(","))):
            raise SettingError(f"NAME=VALUE expected, such as alpha=40, not {text!r}.")
        name = name.strip().replace("-", "_")
        if name in pairs:
            raise SettingError(f"{name} is given twice: {pairs[name]} and {value}.")
        pairs[name] = value
    return list(pairs.items())


def _value(text: str, name: str = "") -> Any:
    """Return a number where the text is one, None or a truth value by name, or else the text.

    What begins as a list, a table or a quoted text is read as TOML reads it.
    """
    plain = text.strip()
    named = {"none": None, "true": True, "false": False}
    if plain.casefold() in named:
        return named[plain.casefold()]
    if name and plain[0] in "[{\"'":
        import tomllib

        try:
            return tomllib.loads(f"value = {plain}")["value"]
        except (ValueError, RecursionError) as error:
            raise SettingError(f"{name}={plain:.60}: a TOML value expected. {error}.") from error
    for kind in (int, float):
        try:
            return kind(plain)
        except ValueError:
            continue
    return plain
