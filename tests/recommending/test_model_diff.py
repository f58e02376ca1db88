"""Two models: overlaps against their definition, the rest by hand-made shelves and by the verb."""

from dataclasses import replace
from pathlib import Path

import click.testing
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alsolike.cli import export
from alsolike.cli.group import Verbs
from alsolike.engines.local import LocalEngine
from alsolike.errors import SettingError
from alsolike.models.bundle import io as bundle
from alsolike.models.factor_model import FactorModel
from alsolike.recommending import model_diff as comparing
from alsolike.recommending.affinities import with_similarity
from alsolike.recommending.batch import similar
from alsolike.recommending.model_diff import diff, overlaps
from alsolike.testing import tiny_likes, tiny_model
from fixed_model import Fixed

# click keeps the options for help with a command: as in `alsolike.cli.group.main`.
HELP = {"help_option_names": ["-h", "--help"]}
VERBS = Verbs(commands={"diff": export.diff}, context_settings=HELP)


def defined(one: list[int], other: list[int]) -> tuple[int, float, float]:
    """Return kept, Jaccard and average overlap as they are written down."""
    if not one and not other:
        return 0, 1.0, 1.0
    both = set(one) & set(other)
    depths = range(1, max(len(one), len(other)) + 1)
    agreed = [len(set(one[:depth]) & set(other[:depth])) / depth for depth in depths]
    return len(both), len(both) / len(set(one) | set(other)), float(np.mean(agreed))


def padded(lists: list[list[int]], width: int) -> np.ndarray:
    return np.array([one + [-1] * (width - len(one)) for one in lists], dtype=np.int32)


shelf = st.lists(st.integers(0, 8), unique=True, max_size=6)


@given(st.lists(st.tuples(shelf, shelf), min_size=1, max_size=12), st.integers(1, 200))
def test_overlaps_are_as_defined(pairs: list[tuple[list[int], list[int]]], cells: int) -> None:
    whole, comparing._CELLS = comparing._CELLS, cells  # blocks of every size
    try:
        found = overlaps(
            padded([one for one, _ in pairs], 6), padded([other for _, other in pairs], 7)
        )
    finally:
        comparing._CELLS = whole
    for row, (one, other) in enumerate(pairs):
        kept, jaccard, average = defined(one, other)
        assert found[0][row] == kept
        assert found[1][row] == jaccard
        assert found[2][row] == pytest.approx(average, abs=1e-12)
        assert (found[2][row] == 1) == (one == other)


def test_no_rows_and_no_places() -> None:
    for width in (0, 3):
        nothing = np.empty((0, width), dtype=np.int32)
        assert [len(part) for part in overlaps(nothing, nothing)] == [0, 0, 0]
    empty = np.empty((2, 0), dtype=np.int32)
    assert overlaps(empty, empty)[2].tolist() == [1.0, 1.0]


@pytest.fixture(scope="module")
def old() -> FactorModel:
    model = tiny_model(n_users=12, n_items=40, factors=4)
    return with_similarity(model, affinity="cosine", popularity_bias=0.0)


@pytest.fixture(scope="module")
def new(old: FactorModel) -> FactorModel:
    """Return a model that lacks three items of the old one, has two others, and has moved."""
    ids = [*list(old.items)[3:], "new 1", "new 2"]
    likes = tiny_likes(12, 39)
    items = type(old.items).of(ids, kind="item")
    rng = np.random.default_rng(3)
    fresh = rng.standard_normal((2, 4), dtype=np.float32)
    rows = [old.items.find(one) for one in items]
    place = iter(fresh)
    factors = [next(place) if row is None else old.item_factors[row] for row in rows]
    noise = 0.3 * rng.standard_normal((39, 4), dtype=np.float32)
    return replace(
        old, items=items, item_factors=np.array(factors) + noise, history=None,
        item_counts=np.arange(39, dtype=np.int64) + 2, catalogue=likes.catalogue,
    )  # fmt: skip


