"""Presets: what is searched follows from the counts and the values of the table alone."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from als_settings import CLASSIC
from alsolike.data.interactions import Interactions
from alsolike.errors import DataError, SettingError
from alsolike.models.als.config import ALSConfig, sweep_operations, unobserved_weight_of
from alsolike.testing import tiny_likes
from alsolike.tuning import presets
from alsolike.tuning.options import Searching
from alsolike.tuning.presets import ARTICLE, PRESETS, Growth, Preset, preset_for, quick_for
from alsolike.tuning.strategies.base import FixedList
from alsolike.tuning.strategies.factor_growth import FactorGrowth
from alsolike.tuning.strategies.search_space import expand

thorough_for = PRESETS["thorough"]


def table(n_users: int, n_items: int, per_user: int) -> Interactions:
    """Likes of so many items each, one after the other."""
    users = np.repeat(np.arange(n_users), per_user)
    items = np.arange(users.size) % n_items
    return Interactions.from_columns([f"u{one}" for one in users], [f"i{one}" for one in items])


def test_the_article_is_its_180_runs() -> None:
    configs = ARTICLE.configs()
    assert len(configs) == 180
    assert len(configs) * len(ARTICLE.sweeps) == 3_420
    [objective] = ARTICLE.beside
    assert str(objective) == "precision@5 on test, seen items kept"
    assert (ARTICLE.k, ARTICLE.exclude_seen, ARTICLE.search) == (5, True, "grid")
    assert preset_for("article", tiny_likes()) is ARTICLE
    base = ALSConfig(**CLASSIC | {"confidence": "scaled", "start": "normal"}).loss_config
    for config in configs:
        ours = replace(config.loss_config, regularization=base.regularization, alpha=base.alpha)
        assert ours == base
        assert (config.start, config.solver, config.momentum) == ("normal", "exact", False)


@pytest.mark.parametrize("make", [quick_for, thorough_for])
def test_weights_are_in_proportion_to_how_many_cells_are_filled(make: Any) -> None:
    narrow, wide = (make(table(400, n_items, 5)).space for n_items in (50, 500))
    found = np.array(narrow["unobserved_weight"]), np.array(wide["unobserved_weight"])
    assert np.allclose(found[0], 10 * found[1], rtol=0.1)
    assert 5 * 5 / 50 in narrow["unobserved_weight"]  # the default of ALSConfig
    assert ALSConfig().for_table(table(40, 50, 5)).unobserved_weight == 0.5
    assert ALSConfig().regularization in narrow["regularization"]


def test_quick_follows_the_values() -> None:
    ones = Interactions.from_columns(["u1", "u1", "u2"], ["a", "b", "a"])
    hours = Interactions.from_columns(["u1", "u1", "u2"], ["a", "b", "a"], [0.5, 352_698, 7])
    for likes, forms, unit in ((ones, {None}, 1.0), (hours, {"binary", "log"}, 0.5)):
        configs = quick_for(likes).configs()
        assert {config.values for config in configs} == forms
        assert {config.value_scale for config in configs} == {unit}
        assert len(configs) == 9 * len(forms)
        assert {config.factors for config in configs} == {64}
        assert len(thorough_for(likes).configs()) == 20 * len(forms)


def test_quick_is_not_led_by_odd_rows() -> None:
    users = [f"u{number}" for number in range(1_000)]
    twice = Interactions.from_columns(users, ["a"] * 1_000, [2.0] * 5 + [1.0] * 995)
    assert "values" not in quick_for(twice).space
    hours = [1e-9] * 3 + [0.1] * 500 + [70.0] * 497
    assert quick_for(Interactions.from_columns(users, ["a"] * 1_000, hours)).base.value_scale == 0.1
    nobody = Interactions.from_columns(["u"], ["a"]).keep(np.array([False]))
    with pytest.raises(DataError, match="no interactions"):
        quick_for(nobody)


@pytest.mark.parametrize(("n_users", "most"), [(64, 64), (65, 128), (128, 128), (129, 256)])
def test_no_more_factors_are_tried_than_any_scores_need(n_users: int, most: int) -> None:
    likes = table(n_users, 200, 5)
    assert [make(likes).growth.most for make in (quick_for, thorough_for)] == [most, most]


def test_a_sweep_bounds_the_factors(monkeypatch: pytest.MonkeyPatch) -> None:
    likes = table(1_100, 1_200, 5)
    most = [make(likes).growth.most for make in (quick_for, thorough_for)]
    assert most == [1024, 2048]
    operations = [sweep_operations(likes, factors) for factors in (64, 128, 256, 512)]
    assert operations == sorted(operations)
    for allowed, expected in ((operations[2], 256), (operations[2] - 1, 128), (0.0, 64)):
        monkeypatch.setattr(presets, "_QUICK_OPERATIONS", allowed)
        assert quick_for(likes).growth == Growth(most=expected, kept=4)


def test_operations_grow_with_the_table_and_the_factors() -> None:
    likes = table(40, 50, 5)
    counts, f = likes.user_counts, 3  # rows of 5 likes: more than factors
    assert set(counts) == {5}
    rows = 40 * (5 * 3 * f / 2 + 3**3 / 6 + 2 * 5 * f) + 1.5 * 40 * f**2 + 10 * f**3
    items = 50 * (4 * 3 * f / 2 + 3**3 / 6 + 2 * 4 * f) + 1.5 * 50 * f**2 + 10 * f**3
    assert sweep_operations(likes, f) == pytest.approx(rows + items)
    assert sweep_operations(table(80, 50, 5), 64) > sweep_operations(likes, 64)


def test_thorough_contains_quick_and_more() -> None:
    likes = tiny_likes(60, 40)
    quick, thorough = quick_for(likes), thorough_for(likes)
    for name, values in quick.space.items():
        assert set(values) <= set(thorough.space[name]), name
    assert (quick.thorough, thorough.thorough) == (False, True)
    assert thorough.growth.neighbours
    assert max(thorough.sweeps) > max(quick.sweeps)
    assert thorough.patience > quick.patience


def test_presets_by_name() -> None:
    assert sorted(PRESETS) == ["article", "quick", "thorough"]
    with pytest.raises(SettingError, match=r"known are article, quick, thorough\. Did you mean"):
        preset_for("quik", tiny_likes())


def a_preset(**changes: Any) -> Preset:
    return replace(quick_for(tiny_likes(60, 40)), **changes)


def test_a_preset_is_searched_by_its_own_strategy() -> None:
    preset = a_preset(growth=Growth(most=128, kept=3, neighbours=({"alpha": 2.0},)), patience=4)
    grown = Searching().strategy(preset)
    assert isinstance(grown, FactorGrowth)
    assert (grown.most, grown.kept, list(grown.neighbours)) == (128, 3, [{"alpha": 2.0}])
    assert grown.patience == 4
    assert list(grown.configs) == preset.configs()
    assert Searching(patience=1).strategy(preset).patience == 1
    assert Searching().strategy(ARTICLE).name == "grid"


@pytest.mark.parametrize(
    "how", [{"of_preset": False}, {"start": [{"alpha": 3.0}]}, {"by": "grid"}], ids=str
)
def test_a_grid_where_factors_or_a_start_are_given(how: dict[str, Any]) -> None:
    of_preset = how.pop("of_preset", True)
    preset = a_preset()
    made = Searching(**how).strategy(preset, of_preset=of_preset)
    assert isinstance(made, FixedList)
    assert (made.name, made.patience) == ("grid", None)
    start = [replace(preset.base, **one) for one in how.get("start", ())]
    assert list(made.configs) == [*start, *preset.configs()]


def test_a_named_strategy_is_not_changed_by_given_factors() -> None:
    preset = a_preset(space={"regularization": (0.01, 0.1)})
    grown = Searching(by="growth").strategy(preset, of_preset=False)
    assert isinstance(grown, FactorGrowth)
    several = replace(preset, space={"factors": (8, 16)})
    with pytest.raises(SettingError, match=r"was given 8, 16\. Give one, or use --search doubling"):
        Searching(by="growth").strategy(several, of_preset=False)


def test_settings_left_to_the_table_are_filled_in_by_it() -> None:
    likes = table(40, 50, 5)
    config = ALSConfig(factors=3)
    assert config.for_table(likes) == replace(config, unobserved_weight=0.5)
    assert config.for_table(table(400, 500, 5)).unobserved_weight == 0.05
    assert unobserved_weight_of(likes, 0.3333) == 0.033  # two digits
    for given in (replace(config, unobserved_weight=0.2), ALSConfig(confidence="linear")):
        assert given.for_table(likes) is given
    with pytest.raises(SettingError, match=r"chosen by the table\. Use config\.for_table\(inter"):
        _ = config.loss_config
    assert ALSConfig(confidence="linear").loss_config.unobserved_weight == 1.0


def test_what_values_are_depends_on_the_confidence_unless_given() -> None:
    left = {"additive": "binary", "linear": "given", "scaled": "given", "log": "given"}
    for confidence, values in left.items():
        config = ALSConfig(confidence=confidence, unobserved_weight=1.0)  # type: ignore[arg-type]
        assert config.loss_config.values == values
        assert replace(config, values="log").loss_config.values == "log"
        assert expand({"values": ["capped"]}, config)[0].loss_config.values == "capped"
