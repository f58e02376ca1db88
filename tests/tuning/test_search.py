"""Grid search: what is tried, what wins, what a kill leaves."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from alsolike.data.interactions import Interactions
from alsolike.data.splitting.split import Split
from alsolike.data.splitting.splitters import hold_out
from alsolike.data.splitting.unseen_users import hold_out_unseen_users
from alsolike.engines.local import LocalEngine
from alsolike.errors import FitError, LedgerError, SettingError
from alsolike.evaluation.item_to_item.dial import evaluate_dial
from alsolike.evaluation.item_to_item.unseen_users import Fold
from alsolike.evaluation.learning_curve import learning_curve
from alsolike.evaluation.objectives.item_to_item import ItemToItemObjective
from alsolike.evaluation.objectives.ranking import RankingObjective
from alsolike.evaluation.statistics.selection import compare_with_best, optimism
from alsolike.models.als.config import ALSConfig
from alsolike.models.baselines.popularity import PopularityConfig
from alsolike.models.fit import fit
from alsolike.progress import Observer
from alsolike.tables import Table
from alsolike.testing import tiny_likes
from alsolike.tuning.candidate_families import lineup_for
from alsolike.tuning.execution import worker as worker_module
from alsolike.tuning.execution.progress import FinishedRun
from alsolike.tuning.leaderboard.leaderboard import SearchResult
from alsolike.tuning.leaderboard.ranking import ranked
from alsolike.tuning.leaderboard.runs import Run, runs_of
from alsolike.tuning.plan import Plan
from alsolike.tuning.search import search
from alsolike.tuning.storage.ledger import Ledger
from alsolike.tuning.strategies.by_name import strategy_of
from alsolike.tuning.strategies.search_space import expand

BASE = ALSConfig(factors=4, seed=3)
SPACE = {"factors": [2, 4], "alpha": [1.0, 20.0]}
SWEEPS = (1, 2, 4)


@pytest.fixture(scope="module")
def likes() -> Interactions:
    return tiny_likes(60, 40)


@pytest.fixture(scope="module")
def split(likes: Interactions) -> Split:
    return hold_out(likes, k=2, share=0.3)


@pytest.fixture(scope="module")
def unseen(likes: Interactions) -> Split:
    return hold_out_unseen_users(likes)


@pytest.fixture(scope="module")
def result(split: Split) -> SearchResult:
    return search(split, expand(SPACE, BASE), sweeps=SWEEPS, objective="precision@5")


@pytest.mark.parametrize("threads", [1, 3])
def test_trainings_beside_each_other_change_nothing(
    split: Split, result: SearchResult, threads: int
) -> None:
    engine = LocalEngine(threads)
    again = search(
        split, expand(SPACE, BASE), sweeps=SWEEPS, objective="precision@5", engine=engine
    )
    assert list(again.curves.rows()) == list(result.curves.rows())
    assert list(again.leaderboard.rows()) == list(result.leaderboard.rows())


def lines_to_beat(split: Split) -> tuple[Any, ...]:
    """Return some settings of all families but ALS."""
    return lineup_for(None, ["item-knn", "ease", "random"], split.train).baselines


class Hearing(Observer):
    def __init__(self) -> None:
        self.total: int | None = None
        self.steps = 0
        self.told: list[object] = []

    def start(self, task: str, total: int | None = None) -> None:
        self.total = total

    def advance(self, steps: int = 1) -> None:
        self.steps += steps

    def tell(self, finding: object) -> None:
        self.told.append(finding)


def plain(table: Table) -> list[dict[str, Any]]:
    return list(table.rows())


def test_expand_goes_like_itertools_product() -> None:
    configs = expand({"alpha": [1, 2], "regularization": np.array([0.1, 10.0])}, BASE)
    assert [(config.alpha, config.regularization) for config in configs] == [
        (1, 0.1),
        (1, 10.0),
        (2, 0.1),
        (2, 10.0),
    ]
    assert all(type(config.regularization) is float for config in configs)
    assert {config.seed for config in configs} == {3}
    assert expand({}, BASE) == [BASE]


def test_expand_leaves_out_what_is_equal() -> None:
    assert len(expand({"alpha": [1, 1.0, np.float32(1)], "factors": [4, 4]}, BASE)) == 1


@pytest.mark.parametrize(
    ("space", "message"),
    [
        ({"regularisation": [1]}, "Did you mean regularization"),
        ({"xyz": [1]}, "Unknown setting 'xyz'. Known are: factors"),
        ({"alpha": 10}, "needs a list of values to try, such as [10]"),
        ({"confidence": "log"}, "such as ['log']"),
        ({"alpha": []}, "needs a list"),
        ({"alpha": [-1]}, "alpha must be"),
    ],
)
def test_spaces_that_cannot_be(space: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingError) as caught:
        expand(space, BASE)
    assert message in str(caught.value)


def test_curves_hold_every_point_once(split: Split, result: SearchResult) -> None:
    curves = plain(result.curves)
    assert [(row["run"], row["sweep"]) for row in curves] == [
        (run, sweep) for run in (1, 2, 3, 4) for sweep in SWEEPS
    ]
    assert result.curves.column_names == (
        *("run", "rank", "sweep", "factors", "alpha"),
        *RankingObjective(k=5).figures,
        "state",
    )
    for run, config in enumerate(expand(SPACE, BASE), start=1):
        points = learning_curve(split, config, sweeps=SWEEPS, k=5)
        recorded = [row for row in curves if row["run"] == run]
        for row, point in zip(recorded, points, strict=True):
            assert {name: row[name] for name in point.figures} == point.figures


def test_leaderboard_is_ranked_by_best_points(result: SearchResult) -> None:
    score = result.objective.score
    board, curves = plain(result.leaderboard), plain(result.curves)
    assert [row["rank"] for row in board] == [1, 2, 3, 4]
    assert [row[score] for row in board] == sorted((row[score] for row in board), reverse=True)
    for row in board:
        points = {p["sweep"]: p for p in curves if p["run"] == row["run"]}
        assert row[score] == max(point[score] for point in points.values())
        assert row[f"{score}_low"] == points[row["sweep"]][f"{score}_low"]
        assert {point["rank"] for point in points.values()} == {row["rank"]}
        assert row["model"] == "als"
    assert result.best_run == board[0]["run"]
    assert result.best.iterations == board[0]["sweep"]
    assert (result.best.factors, result.best.alpha) == (board[0]["factors"], board[0]["alpha"])
    assert str(result).startswith("Best on precision@5 on validation, seen items excluded:\n+--")


def test_ties_go_to_the_cheapest(split: Split) -> None:
    plan = Plan(split, {"": RankingObjective(k=5)}, (1, 2))
    runs = [(64, (0.5, 0.4)), (32, (0.4, 0.5)), (32, (0.5, 0.5)), (32, (0.5, 0.1)), (8, (0.4, 0.4))]
    configs = [ALSConfig(factors=factors, seed=at) for at, (factors, _) in enumerate(runs)]
    with Ledger(None) as ledger:
        entries = ledger.enlist([config.to_settings() for config in configs], sweeps=2)
        for entry, (_, scores) in zip(entries, runs, strict=True):
            assert ledger.claim("me") == entry
            for sweep, score in enumerate(scores, start=1):
                figures = dict.fromkeys(plan.objectives[""].figures, 0.0) | {plan.score: score}
                best = {"": np.array([score, score, score])} if score == max(scores) else {}
                ledger.record(entry, sweep, figures, worker="me", bests=best)
            ledger.finish(entry, worker="me")
        numbered = [
            Run(e, e, c, {"factors": c.factors}) for e, c in zip(entries, configs, strict=True)
        ]
        found = ranked(plan, ledger, [(run, ledger.points(run.entry)) for run in numbered], [])
    assert found.leaderboard["run"].tolist() == [3, 4, 2, 1, 5]
    assert found.leaderboard["sweep"].tolist() == [1, 1, 2, 1, 1]
    assert found.best.iterations == 1
    assert len(found.failures) == 0


def test_iterations_alone_share_a_training(split: Split) -> None:
    observer = Hearing()
    configs = expand({"iterations": [4, 1, 2], "factors": [2, 4]}, BASE)
    found = search(split, configs, objective="precision@5", observer=observer)
    assert observer.total == observer.steps == 6
    assert sum(isinstance(finding, FinishedRun) for finding in observer.told) == 2
    assert found.curves["sweep"].tolist() == [1, 2, 4] * 2
    assert "iterations" not in found.curves


def test_judges_beside_see_the_same_trainings(split: Split, result: SearchResult) -> None:
    article = RankingObjective(name="the article's", k=5, exclude_seen=False, choose="test")
    found = search(split, expand(SPACE, BASE), sweeps=SWEEPS, objective=["precision@5", article])
    assert plain(found.leaderboard) == plain(result.leaderboard)
    other = found.beside["the article's"]
    assert other.objective == article
    assert "test_precision@5" in other.leaderboard
    assert "validation_precision@5" not in other.leaderboard
    alone = next(
        learning_curve(
            split, expand(SPACE, BASE)[0], sweeps=[1], k=5, exclude_seen=False, choose="test"
        )
    )
    assert other.curves["test_precision@5"][0] == alone.figures["test_precision@5"]


def test_shelves_rank_as_lists_do(unseen: Split) -> None:
    split, objective = unseen, ItemToItemObjective(k=5, seed=2)
    lines = lines_to_beat(split)
    found = search(split, expand(SPACE, BASE), sweeps=SWEEPS, objective=objective, baselines=lines)
    expected = {}
    for run, config in enumerate(expand(SPACE, BASE), start=1):
        points = list(learning_curve(split, config, sweeps=SWEEPS, objective=objective))
        expected[run] = max(
            points, key=lambda point: (point.figures[objective.score], -point.sweep)
        )
    board = [row for row in plain(found.leaderboard) if row["run"] is not None]
    assert {row["run"]: row["sweep"] for row in board} == {
        run: point.sweep for run, point in expected.items()
    }
    for row in board:
        assert {name: row[name] for name in objective.interval} == expected[row["run"]].figures
    assert (
        found.best_run
        == board[0]["run"]
        == max(expected, key=lambda run: expected[run].figures[objective.score])
    )
    answers = [expected[row["run"]].per_user_scores[""] for row in board]
    alone = search(split, expand(SPACE, BASE), sweeps=SWEEPS, objective=objective)
    told = compare_with_best(np.array(answers), np.random.default_rng(0))
    assert alone.leaderboard["ties"].tolist() == told.ties.tolist()
    assert alone.optimism == optimism(np.array(answers), np.random.default_rng(0))
    assert [row["run"] for row in board] == alone.leaderboard["run"].tolist()
    assert "mse" not in " ".join(found.curves.column_names)
    assert "train" not in " ".join(found.curves.column_names)
    assert "shelf_precision@5 on validation users whom training never saw" in str(found)


def test_below_a_line_to_beat_the_runs_are_compared_among_themselves(split: Split) -> None:
    """All are worse than it; the cheapest of those that tie is asked for all the same."""
    plan = Plan(split, {"": RankingObjective(k=5)}, (1,))
    rng = np.random.default_rng(0)
    users = rng.random(80)
    values = [users + 0.5, users + 0.002 * rng.random(80), users, users + 0.001, users - 0.3]
    configs = [PopularityConfig(), *(ALSConfig(factors=f, seed=f) for f in (64, 32, 8, 2))]
    with Ledger(None) as ledger:
        entries = ledger.enlist([config.to_settings() for config in configs], sweeps=1)
        for entry, answers in zip(entries, values, strict=True):
            assert ledger.claim("me") == entry
            figures = dict.fromkeys(plan.objectives[""].figures, 0.0) | {plan.score: answers.mean()}
            ledger.record(entry, 1, figures, worker="me", bests={"": answers})
            ledger.finish(entry, worker="me")
        runs = runs_of(dict(zip(entries, configs, strict=True)))
        found = ranked(plan, ledger, [(run, ledger.points(run.entry)) for run in runs], [])
    assert found.leaderboard["ties"].tolist() == [True] + [False] * 4
    alone = compare_with_best(np.array(values[1:]), np.random.default_rng(0)).ties
    cheapest = min(config.factors for config, ties in zip(configs[1:], alone, strict=True) if ties)
    assert (found.best.factors, found.proposed.factors) == (64, cheapest)
    assert cheapest == 8
    assert found.choice.startswith(
        "No run reaches popularity. The best run is run 1; the cheapest run tied with it is run 3."
    )


def test_every_line_to_beat_has_shelves_of_its_own(unseen: Split) -> None:
    split, objective = unseen, ItemToItemObjective(k=5)
    lines = lines_to_beat(split)
    found = search(split, expand({}, BASE), sweeps=[2], objective=objective, baselines=lines)
    scores = {row["model"]: row[objective.score] for row in plain(found.leaderboard)}
    assert len(scores) == len(lines) + 1
    engine = LocalEngine(1)
    for run in runs_of(dict(enumerate(lines))):
        model = fit(split.train, run.config, engine=engine)
        alone = evaluate_dial([model], [Fold.of(split)], k=5)
        assert scores[run.model] == max(alone.values)


@pytest.mark.parametrize("way", ["random", "tpe", "halving", "doubling"])
def test_every_way_to_search_goes_by_shelves(unseen: Split, way: str) -> None:
    split, objective = unseen, ItemToItemObjective(k=5)
    space = {"factors": [2, 4, 8], "alpha": [1.0, 5.0, 20.0, 80.0]}
    trials = 6 if way in ("random", "tpe") else None
    asked = strategy_of(way, space, BASE, trials=trials, patience=2, prune=True)
    found = search(split, asked, sweeps=SWEEPS, objective=objective)
    scores = [round(row[objective.score], 12) for row in plain(found.leaderboard)]
    assert scores == sorted(scores, reverse=True)
    whole = search(split, expand(space, BASE), sweeps=SWEEPS, objective=objective)
    by_settings = {
        (row["factors"], row["alpha"], row["sweep"]): row[objective.score]
        for row in plain(whole.curves)
    }
    for row in plain(found.curves):
        assert row[objective.score] == by_settings[row["factors"], row["alpha"], row["sweep"]]
    if way == "halving":  # the first rung is judged by shelves, too
        first = {key[:2]: score for key, score in by_settings.items() if key[2] == SWEEPS[0]}
        on = {(row["factors"], row["alpha"]) for row in plain(found.curves) if row["sweep"] > 1}
        assert min(first[one] for one in on) >= sorted(first.values(), reverse=True)[len(on) - 1]


def test_lists_are_not_gone_on_with_as_shelves(split: Split, unseen: Split) -> None:
    with Ledger(None) as ledger:
        search(split, [BASE], sweeps=[1], ledger=ledger)
        with pytest.raises(LedgerError, match="split"):
            search(unseen, [BASE], sweeps=[1], ledger=ledger, objective=ItemToItemObjective())


def test_who_cannot_be_asked_is_told() -> None:
    class Warned(Hearing):
        def warn(self, danger: str) -> None:
            self.told.append(danger)

    split = hold_out_unseen_users(tiny_likes(60, 40))
    held_out, alone = split.validation, split.validation_users[0]
    rows = np.repeat(np.arange(held_out.n_users), held_out.user_counts)
    first = np.arange(held_out.n_interactions) == held_out.user_items.indptr[alone]
    less = replace(split, validation=held_out.keep((rows != alone) | first))
    observer = Warned()
    found = search(less, [BASE], sweeps=[1], objective=ItemToItemObjective(k=5), observer=observer)
    n_users = len(split.validation_users)
    assert str(observer.told[0]).startswith(f"1 of {n_users} validation users have no like")
    assert found.optimism.corrected.n == n_users - 1


def test_the_observer_is_told_each_curve(split: Split) -> None:
    observer = Hearing()
    search(
        split,
        expand({"alpha": [1, 20]}, BASE),
        sweeps=SWEEPS,
        objective="precision@5",
        observer=observer,
    )
    assert observer.total == observer.steps == 6
    first = observer.told[0]
    assert isinstance(first, FinishedRun)
    assert first.table.column_names == (
        *("sweep", "train precision@5", "validation precision@5", "train mse", "validation mse"),
    )
    assert str(first).startswith("run 1: alpha 1\n+-------+")


def broken(split: Split, config: ALSConfig, **others: Any) -> Any:
    """Fail like a singular system, after the first point, for alpha 20."""
    for point in learning_curve(split, config, **others):
        yield point
        if config.alpha == 20:
            raise FitError("user 'u7' gave a singular system. Raise regularization.")


def test_a_failure_is_recorded_and_the_search_goes_on(
    split: Split, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_module, "learning_curve", broken)
    configs = expand({"alpha": [1, 20, 30]}, BASE)
    observer = Hearing()
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        found = search(split, configs, sweeps=SWEEPS, ledger=ledger, observer=observer)
        assert ledger.to_table()["state"].tolist() == ["done", "failed", "done"]
        again = search(split, configs, sweeps=SWEEPS, ledger=ledger)
    assert plain(found.failures) == [
        {
            "run": 2,
            "settings": "alpha 20",
            "error": "user 'u7' gave a singular system. Raise regularization.",
        }
    ]
    assert set(found.curves["run"].tolist()) == {1, 3}
    assert sorted(found.leaderboard["run"].tolist()) == [1, 3]
    assert observer.total == observer.steps == 9
    assert any("run 2: alpha 20: failed. user 'u7'" in str(finding) for finding in observer.told)
    assert plain(again.failures) == plain(found.failures)
    with pytest.raises(FitError, match="All 1 runs failed"):
        search(split, configs[1:2], sweeps=SWEEPS)


def test_a_singular_system_is_such_a_failure(split: Split) -> None:
    """The solver's own error, not one made up here: more factors than anybody's freedom."""
    configs = expand({"regularization": [0.0, 1.0]}, ALSConfig(factors=60, seed=3))
    found = search(split, configs, sweeps=[2], objective="precision@5")
    assert len(found.failures) + len(found.leaderboard) == 2
    for row in found.failures.rows():
        assert "egulari" in row["error"]


def test_what_stands_is_not_trained_again(
    split: Split, result: SearchResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "ledger.sqlite"
    configs = expand(SPACE, BASE)
    with Ledger(path) as ledger:
        search(split, configs[:3], sweeps=SWEEPS, objective="precision@5", ledger=ledger)
    trained = []

    def counted(split: Split, config: ALSConfig, **others: Any) -> Any:
        trained.append(config)
        return learning_curve(split, config, **others)

    monkeypatch.setattr(worker_module, "learning_curve", counted)
    observer = Hearing()
    with Ledger(path) as ledger:
        found = search(
            split, configs, sweeps=SWEEPS, objective="precision@5", ledger=ledger, observer=observer
        )
    assert len(trained) == 1
    assert observer.total == observer.steps == 12
    assert observer.told[0] == f"3 of 4 runs are already in {path}."
    assert plain(found.curves) == plain(result.curves)
    assert plain(found.leaderboard) == plain(result.leaderboard)


def test_a_ledger_of_other_work_is_refused(likes: Interactions, split: Split) -> None:
    configs = expand({"alpha": [1]}, BASE)
    with Ledger(None) as ledger:
        search(split, configs, sweeps=[1], ledger=ledger)
        with pytest.raises(LedgerError, match=r"sweeps was \[1\] and is now \[1, 2\]"):
            search(split, configs, sweeps=[1, 2], ledger=ledger)
        with pytest.raises(LedgerError, match="k of judge honest was 10 and is now 5"):
            search(split, configs, sweeps=[1], objective="precision@5", ledger=ledger)
        with pytest.raises(
            LedgerError, match=r"seed 1.*; the data differ \(test, train, validation\)"
        ):
            search(hold_out(likes, k=2, share=0.3, seed=1), configs, sweeps=[1], ledger=ledger)


def test_figures_of_another_start_are_noticed(split: Split, tmp_path: Path) -> None:
    [config] = expand({"alpha": [1]}, BASE)
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        search(split, [config], sweeps=[1, 2], ledger=ledger)
        with ledger._file.transaction() as file:
            file.execute("UPDATE configurations SET state = 'waiting'")
            file.execute("DELETE FROM points WHERE sweep = 2")
        search(split, [config], sweeps=[1, 2], ledger=ledger)
        with ledger._file.transaction() as file:
            file.execute("UPDATE configurations SET state = 'waiting'")
            file.execute("DELETE FROM points WHERE sweep = 2")
            file.execute(
                "UPDATE points SET figures = replace(figures, 'train_mse\": 0.', 'train_mse\": 1.')"
            )
        with pytest.raises(
            LedgerError, match="scored before with a different result: train_mse was 1"
        ):
            search(split, [config], sweeps=[1, 2], ledger=ledger)


def test_no_configurations(split: Split) -> None:
    with pytest.raises(SettingError, match="at least one configuration"):
        search(split, [], sweeps=[1])


# One process that forks: compiled kernels are loaded once, and kills can be many.
HOST = """
import os, random, signal, sys, time
from alsolike.data.splitting.splitters import hold_out
from alsolike.data.splitting.unseen_users import hold_out_unseen_users
from alsolike.engines.local import LocalEngine
from alsolike.evaluation.objectives.item_to_item import ItemToItemObjective
from alsolike.evaluation.objectives.ranking import RankingObjective
from alsolike.models.als.config import ALSConfig
from alsolike.models.fit import fit
from alsolike.testing import tiny_likes
from alsolike.tuning.search import search
from alsolike.tuning.strategies.search_space import expand
from alsolike.tuning.storage.ledger import Ledger

