"""The files in which the main job leaves behind what it found."""

from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path

from alsolike.data.filtering import FilterReport
from alsolike.models.bundle import io as bundle
from alsolike.pipeline import remarks
from alsolike.pipeline.outcome import Outcome
from alsolike.progress import SILENT, Observer
from alsolike.storage.atomic import write_bytes, write_table, write_text
from alsolike.tables import Table
from alsolike.tuning.leaderboard.leaderboard import SearchResult
from alsolike.views.figures.learning_curves import to_page, to_png, to_svg
from alsolike.views.figures.marks import Spec
from alsolike.views.gallery import Gallery
from alsolike.views.report import ReportContent, report_html

FILES = (
    ("report.html", "this page"),
    ("model/", "the model: what was learnt, ids, items and history, checked when loaded"),
    ("similar_items.parquet", "the 10 most similar items of every item"),
    (
        "recommendations.parquet",
        "the 10 best items for every user, what was seen left out; by popularity where basis says "
        "so",
    ),
    ("leaderboard.csv", "every run, best first"),
    ("learning_curves.parquet, .csv", "every scored point of every run"),
    ("best_curve.png, .svg, .html", "the learning curve of the chosen run"),
    ("all_curves.png, .svg, .html", "the learning curves of all runs"),
    ("settings_and_score.png, .svg, .html", "each setting that was varied against the score"),
    ("time_and_score.png, .svg, .html", "what each run took against what it reached"),
    ("ledger.sqlite", "what the search has done, so that it can go on after a kill"),
)

PACKAGES = ("alsolike", "numpy", "scipy", "numba", "duckdb")

_HEADINGS = {"settings_and_score": "Settings", "time_and_score": "Time"}


def publish(
    outcome: Outcome,
    out: Path,
    *,
    command: str = "",
    remote_images: bool = False,
    image_folder: Path | None = None,
    observer: Observer = SILENT,
) -> None:
    """Write everything of `FILES` but the ledger into `out`; the report comes last.

    Parameters
    ----------
    command : str
        What was typed, for the report.
    remote_images : bool
        Let the report load pictures from the web.
    image_folder : Path or None
        Where pictures that are given as file paths start; none is read without it.
    """
    for sentence in [*outcome.fallbacks, *remarks.of_history(outcome)]:
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
    bundle.save(outcome.model, out / "model", metrics=metrics, with_history=outcome.with_history)
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
        if not len(seen.curves):
            continue  # of families without sweeps
        write_table(out / f"learning_curves{suffix}.csv", seen.curves)
        write_table(out / f"learning_curves{suffix}.parquet", seen.curves)


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
        best_curve=figures.get("best_curve"),
        all_curves=figures.get("all_curves"),
        further=[(_HEADINGS[name], figures[name]) for name in _HEADINGS if name in figures],
        galleries=galleries,
        warnings=list(remarks.warnings(outcome)),
        notes=list(remarks.notes(outcome)),
        files=[*_files(figures, found), *_further_files(found)],
        versions=[(name, version(name)) for name in PACKAGES],
        verdicts=outcome.verdicts(),
        published=f"Published: {remarks.Choice(found, outcome.chosen_run).words}",
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


def _files(figures: Mapping[str, Spec], found: SearchResult) -> Iterator[tuple[str, str]]:
    """Return what lies beside the report: of figures and curves those that there are."""
    for name, told in FILES:
        plain = name.split(".")[0]
        if name.endswith(".png, .svg, .html") and plain not in figures:
            continue
        if plain == "learning_curves" and not len(found.curves):
            continue
        yield name, told


def _further_files(found: SearchResult) -> Iterator[tuple[str, str]]:
    for name, seen in found.beside.items():
        suffix = _plain_name(name)
        yield f"leaderboard_{suffix}.csv", f"every run as {name} way of counting ranks it"
        if len(seen.curves):
            told = "every scored point of every run likewise"
            yield f"learning_curves_{suffix}.parquet, .csv", told


def _plain_name(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())
