"""Shortens a leaderboard to the width of a terminal: the best runs, and the best of each model."""

from collections.abc import Collection, Iterator
from typing import Any

from alsolike.tables import Table
from alsolike.text import counted

_BEST = 5
# Columns that are never left out; nor is the score.
_NEEDED = ("rank", "model", "settings", "degenerate")
_INTERVAL = "95 % interval"


def top_runs(
    board: Table,
    score: str,
    measure: str,
    width: int,
    *,
    also: Collection[int | None] = (),
    whole: str,
) -> str:
    """Return the best runs of a leaderboard as text, and below them the best of each model.

    Parameters
    ----------
    board : Table
        Best first: rank, run, a column ``model`` or ``settings``, further ones, and `score` with
        its ``_low`` and ``_high``.
    score, measure : str
        The column that ranks, and its printed name.
    width : int
        Columns of the terminal.
    also : collection of int
        Runs to show in any case.
    whole : str
        Where to find all rows and columns.

    Examples
    --------
    >>> models = ["als"] * 7 + ["popularity"]
    >>> scores = [0.5 - place / 100 for place in range(8)]
    >>> runs = [*range(1, 8), None]
    >>> board = Table({"rank": range(1, 9), "run": runs, "model": models, "score": scores,
    ...                "score_low": scores, "score_high": scores})
    >>> print(top_runs(board, "score", "ndcg@5", 60, also=[7], whole="--verbose"))
    rank  run  model       ndcg@5  95 % interval
       1    1  als           0.50  0.50 to 0.50
       2    2  als           0.49  0.49 to 0.49
       3    3  als           0.48  0.48 to 0.48
       4    4  als           0.47  0.47 to 0.47
       5    5  als           0.46  0.46 to 0.46
       7    7  als           0.44  0.44 to 0.44
       8       popularity    0.43  0.43 to 0.43
    Not shown: 1 more row; --verbose has it.
    """
    rows = list(board.rows())
    shown = _shown(rows, also)
    texts = _with_one_interval(board, score, measure, shown)
    others = [name for name in texts.column_names if name not in (*_NEEDED, "run", measure)]
    settings = [name for name in others if name not in ("state", "sweep", "ties", _INTERVAL)]
    least = [name for name in ("state", _INTERVAL, "sweep", "ties") if name in others]
    same = [name for name in ("state", *settings) if len({row.get(name) for row in rows}) == 1]
    left = len(rows) - len(shown)
    more = [f"{left:,} more row{'s' * (left > 1)}"] if left else []
    if {row.get("state") for row in rows} == {"done"}:  # the usual case is not shown
        texts = _without(texts, "state")
        more.insert(0, "state")
    if all(row.get("sweep") is None for row in rows):
        texts = _without(texts, "sweep")
    least += [*settings[::-1], "run"]
    if _needs(texts, measure) > width and "model" in texts:
        families = [str(name).split(" (")[0] for name in texts["model"]]
        texts = Table(texts.to_dict() | {"model": families})
        more.insert(0, "settings of the other models")
    return texts.fitted(width, least=least, same=same, more=more, whole=whole)


def failed(failures: Table) -> Iterator[str]:
    """Yield a sentence with the number of failed runs and the first error, if any failed."""
    if len(failures):
        yield f"{counted(len(failures), 'run')} failed; the first error: {failures['error'][0]}"


def _without(texts: Table, left_out: str) -> Table:
    return Table({name: column for name, column in texts.to_dict().items() if name != left_out})


def _needs(texts: Table, measure: str) -> int:
    """Return the width of the columns that are never left out."""
    needed = {name: texts[name] for name in (*_NEEDED, measure) if name in texts}
    return max(map(len, str(Table(needed)).splitlines())) - len(needed) - 3


def _shown(rows: list[dict[str, Any]], also: Collection[int | None]) -> list[int]:
    """Return the indices of the best rows, of the best of each model, and of runs in `also`."""
    models, places = set(), []
    for place, row in enumerate(rows):
        name = row.get("model") or (row["settings"] if row["run"] is None else "")
        model = str(name).split(" (")[0]
        if place < _BEST or model not in models or (row["run"] is not None and row["run"] in also):
            places.append(place)
        models.add(model)
    return places


def _with_one_interval(board: Table, score: str, measure: str, places: list[int]) -> Table:
    """Return rows of a leaderboard with a short name of the score and one column of intervals."""
    texts = board.texts()
    columns: dict[str, Any] = {}
    for name in board.column_names:
        if name == score:
            columns[measure] = board[name][places]
            ends = zip(texts[f"{score}_low"], texts[f"{score}_high"], strict=True)
            intervals = [f"{low} to {high}" for low, high in ends]
            columns[_INTERVAL] = [intervals[place] for place in places]
        elif name not in (f"{score}_low", f"{score}_high"):
            columns[name] = board[name][places]
    return Table(columns)
