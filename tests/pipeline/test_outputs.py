"""What the report warns of and shows: an outcome put together by hand, without reading or job."""

import csv
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from alsolike.data.filtering import filter_counts
from alsolike.data.interactions import Interactions
from alsolike.data.reading.report import ReadReport
from alsolike.data.splitting.splitters import hold_out
from alsolike.errors import WritingError
from alsolike.evaluation import holdout_report
from alsolike.evaluation.metrics.evaluate import evaluate
from alsolike.evaluation.objectives.ranking import RankingObjective
from alsolike.evaluation.statistics.intervals import Estimate
from alsolike.models.als.config import ALSConfig
from alsolike.models.als.train import fit
from alsolike.models.baselines.popularity import fit_popularity
from alsolike.models.bundle import io as bundle
from alsolike.pipeline.outcome import Outcome
from alsolike.pipeline.outputs import FILES, publish, report_content, write_search
from alsolike.pipeline.remarks import ChosenRun
from alsolike.pipeline.similar_items.report import NotCompared
from alsolike.recommending.batch import similar
from alsolike.tables import Table
from alsolike.testing import tiny_likes
from alsolike.tuning.search import search
from alsolike.tuning.strategies.search_space import expand


@pytest.fixture(scope="module")
def outcome() -> Outcome:
    kept, how_filtered = filter_counts(tiny_likes(60, 40), min_per_user=2, min_per_item=2)
    split = hold_out(kept, k=2)
    found = search(
        split,
        expand({"factors": [2, 3, 4], "user_regularization": [None, 1.0, 3.0]}, ALSConfig()),
        sweeps=[1, 2],
        objective=[
            "precision@5",
            RankingObjective(name="the article's", k=5, exclude_seen=False, choose="test"),
        ],
    )
    shown = split.train_and_validation()
    models = (fit(shown, found.best), fit_popularity(shown))
    model = fit(kept, found.best)
    return Outcome(
        how_read=ReadReport(source="likes.csv", format="text", rows=kept.n_interactions),
        how_filtered=how_filtered,
        split=split,
        found=found,
        chosen_run=found.best_run,
        compared=NotCompared("Similar items are not measured. There are 3 users."),
        test=holdout_report.HoldoutReport(
            "precision@5",
            tuple(evaluate(each, split.test, exclude=shown, k=5) for each in models),
            {"mse_users": 0.01, "mse_all": 0.02},
            Estimate(0.05, 0.01, 0.09, 200),
        ),
        model=model,
        similar_items=similar(model),
        seed=0,
    )


def below(outcome: Outcome, *, ties: bool) -> Outcome:
    """Return the outcome with a baseline at the top of its leaderboard."""
    found = outcome.found
    best, *rest = (replace(row, rank=row.rank + 1, ties=False) for row in found.rows)
    best = replace(best, ties=ties)
    above = replace(
        best, rank=1, run=None, family="ease", settings={"regularization": 500.0}, sweep=None,
        mean=0.9, ties=True, role="baseline",
    )  # fmt: skip
    found = replace(found, rows=(above, best, *rest), best_row=best, proposed_row=best)
    return replace(outcome, found=found)


def test_a_baseline_that_no_run_reaches_is_the_first_thing_said(outcome: Outcome) -> None:
    assert "tops the leaderboard" not in warned(outcome)
    for ties, told in ((False, "."), (True, ": no significant difference.")):
        other = below(outcome, ties=ties)
        said, is_good = other.verdicts()[0]
        assert not is_good
        assert said == (
            "A baseline, ease (500.0), tops the leaderboard with precision@5 0.9000 on "
            "the validation users; the best model that may be published reaches "
            f"{other.chosen_row.mean:.4f}{told}"
        )
        assert other.warnings()[0] == said
        content = report_content(other, [])
        assert content.verdicts[0] == (said, False)
        assert content.published.startswith("Published: als (factors ")


def choosing(outcome: Outcome, **settings: object) -> Outcome:
    """Return the outcome with other settings as the best."""
    best = replace(outcome.found.best, **settings)  # type: ignore[type-var]
    row = replace(outcome.found.best_row, config=best, sweep=best.iterations)
    return replace(outcome, found=replace(outcome.found, best_row=row))


