"""Writes the results of a run to its folder, and forecasts how long that takes."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import version
from pathlib import Path

from alsolike.data.filtering import FilterReport
from alsolike.data.reading.report import ReadReport
from alsolike.data.splitting.split import Split
from alsolike.engines.base import Engine
from alsolike.errors import DegenerateError
from alsolike.models.bundle import io as bundle
from alsolike.pipeline import remarks
from alsolike.pipeline.outcome import LIST_LENGTH, Outcome
from alsolike.pipeline.recommendations import recommended_in_parts
from alsolike.pipeline.similar_items.store import FILE
from alsolike.progress import SILENT, Observer
from alsolike.storage.atomic import remove_folder, write_bytes, write_table, write_text
from alsolike.storage.table_parts import write_parts
from alsolike.tables import Table
from alsolike.tuning.leaderboard.leaderboard import SearchResult
from alsolike.views.figures.learning_curves import best_curve, to_page, to_png, to_svg
from alsolike.views.figures.marks import Spec
from alsolike.views.gallery import Gallery
from alsolike.views.labels import flat_settings
from alsolike.views.report import ReportContent, report_html

FILES = (
    ("report.html", "this page"),
    ("model/", "the model: parameters, ids, items and history, verified on loading"),
    ("similar/", "the model of similar items: another one, which is better beside items"),
    ("similar_items.parquet", "the 10 most similar items of every item"),
    (
        "recommendations.parquet",
        "the 10 best items for every user, without seen items; by popularity where basis says so",
    ),
    ("leaderboard.csv", "every run, best first"),
    ("families.json", "the best run of each family, which of them tie, and the cheapest that ties"),
    ("learning_curves.parquet, .csv", "every scored point of every run"),
    ("best_curve.png, .svg, .html", "the learning curve of the chosen run"),
    ("all_curves.png, .svg, .html", "the learning curves of all runs"),
    ("settings_and_score.png, .svg, .html", "each setting that was varied against the score"),
    ("time_and_score.png, .svg, .html", "training time against score of each run"),
    (
        "dials.png, .svg, .html",
        "precision and specificity of similar items, from 0 to 1 on the dial",
    ),
    ("ledger.sqlite", "the state of the search, to resume after a kill"),
    ("finalists.sqlite", "the measurements of similar items, to resume after a kill"),
)

_WITHOUT_MODEL = (
    "report.html",
    "leaderboard.csv",
    "families.json",
    "learning_curves.parquet, .csv",
    "ledger.sqlite",
)
_MODEL_AND_LISTS = ("model", "similar", "similar_items.parquet", "recommendations.parquet")

_PACKAGES = ("alsolike", "numpy", "scipy", "numba", "duckdb")

_SIMILAR_MODEL = "similar"
_HEADINGS = {"settings_and_score": "Settings", "time_and_score": "Time"}

# The time that a run takes after its search, in units of drawing one small figure, as measured on
# three public tables: ranking, lists, four figures, report and model; and more for each run, each
# point that is drawn, each score on test users, and each byte of the model.
_ALWAYS, _RUN, _POINT, _SCORE, _BYTE = 12.0, 0.04, 0.015, 3e-6, 20.0 / 2**30
# Measuring the similar items of all items at all marks, per score of an item with an item.
_SIMILAR = 1e-7


def publish(
    outcome: Outcome,
    out: Path,
    *,
    command: str = "",
    remote_images: bool = False,
    image_folder: Path | None = None,
    engine: Engine | None = None,
    observer: Observer = SILENT,
) -> None:
    """Write all `FILES` except the ledger into `out`; the report comes last.

    Parameters
    ----------
    command : str
        The command line, for the report.
    remote_images : bool
        Make the report load images from the web.
    image_folder : Path or None
        The folder of images given as file paths; None: read none.
    engine : Engine or None
        Ranks the recommendations of all users, which are written in parts.
    """
    for sentence in [*outcome.fallbacks, *remarks.of_history(outcome)]:
        observer.tell(sentence)
    figures = outcome.figures()
    observer.start("writing", 2 + len(figures))
    write_search(outcome.found, out)
    observer.advance()
    for name, spec in figures.items():
        write_bytes(out / f"{name}.png", to_png(spec))
        write_text(out / f"{name}.svg", to_svg(spec))
        write_text(out / f"{name}.html", to_page(spec))
        observer.advance()
    write_table(out / "similar_items.parquet", outcome.similar_items)
    observer.advance()
    observer.finish()
    write_parts(
        out / "recommendations.parquet",
        recommended_in_parts(outcome.model, k=LIST_LENGTH, engine=engine, observer=observer),
    )
    observer.start("writing the model and the report", 2)
    bundle.save(
        outcome.model,
        out / "model",
        metrics={**_metrics(outcome), **outcome.compared.metrics_of_lists()},
        with_history=outcome.with_history,
    )
    if outcome.similar_model is None:
        remove_folder(out / _SIMILAR_MODEL)  # of an earlier run
    else:
        bundle.save(
            outcome.similar_model,
            out / _SIMILAR_MODEL,
            metrics=outcome.compared.metrics(),
            with_history=outcome.with_history,
        )
    observer.advance()
    galleries = outcome.galleries(remote_images=remote_images, image_folder=image_folder)
    content = report_content(outcome, galleries, command=command)
    write_text(out / "report.html", report_html(content, remote_images=remote_images))
    observer.advance()
    observer.finish()


def written_in(out: Path) -> Iterator[Path]:
    """Yield the paths of `FILES`."""
    for names, _ in FILES:
        first, *endings = names.rstrip("/").split(", ")
        yield out / first
        yield from ((out / first).with_suffix(ending) for ending in endings)


def write_search(found: SearchResult, out: Path) -> None:
    """Write the leaderboard, the families and the learning curves of each objective."""
    for name, seen in {"": found, **found.beside}.items():
        suffix = f"_{_plain_name(name)}" if name else ""
        write_table(out / f"leaderboard{suffix}.csv", seen.leaderboard)
        compared = json.dumps(seen.families.to_plain(), indent=2)
        write_text(out / f"families{suffix}.json", f"{compared}\n")
        if not len(seen.curves):
            continue  # of families without sweeps
        write_table(out / f"learning_curves{suffix}.csv", seen.curves)
        write_table(out / f"learning_curves{suffix}.parquet", seen.curves)


def report_content(
    outcome: Outcome, galleries: list[tuple[str, Gallery]], *, command: str = ""
) -> ReportContent:
    """Return the content of the report."""
    found, figures, compared = outcome.found, outcome.figures(), outcome.compared
    return ReportContent(
        title=Path(outcome.how_read.source).name,
        command=command,
        reading=outcome.how_read.facts(),
        filtering=_sizes(outcome.how_filtered),
        splitting=outcome.split.facts(),
        leaderboard=found.leaderboard,
        families=found.families.table(),
        about_families=list(filter(None, [outcome.tried, f"{found.families}"])),
        chosen=[
            (name.replace("_", " "), f"{value}")
            for name, value in flat_settings(outcome.chosen.to_settings())
            if value is not None
        ],
        similar_scores=compared.table(),
        scores=Table({}) if outcome.test is None else outcome.test.table(),
        tables=[
            *compared.further(),
            *([] if outcome.test is None else outcome.test.further()),
        ],
        folds=(
            []
            if outcome.by_fold is None
            else [outcome.by_fold.table_of_first(), outcome.by_fold.folds()]
        ),
        ablation=Table({}) if outcome.ablation is None else outcome.ablation.shown(),
        worth_of_features="" if outcome.ablation is None else outcome.ablation.words,
        dials=figures.get("dials"),
        marks=compared.marks,
        best_curve=figures.get("best_curve"),
        all_curves=figures.get("all_curves"),
        further=[(_HEADINGS[name], figures[name]) for name in _HEADINGS if name in figures],
        galleries=galleries,
        warnings=list(remarks.warnings(outcome)),
        notes=list(remarks.notes(outcome)),
        files=[*_files(figures, outcome), *_further_files(found)],
        versions=_versions(),
        verdicts=outcome.verdicts(),
        published=(
            f"Published: {remarks.ChosenRun(found, outcome.chosen_run).words} {compared.words}"
        ).rstrip(),
    )


def write_without_model(
    error: DegenerateError,
    out: Path,
    how_read: ReadReport,
    how_filtered: FilterReport,
    split: Split,
    *,
    command: str = "",
) -> DegenerateError:
    """Write the leaderboard, the curves and a report that says why there is no model.

    Returns `error` with the path of the report.
    """
    found: SearchResult = error.found
    text = f"{error} No model, similar items or recommendations are written."
    if stale := [name for name in _MODEL_AND_LISTS if (out / name).exists()]:
        text += f" These files in {out} are from an earlier run: {', '.join(stale)}."
    write_search(found, out)
    content = ReportContent(
        title=Path(how_read.source).name,
        command=command,
        reading=how_read.facts(),
        filtering=_sizes(how_filtered),
        splitting=split.facts(),
        leaderboard=found.leaderboard,
        warnings=[text],
        notes=[f"Scored by {found.objective}."],
        files=[(name, words) for name, words in FILES if name in _WITHOUT_MODEL],
        versions=_versions(),
        no_result="No model was chosen, so there is no score to report.",
    )
    write_text(out / "report.html", report_html(content))
    return DegenerateError(f"{text} The results are in {out / 'report.html'}.", found)


def seconds_reserved(
    figure: float, *, runs: int, points: int, scores: int, similar: int = 0, model: float = 0.0
) -> float:
    """Return how long all after the search takes, except for fits.

    Parameters
    ----------
    figure : float
        The seconds of a small figure, as `seconds_of_a_figure` measures them.
    runs, points, scores : int
        Runs, points of learning curves, and scores of test users.
    similar : int
        Scores of items with items, of all finalists on all folds.
    model : float
        Bytes of the model.
    """
    counted = _RUN * runs + _POINT * points + _SCORE * scores + _SIMILAR * similar
    return figure * (_ALWAYS + counted + _BYTE * model)


def seconds_of_a_figure(clock: Callable[[], float] = time.perf_counter) -> float:
    """Draw a small figure twice, and return how long the second one takes."""
    row: dict[str, object] = {"run": 1, "sweep": 2, "train_recall@1": 0.2, "state": "done"}
    row |= {f"validation_recall@1{end}": 0.1 for end in ("", "_low", "_high")}
    seconds = 0.0
    for _ in range(2):
        began = clock()
        spec = best_curve(Table.from_rows([row]), metric="recall@1", title="", chosen_sweep=2)
        for draw in (to_png, to_svg, to_page):
            draw(spec)
        seconds = clock() - began
    return seconds


def _metrics(outcome: Outcome) -> dict[str, float]:
    """Return the means of the published lists on test users, by metric."""
    rows = () if outcome.test is None else outcome.test.table().rows()
    return {
        f"test {row['metric']}": float(row["mean"])
        for row in rows
        if row["model"] == outcome.model.name
    }


def _versions() -> list[tuple[str, str]]:
    return [(name, version(name)) for name in _PACKAGES]


def _sizes(how_filtered: FilterReport) -> Table:
    """Return a row for before the filter and one for after."""
    return Table.from_rows(
        [
            {"": when, "users": size.users, "items": size.items, "interactions": size.interactions,
             "density": size.density}
            for when, size in (("before", how_filtered.before), ("after", how_filtered.after))
        ]
    )  # fmt: skip


def _files(figures: Mapping[str, Spec], outcome: Outcome) -> Iterator[tuple[str, str]]:
    """Yield `FILES` with descriptions, without those that were not written."""
    missing = set()
    if outcome.similar_model is None:
        missing.add(f"{_SIMILAR_MODEL}/")
    if "dials" not in figures:
        missing.add(FILE)
    for name, words in FILES:
        plain = name.split(".")[0]
        if name in missing:
            continue
        if name.endswith(".png, .svg, .html") and plain not in figures:
            continue
        if plain == "learning_curves" and not len(outcome.found.curves):
            continue
        yield name, words


def _further_files(found: SearchResult) -> Iterator[tuple[str, str]]:
    for name, seen in found.beside.items():
        suffix = _plain_name(name)
        yield f"leaderboard_{suffix}.csv", f"every run, ranked by {name} method"
        yield f"families_{suffix}.json", f"the best run of each family, by {name} method"
        if len(seen.curves):
            words = f"every scored point of every run, by {name} method"
            yield f"learning_curves_{suffix}.parquet, .csv", words


def _plain_name(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())
