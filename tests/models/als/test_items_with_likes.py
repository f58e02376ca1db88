"""Items that a model was not trained on come in by who likes them."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp

import alsolike as al
from alsolike.data.features.features import FeatureTable
from alsolike.engines.local import LocalEngine
from alsolike.models.protocols import FoldsInItems
from alsolike.models.registry import names
from alsolike.testing import tiny_likes, with_tiny_features

LIKES = with_tiny_features(tiny_likes())
EVERYTHING = slice(None)
SETTINGS = {
    "als": {"factors": 6, "iterations": 4, "alpha": 5.0, "regularization": 2.0},
    "item-knn": {"neighbours": 8},
    "ease": {"regularization": 20.0},
}


def likers():
    """Two new items, and one known item with other likes than it had."""
    users, old = [LIKES.users.id_of(row) for row in (0, 2, 4, 1, 3, 2, 8)], LIKES.items.id_of(7)
    return al.Interactions.from_columns(
        users, ["b", "b", "b", "zz", "zz", old, old], [1, 2, 1, 3, 1, 2, 1]
    )


def put_together(new):
    """Lay likes and newer ones together by hand, item by item."""
    cells = {}
    for part in (LIKES, new):
        for column, item in enumerate(part.items):
            matrix = part.user_items[:, [column]].tocoo()
            cells[item] = {
                part.users.id_of(int(row)): float(value)
                for row, value in zip(matrix.row, matrix.data, strict=True)
            }
    users, items = list(LIKES.users), sorted(cells, key=lambda item: item.encode())
    dense = [[cells[item].get(user, 0.0) for item in items] for user in users]
    table = al.Interactions.from_matrix(
        sp.csr_array(np.array(dense, dtype=np.float32)), users=users, items=items
    )
    known = FeatureTable(LIKES.items, LIKES.item_features)
    return replace(table, item_features=known.of(table.items))


# Solved, trained on, or as their members.
GO_ON = ("als", "feature-als", "explicit-als", "lmf", "bpr", "warp", "blend")


@pytest.mark.parametrize("family", [name for name in names() if name not in GO_ON])
def test_models_of_likes_are_as_if_fitted_to_all_likes(family):
    model = al.fit(LIKES, family=family, **SETTINGS.get(family, {}))
    assert isinstance(model, FoldsInItems)
    larger, whole = model.with_items(likers()), put_together(likers())
    again = al.fit(whole, family=family, **SETTINGS.get(family, {}))
    assert larger.items == again.items
    assert larger.history.user_items.toarray().tolist() == whole.user_items.toarray().tolist()
    for scores in ("scores", "item_scores"):
        found, expected = (getattr(one, scores)(EVERYTHING, EVERYTHING) for one in (larger, again))
        assert found.tobytes() == expected.tobytes()
    assert larger.item_counts.tolist() == again.item_counts.tolist()


def test_als_solves_the_new_items_and_leaves_the_others():
    model = al.fit(LIKES, **SETTINGS["als"])
    new = likers()
    larger = model.with_items(new)
    own = larger.items.places_of(model.items)
    others = np.setdiff1d(np.arange(40), model.items.places_of(new.items))

    before, after = model.scores(EVERYTHING, EVERYTHING), larger.scores(EVERYTHING, EVERYTHING)
    np.testing.assert_allclose(after[:, own][:, others], before[:, others], atol=2e-6)

    wide = np.zeros((new.n_items, len(model.users)), dtype=np.float32)
    wide[:, model.users.places_of(new.users)] = new.user_items.toarray().T
    solved = al.fold_in_items(model, sp.csr_array(wide))
    expected = model.user_factors.astype(np.float64) @ solved.astype(np.float64).T
    found = after[:, larger.items.places_of(new.items)]
    np.testing.assert_allclose(found, expected, atol=2e-6)
    assert larger.item_counts[larger.items.index_of("b")] == 3
    assert larger.sweeps == model.sweeps
    assert larger.catalogue.name_of(larger.items.index_of(model.items.id_of(0))) == "Item 1 ♪"


def test_after_that_als_folds_in_by_the_gramian_of_all_items():
    model = al.fit(LIKES, **SETTINGS["als"])
    larger = model.with_items(likers())
    items = larger.item_factors.astype(np.float64)
    gramian = items.T @ items
    np.testing.assert_allclose(gramian, np.diag(larger.eigenvalues), atol=1e-4)

    liked, values = np.array([3, larger.items.index_of("b"), 20]), np.array([1.0, 2.0, 1.0])
    weights = SETTINGS["als"]["alpha"] * values
    matrix = gramian + SETTINGS["als"]["regularization"] * np.eye(6)
    matrix += (items[liked].T * weights) @ items[liked]
    expected = np.linalg.solve(matrix, items[liked].T @ (weights + 1)) @ items.T
    row = sp.csr_array((values.astype(np.float32), liked, [0, 3]), shape=(1, len(larger.items)))
    np.testing.assert_allclose(larger.user_scores(row, EVERYTHING)[0], expected, atol=1e-5)
    explained = larger.contributions(liked, values.astype(np.float32), np.arange(len(items)))
    np.testing.assert_allclose(explained.parts.sum(axis=1), expected, atol=1e-5)


def test_als_without_its_history_takes_items_in():
    model = al.fit(LIKES, **SETTINGS["als"])
    without = replace(model, history=None)
    larger, full = without.with_items(likers()), model.with_items(likers())
    assert larger.history is None
    assert (
        larger.scores(EVERYTHING, EVERYTHING).tobytes()
        == full.scores(EVERYTHING, EVERYTHING).tobytes()
    )


@pytest.mark.parametrize("family", names())
def test_any_number_of_threads_gives_the_same(family):
    model = al.fit(LIKES, family=family, **SETTINGS.get(family, {}))
    one, four = (model.with_items(likers(), engine=LocalEngine(n)) for n in (1, 4))
    assert (
        one.scores(EVERYTHING, EVERYTHING).tobytes()
        == four.scores(EVERYTHING, EVERYTHING).tobytes()
    )


@pytest.mark.parametrize("family", names())
def test_people_whom_the_model_does_not_know_are_named(family):
    model = al.fit(LIKES, family=family, **SETTINGS.get(family, {}))
    strangers = al.Interactions.from_columns(["user 1", "nobody"], ["b", "b"])
    with pytest.raises(al.AlsolikeError, match=r"the model does not know 'nobody'\. Leave"):
        model.with_items(strangers)
    with pytest.raises(al.AlsolikeError, match="likers: Interactions expected, not a dict"):
        model.with_items({"b": ["user 1"]})


@pytest.mark.parametrize("family", ["item-knn", "ease", "popularity", "random"])
def test_what_was_saved_without_its_history_says_so(family, tmp_path):
    al.save(al.fit(LIKES, family=family), tmp_path / "model", with_history=False)
    with pytest.raises(al.AlsolikeError, match=f"which {family} needs to take in items"):
        al.load(tmp_path / "model").with_items(likers())