def test_what_was_chosen_is_said_with_how_many_it_was_chosen_from(outcome: Outcome) -> None:
    found = outcome.found
    best, cheapest = (row for row in found.rows[:2])
    found = replace(found, best_row=best, proposed_row=cheapest)
    told = f"{ChosenRun(found, best.run or 0)}"
    assert re.fullmatch(r"Chosen: als \(factors \d, .*\), run \d, the best of 9 trainings\.", told)
    assert f"{ChosenRun(found, cheapest.run or 0)}".endswith(
        f"run {cheapest.run}, the cheapest that ties with the best of 9 trainings."
    )
    other = replace(best, family="ease", settings={}, role="candidate")
    both = f"{ChosenRun(replace(found, rows=(*found.rows, other)), best.run or 0)}"
    assert both.endswith("the best of 10 trainings of 2 families (als, ease).")
    assert all(len(line) <= 40 for line in ChosenRun(found, best.run or 0).brief(40).splitlines())


def test_what_a_budget_cut_is_said(outcome: Outcome) -> None:
    cut = replace(outcome.found, skipped=3, cut=("ease", "1 of 4 of item-knn"))
    assert (
        "3 runs were skipped or cut short: out of time. Among them: ease, 1 of 4 of item-knn."
        in warned(replace(outcome, found=cut))
    )


def warned(outcome: Outcome) -> str:
    """Return the warnings, but the one that similar items were not measured."""
    return "\n".join(one for one in outcome.warnings() if one != str(outcome.compared))


def test_a_difference_that_is_not_significant_is_said(outcome: Outcome) -> None:
    assert "better than popularity" not in warned(outcome)
    better = "Lists: better than popularity: precision@5 higher by 0.0500 (95 % interval 0.0100 to"
    assert str(outcome.test).startswith(better)
    test = replace(outcome.test, difference=Estimate(0.01, -0.01, 0.03, 200))
    told = (
        "Lists: not better than popularity: precision@5 higher by 0.0100 (95 % interval -0.0100 to "
        "0.0300): no significant difference."
    )
    assert told in warned(replace(outcome, test=test))
    assert str(test).startswith(told)


def test_worse_than_popularity_is_called_so(outcome: Outcome) -> None:
    test = replace(outcome.test, difference=Estimate(-0.05, -0.09, -0.01, 200))
    told = (
        "Lists: not better than popularity: precision@5 lower by 0.0500 (95 % interval -0.0900 to "
        "-0.0100)."
    )
    worse = replace(outcome, test=test)
    assert worse.warnings()[0] == told
    content = report_content(worse, worse.galleries())
    assert content.verdicts == [(told, False)]
    assert told not in content.warnings  # it is said once, and first


def test_few_test_users_are_said(outcome: Outcome) -> None:
    assert "test users" not in warned(outcome)
    test = replace(outcome.test, difference=Estimate(0.05, 0.01, 0.09, 99))
    assert "Only 99 test users" in warned(replace(outcome, test=test))


def test_the_edge_of_what_was_tried_is_said_where_there_is_an_edge(outcome: Outcome) -> None:
    inner = choosing(outcome, factors=3, user_regularization=None, iterations=1)
    assert warned(inner) == ""
    assert "best factors, 4, is at the edge of the values tried: try higher" in warned(
        choosing(inner, factors=4)
    )
    assert "best factors, 2, is at the edge of the values tried: try lower" in warned(
        choosing(inner, factors=2)
    )
    # Of None, 1 and 3 two are numbers, which have no middle.
    assert warned(choosing(inner, user_regularization=3.0)) == ""
    assert "The best sweep, 2, is the last one scored: more sweeps" in warned(
        choosing(inner, iterations=2)
    )


def test_what_reading_and_searching_lost_is_said(outcome: Outcome) -> None:
    how_read = replace(outcome.how_read, rejected=3, missing=1_234)
    failures = Table({"run": [1], "settings": ["x"], "error": ["<b>singular</b>"]})
    found = replace(outcome.found, failures=failures)
    said = warned(replace(outcome, how_read=how_read, found=found))
    assert "3 malformed lines were rejected" in said
    assert "1,234 rows without a user or an item were dropped" in said
    assert "1 run failed; the first error: <b>singular</b>" in said


