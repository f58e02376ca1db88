"""The report of a run: one page that stands alone, the answer first, then what it rests on."""

from collections.abc import Sequence
from dataclasses import dataclass

from alsolike.tables import Table
from alsolike.views import leaderboard as leaderboards
from alsolike.views.figures.learning_curves import figure, title_of
from alsolike.views.figures.marks import Spec
from alsolike.views.gallery import Gallery, origins
from alsolike.views.templating import rendered, standalone

Pairs = list[tuple[str, str]]


@dataclass(frozen=True)
class ReportContent:
    """All that the report shows. It computes nothing.

    Parameters
    ----------
    title : str
        The page's title: what the data are.
    command : str
        What was typed.
    reading, splitting, chosen : list of (label, value)
        What was read; how it was split; the chosen settings.
    filtering : Table
        A row for before and one for after: a label, ``users``, ``items``, ``interactions`` and
        ``density`` as a share from 0 to 1.
    leaderboard : Table
        See `alsolike.views.leaderboard.leaderboard`.
    scores : Table
        ``model``, ``metric``, ``mean``, ``low``, ``high``, ``users``: on test users, the chosen
        model's rows before popularity's. The first metric is the one in the headline.
    tables : list of (heading, Table)
        Further figures on test users.
    best_curve, all_curves : spec or None
        From `alsolike.views.figures.learning_curves`; None where there is none to show.
    further : list of (heading, spec)
        Figures of the whole search.
    galleries : list of (heading, Gallery)
        Popular, middling and rare items.
    warnings, notes : list of str
        What could mislead; what else to know.
    files : list of (name, description)
        What lies beside the report.
    versions : list of (name, version)
    no_result : str
        What stands in place of the headline where there are no scores.
    verdicts : list of (sentence, bool)
        Whether lists, and similar items, are better than popularity; true where they are.
    published : str
        Which model is published, and among how many it was chosen.
    """

    title: str
    command: str
    reading: Pairs
    filtering: Table
    splitting: Pairs
    leaderboard: Table
    chosen: Pairs
    scores: Table
    tables: list[tuple[str, Table]]
    best_curve: Spec | None
    all_curves: Spec | None
    further: list[tuple[str, Spec]]
    galleries: list[tuple[str, Gallery]]
    warnings: list[str]
    notes: list[str]
    files: Pairs
    versions: Pairs
    no_result: str = "No test users, so no figure to report."
    verdicts: Sequence[tuple[str, bool]] = ()
    published: str = ""


def report_html(content: ReportContent, *, remote_images: bool = False) -> str:
    """Return the whole page: no network, no outside file, under a strict content policy.

    Parameters
    ----------
    content : ReportContent
        All of its texts may be hostile; they are made harmless here.
    remote_images : bool
        Let the page load pictures from the hosts that the galleries name. Without it, a gallery
        that was made for remote images shows placeholders.
    """
    galleries = [
        (heading, Gallery(each.shelves, each.remote_images and remote_images))
        for heading, each in content.galleries
    ]
    runs = list(content.leaderboard.rows())
    body = rendered(
        "report.html",
        content=content,
        galleries=galleries,
        scores=list(content.scores.rows()),
        further=[(heading, table, _pairs(table)) for heading, table in content.tables],
        popularity=any(map(leaderboards.is_popularity, runs)),
        ties=sum(map(leaderboards.is_tie, runs)),
        degenerate=sum(map(leaderboards.is_degenerate, runs)),
        tables=leaderboards,
        figure=figure,
        title_of=title_of,
    )
    return standalone(
        f"{content.title} · alsolike report",
        body,
        styles=("page.css", "figure.css", "gallery.css"),
        scripts=("figure.js",),
        image_origins=origins(each for _, each in galleries),
    )


def _pairs(table: Table) -> Pairs:
    """Return a table of names and values, which needs no head, as pairs; nothing of another."""
    if table.column_names != ("figure", "value"):
        return []
    return [(row["figure"], row["value"]) for row in table.rows()]