def test_a_diff_is_made_of_the_shelves_that_similar_gives(
    old: FactorModel, new: FactorModel
) -> None:
    found = diff(old, new, k=5)
    assert found.gained == ("new 1", "new 2")
    assert found.lost == tuple(list(old.items)[:3])
    before, after = (
        {one: similar(model, one, k=5)["similar_item"].tolist() for one in model.items}
        for model in (old, new)
    )
    assert found.items["item"].tolist() == list(old.items)[3:]
    numbers = {one: number for number, one in enumerate({*old.items, *new.items})}
    for row in found.items.rows():
        one, other = ([numbers[near] for near in side[row["item"]]] for side in (before, after))
        kept, jaccard, average = defined(one, other)
        assert (row["kept"], row["jaccard"]) == (kept, jaccard)
        assert row["change"] == pytest.approx(1 - average, abs=1e-12)
        index = new.items.index_of(row["item"])
        assert row["likes"] == new.item_counts[index]
        assert row["name"] == new.catalogue.name_of(index)  # type: ignore[union-attr]
    changes = found.items["change"]
    assert 0 < found.moved == (changes > 0).sum() <= 37
    assert found.mean_change == pytest.approx((changes.sum() + 3) / 40)
    assert found.distribution()["shelves"].sum() == 37
    assert found.distribution()["share"].sum() == pytest.approx(1)


def test_bands_take_what_their_names_say(old: FactorModel) -> None:
    changes = [0.0, 0.1, 0.1000001, 0.25, 0.5, 0.75, 0.7500001, 1.0, 1.0]
    found = replace(diff(old, old), items=comparing.Table({"change": np.array(changes)}))
    assert found.distribution()["shelves"].tolist() == [1, 1, 2, 1, 1, 1, 2]


def test_most_moved_are_the_most_liked_of_equals(old: FactorModel, new: FactorModel) -> None:
    found = diff(old, new, k=5)
    rows = list(found.most_moved(100).rows())
    assert len(rows) == found.moved
    keys = [(-row["change"], -row["likes"]) for row in rows]
    assert keys == sorted(keys)
    assert len(found.most_moved(3)) == 3


def test_equal_models_do_not_differ(old: FactorModel) -> None:
    found = diff(old, old, k=100)
    assert (found.moved, found.mean_change, found.gained, found.lost) == (0, 0.0, (), ())
    assert "0 of 40 changed" in str(found)
    assert "changed most" not in str(found)
    assert len(found.most_moved()) == 0


def test_threads_change_nothing(old: FactorModel, new: FactorModel) -> None:
    one, two = (diff(old, new, engine=LocalEngine(threads)) for threads in (1, 2))
    assert str(one) == str(two)


def test_models_of_other_items_have_changed_altogether(old: FactorModel) -> None:
    others = type(old.items).of((f"other {row}" for row in range(40)), kind="item")
    found = diff(old, replace(old, items=others, history=None))
    assert (len(found.items), found.mean_change) == (0, 1.0)
    assert "(a lost item counts as 1): 1.0000" in str(found)
    assert "lists of 10" not in str(found)


def test_hostile_ids_and_names_are_shown_harmless(old: FactorModel) -> None:
    ids = type(old.items).of((f"\x1b[31m{row}" for row in range(40)), kind="item")
    assert "\x1b" not in str(diff(replace(old, items=ids, history=None), old))


def test_what_cannot_be_compared_is_refused(old: FactorModel) -> None:
    for_users_alone = Fixed(old.users, old.items, np.zeros((len(old.users), len(old.items))))
    for pair in ((for_users_alone, old), (old, for_users_alone)):
        with pytest.raises(
            SettingError, match="that compares items is needed to compare similar items"
        ):
            diff(*pair)  # type: ignore[arg-type]
    with pytest.raises(SettingError, match="k must be"):
        diff(old, old, k=0)