def test_figures_of_both_models_stand_with_intervals_and_coverage(outcome: Outcome) -> None:
    rows = list(outcome.test.table().rows())
    assert [row["metric"] for row in rows[:2]] == ["precision@5", "precision@5"]
    assert [row["model"] for row in rows[:2]] == ["als", "popularity"]
    assert {row["metric"] for row in rows} >= {"ndcg@5", "auc", "coverage@5"}
    assert all(row["low"] <= row["mean"] <= row["high"] for row in rows if row["low"] is not None)


def test_galleries_show_the_popular_the_middling_and_the_rare_as_the_seed_draws(
    outcome: Outcome,
) -> None:
    shown = {
        heading: [shelf.card.id for shelf in each.shelves] for heading, each in outcome.galleries()
    }
    assert list(shown) == ["Popular items", "Middling items", "Rare items"]
    model = outcome.model
    counts = {
        heading: model.item_counts[model.items.indices_of(ids)].mean()
        for heading, ids in shown.items()
    }
    assert counts["Popular items"] > counts["Middling items"] > counts["Rare items"]
    again = [[shelf.card.id for shelf in each.shelves] for _, each in outcome.galleries()]
    assert again == list(shown.values())
    other = replace(outcome, seed=1).galleries()
    assert [[shelf.card.id for shelf in each.shelves] for _, each in other] != again


def test_a_model_of_two_items_has_galleries_too(outcome: Outcome) -> None:
    tiny = Interactions.from_columns(["a", "a", "b"], ["x", "y", "x"])
    model = fit(tiny, ALSConfig(factors=1, iterations=1))
    shelves = [
        shelf for _, each in replace(outcome, model=model).galleries() for shelf in each.shelves
    ]
    assert {shelf.card.id for shelf in shelves} == {"x", "y"}


def test_the_content_tells_how_the_article_would_have_counted(outcome: Outcome) -> None:
    content = report_content(outcome, outcome.galleries(), command="alsolike run x")
    [note] = [note for note in content.notes if "own method" in note]
    best = next(outcome.found.beside["the article's"].leaderboard.rows())
    assert f"run {best['run']} at sweep {best['sweep']}: {best['test_precision@5']:.4f}." in note
    assert "best of 18 points" in note
    names = [name for name, _ in content.files]
    # There is one model, and no similar items were measured.
    not_written = {"similar/", "finalists.sqlite", "dials.png, .svg, .html"}
    written = [name for name, _ in FILES if name not in not_written]
    assert names[: len(written)] == written
    assert not set(names) & not_written
    assert "leaderboard_thearticles.csv" in names
    assert ("user regularization", "None") not in content.chosen
    assert {"alsolike", "numpy", "duckdb"} <= {name for name, _ in content.versions}


def test_a_search_is_written_as_each_judge_sees_it(outcome: Outcome, tmp_path: Path) -> None:
    write_search(outcome.found, tmp_path)
    boards = {}
    for suffix in ("", "_thearticles"):
        assert (tmp_path / f"learning_curves{suffix}.parquet").exists()
        with (tmp_path / f"leaderboard{suffix}.csv").open() as file:
            boards[suffix] = list(csv.DictReader(file))
    assert len(boards[""]) == len(boards["_thearticles"]) == 9
    assert "validation_precision@5" in boards[""][0]
    assert "test_precision@5" in boards["_thearticles"][0]


def test_the_same_outcome_is_published_as_the_same_bytes(outcome: Outcome, tmp_path: Path) -> None:
    for place in ("one", "two"):
        publish(outcome, tmp_path / place, command="alsolike run likes.csv")
    files = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*.*"))
    assert len(files) == 28
    for file in files:
        if (tmp_path / "one" / file).is_file():
            same = (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()
            assert same, file
    metrics = bundle.describe(tmp_path / "one" / "model").metrics
    assert metrics["test precision@5"] == outcome.test.evaluations[0].summary()["mean"][0]
    assert np.isfinite([value for value in metrics.values() if isinstance(value, float)]).all()


def test_a_folder_of_the_users_is_not_taken_for_the_models(
    outcome: Outcome, tmp_path: Path
) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "thesis.tex").write_text("years")
    with pytest.raises(WritingError, match=r"thesis\.tex"):
        publish(outcome, tmp_path)
    assert (tmp_path / "model" / "thesis.tex").read_text() == "years"
    assert not (tmp_path / "report.html").exists()
