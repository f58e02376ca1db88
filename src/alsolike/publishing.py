"""What the main job found, and the files in which it leaves that behind."""

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from alsolike.data.filtering import FilterReport
from alsolike.data.readreport import ReadReport
from alsolike.data.split import Split
from alsolike.evaluation.final import TestFigures
from alsolike.evaluation.results import said_of_degenerate
from alsolike.models import bundle
from alsolike.models.config import ALSConfig
from alsolike.models.factor_model import FactorModel
from alsolike.observing import SILENT, Observer
from alsolike.recommending.fallback import fallback_notes
from alsolike.tables import Table
from alsolike.tuning.leaderboard import SearchResult
from alsolike.views.frontier import time_and_score
from alsolike.views.gallery import Gallery, gallery
from alsolike.views.marks import Spec
from alsolike.views.plots import all_curves, best_curve, to_page, to_png, to_svg
from alsolike.views.report import ReportContent, report_html
from alsolike.views.searches import settings_and_score
from alsolike.writing import write_bytes, write_table, write_text

FILES = (
    ("report.html", "this page"),
    ("model/", "the model: factors, ids, items and training interactions, checked when loaded"),
    ("similar_items.parquet", "the 10 most similar items of every item"),
    (
        "recommendations.parquet",
        "the 10 best items for every user, what was seen left out; by popularity where basis says "
        "so",
    ),
    ("leaderboard.csv", "every run, best first"),
    ("learning_curves.parquet, .csv", "every scored point of every run"),
    ("best_curve.png, .svg, .html", "the learning curve of the best run"),
    ("all_curves.png, .svg, .html", "the learning curves of all runs"),
    ("settings_and_score.png, .svg, .html", "each setting that was varied against the score"),
    ("time_and_score.png, .svg, .html", "what each run took against what it reached"),
    ("ledger.sqlite", "what the search has done, so that it can go on after a kill"),
)

PACKAGES = ("alsolike", "numpy", "scipy", "numba", "duckdb")

_SHELVES = 4  # in each of the three galleries
_NEIGHBOURS = 5


_HEADINGS = {"settings_and_score": "Settings", "time_and_score": "Time"}


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """All that one run of the main job found.

    Parameters
    ----------
    how_read, how_filtered, split, found
        What each step reported.
    chosen_run : int
        The run whose settings were fitted: the best of `found`, or the one proposed.
    test : TestFigures
        The figures to quote.
    model : FactorModel
        Refitted on all interactions that the filter kept.
    similar_items, recommendations : Table
        The shelves of all items and of all users.
    seed : int
        Of the galleries.
    """

    how_read: ReadReport
    how_filtered: FilterReport
    split: Split
    found: SearchResult
    chosen_run: int
    test: TestFigures
    model: FactorModel
    similar_items: Table
    recommendations: Table
    seed: int

    @property
    def chosen(self) -> ALSConfig:
        """The settings that were fitted."""
        found = self.found
        return found.best if self.chosen_run == found.best_run else found.proposed

    @functools.cached_property
    def fallbacks(self) -> list[str]:
        """For how many users the model knows nothing, and what they get, in sentences."""
        return fallback_notes(
            self.model, np.arange(len(self.model.users), dtype=np.int32), "popular"
        )

    def warnings(self) -> list[str]:
        """Return what could mislead a reader of the figures, in words.

        First where lists, or similar items, are not better than popularity.
        """
        verdicts = [f"{verdict}" for verdict in self.test.verdicts if not verdict.is_better]
        return [*verdicts, *_warnings(self)]

    def figures(self) -> dict[str, Spec]:
        """Return the two figures of the article, and those of the search, by file name."""
        found = self.found
        chosen = found.curves["run"] == self.chosen_run
        popularity = (row for row in found.leaderboard.rows() if row["model"] == "popularity")
        rows = [row for row, kept in zip(found.curves.rows(), chosen, strict=True) if kept]
        figures = {
            "best_curve": best_curve(
                Table.from_rows(rows),
                metric=found.judge.measure,
                title=f"Learning curve of the chosen run, number {self.chosen_run}",
                chosen_sweep=self.chosen.iterations,
            ),
            "all_curves": all_curves(
                found.curves,
                metric=found.judge.measure,
                best=found.best_run,
                baseline=next((row[found.judge.score] for row in popularity), None),
            ),
        }
        board, score = found.leaderboard, found.judge.score
        varying = varying_settings(found)
        if varying:
            figures["settings_and_score"] = settings_and_score(board, varying, score)
        if len(board) > 1 and any(time is not None for time in found.seconds):
            figures["time_and_score"] = time_and_score(board, found.seconds, score)
        return figures

    def galleries(
        self, *, remote_images: bool = False, image_folder: Path | None = None
    ) -> list[tuple[str, Gallery]]:
        """Return galleries of some popular, some middling and some rare items."""
        lay_out = functools.partial(
            gallery,
            self.model,
            k=_NEIGHBOURS,
            remote_images=remote_images,
            image_folder=image_folder,
        )
        return [(heading, lay_out(ids)) for heading, ids in _chosen_items(self.model, self.seed)]


