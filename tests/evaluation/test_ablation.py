"""An ablation tells features that help from a constant and from features of other items."""

from dataclasses import replace

import numpy as np
import pytest

import alsolike as al
from alsolike.data.features.features import Features
from alsolike.errors import DataError, SettingError
from alsolike.evaluation.ablation import constant_like
from alsolike.models.blend.config import BlendConfig
from alsolike.models.profile.config import ItemProfileConfig
from alsolike.testing import tiny_likes, with_tiny_features

# Users like items of one half; the word tells which.
LIKES = tiny_likes(200, 60)
HALVES = Features.of_words("half", [[f"half {row % 2}"] for row in range(60)])
LIKES = replace(LIKES, item_features=HALVES)
SPLIT = al.hold_out_new_items(LIKES, share=0.2)


def test_real_features_are_better_than_a_constant_and_shuffled_ones():
    found = al.ablation(SPLIT, ItemProfileConfig(), k=3, metric="recall")
    assert found.measure == "recall@3"
    assert found.helps
    assert found.words.startswith("Features help: the real ones are better than constant and shu")
    rows = {row["features"]: row for row in found.table().rows()}
    assert rows["none"]["mean"] is None  # which this family cannot be fitted to
    assert rows["real"]["mean"] > rows["shuffled"]["mean"]
    assert rows["constant"]["mean"] == pytest.approx(3 / len(SPLIT.new_items("test")))
    assert rows["shuffled"]["gain_low"] > 0
    again = al.ablation(SPLIT, ItemProfileConfig(), k=3, metric="recall")
    assert all(np.array_equal(found.per_user[kind], again.per_user[kind]) for kind in rows
               if kind != "none")  # fmt: skip
    other = al.ablation(SPLIT, ItemProfileConfig(), k=3, metric="recall", seed=1)
    assert not np.array_equal(found.per_user["shuffled"], other.per_user["shuffled"])


def test_features_that_say_nothing_do_not_help():
    rng = np.random.default_rng(0)
    noise = Features.of_words(
        "noise", [[f"n{n}" for n in rng.integers(0, 9, 3)] for _ in range(60)]
    )
    split = al.hold_out_new_items(replace(LIKES, item_features=noise), share=0.2)
    found = al.ablation(split, ItemProfileConfig(), k=3, metric="recall")
    assert not found.helps
    assert "help: " not in found.words or "do not help" in found.words


def test_a_constant_has_the_same_blocks():
    features = with_tiny_features(tiny_likes()).item_features
    same = constant_like(features)
    assert [block.name for block in same.blocks] == [block.name for block in features.blocks]
    assert same.matrix.toarray().tolist() == [[1.0] * 4] * 40
    config = ItemProfileConfig(weights="tag=0.5")
    split = al.hold_out(with_tiny_features(tiny_likes()), k=2)
    assert set(al.ablation(split, config).per_user) == {"real", "constant", "shuffled"}


def test_what_has_no_features_is_refused():
    with pytest.raises(DataError, match="these interactions have none"):
        al.ablation(al.hold_out(tiny_likes(), k=2), ItemProfileConfig())
    with pytest.raises(SettingError, match="ease uses no features"):
        al.ablation(SPLIT, al.EASEConfig())
    blend = BlendConfig(members=[{"model": "ease"}, {"model": "item-profile"}])
    assert "none" not in al.ablation(SPLIT, blend, k=3).per_user
    with pytest.raises(SettingError, match="metric must be one of"):
        al.ablation(SPLIT, ItemProfileConfig(), metric="novelty")
