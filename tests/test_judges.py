"""Judges: what each kind asks of a model, and what it takes."""

import pytest

from alsolike.data.split import Split
from alsolike.data.splitting import hold_out
from alsolike.errors import SettingError
from alsolike.evaluation.curves import learning_curve
from alsolike.evaluation.judges import Judge, ListJudge, judge_of
from alsolike.models.config import ALSConfig
from alsolike.testing import tiny_likes
from alsolike.tuning.search import search

CONFIG = ALSConfig(factors=4, seed=3)


@pytest.fixture(scope="module")
def split() -> Split:
    return hold_out(tiny_likes(60, 40), k=2, share=0.3)


@pytest.mark.parametrize("judge", [ListJudge(), ListJudge(name="x", metric="auc", choose="test")])
def test_settings_give_the_judge_back(judge: Judge) -> None:
    assert judge_of(judge.to_settings()) == judge


def test_a_judge_is_given_as_one_or_by_its_settings(split: Split) -> None:
    [whole] = learning_curve(split, CONFIG, sweeps=[2], judge=ListJudge(k=3, metric="ndcg"))
    [by_settings] = learning_curve(split, CONFIG, sweeps=[2], k=3, metric="ndcg")
    assert whole.figures == by_settings.figures
    with pytest.raises(SettingError, match="k and a judge: a judge has its own"):
        next(learning_curve(split, CONFIG, sweeps=[2], judge=ListJudge(), k=3))
    with pytest.raises(SettingError, match="metric, exclude_seen and a judge"):
        search(split, [CONFIG], judge=ListJudge(), metric="mrr", exclude_seen=True)


def test_only_an_honest_judge_ranks(split: Split) -> None:
    with pytest.raises(SettingError, match="this judge chooses on test"):
        search(split, [CONFIG], judge=ListJudge(choose="test"))
    with pytest.raises(SettingError, match="is called 'honest', not 'mine'"):
        search(split, [CONFIG], judge=ListJudge(name="mine"))