by_shelves = sys.argv[2] == "shelves"
likes = tiny_likes(60, 40)
split = hold_out_unseen_users(likes) if by_shelves else hold_out(likes, k=2, share=0.3)
configs = expand({"factors": [2, 4], "alpha": [1.0, 20.0, 30.0]}, ALSConfig(seed=3))
judges = {"lists": RankingObjective(k=5), "shelves": ItemToItemObjective(k=5)}

def work(ledger, out):
    article = (ItemToItemObjective(name="article", k=3, choose="test") if by_shelves else
               RankingObjective(name="article", k=5, exclude_seen=False, choose="test"))
    with Ledger(ledger) as book:
        found = search(split, configs, objective=[judges[sys.argv[2]], article], sweeps=[1, 2, 3],
                       ledger=book, engine=LocalEngine(1))
    with open(out, "w") as file:
        for view in (found, found.beside["article"]):
            for table in (view.curves, view.leaderboard):
                print([{n: repr(v) for n, v in row.items()} for row in table.rows()], file=file)
            print(view.best, view.best_run, file=file)

folder = sys.argv[1] + "/"
search(split, configs[:1], sweeps=[1], objective=judges[sys.argv[2]])
began = time.perf_counter()
work(folder + "undisturbed.sqlite", folder + "undisturbed.txt")
takes = time.perf_counter() - began
chance, kills, code = random.Random(4), 0, None
while code != 0:
    child = os.fork()
    if child == 0:
        work(folder + "killed.sqlite", folder + "killed.txt")
        os._exit(0)
    time.sleep(chance.random() * takes * (kills + 2) / 12)
    os.kill(child, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, -signal.SIGKILL), code
    kills += code != 0
print(kills)
"""


@pytest.mark.parametrize("objective", ["lists", "shelves"])
def test_kills_change_no_byte(tmp_path: Path, objective: str) -> None:
    run = subprocess.run(
        [sys.executable, "-c", HOST, str(tmp_path), objective],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=300,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
    )
    assert int(run.stdout) >= 2
    undisturbed = (tmp_path / "undisturbed.txt").read_bytes()
    assert (tmp_path / "killed.txt").read_bytes() == undisturbed
    assert undisturbed.count(b"'sweep': '1'") >= 6
    with Ledger(tmp_path / "killed.sqlite") as ledger:
        table = ledger.to_table()
    assert table["points"].tolist() == [3] * 6
    assert set(table["state"]) == {"done"}
