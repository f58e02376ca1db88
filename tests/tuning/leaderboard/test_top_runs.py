"""The part of a leaderboard that fits a page: which rows, which columns, and what it says."""

import re
from typing import Any

import pytest

from alsolike.tables import Table
from alsolike.tuning.leaderboard.top_runs import failed, top_runs

SCORE, MEASURE = "validation_precision@10", "precision@10"


def board(states: list[str] | None = None) -> Table:
    """Return a leaderboard of 180 runs of three settings, and four baselines among them."""
    models = ["als"] * 184
    for place, name in ((7, "ease (100)"), (90, "item-knn (cosine, 100, 0.2)"),
                        (91, "item-knn (bm25, 100, 0.2)"), (180, "popularity")):  # fmt: skip
        models[place] = name
    rows: list[dict[str, Any]] = []
    for place, model in enumerate(models):
        score, own = 0.2 - place / 1000, model == "als"
        rows.append(
            {"rank": place + 1, "run": 200 - place if own else None, "model": model}
            | {"factors": 16 + place % 7 if own else None, "alpha": place % 5 if own else None}
            | {"regularization": 10.0 + place % 3 if own else None, "sweep": 4 if own else None}
            | {SCORE: score, f"{SCORE}_low": score - 0.01, f"{SCORE}_high": score + 0.01}
            | {"ties": place < 9, "state": states[place] if states else "done"}
        )
    return Table.from_rows(rows)


def page(table: Table, width: int, **more: Any) -> list[str]:
    return top_runs(table, SCORE, MEASURE, width, whole="all.csv", **more).splitlines()


def ranks(lines: list[str]) -> list[int]:
    return [int(found[1]) for line in lines if (found := re.match(r"\s*(\d+) ", line))]


@pytest.mark.parametrize("width", [60, 80, 100, 200])
def test_the_best_five_and_the_best_of_each_model_are_shown(width: int) -> None:
    lines = page(board(), width)
    assert ranks(lines) == [1, 2, 3, 4, 5, 8, 91, 181]
    assert max(map(len, lines)) <= width
    told = " ".join(" ".join(lines).split())
    assert re.search(r"Not shown: .*state, 176 more rows; all\.csv has them\.$", told)
    head, shown = lines[0], told.split("Not shown: ")[1]
    for name in ("run", "factors", "alpha", "regularization", "sweep", "ties", "95 % interval"):
        assert (f" {name}" in head) != (name in shown.split(";")[0].split(", ")), name
    assert {"rank", "model", MEASURE} <= set(head.split())


def test_a_narrow_terminal_gets_the_names_of_models_alone() -> None:
    lines = page(board(), 40)
    assert ranks(lines) == [1, 2, 3, 4, 5, 8, 91, 181]
    assert max(map(len, lines)) <= 40
    assert lines[7].split() == ["91", "item-knn", "0.110"]
    assert "settings of the other models" in " ".join(" ".join(lines).split())


def test_runs_that_are_named_elsewhere_are_shown_wherever_they_stand() -> None:
    assert ranks(page(board(), 100, also={150})) == [1, 2, 3, 4, 5, 8, 51, 91, 181]


def test_a_state_is_a_column_where_one_run_has_another() -> None:
    states = ["done"] * 184
    states[1] = "pruned"
    lines = page(board(states), 200)
    assert lines[0].endswith("state")
    assert lines[2].endswith("pruned")


def test_a_setting_that_all_runs_share_is_said_once_but_not_one_of_the_best_runs() -> None:
    rows = [row | {"alpha": 3, "factors": 16 + (row["rank"] > 100)} for row in board().rows()]
    lines = page(Table.from_rows(rows), 200)
    assert lines[0] == "The same in all rows: alpha 3."
    assert "factors" in lines[1]  # 16 in all that are shown, and not in all


def test_a_short_leaderboard_is_shown_whole() -> None:
    table = Table.from_rows(list(board().rows())[:4])
    lines = page(table, 200)
    assert ranks(lines) == [1, 2, 3, 4]
    assert "more row" not in lines[-1]


def test_failed_runs_are_counted_with_the_first_error() -> None:
    assert list(failed(Table({"error": []}))) == []
    assert list(failed(Table({"error": ["singular", "other"]}))) == [
        "2 runs failed; the first error: singular"
    ]


def test_sweeps_have_no_column_where_nothing_has_any() -> None:
    table = board()
    ended = [row | {"sweep": None} for row in table.rows()]
    assert "sweep" in page(table, 200)[0]
    assert "sweep" not in page(Table.from_rows(ended), 200)[0]