def publish(
    outcome: Outcome,
    out: Path,
    *,
    command: str = "",
    with_history: bool = True,
    remote_images: bool = False,
    image_folder: Path | None = None,
    observer: Observer = SILENT,
) -> None:
    """Write everything of `FILES` but the ledger into `out`; the report comes last.

    Parameters
    ----------
    command : str
        What was typed, for the report.
    with_history : bool
        Put the training interactions into the model.
    remote_images : bool
        Let the report load pictures from the web.
    image_folder : Path or None
        Where pictures that are given as file paths start; none is read without it.
    """
    for sentence in outcome.fallbacks:
        observer.tell(sentence)
    figures = outcome.figures()
    observer.start("writing", 4 + len(figures))
    write_search(outcome.found, out)
    observer.advance()
    for name, spec in figures.items():
        write_bytes(out / f"{name}.png", to_png(spec))
        write_text(out / f"{name}.svg", to_svg(spec))
        write_text(out / f"{name}.html", to_page(spec))
        observer.advance()
    write_table(out / "similar_items.parquet", outcome.similar_items)
    write_table(out / "recommendations.parquet", outcome.recommendations)
    observer.advance()
    metrics = {
        f"test {row['metric']}": float(row["mean"])
        for row in outcome.test.table().rows()
        if row["model"] == outcome.model.name
    }
    bundle.save(outcome.model, out / "model", metrics=metrics, with_history=with_history)
    observer.advance()
    galleries = outcome.galleries(remote_images=remote_images, image_folder=image_folder)
    content = report_content(outcome, galleries, command=command)
    write_text(out / "report.html", report_html(content, remote_images=remote_images))
    observer.advance()
    observer.finish()


def written_in(out: Path) -> Iterator[Path]:
    """Return the places of `FILES`."""
    for names, _ in FILES:
        first, *endings = names.rstrip("/").split(", ")
        yield out / first
        yield from ((out / first).with_suffix(ending) for ending in endings)


def write_search(found: SearchResult, out: Path) -> None:
    """Write what a search found: the leaderboard and the curves, as each judge sees them."""
    for name, seen in {"": found, **found.beside}.items():
        suffix = f"_{_plain_name(name)}" if name else ""
        write_table(out / f"leaderboard{suffix}.csv", seen.leaderboard)
        write_table(out / f"learning_curves{suffix}.csv", seen.curves)
        write_table(out / f"learning_curves{suffix}.parquet", seen.curves)


def varying_settings(found: SearchResult) -> list[str]:
    """Return the settings of which the leaderboard has several values."""
    names = found.best.to_settings()
    rows = [row for row in found.leaderboard.rows() if row["model"] == "als"]
    return [
        name
        for name in found.leaderboard.column_names
        if name in names and len({row[name] for row in rows} - {None}) > 1
    ]


def report_content(
    outcome: Outcome, galleries: list[tuple[str, Gallery]], *, command: str = ""
) -> ReportContent:
    """Return what the report shows of an outcome."""
    found, figures = outcome.found, outcome.figures()
    return ReportContent(
        title=Path(outcome.how_read.source).name,
        command=command,
        reading=outcome.how_read.facts(),
        filtering=sizes_of(outcome.how_filtered),
        splitting=outcome.split.facts(),
        leaderboard=found.leaderboard,
        chosen=[(name.replace("_", " "), f"{value}") for name, value in _settings(outcome)],
        scores=outcome.test.table(),
        tables=outcome.test.further(),
        best_curve=figures["best_curve"],
        all_curves=figures["all_curves"],
        further=[(_HEADINGS[name], figures[name]) for name in _HEADINGS if name in figures],
        galleries=galleries,
        warnings=list(_warnings(outcome)),
        notes=list(_notes(outcome)),
        files=[*_files(figures), *_further_files(found)],
        versions=[(name, version(name)) for name in PACKAGES],
        verdicts=[(f"{verdict}", verdict.is_better) for verdict in outcome.test.verdicts],
    )


def sizes_of(how_filtered: FilterReport) -> Table:
    """Return what there was before the filter and after it, a row for each."""
    return Table.from_rows(
        [
            {"": when, "users": size.users, "items": size.items, "interactions": size.interactions,
             "density": size.density}
            for when, size in (("before", how_filtered.before), ("after", how_filtered.after))
        ]
    )  # fmt: skip


def _settings(outcome: Outcome) -> list[tuple[str, object]]:
    settings = outcome.chosen.to_settings()
    return [(name, value) for name, value in settings.items() if value is not None]


