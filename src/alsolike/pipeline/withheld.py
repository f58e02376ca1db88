"""What a run leaves that has nothing to publish: all that was found, and no model."""

from importlib.metadata import version
from pathlib import Path

from alsolike.data.filtering import FilterReport
from alsolike.data.reading.report import ReadReport
from alsolike.data.splitting.split import Split
from alsolike.errors import DegenerateError
from alsolike.pipeline.outputs import FILES, PACKAGES, sizes_of, write_search
from alsolike.storage.atomic import write_text
from alsolike.tables import Table
from alsolike.tuning.leaderboard.leaderboard import SearchResult
from alsolike.views.report import ReportContent, report_html

_KEPT = ("report.html", "leaderboard.csv", "learning_curves.parquet, .csv", "ledger.sqlite")
_MODEL_AND_LISTS = ("model", "similar_items.parquet", "recommendations.parquet")


def withhold(
    error: DegenerateError,
    out: Path,
    how_read: ReadReport,
    how_filtered: FilterReport,
    split: Split,
    *,
    command: str = "",
) -> DegenerateError:
    """Write the leaderboard, the curves and a report that says why there is no model.

    Parameters
    ----------
    error : DegenerateError
        What the search ended with.
    out : Path
    how_read, how_filtered, split
        What each step before it reported.
    command : str
        What was typed, for the report.

    Returns
    -------
    DegenerateError
        The same, with where all this lies.
    """
    found: SearchResult = error.found
    stale = [name for name in _MODEL_AND_LISTS if (out / name).exists()]
    told = f"{error} Nothing is recommended: no model, similar items or lists are written."
    if stale:
        told += f" What lies in {out} of an earlier run is older than this one: {', '.join(stale)}."
    write_search(found, out)
    content = ReportContent(
        title=Path(how_read.source).name,
        command=command,
        reading=how_read.facts(),
        filtering=sizes_of(how_filtered),
        splitting=split.facts(),
        leaderboard=found.leaderboard,
        chosen=[],
        scores=Table({}),
        tables=[],
        best_curve=None,
        all_curves=None,
        further=[],
        galleries=[],
        warnings=[told],
        notes=[f"Judged by {found.objective}."],
        files=[(name, words) for name, words in FILES if name in _KEPT],
        versions=[(name, version(name)) for name in PACKAGES],
        no_result="No model was chosen, so there is no figure to report.",
    )
    write_text(out / "report.html", report_html(content))
    return DegenerateError(f"{told} What was found is in {out / 'report.html'}.", found)
