"""Models that rank next to nothing: said everywhere, chosen nowhere."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp

from alsolike.cli.group import main
from alsolike.data.interactions import Interactions
from alsolike.data.splitting.splitters import hold_out
from alsolike.data.splitting.unseen_users import hold_out_unseen_users
from alsolike.errors import DegenerateError
from alsolike.evaluation.item_to_item.co_counts import CoCountModel
from alsolike.evaluation.item_to_item.evaluate import evaluate_queries
from alsolike.evaluation.item_to_item.item_recommender import item_recommender_of
from alsolike.evaluation.metrics.evaluate import evaluate
from alsolike.evaluation.objectives.item_to_item import ItemToItemObjective
from alsolike.evaluation.objectives.ranking import RankingObjective
from alsolike.models.als.config import ALSConfig
from alsolike.models.als.train import fit
from alsolike.models.baselines.popularity import PopularityConfig
from alsolike.models.bundle import io as bundle
from alsolike.progress import Observer
from alsolike.tuning.execution.worker import _Curve
from alsolike.tuning.leaderboard.runs import rank_key
from alsolike.tuning.options import Searching
from alsolike.tuning.plan import Plan
from alsolike.tuning.search import search
from alsolike.tuning.status import status_of
from alsolike.tuning.storage.ledger import Ledger
from alsolike.tuning.strategies.base import Trial, TrialResult, pruning_thresholds
from alsolike.tuning.strategies.by_name import strategy_of
from alsolike.tuning.strategies.search_space import expand
from alsolike.tuning.strategies.successive_halving import FactorDoubling, Halving

DEAD = 1e20


@pytest.fixture(scope="module")
def likes():
    rng = np.random.default_rng(0)
    liked = rng.random((120, 40)) < np.linspace(0.6, 0.1, 40)
    return Interactions.from_matrix(sp.csr_array(liked.astype(np.float32)))


@pytest.fixture(scope="module")
def split(likes):
    return hold_out(likes, k=3, share=0.3, seed=0)


class Heard(Observer):
    def __init__(self):
        self.told = []

    def tell(self, finding):
        self.told.append(str(finding))


def space(*values, **others):
    return {"regularization": list(values), **others}


BASE = ALSConfig(factors=4, alpha=2)


def rows_of(found):
    return {row["regularization"]: row for row in found.leaderboard.rows() if row["run"]}


def test_it_is_said_and_not_chosen(split, tmp_path):
    heard = Heard()
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        found = search(
            split,
            expand(space(DEAD, 1.0), BASE),
            sweeps=[2, 4],
            objective="precision@5",
            ledger=ledger,
            baselines=[PopularityConfig()],
            observer=heard,
        )
    assert found.best.regularization == found.proposed.regularization == 1.0
    rows = rows_of(found)
    assert rows[DEAD]["state"] == "degenerate"
    assert rows[1.0]["state"] == "done"
    assert rows[DEAD]["rank"] == len(found.leaderboard)
    assert not rows[DEAD]["ties"]
    assert "1 run is degenerate and cannot be chosen." in str(found)
    assert any("(degenerate: never chosen)" in told for told in heard.told)
    shares = dict(
        zip(found.curves["regularization"], found.curves["degenerate_share"], strict=True)
    )
    assert shares[DEAD] == 1.0
    assert found.optimism.candidates == 2  # popularity and the one that can be chosen
    seen = list(status_of(tmp_path).leaderboard.rows())
    assert [row["state"] for row in seen] == ["done", "done", "degenerate"]


def test_even_where_its_expected_score_is_the_highest(split):
    """A run whose every list holds nothing wanted is worse than an order by lot, and not dead."""
    worst = replace(BASE, regularization=1.0)
    configs = [replace(BASE, regularization=DEAD), worst]

    def upside_down(figures):
        return {"validation_precision@5": figures}

    dead, alive = upside_down(0.9) | {"degenerate_share": 0.6}, upside_down(0.1)
    assert rank_key(dead, "validation_precision@5") < rank_key(alive, "validation_precision@5")
    found = search(split, configs, sweeps=[2], objective="precision@5")
    assert found.best == replace(worst, iterations=2)


def test_where_all_are_the_search_says_so_and_again_after_a_kill(split, tmp_path):
    objective = RankingObjective(k=5)
    place = tmp_path / "ledger.sqlite"
    for _ in range(2):
        with Ledger(place) as ledger, pytest.raises(DegenerateError, match="All 2 runs") as error:
            search(
                split,
                expand(space(DEAD, 10 * DEAD), BASE),
                sweeps=[2],
                objective=objective,
                ledger=ledger,
                baselines=[PopularityConfig()],
            )
        found = error.value.found
        assert found.is_degenerate
        assert [row["state"] for row in found.leaderboard.rows() if row["run"]] == [
            "degenerate"
        ] * 2
        assert found.leaderboard["ties"].tolist()[1:] == [False, False]
    # More settings in the same place: those that can be chosen are.
    with Ledger(place) as ledger:
        found = search(
            split, expand(space(DEAD, 1.0), BASE), sweeps=[2], objective=objective, ledger=ledger
        )
    assert found.best.regularization == 1.0


def test_beside_items_counts_remain_where_factors_vanish(likes):
    """Of a model that has learnt nothing, evidence is that of the counts: not degenerate."""
    split = hold_out_unseen_users(likes)
    found = search(split, expand(space(DEAD), BASE), sweeps=[2], objective=ItemToItemObjective(k=5))
    assert not found.is_degenerate
    [fold] = [ItemToItemObjective(k=5).queries(split.validation, split.train)]
    counts = evaluate_queries(
        [item_recommender_of(CoCountModel(split.train), split.train)], [fold], 5, ["precision"]
    )
    assert found.rows[0].mean > 0.7 * counts.mean("precision@5")


@pytest.mark.parametrize("by", ["grid", "random", "halving", "doubling", "tpe"])
def test_no_way_to_search_goes_on_with_it(split, by):
    if by == "tpe":
        pytest.importorskip("optuna")
    values = {"regularization": [DEAD, 1.0, 10 * DEAD, 5.0]}
    if by == "doubling":
        values["factors"] = [2, 4]
    trials = 4 if by in ("random", "tpe") else None
    strategy = strategy_of(by, values, BASE, trials=trials, patience=2, prune=by == "grid")
    found = search(
        split,
        strategy,
        sweeps=[2, 4, 8],
        objective="precision@5",
    )
    assert found.best.regularization < DEAD
    assert found.proposed.regularization < DEAD
    if by in ("halving", "doubling"):
        furthest = [
            row
            for row in found.curves.rows()
            if (row["sweep"] == 8 if by == "halving" else row["factors"] == 4)
        ]
        assert furthest
        assert all(row["regularization"] < DEAD for row in furthest)


def test_what_has_no_score_goes_nowhere():
    configs = [replace(BASE, regularization=value, factors=f) for value in (1, 2) for f in (2, 4)]
    none, some = (
        TrialResult(Trial(configs[at], 2), scores) for at, scores in ((0, {}), (1, {2: 0.1}))
    )
    assert pruning_thresholds([[none, some]]) == {2: 0.1}
    assert Halving(configs, factor=2).propose([[none, none]], [2, 8]) == []
    assert FactorDoubling(configs, factor=2).propose([[none, none]], [2, 8]) == []


def test_patience_bars_and_the_best_point_know_it(split):
    objective = RankingObjective(k=5)
    plan = Plan(split, {"": objective}, (1, 2, 3), patience=1)

    def point(score, *, dead):
        return {objective.score: score} | ({"degenerate_share": 0.9} if dead else {})

    curve = _Curve(plan, {1: point(0.9, dead=True)}, {})
    assert curve.add(2, point(0.1, dead=False)) == [""]
    assert curve.ended() is None  # better than any degenerate point
    assert curve.add(3, point(0.5, dead=True)) == []
    assert curve.ended() == "stopped"
    assert _Curve(plan, {1: point(0.9, dead=True)}, {1: 0.2}).ended() == "pruned"
    assert _Curve(plan, {1: point(0.9, dead=False)}, {1: 0.2}).ended() is None


@pytest.mark.parametrize(
    "objective", [RankingObjective(), RankingObjective(k=12, exclude_seen=False)]
)
def test_in_a_catalogue_that_lists_hold_whole_nothing_dead_is_chosen(objective):
    """All models of twelve items have the same precision: names must not decide which is taken."""
    rng = np.random.default_rng(1)
    liked = (rng.random((80, 12)) < 0.15).astype(np.float32)
    liked[np.arange(80), np.arange(80) % 12] = liked[np.arange(80), (np.arange(80) + 1) % 12] = 1
    small = hold_out(Interactions.from_matrix(sp.csr_array(liked)), k=1, share=0.3, seed=0)
    found = search(small, expand(space(DEAD, 1.0), BASE), sweeps=[4], objective=objective)
    assert found.best.regularization == found.proposed.regularization == 1.0
    assert [row["state"] for row in found.leaderboard.rows()] == ["done", "degenerate"]
    with pytest.raises(DegenerateError, match="The only run is degenerate"):
        search(small, expand(space(DEAD), BASE), sweeps=[4], objective=objective)


def test_the_cheapest_that_ties_is_none_of_them(split):
    small = [replace(BASE, factors=1, regularization=DEAD), replace(BASE, factors=8)]
    found = search(split, small, sweeps=[2], objective="precision@5")
    assert Searching(choose="cheapest").chosen(found).factors == 8


def test_a_run_publishes_nothing_where_all_are(likes, tmp_path, capsys):
    table = tmp_path / "likes.csv"
    matrix = likes.user_items.tocoo()
    lines = "\n".join(f"u{user},i{item}" for user, item in zip(matrix.row, matrix.col, strict=True))
    table.write_text(f"user,item\n{lines}\n")
    common = [str(table), "--user", "user", "--item", "item", "--sweeps", "2", "--baselines",
              "popularity", "--set", "factors=4"]  # fmt: skip
    for verb in ("run", "search"):
        out = tmp_path / verb
        with pytest.raises(SystemExit) as status:
            main([verb, *common, "--grid", f"regularization={DEAD:g}", "--out", str(out)])
        assert status.value.code == 1
        said = capsys.readouterr()
        assert "runs are degenerate: for more than half" in said.err
        assert said.out.count("Best on precision@10") == 1
        left = {path.name for path in out.iterdir()}
        assert {"ledger.sqlite", "leaderboard.csv", "learning_curves.parquet"} <= left
        assert not left & {"model", "similar_items.parquet", "recommendations.parquet"}
        assert "degenerate" in (out / "leaderboard.csv").read_text()
    page = (tmp_path / "run" / "report.html").read_text()
    assert "No model, similar items or recommendations are written" in page
    assert "(degenerate)</abbr>" in page
    # The same place with settings that work: a model, and the degenerate run on its leaderboard.
    with pytest.raises(SystemExit) as status:
        main(["run", *common, "--grid", f"regularization=1,{DEAD:g}", "--out",
              str(tmp_path / "run")])  # fmt: skip
    assert not status.value.code
    assert bundle.load(tmp_path / "run" / "model").settings["regularization"] == 1
    page = (tmp_path / "run" / "report.html").read_text()
    assert "rows are marked as degenerate" in page


def test_an_evaluation_says_so_in_python_and_on_the_command_line(split, tmp_path, capsys):
    model = fit(split.train, replace(BASE, regularization=DEAD, iterations=2))
    found = evaluate(model, split.validation, exclude=split.train, k=5)
    assert found.is_degenerate
    assert "Degenerate: for 100 %" in found._repr_html_()
    bundle.save(model, tmp_path / "model")
    matrix = split.validation.user_items.tocoo()
    ids = zip(split.validation.users.ids_of(matrix.row), split.validation.items.ids_of(matrix.col),
              strict=True)  # fmt: skip
    (tmp_path / "held.csv").write_text(
        "user,item\n" + "".join(f"{user},{item}\n" for user, item in ids)
    )
    with pytest.raises(SystemExit):
        main(["evaluate", str(tmp_path / "model"), str(tmp_path / "held.csv"), "--user", "user",
              "--item", "item", "--k", "5"])  # fmt: skip
    assert "warning: Degenerate: for 100 % of the users" in capsys.readouterr().err
