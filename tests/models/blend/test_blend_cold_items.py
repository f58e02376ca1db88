"""Blends take in items by their features if one member learns from features."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from alsolike.data.features.features import FeatureTable
from alsolike.models.blend.config import BlendConfig
from alsolike.models.bundle.io import load, save
from alsolike.models.family import TrainingData
from alsolike.models.protocols import AddsItems, ComparesFeatures, ExplainsByFeatures
from alsolike.models.registry import config_of, family_named
from alsolike.recommending.batch import similar
from alsolike.testing import tiny_likes, with_tiny_features

LIKES = with_tiny_features(tiny_likes())
OTHERS = ["als", "item-knn", "ease", "sparse-linear"]


def blend(*names: str) -> Any:
    changes = {"als": {"factors": 4, "iterations": 2}, "feature-als": {"factors": 4}}
    members = [replace(family_named(name).config(), **changes.get(name, {})) for name in names]
    config = BlendConfig(members=tuple(members), weights=(1.0,) * len(names))
    return family_named("blend").fit(TrainingData(LIKES), config)


def further() -> FeatureTable:
    features = LIKES.item_features
    assert features is not None
    return FeatureTable(type(LIKES.items).of(["a00", "zz"], kind="item"), features.take([3, 4]))


@pytest.mark.parametrize("other", OTHERS)
def test_cold_items_are_scored_by_the_member_with_features(other: str, tmp_path: Path) -> None:
    model = blend("item-profile", other)
    assert isinstance(model, (AddsItems, ComparesFeatures, ExplainsByFeatures))
    wider = model.with_cold_items(further())
    profile, silent = wider.members
    places = wider.items.indices_of(["a00", "zz"])
    everything = slice(None)
    assert (silent.scores(everything, everything)[:, places] == 0).all()
    assert (profile.scores(everything, everything)[:, places] > 0).any()
    own = wider.items.places_of(model.items)
    for before, after in zip(model.members, wider.members, strict=True):
        expected = before.scores(everything, everything)
        assert np.allclose(after.scores(everything, everything)[:, own], expected, atol=1e-6)
    save(wider, tmp_path / "model")
    again = load(tmp_path / "model")
    found = again.scores(everything, everything)
    assert found.tobytes() == wider.scores(everything, everything).tobytes()
    assert config_of(again.settings) == config_of(model.settings)


def test_evidence_without_history_stays(tmp_path: Path) -> None:
    save(blend("als", "item-profile"), tmp_path / "model", with_history=False)
    model: Any = load(tmp_path / "model")
    wider = model.with_cold_items(further())
    before, after = similar(model, k=3), similar(wider, k=3)
    known = np.isin(after["item"], model.items.ids_of(range(len(model.items))))
    assert after["similar_item"][known].tolist() == before["similar_item"].tolist()


def test_a_blend_without_features_takes_in_none() -> None:
    assert not isinstance(blend("als", "item-knn"), AddsItems)