@pytest.fixture(scope="module")
def saved(
    old: FactorModel, new: FactorModel, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("models")
    bundle.save(old, folder / "old")
    bundle.save(new, folder / "new")
    return folder / "old", folder / "new"


def call(*words: object) -> click.testing.Result:
    return click.testing.CliRunner().invoke(VERBS, ["diff", *map(str, words)])


def test_the_verb_is_a_gate(saved: tuple[Path, Path], tmp_path: Path) -> None:
    plain = call(*saved, "--to", tmp_path / "items.csv")
    assert plain.exit_code == 0
    assert "items: 37 in both, 2 gained ('new 1', 'new 2'), 3 lost" in plain.stdout
    assert len((tmp_path / "items.csv").read_text().splitlines()) == 38
    mean = float(plain.stdout.split("counts as 1): ")[1].split()[0])
    assert 0.05 < mean < 0.9
    stopped = call(*saved, "--fail-over", mean - 0.01)
    assert stopped.exit_code == 1
    assert stopped.stderr.splitlines() == [
        f"error: {saved[1]}: mean change {mean:.4f} exceeds the limit of {mean - 0.01:g}."
    ]
    passed = call(*saved, "--fail-over", mean + 0.01)
    assert (passed.exit_code, passed.stderr) == (0, "")
    assert "within the limit" in passed.stdout
    assert call(saved[0], saved[0], "--fail-over", 0).exit_code == 0


def test_each_model_is_compared_by_its_own_settings(old: FactorModel) -> None:
    popular = with_similarity(old, affinity="evidence", popularity_bias=1.0)
    specific = with_similarity(popular, popularity_bias=0.0)
    found = diff(specific, popular, k=5)
    assert found.moved > 0
    words = "evidence, popularity bias {}, prior strength 30"
    assert f"compared by: old {words.format(0)}; new {words.format(1)}" in str(found)
    assert f"compared by: {words.format(1)}\n" in str(diff(popular, popular))
    lists = [
        {one: similar(model, one, k=5)["similar_item"].tolist() for one in old.items}
        for model in (specific, popular)
    ]
    rows = list(found.items.rows())
    assert {row["item"] for row in rows if row["change"]} == {
        one for one in old.items if lists[0][one] != lists[1][one]
    }


def test_the_verb_compares_one_model_at_two_marks(old: FactorModel, tmp_path: Path) -> None:
    bundle.save(with_similarity(old, affinity="evidence"), tmp_path / "model")
    pair = tmp_path / "model", tmp_path / "model"
    marks = "--popularity-bias-old", 0, "--popularity-bias-new", 1
    moved = call(*pair, *marks)
    assert "old evidence, popularity bias 0, prior strength 30; new evidence" in moved.stdout
    assert "in both, 0 gained, 0 lost" in moved.stdout
    assert "mean change over the 40 items of the old model: 0.0000" not in moved.stdout
    same = call(*pair, "--affinity", "cosine", "--popularity-bias", 0.5)
    assert "compared by: cosine, popularity bias 0.5" in same.stdout
    assert "of the old model: 0.0000" in same.stdout
    refused = call(*pair, *marks, "--popularity-bias", 0.5)
    assert refused.exit_code == 2
    assert "Give --popularity-bias for both models, or one each" in refused.stderr


@pytest.mark.parametrize("limit", ["nan", "-0.1", "1.1", "inf", "x"])
def test_a_limit_is_a_share(saved: tuple[Path, Path], limit: str) -> None:
    refused = call(*saved, f"--fail-over={limit}")
    assert refused.exit_code == 2
    assert "fail-over" in refused.stderr


def test_a_broken_model_stops_the_gate(saved: tuple[Path, Path], tmp_path: Path) -> None:
    refused = call(saved[0], tmp_path, "--fail-over", 1)
    assert refused.exit_code == 1
    assert refused.stderr.startswith("error: ")
