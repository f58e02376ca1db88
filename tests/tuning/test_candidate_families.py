"""What a search tries of each family, by counts alone."""

from collections.abc import Sequence

import numpy as np
import pytest
import scipy.sparse as sp

from alsolike.data.interactions import Interactions
from alsolike.errors import DataError, SettingError
from alsolike.models.linear import ease
from alsolike.testing import tiny_likes
from alsolike.tuning.candidate_families import Lineup, lineup_for

LIKES = tiny_likes(60, 40)


def families(configs: Sequence[object]) -> list[str]:
    return [config.to_settings()["model"] for config in configs]  # type: ignore[attr-defined]


def wide(n_items: int) -> Interactions:
    ones = np.ones(3, dtype=np.float32)
    cells = (ones, (np.arange(3), np.array([0, 1, n_items - 1])))
    return Interactions.from_matrix(sp.csr_array(cells, shape=(3, n_items)))


def test_the_default_follows_from_counts() -> None:
    lineup = lineup_for(None, None, LIKES, seed=7)
    assert lineup.searched == ("als",)
    assert families(lineup.candidates) == ["item-knn"] * 8 + ["ease"] * 3
    assert families(lineup.baselines) == ["popularity", "random"]
    assert lineup.baselines[1].to_settings()["seed"] == 7


@pytest.mark.parametrize(("n_items", "is_tried"), [(10_000, True), (10_001, False)])
def test_ease_is_tried_up_to_ten_thousand_items(n_items: int, *, is_tried: bool) -> None:
    lineup = lineup_for(None, None, wide(n_items))
    assert ("ease" in families(lineup.candidates)) is is_tried
    assert "ease" in families(lineup_for(["ease"], None, wide(n_items)).candidates)


def test_the_reasons_of_the_default_are_the_families_own() -> None:
    assert str(lineup_for(None, None, LIKES)) == (
        "Tried by default: als and item-knn on every table; ease since 40 items are at most "
        "10,000; blend where two others are tried."
    )
    assert str(lineup_for(None, None, wide(10_001))) == (
        "Tried by default: als and item-knn on every table; sparse-linear since 10,001 items are "
        "more than 10,000, at most 100,000; blend where two others are tried."
    )
    assert str(lineup_for(None, None, wide(100_001))) == (
        "Tried by default: als and item-knn on every table; blend where two others are tried."
    )
    assert str(lineup_for(None, [], LIKES)) == "Tried by default: als on every table."
    assert str(lineup_for(["als", "ease"], None, LIKES)) == ""


def test_families_that_are_named() -> None:
    assert lineup_for(["als"], None, LIKES).candidates == ()
    lineup = lineup_for(["ease", "item-knn", "ease"], None, LIKES)
    assert lineup.searched == ()
    assert families(lineup.candidates) == ["item-knn"] * 8 + ["ease"] * 3


def test_baselines_that_are_named_are_compared_with_als_as_ever() -> None:
    lineup = lineup_for(None, ["random", "ease"], LIKES)
    assert (lineup.searched, lineup.candidates) == (("als",), ())
    assert families(lineup.baselines) == ["popularity", "ease", "ease", "ease", "random"]
    assert families(lineup_for(None, [], LIKES).baselines) == ["popularity"]


def test_a_family_in_both_may_be_chosen() -> None:
    lineup = lineup_for(["als", "item-knn"], ["item-knn", "ease"], LIKES)
    assert families(lineup.candidates) == ["item-knn"] * 8
    assert families(lineup.baselines) == ["popularity", "ease", "ease", "ease"]
    asked = lineup_for(["popularity"], None, LIKES)
    assert families(asked.candidates) == ["popularity"]
    assert families(asked.baselines) == ["random"]


def test_als_may_be_compared_with() -> None:
    lineup = lineup_for(["item-knn"], ["als"], LIKES)
    assert lineup.searched == ()
    assert [type(config).__name__ for config in lineup.baselines] == [
        "PopularityConfig", "ALSConfig",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("asked", "compared", "words"),
    [
        (["eas"], None, "Unknown model 'eas'; known are als, .* Did you mean 'ease'?"),
        (None, ["poplarity"], "Did you mean 'popularity'?"),
        (["factors"], None, "made by other programs and cannot be trained"),
        ([], None, "At least one family is needed"),
        (
            "als",
            None,
            r"families is a list of names, such as \['als', 'item-knn'\], not the text 'als'",
        ),
        (None, "ease", "baselines is a list of names"),
    ],
)
def test_what_cannot_be_tried(
    asked: Sequence[str] | None, compared: Sequence[str] | None, words: str
) -> None:
    with pytest.raises(SettingError, match=words):
        lineup_for(asked, compared, LIKES)


def test_a_table_too_large_for_memory_is_refused_and_not_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ease, "available", lambda: 1000)
    for asked, compared in ((["ease"], None), (None, ["ease"]), (None, None)):
        with pytest.raises(DataError, match="EASE over 40 items needs"):
            lineup_for(asked, compared, LIKES)
    assert isinstance(lineup_for(["als", "item-knn"], None, LIKES), Lineup)


@pytest.mark.parametrize(
    ("n_items", "is_tried"), [(10_000, False), (10_001, True), (100_000, True), (100_001, False)]
)
def test_sparse_linear_models_are_tried_where_ease_is_not_up_to_a_hundred_thousand_items(
    n_items: int, *, is_tried: bool
) -> None:
    lineup = lineup_for(None, None, wide(n_items))
    assert ("sparse-linear" in families(lineup.candidates)) is is_tried
    assert "sparse-linear" in families(
        lineup_for(["sparse-linear"], None, wide(n_items)).candidates
    )


@pytest.mark.parametrize(
    ("n_items", "expected"),
    [(9_000, {"ease", "sparse-linear"}), (12_000, {"ease", "sparse-linear"}),
     (20_001, {"sparse-linear"}), (100_001, set())],
)  # fmt: skip
def test_a_thorough_search_tries_larger_tables_and_more_settings(
    n_items: int, expected: set[str]
) -> None:
    usual, lineup = (lineup_for(None, None, wide(n_items), thorough=one) for one in (False, True))
    assert set(families(lineup.candidates)) - {"item-knn"} == expected
    assert len(lineup.candidates) > len(usual.candidates)
    assert lineup.baselines == usual.baselines
