"""The report of a run: one page that stands alone, the answer first, then what it rests on."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from alsolike.tables import Table
from alsolike.views import leaderboard as leaderboards
from alsolike.views.figures.learning_curves import figure
from alsolike.views.figures.marks import Spec
from alsolike.views.gallery import Gallery, origins
from alsolike.views.page import asset, document, escaped, isolated, rounded

Pairs = list[tuple[str, str]]

_PARTS = (
    ("result", "Result"),
    ("similar", "Similar items"),
    ("curves", "Figures of the search"),
    ("runs", "All runs"),
    ("data", "Data"),
    ("again", "To repeat it"),
)


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
    bodies = (
        _result(content),
        "".join(_gallery(heading, each) for heading, each in galleries),
        _curves(content),
        _runs(content),
        _data(content),
        _again(content),
    )
    shown = [
        (anchor, name, body) for (anchor, name), body in zip(_PARTS, bodies, strict=True) if body
    ]
    contents = "".join(f'<li><a href="#{anchor}">{name}</a></li>' for anchor, name, _ in shown)
    sections = "\n".join(
        f'<section class="part" id="{anchor}" aria-labelledby="{anchor}-title">'
        f'<h2 id="{anchor}-title">{name}</h2><div class="body">{body}</div></section>'
        for anchor, name, body in shown
    )
    body = (
        '<a class="skip" href="#result">To the result</a>\n'
        f'<header><p class="brand">alsolike report</p><h1>{isolated(content.title)}</h1>'
        f"{_verdicts(content.verdicts)}{_published(content.published)}"
        f"{_warnings(content.warnings)}"
        f'<nav aria-label="Parts of this page"><ul>{contents}</ul></nav></header>\n'
        f"<main>\n{sections}\n</main>"
    )
    sheets = ("page.css", "figure.css", "gallery.css")
    return document(
        f"{content.title} · alsolike report",
        body,
        styles=["\n".join(asset(name) for name in sheets)],
        scripts=[asset("figure.js")],
        image_origins=origins(each for _, each in galleries),
    )


def _verdicts(verdicts: Sequence[tuple[str, bool]]) -> str:
    """Return the first lines of the page: where popularity is as good, in the colour of warnings.

    The words say it, too.
    """
    lines = "".join(
        f'<p class="verdict{"" if is_better else " poor"}">{_prose(sentence)}</p>'
        for sentence, is_better in verdicts
    )
    return f'<div class="verdicts">{lines}</div>' if lines else ""


def _published(sentence: str) -> str:
    return f'<p class="published">{_prose(sentence)}</p>' if sentence else ""


def _warnings(warnings: Sequence[str]) -> str:
    if not warnings:
        return ""
    name = "Warning" if len(warnings) == 1 else f"{len(warnings)} warnings"
    lines = "".join(f"<li>{_prose(warning)}</li>" for warning in warnings)
    return (
        f'<div class="warnings" role="note" aria-label="{name}">'
        f'<p class="label">{name}</p><ul>{lines}</ul></div>'
    )


def _result(content: ReportContent) -> str:
    notes = "".join(f"<li>{_prose(note)}</li>" for note in content.notes)
    return (
        _headline(list(content.scores.rows()), content.no_result)
        + (leaderboards.scores(content.scores) if len(content.scores) else "")
        + _further(content.tables)
        + (f'<h3>Worth knowing</h3><ul class="notes">{notes}</ul>' if notes else "")
        + (f"<h3>Chosen settings</h3>{_pairs(content.chosen)}" if content.chosen else "")
    )


def _further(tables: Sequence[tuple[str, Table]]) -> str:
    """Return tables for those who ask further, folded away."""
    if not tables:
        return ""
    inner = "".join(
        f"<h3>{isolated(heading)}</h3>{_table(heading, table)}" for heading, table in tables
    )
    return f"<details><summary>By user and by item</summary>{inner}</details>"


def _table(heading: str, table: Table) -> str:
    """Return a table; one of names and values without a head."""
    if table.column_names == ("figure", "value"):
        return _pairs([(row["figure"], row["value"]) for row in table.rows()])
    return leaderboards.plain(table, heading)


def _headline(rows: list[dict[str, Any]], no_result: str) -> str:
    """Return the first metric of each model as large figures, in the order of the table."""
    if not rows:
        return f'<p class="lede">{_prose(no_result)}</p>'
    metric = rows[0]["metric"]
    tiles = "".join(
        f'<div class="tile"><dt>{isolated(str(row["model"]))}</dt>'
        f'<dd><span class="big">{rounded(row["mean"])}</span> '
        f"{_interval(row)}</dd></div>"
        for row in rows
        if row["metric"] == metric
    )
    users = rows[0].get("users")
    of_users = f" of {users:,} users" if users is not None else ""
    return (
        f'<p class="lede"><strong>{escaped(str(metric))}</strong> on the held-out test items'
        f"{of_users}, which no setting was chosen on.</p>"
        f'<dl class="tiles">{tiles}</dl>'
    )


def _interval(row: dict[str, Any]) -> str:
    if row.get("low") is None or row.get("high") is None:
        return ""
    low, high = (rounded(row[end]) for end in ("low", "high"))
    return f'<span class="interval">95 % interval {low} to {high}</span>'


def _gallery(heading: str, gallery: Gallery) -> str:
    return f"<h3>{isolated(heading)}</h3>{gallery.fragment(heading=4)}"


def _curves(content: ReportContent) -> str:
    parts = []
    if content.best_curve is not None:
        parts += [
            "<h3>The chosen run</h3>",
            f'<p class="lede">{_title_of(content.best_curve)}</p>',
            figure(content.best_curve),
        ]
    if content.all_curves is not None:
        parts += [
            "<h3>All learning curves</h3>",
            f'<p class="lede">{_title_of(content.all_curves)}. The paler a line, the lower its '
            "rank; the best of them is in colour. Point at a line to read it.</p>",
            figure(content.all_curves),
        ]
    parts += [f"<h3>{heading}</h3>{figure(spec)}" for heading, spec in content.further]
    return "".join(parts)


def _title_of(spec: Spec) -> str:
    title = spec["title"]
    return isolated(title if isinstance(title, str) else title["text"])


def _runs(content: ReportContent) -> str:
    table = content.leaderboard
    ties = sum(map(leaderboards.is_tie, table.rows()))
    degenerate = sum(map(leaderboards.is_degenerate, table.rows()))
    told = ["Best first, by the mean over validation users. The bar is the 95 % interval."]
    if any(map(leaderboards.is_popularity, table.rows())):
        told.append("The dashed line is popularity, the line to beat.")
    if ties:
        runs = "1 run" if ties == 1 else f"{ties:,} runs"
        told.append(f"{runs}, marked ≈, cannot be told from the best on these users.")
    if degenerate:
        runs = "1 row is" if degenerate == 1 else f"{degenerate:,} rows are"
        told.append(
            f"{runs} marked as degenerate: what is listed there is as good as drawn by lot. These "
            "come last, and none of them can be chosen."
        )
    return f'<p class="lede">{" ".join(told)}</p>{leaderboards.leaderboard(table)}'


def _data(content: ReportContent) -> str:
    return (
        f"<h3>What was read</h3>{_pairs(content.reading)}"
        f"<h3>Before and after the filter</h3>"
        f"{leaderboards.plain(content.filtering, 'Before and after the filter')}"
        f"<h3>The split</h3>{_pairs(content.splitting)}"
    )


def _again(content: ReportContent) -> str:
    # Word by word, so that a line does not break within --an-option.
    words = (f"<span>{escaped(word, most=500)}</span>" for word in content.command.split())
    return (
        f"<pre><code>{' '.join(words)}</code></pre>"
        f"<h3>Files</h3>{_pairs(content.files, code=True)}"
        f"<h3>Versions</h3>{_pairs(content.versions)}"
    )


def _pairs(pairs: Iterable[tuple[str, str]], *, code: bool = False) -> str:
    tag = "code" if code else "span"
    rows = "".join(
        f"<div><dt><{tag}>{isolated(str(label))}</{tag}></dt><dd>{_prose(str(value))}</dd></div>"
        for label, value in pairs
    )
    return f'<dl class="pairs">{rows}</dl>' if rows else '<p class="lede">None.</p>'


def _prose(text: str) -> str:
    return isolated(text, most=2000)
