"""Leaderboards over families: who stands where, who is chosen, and what is said of it."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from alsolike.data.splitting.split import Split
from alsolike.data.splitting.splitters import hold_out
from alsolike.errors import FitError
from alsolike.evaluation.objectives.ranking import RankingObjective
from alsolike.evaluation.statistics.selection import compare_with_best
from alsolike.models.als.config import ALSConfig
from alsolike.models.baselines.popularity import PopularityConfig
from alsolike.models.baselines.random import RandomConfig
from alsolike.models.ease import EASEConfig
from alsolike.models.item_knn import ItemKNNConfig
from alsolike.models.registry import family_of
from alsolike.system_errors import in_bytes
from alsolike.testing import tiny_likes
from alsolike.tuning.leaderboard.leaderboard import SearchResult
from alsolike.tuning.leaderboard.ranking import ranked
from alsolike.tuning.leaderboard.runs import Role, runs_of
from alsolike.tuning.plan import Plan
from alsolike.tuning.storage.ledger import Ledger

USERS = 80
SMALL = ItemKNNConfig(neighbours=10)
LARGE = ItemKNNConfig(neighbours=40)


@pytest.fixture(scope="module")
def split() -> Split:
    return hold_out(tiny_likes(120, 40), k=2, share=0.3)


def found_of(
    split: Split, scored: Sequence[tuple[Any, Role, float]], *, dead: Sequence[int] = ()
) -> SearchResult:
    """Rank trainings of made-up scores, which differ from user to user alike in all of them.

    Those in `dead` are degenerate.
    """
    rng = np.random.default_rng(0)
    plan, users = Plan(split, {"": RankingObjective(k=5)}, (1, 2)), rng.random(USERS)
    with Ledger(None) as ledger:
        entries = ledger.enlist([config.to_settings() for config, _, _ in scored], sweeps=2)
        for place, (entry, (config, _, score)) in enumerate(zip(entries, scored, strict=True)):
            assert ledger.claim("me") == entry
            sweep = 2 if family_of(config).scored == "sweeps" else 1
            answers = users + score + 1e-2 * rng.random(USERS)
            figures = dict.fromkeys(plan.objectives[""].figures, 0.0) | {plan.score: score}
            figures |= {"degenerate_share": 0.9} if place in dead else {}
            ledger.record(entry, sweep, figures, worker="me", bests={"": answers}, seconds=1.0)
            ledger.finish(entry, worker="me", seconds=2.0)
        configs = [config for config, _, _ in scored]
        roles: list[Role] = [role for _, role, _ in scored]
        runs = runs_of(
            dict(zip(entries, configs, strict=True)), dict(zip(entries, roles, strict=True))
        )
        return ranked(plan, ledger, [(run, ledger.points(run.entry)) for run in runs], [])


def test_the_best_candidate_of_any_family_is_the_best(split: Split) -> None:
    found = found_of(
        split,
        [
            (PopularityConfig(), "baseline", 0.1),
            (SMALL, "candidate", 0.2),
            (EASEConfig(), "candidate", 0.5),
            (ALSConfig(factors=8), "trial", 0.4),
            (ALSConfig(factors=4), "trial", 0.3),
        ],
    )
    assert found.best == found.proposed == EASEConfig()
    # Trials have the first numbers, whatever was entered before them; baselines have none.
    assert [(row.model, row.run, row.rank) for row in found.rows] == [
        ("ease", 4, 1), ("als", 1, 2), ("als", 2, 3), ("item-knn", 3, 4), ("popularity", None, 5),
    ]  # fmt: skip
    assert (found.best_run, found.beaten_by) == (4, None)
    assert found.choice.startswith("No other run ties with the best.")
    train = split.train
    assert [row.bytes for row in found.rows] == [
        8 * train.n_items**2, 32 * (train.n_users + train.n_items),
        16 * (train.n_users + train.n_items), 12 * 10 * train.n_items, 0,
    ]  # fmt: skip
    assert [row.sweep for row in found.rows] == [None, 2, 2, None, None]
    assert [row.is_candidate for row in found.rows] == [True] * 4 + [False]
    assert [row.seconds for row in found.rows] == list(found.seconds) == [2.0] * 5
    assert found.rows[1].config == ALSConfig(factors=8, iterations=2)
    assert found.curves["run"].tolist() == [1, 2]


def test_families_are_compared_by_their_best_runs(split: Split) -> None:
    found = found_of(
        split,
        [
            (EASEConfig(), "candidate", 0.5),
            (ALSConfig(factors=8), "trial", 0.5),
            (ALSConfig(factors=4), "trial", 0.4999),
            (SMALL, "candidate", 0.2),
            (PopularityConfig(), "baseline", 0.1),
        ],
    )
    compared = found.families
    assert [(row.family, row.run) for row in compared.rows] == [
        ("als", 1), ("ease", 3), ("item-knn", 4),
    ]  # fmt: skip
    assert compared.tied == ("ease",)
    cheapest, best = (in_bytes(row.bytes) for row in (found.proposed_row, found.best_row))
    assert (found.proposed_row.run, found.best_run) == (2, 1)
    assert str(compared) == (
        "Best family: als (0.5000). No significant difference from it: ease. Cheapest run that "
        f"ties: als, run 2, {cheapest} against {best}."
    )
    assert str(compared) in str(found)
    assert str(compared) in found.brief(1000)
    assert str(compared) in found._repr_html_()
    assert compared.table()["family"].tolist() == ["als", "ease", "item-knn"]
    plain = json.loads(json.dumps(compared.to_plain()))
    assert (plain["best"], plain["tied_with_best"]) == ("als", ["ease"])
    assert plain["cheapest_that_ties"]["settings"]["factors"] == 4
    assert [one["ties"] for one in plain["families"]] == [True, True, False]


def test_what_is_said_of_families_that_do_not_tie(split: Split) -> None:
    ease, als = (EASEConfig(), "candidate", 0.5), (ALSConfig(factors=8), "trial", 0.3)
    knn, popularity = (SMALL, "candidate", 0.2), (PopularityConfig(), "baseline", 0.7)
    assert str(found_of(split, [ease, als, knn]).families) == (
        "Best family: ease (0.5000), significantly above als and item-knn."
    )
    assert str(found_of(split, [ease, als, popularity]).families) == (
        "Best family: ease (0.5000), significantly below popularity, a baseline."
    )
    # Of one family there is nothing to say, nor of degenerate ones.
    alone = found_of(split, [ease, popularity])
    assert str(alone.families) == ""
    assert str(found_of(split, [ease, als], dead=[1]).families) == ""
    assert [row.family for row in found_of(split, [ease, als], dead=[1]).families.rows] == ["ease"]
    none = found_of(split, [ease], dead=[0]).families
    assert none.to_plain()["families"] == []
    assert none.to_plain()["cheapest_that_ties"] is None


def test_the_best_family_may_be_the_cheapest(split: Split) -> None:
    found = found_of(
        split, [(ALSConfig(factors=1), "trial", 0.5), (EASEConfig(), "candidate", 0.5)]
    )
    assert str(found.families).endswith("It is also the cheapest of the runs that tie: 640 bytes.")


def test_the_table_has_columns_of_what_is_searched_alone(split: Split) -> None:
    found = found_of(
        split,
        [
            (SMALL, "candidate", 0.2),
            (LARGE, "candidate", 0.25),
            (ALSConfig(factors=8), "trial", 0.4),
            (ALSConfig(factors=4), "trial", 0.3),
        ],
    )
    score = found.objective.score
    assert found.leaderboard.column_names == (
        *("rank", "run", "model", "factors", "sweep"),
        *(score, f"{score}_low", f"{score}_high", "ties", "state"),
    )
    assert found.leaderboard["model"].tolist() == ["als", "als", "item-knn (40)", "item-knn (10)"]
    assert found.leaderboard["factors"].tolist() == [8, 4, None, None]
    assert [dict(row.settings) for row in found.rows[2:]] == [
        {"neighbours": 40}, {"neighbours": 10}
    ]  # fmt: skip


def test_the_cheapest_that_ties_keeps_the_fewest_bytes_of_any_family(split: Split) -> None:
    scored: list[tuple[Any, Role, float]] = [
        (ALSConfig(factors=64), "trial", 0.5),
        (EASEConfig(), "candidate", 0.5 - 1e-5),
        (LARGE, "candidate", 0.5 - 2e-5),
        (ALSConfig(factors=16), "trial", 0.5 - 3e-5),
        (SMALL, "candidate", 0.2),
        (PopularityConfig(), "baseline", 0.5 - 4e-5),
    ]
    found = found_of(split, scored)
    ties = {(row.model, row.bytes): row.ties for row in found.rows}
    assert sum(ties.values()) == 5
    # EASE keeps 8 bytes for each of 40 x 40 pairs, ALS of 16 factors 64 for each of 160 rows.
    assert found.best == ALSConfig(factors=64, iterations=2)
    assert found.proposed == min(
        (row for row in found.rows if row.ties and row.is_candidate), key=lambda row: row.bytes
    ).config == ALSConfig(factors=16, iterations=2)  # fmt: skip
    cheaper = ItemKNNConfig(neighbours=15)
    found = found_of(split, [*scored, (cheaper, "candidate", 0.5 - 5e-5)])
    assert found.proposed == cheaper
    assert found.choice.startswith(
        "5 others do not differ significantly from the best on these users; the cheapest of them "
        "is run 6, item-knn (15)."
    )


def test_equal_scores_go_to_baselines_then_to_fewer_bytes(split: Split) -> None:
    found = found_of(
        split,
        [
            (ALSConfig(factors=64), "trial", 0.5),
            (SMALL, "candidate", 0.5),
            (EASEConfig(), "candidate", 0.5),
            (PopularityConfig(), "baseline", 0.5),
            (LARGE, "baseline", 0.5),
        ],
    )
    assert [row.model for row in found.rows] == [
        "popularity", "item-knn (40)", "item-knn (10)", "ease", "als"
    ]  # fmt: skip
    assert found.best == SMALL


def test_a_baseline_above_all_is_named_and_not_chosen(split: Split) -> None:
    scored: list[tuple[Any, Role, float]] = [
        (PopularityConfig(), "baseline", 0.8),
        (RandomConfig(), "baseline", 0.7),
        (SMALL, "candidate", 0.4),
        (ALSConfig(factors=8), "trial", 0.3999),
        (ALSConfig(factors=2), "trial", 0.1),
    ]
    found = found_of(split, scored)
    assert found.best == SMALL
    assert found.beaten_by is not None
    assert (found.beaten_by.model, found.beaten_by.run) == ("popularity", None)
    assert [row.ties for row in found.rows] == [True] + [False] * 4
    assert found.choice.startswith(
        "No run reaches popularity. The best run is run 3, item-knn; the cheapest run tied with it "
        "is run "
    )


def test_a_baseline_that_is_above_by_no_more_than_luck_is_not_chosen_either(split: Split) -> None:
    found = found_of(
        split,
        [
            (PopularityConfig(), "baseline", 0.5),
            (ALSConfig(factors=8), "trial", 0.5 - 1e-5),
            (ALSConfig(factors=2), "trial", 0.5 - 2e-5),
        ],
    )
    assert (found.best.factors, found.proposed.factors) == (8, 2)
    assert found.beaten_by is not None
    assert found.choice.startswith(
        "popularity, a baseline, is at the top. The best run that may be chosen is run 1. 2 others "
        "do not differ significantly from the best on these users; the cheapest of them that may "
        "be chosen is run 2."
    )


def test_what_is_degenerate_is_never_chosen_whichever_family(split: Split) -> None:
    scored: list[tuple[Any, Role, float]] = [
        (EASEConfig(), "candidate", 0.9),
        (SMALL, "candidate", 0.2),
        (ALSConfig(factors=8), "trial", 0.8),
    ]
    found = found_of(split, scored, dead=[0, 2])
    assert [row.model for row in found.rows] == ["item-knn", "ease", "als"]
    assert [row.state for row in found.rows] == ["done", "degenerate", "degenerate"]
    assert found.best == found.proposed == SMALL
    assert "2 runs are degenerate and cannot be chosen." in found.choice
    none = found_of(split, scored, dead=[0, 1, 2])
    assert none.is_degenerate
    assert none.choice.startswith("All 3 runs are degenerate")
    assert "Try other settings." in none.choice
    assert "Try a smaller regularization or a larger alpha" in none.choice


def test_baselines_alone_are_no_answer(split: Split) -> None:
    with pytest.raises(FitError, match="No run that may be chosen has a score"):
        found_of(split, [(PopularityConfig(), "baseline", 0.5)])


def test_ties_are_those_of_all_rows(split: Split) -> None:
    """As they were when ALS alone was searched: baselines are among what is compared."""
    found = found_of(
        split,
        [(PopularityConfig(), "baseline", 0.45)]
        + [(ALSConfig(factors=f), "trial", 0.5 - f / 1000) for f in (2, 4, 8)],
    )
    rng = np.random.default_rng(0)
    users = rng.random(USERS)
    answers = {
        score: users + score + 1e-2 * rng.random(USERS)
        for score in (0.45, *(0.5 - f / 1000 for f in (2, 4, 8)))
    }
    in_order = np.array([answers[row.mean] for row in found.rows])
    told = compare_with_best(in_order, np.random.default_rng(0))
    assert [row.ties for row in found.rows] == told.ties.tolist()
