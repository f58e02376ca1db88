"""Better than popularity or not: in words that are right for every sign."""

import re

import pytest

from alsolike.data.splitting.splitters import hold_out
from alsolike.engines.local import LocalEngine
from alsolike.evaluation import holdout_report
from alsolike.evaluation.objectives.ranking import RankingObjective
from alsolike.evaluation.statistics.intervals import Estimate
from alsolike.evaluation.statistics.verdict import ModelVerdict
from alsolike.models.als.config import ALSConfig
from alsolike.models.neighbours.config import ItemKNNConfig
from alsolike.testing import tiny_likes
from alsolike.views.labels import plain
from alsolike.views.page import rounded


def said(mean: float, low: float, high: float, n: int = 371) -> str:
    return str(ModelVerdict("Lists", "precision@10", Estimate(mean, low, high, n)))


@pytest.mark.parametrize(
    ("figures", "words"),
    [
        ((0.0844, 0.0744, 0.0941), "better than popularity: precision@10 higher by 0.0844 "),
        ((0.0070, -0.001, 0.0151), "not better than popularity: precision@10 higher by 0.0070 "),
        ((-0.0070, -0.0151, 0.001), "not better than popularity: precision@10 lower by 0.0070 "),
        ((-0.0070, -0.01, -0.004), "not better than popularity: precision@10 lower by 0.0070 "),
        ((0.0, -0.001, 0.001), "not better than popularity: precision@10 the same "),
        ((-0.0, -0.0, -0.0), "not better than popularity: precision@10 the same "),
        ((-0.00002, -0.003, 0.003), "not better than popularity: precision@10 lower by 0.000020 "),
        ((1.4e-17, 0.0, 2e-17), "not better than popularity: precision@10 the same "),
        ((0.01, 0.0, 0.02), "not better than popularity: precision@10 higher by 0.0100 "),
    ],
)
def test_a_verdict_is_right_for_every_sign(figures: tuple[float, float, float], words: str) -> None:
    text = said(*figures)
    assert text.startswith(f"Lists: {words}(95 % interval ")
    assert "-0.0000" not in text
    assert "by -" not in text
    decided = figures[1] > 0 or figures[2] < 0
    assert text.endswith("no significant difference.") == (not decided)


@pytest.mark.parametrize("sign", [1, -1])
def test_rounding_is_no_difference(sign: int) -> None:
    low, high = sorted((sign * 1e-18, sign * 3e-17))
    assert said(sign * 2e-17, low, high) == (
        "Lists: not better than popularity: precision@10 the same (95 % interval 0.0000 to "
        "0.0000): no significant difference."
    )


def test_no_figure_is_a_negative_zero() -> None:
    assert str(Estimate(-0.0, -0.00001, 0.00001, 9)) == "0.0000 (0.0000 to 0.0000)"
    assert (rounded(-0.0), plain(-0.0)) == ("0.0000", "0")


def test_one_user_decides_nothing() -> None:
    text = said(0.2, 0.2, 0.2, n=1)
    assert text.startswith("Lists: not better than popularity: precision@10 higher by 0.2000")
    assert text.endswith(": one user is not enough to tell.")


@pytest.fixture(scope="module")
def figures() -> holdout_report.HoldoutReport:
    """Return test figures of a model, popularity, and item-kNN."""
    split = hold_out(tiny_likes(60, 40), k=2)
    return holdout_report.holdout_report(
        RankingObjective(k=5),
        ALSConfig(factors=3),
        split,
        LocalEngine(1),
        others={"item-knn": ItemKNNConfig(neighbours=10)},
    )


def test_lists_have_a_verdict_for_each_baseline(figures: holdout_report.HoldoutReport) -> None:
    by_name = {verdict.baseline: verdict for verdict in figures.verdicts}
    assert set(by_name) == {"popularity", "item-knn"}
    assert by_name["popularity"].difference == figures.difference
    ours, _, theirs = (each.per_user["precision@5"] for each in figures.evaluations)
    assert by_name["item-knn"].difference.mean == pytest.approx((ours - theirs).mean())
    assert "better than item-knn: precision@5" in str(by_name["item-knn"])
    better = [verdict.is_better for verdict in figures.verdicts]
    assert better == sorted(better)  # what is not better comes first
    assert {"als", "popularity", "item-knn"} <= set(figures.table()["model"])


@pytest.mark.parametrize("width", [40, 60, 80, 100, 200])
def test_the_page_begins_with_the_verdicts_and_fits(
    figures: holdout_report.HoldoutReport, width: int
) -> None:
    lines = figures.brief(width).splitlines()
    assert max(map(len, lines)) <= width
    assert re.match(r"Lists: (not )?better than", lines[0])
    text = " ".join(" ".join(lines).split())
    assert all(str(verdict) in text for verdict in figures.verdicts)
    assert "--verbose or report.html has them." in text
    rows = [line for line in lines if line.startswith("precision@5 ")]
    assert len(rows) == (width >= 60)  # a narrower page has a block for each metric
    if rows:
        assert "als interval" in lines[lines.index(rows[0]) - 1]