def _chosen_items(model: FactorModel, seed: int) -> list[tuple[str, list[str]]]:
    """Draw items from the most liked twentieth, from the middle, and from the least liked."""
    known = np.flatnonzero(model.item_norms > 0)
    ranked = known[np.argsort(-model.item_counts[known], kind="stable")]
    n = len(ranked)
    ranges = {
        "Popular items": ranked[: max(n // 20, min(n, _SHELVES))],
        "Middling items": ranked[2 * n // 5 : 3 * n // 5],
        "Rare items": ranked[4 * n // 5 :],
    }
    rng = np.random.default_rng(seed)
    drawn = {
        heading: rng.choice(rows, size=min(_SHELVES, len(rows)), replace=False)
        for heading, rows in ranges.items()
    }
    return [
        (heading, list(model.items.ids_of(rows))) for heading, rows in drawn.items() if len(rows)
    ]


def _warnings(outcome: Outcome) -> Iterator[str]:
    found, gain = outcome.found, outcome.test.difference
    yield from _as_by_lot(outcome.test)
    if not len(outcome.similar_items):
        yield "No item has a similar item: similar_items.parquet has no rows."
    yield from _out_of_reach(found)
    if gain.n < 100:
        yield f"Only {gain.n:,} test users: the intervals are wide, and rough."
    if found.skipped:
        yield f"{found.skipped:,} runs were skipped or cut: time was up."
    if len(found.failures):
        runs = "1 run" if len(found.failures) == 1 else f"{len(found.failures):,} runs"
        yield f"{runs} had no answer; the first: {found.failures['error'][0]}"
    last = int(found.curves["sweep"].max())
    if found.best.iterations == last and len(set(found.curves["sweep"].tolist())) > 1:
        yield f"The best point is the last sweep, {last}: more sweeps may do better."
    yield from _at_the_edge(found)
    read = outcome.how_read
    yield from read.warnings
    if rejected := read.rejected + read.items_rejected:
        yield f"{rejected:,} malformed lines were rejected."
    if read.missing:
        yield f"{read.missing:,} rows without a user or an item were dropped."


def _as_by_lot(test: TestFigures) -> Iterator[str]:
    """Say where the chosen model, or what it shows beside items, ranks next to nothing."""
    if test.evaluations and test.evaluations[0].is_degenerate:
        yield f"On the test users: {said_of_degenerate(test.evaluations[0].degenerate_share)}"
    if test.shelves and test.shelves[0].is_degenerate:
        told = said_of_degenerate(test.shelves[0].degenerate_share, "item pages")
        yield f"Similar items: {told} Pages whose item has no similar item are among them."


def _out_of_reach(found: SearchResult) -> Iterator[str]:
    """Say where a line to beat was not reached by any run."""
    rows, score = list(found.leaderboard.rows()), found.judge.score
    own = next(row for row in rows if row["run"] == found.best_run)
    if rows[0]["model"] != own["model"] and not own["ties"]:
        yield (
            f"On the validation users {rows[0]['model']} is better than every run: "
            f"{found.judge.measure} {rows[0][score]:.4f}, that of the best run {own[score]:.4f}."
        )


def _at_the_edge(found: SearchResult) -> Iterator[str]:
    """Say which settings are best at the end of what was tried."""
    best = found.best.to_settings()
    for name, value in best.items():
        if name not in found.curves or isinstance(value, (str, bool)) or value is None:
            continue
        tried = sorted({one for one in found.curves[name].tolist() if one is not None})
        if len(tried) > 2 and value in (tried[0], tried[-1]):
            beyond = "below" if value == tried[0] else "above"
            yield f"The best {name}, {value:g}, is the edge of what was tried: try {beyond} it."


def _notes(outcome: Outcome) -> Iterator[str]:
    found = outcome.found
    yield f"Chosen by {found.judge}. {found.choice}"
    yield from outcome.fallbacks
    yield (
        "The figures above come from the chosen settings trained without the test items; the "
        "model beside this page was then refitted on all interactions."
    )
    if outcome.test.shelves:
        yield (
            "Figures that begin with shelf_ are of shelves of similar items: a user is shown what "
            "stands beside items that the user likes, a few drawn of each user's, and the held-out "
            "items are looked for there."
        )
    for name, other in found.beside.items():
        if other.is_degenerate:
            yield f"By {name} own way of counting ({other.judge}): {other.choice}"
            continue
        score = other.judge.score
        row = next(row for row in other.leaderboard.rows() if row["run"] is not None)
        run, sweep = outcome.chosen_run, outcome.chosen.iterations
        yield (
            f"By {name} own way of counting ({other.judge}; best of {len(other.curves):,} points "
            f"chosen on the very users it is reported on) the best would be run {row['run']} at "
            f"sweep {row['sweep']}: {row[score]:.4f}. The honest choice, run {run} at sweep "
            f"{sweep}, counts {_at(other, run, sweep)[score]:.4f} there."
        )


def _at(found: SearchResult, run: int, sweep: int) -> dict[str, Any]:
    return next(row for row in found.curves.rows() if (row["run"], row["sweep"]) == (run, sweep))


def _files(figures: Mapping[str, Spec]) -> Iterator[tuple[str, str]]:
    """Return what lies beside the report: of the figures those that were drawn."""
    for name, told in FILES:
        if name.split(".")[0] in figures or not name.endswith(".png, .svg, .html"):
            yield name, told


def _further_files(found: SearchResult) -> Iterator[tuple[str, str]]:
    for name in found.beside:
        suffix = _plain_name(name)
        yield f"leaderboard_{suffix}.csv", f"every run as {name} way of counting ranks it"
        yield f"learning_curves_{suffix}.parquet, .csv", "every scored point of every run likewise"


def _plain_name(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())
