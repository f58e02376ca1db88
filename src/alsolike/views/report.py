"""Renders the report of a run as one HTML page without further files."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from alsolike.tables import Table
from alsolike.views import leaderboard as leaderboards
from alsolike.views.figures.learning_curves import figure, title_of
from alsolike.views.figures.marks import Spec
from alsolike.views.gallery import Gallery, origins
from alsolike.views.templating import rendered, standalone

Pairs = list[tuple[str, str]]


@dataclass(frozen=True)
class ReportContent:
    """The content of a report.

    Parameters
    ----------
    title, command : str
        Name of the data; the command line.
    reading, splitting, chosen : list of (label, value)
        Facts on the input and the split, and the chosen settings.
    filtering : Table
        A row for before and one for after: a label, ``users``, ``items``, ``interactions`` and
        ``density`` as a share from 0 to 1.
    leaderboard : Table
        See `alsolike.views.leaderboard.leaderboard`.
    families : Table
        A row for the best run of each family: ``family``, ``run``, ``mean``, ``low``, ``high``,
        ``ties``, ``size`` and ``seconds``; best first.
    about_families : list of str
        Which families were tried, and how they compare.
    warnings, notes : list of str
    files : list of (name, description)
        The other files of the folder.
    versions : list of (name, version)
    similar_scores, scores : Table
        Of similar items and of lists: ``model``, ``metric``, ``mean``, ``low``, ``high``,
        ``users``, on test users, the published model before its baselines. The headlines show the
        first metric.
    tables : sequence of (heading, Table)
        Further metrics on test users.
    folds : sequence of Table
        The first metric on each rolling fold, with ``model`` the fold; and the sizes of the folds.
    ablation : Table
        The score with real features, with none, a constant and shuffled ones.
    worth_of_features : str
        What it says, as a sentence.
    dials : spec or None
        From `alsolike.views.figures.dials`.
    marks : Table
        The numbers of that figure.
    best_curve, all_curves : spec or None
        From `alsolike.views.figures.learning_curves`.
    further : sequence of (heading, spec)
        Figures of the whole search.
    galleries : sequence of (heading, Gallery)
    no_result : str
        Shown in place of the headline if there are no scores.
    verdicts : sequence of (sentence, bool)
        Whether lists, and similar items, are better than popularity; true if they are.
    published : str
        The published model, and among how many it was chosen.
    """

    title: str
    command: str
    reading: Pairs
    filtering: Table
    splitting: Pairs
    leaderboard: Table
    warnings: list[str]
    notes: list[str]
    files: Pairs
    versions: Pairs
    chosen: Sequence[tuple[str, str]] = ()
    similar_scores: Table = field(default_factory=lambda: Table({}))
    scores: Table = field(default_factory=lambda: Table({}))
    tables: Sequence[tuple[str, Table]] = ()
    folds: Sequence[Table] = ()
    ablation: Table = field(default_factory=lambda: Table({}))
    worth_of_features: str = ""
    dials: Spec | None = None
    marks: Table = field(default_factory=lambda: Table({}))
    best_curve: Spec | None = None
    all_curves: Spec | None = None
    further: Sequence[tuple[str, Spec]] = ()
    galleries: Sequence[tuple[str, Gallery]] = ()
    no_result: str = "No test users, so there is no score to report."
    verdicts: Sequence[tuple[str, bool]] = ()
    published: str = ""
    families: Table = field(default_factory=lambda: Table({}))
    about_families: Sequence[str] = ()


def report_html(content: ReportContent, *, remote_images: bool = False) -> str:
    """Return the whole page, which loads no other file, under a strict content policy.

    Parameters
    ----------
    content : ReportContent
        All of its texts may be hostile; they are escaped here.
    remote_images : bool
        Make the page load images from the hosts that the galleries name; otherwise galleries show
        placeholders.
    """
    galleries = [
        (heading, replace(each, remote_images=each.remote_images and remote_images))
        for heading, each in content.galleries
    ]
    runs = list(content.leaderboard.rows())
    body = rendered(
        "report.html",
        content=content,
        galleries=galleries,
        similar_scores=list(content.similar_scores.rows()),
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
    """Return the rows of a table of figures and values as pairs; none of another table."""
    if table.column_names != ("figure", "value"):
        return []
    return [(row["figure"], row["value"]) for row in table.rows()]
