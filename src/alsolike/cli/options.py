"""Defines the options that several verbs share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

Verb = TypeVar("Verb", bound=Callable[..., Any])

# Names of objectives in earlier versions, still read; see `alsolike.tuning.presets`.
OLD_OBJECTIVES = ("lists", "shelves")


class NamedPath(click.Path):
    """A path that is not empty: an empty text would silently be the current folder."""

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """Return the path, or refuse an empty text."""
        if value in ("", b""):
            self.fail("a path expected, an empty text given.", param, ctx)
        return super().convert(value, param, ctx)


class _Objective(click.Choice[str]):
    """An objective; the names of earlier versions are read, but not shown."""

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """Return the name of an objective, new or old."""
        return value if value in OLD_OBJECTIVES else super().convert(value, param, ctx)


PATH = NamedPath(path_type=Path)
AT_LEAST_0, AT_LEAST_1 = click.IntRange(min=0), click.IntRange(min=1)
_OBJECTIVE = _Objective(["ranking", "item-to-item", "ratings"])

Option = tuple[str, dict[str, Any]]


def given(flag: str, text: str, **settings: Any) -> Option:
    """Return an option with this help; a default is shown."""
    return flag, {"help": text, "show_default": settings.get("default") is not None, **settings}


def choice(flag: str, text: str, *choices: str, **settings: Any) -> Option:
    """Return an option that is one of several words."""
    return given(flag, text, type=click.Choice(choices), **settings)


_SEARCHING = (
    given("--out", "Output folder.", required=True, type=PATH),
    given("--preset", "Search space: quick, thorough or article [default: quick].", metavar="NAME"),
    given(
        "--thorough",
        "More settings, more factors and more models, for those who have an hour: the preset "
        "thorough.",
        is_flag=True,
        default=None,
    ),
    given("--min-per-user", "Minimum likes per user.", type=AT_LEAST_0),
    given("--min-per-item", "Minimum likes per item.", type=AT_LEAST_0),
    given("--k", "Number of items per scored list.", type=AT_LEAST_1),
    given(
        "--metric",
        "Metric to choose settings by [default: precision]; also recall, capped_recall, ndcg, map, "
        "mrr, hit_rate and, for ranking, auc.",
    ),
    given(
        "--objective",
        "Measure it on users' lists (ranking), on similar items (item-to-item) or on predicted "
        "ratings (ratings; by rmse, or --metric mae) [default: ranking].",
        type=_OBJECTIVE,
    ),
    given(
        "--keep-own-features",
        "Fit also to features that test users themselves gave, such as their tags: these tell what "
        "they like.",
        is_flag=True,
    ),
    given("--judge", "Old name of --objective.", type=_OBJECTIVE, hidden=True),
    given(
        "--grid",
        "Values to try for a setting, replacing the preset's; repeatable.",
        multiple=True,
        metavar="NAME=V,V",
    ),
    given("--sweeps", "Score after these sweeps.", metavar="N,N"),
    choice(
        "--search",
        "Search strategy [default: the preset's, but grid if --grid or --set has factors].",
        *("growth", "grid", "random", "tpe", "halving", "doubling"),
    ),
    given("--trials", "Number of sampled trainings [default: 30].", type=AT_LEAST_1),
    given("--space", "TOML file describing the search.", type=PATH),
    given("--workers", "Training processes [default: 1].", type=AT_LEAST_1),
    given("--budget", "Time limit for the whole run, such as 10m.", metavar="TIME"),
    given(
        "--patience",
        "Stop a training after this many scores without improvement.",
        type=AT_LEAST_1,
    ),
    given("--prune", "Stop runs scoring below the median.", is_flag=True, default=None),
    given(
        "--families",
        "Models that may be published: als, item-knn, ease, sparse-linear, and with features "
        "feature-als, item-profile; on request lmf, bpr, warp [default: als, item-knn, those with "
        "features where there are any and, up to 10,000 items, ease and, up to 100,000, "
        "sparse-linear; with --baselines als].",
        metavar="NAME,NAME",
    ),
    given(
        "--baselines",
        "Baselines: compared with, never published [default: popularity, random].",
        metavar="NAME,NAME",
    ),
    choice(
        "--choose",
        "Fit the best run, or the cheapest one tied with it [default: best].",
        *("best", "cheapest"),
    ),
)

_SIMILAR = (
    given(
        "--popularity-bias",
        "Similar items from 0 (specific) to 1 (popular); auto: the most specific mark that keeps "
        "97 % of the best precision on validation users [default: auto].",
        metavar="auto|T",
    ),
    given(
        "--one-model",
        "Take similar items from the model of the lists, even if another is better.",
        is_flag=True,
        default=None,
    ),
    given(
        "--agree",
        "Features of items, such as tags: a column of the item table, or a table and its columns "
        "of items and features. The report says whether similar items share them.",
        metavar="COLUMN|FILE:ITEM,FEATURE",
    ),
)

# Options that the file of --space may give as well.
STRATEGY = ("search", "trials", "workers", "budget", "patience", "prune", "choose")

_SPLITTING = (
    choice(
        "--by",
        "Hold out k items of some users (items), one item per user (one), a fraction of each "
        "user's items (fraction), each user's last items (time), whole users (users), or whole "
        "items, new to a model: random ones (new-items) or the latest (newest-items).",
        *("items", "one", "fraction", "time", "users", "new-items", "newest-items"),
        default="items",
    ),
    given(
        "--held-out",
        "Items held out per user, for --by items and time [default: 5].",
        type=AT_LEAST_1,
    ),
    given(
        "--share",
        "With --by items: test users as a share of all [default: 0.2]; fraction and time: share of "
        "each user's items [default: 0.2; k items]; users: test users [default: 0.1]; "
        "new-items and newest-items: test items [default: 0.1]; of "
        "--folds: likes in each window [default: 0.1].",
        type=float,
    ),
    given(
        "--folds",
        "With --by time: test on so many windows of time, each with training on all before it.",
        type=AT_LEAST_1,
    ),
)


def splitting_options(verb: Verb) -> Verb:
    """Give a verb the options of splitting."""
    return with_options(_SPLITTING, verb)


def searching_options(verb: Verb) -> Verb:
    """Give a verb the options of filtering, splitting and searching."""
    return with_options(_SEARCHING, splitting_options(verb))


def similar_items_options(verb: Verb) -> Verb:
    """Give a verb the options of choosing and measuring similar items."""
    return with_options(_SIMILAR, verb)


def filtering_options(verb: Verb) -> Verb:
    """Give a verb the options of filtering alone."""
    for one in ("item", "user"):
        flag, said = f"--min-per-{one}", f"Minimum likes per {one}."
        verb = click.option(flag, type=AT_LEAST_0, default=5, show_default=True, help=said)(verb)
    return verb


threads_option = click.option(
    "--threads",
    type=AT_LEAST_1,
    help="Number of threads [default: all]; results do not depend on it.",
)
seed_option = click.option(
    "--seed", type=AT_LEAST_0, default=0, show_default=True, help="Random seed."
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
    "--k", type=AT_LEAST_1, default=10, show_default=True, help="Number of items per list."
)
min_count_option = click.option(
    "--min-count",
    type=AT_LEAST_1,
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
    given(
        "--only",
        "List only items with one of these values in a column of the item table; repeatable.",
        multiple=True,
        metavar="COLUMN=VALUE|VALUE",
    ),
    given(
        "--at-most",
        "Items of one value of a column in a list, such as 2:artist; repeatable.",
        multiple=True,
        metavar="N:COLUMN",
    ),
    given(
        "--one-of",
        "One item of each value of a column in a list, for near-duplicates; repeatable.",
        multiple=True,
        metavar="COLUMN",
    ),
    given(
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
    return with_options(_RULES[:1], exclude(with_options(_RULES[1:], verb)))


def with_options(options: tuple[Option, ...], verb: Verb) -> Verb:
    """Give a verb these options, in this order."""
    for flag, settings in reversed(options):
        verb = click.option(flag, **settings)(verb)
    return verb
