"""What every family can be asked: one row and many give the same bytes, and sums are scores."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

import alsolike as al
from alsolike.data.vocabulary import Vocabulary
from alsolike.engines.local import LocalEngine
from alsolike.errors import FitError, SettingError, UnknownId
from alsolike.models.base import FittedModel
from alsolike.models.factor_model import FactorModel
from alsolike.models.fit import fit
from alsolike.models.protocols import Explains, FoldsIn, HasFactors, ItemScorer
from alsolike.models.registry import trained
from alsolike.recommending.batch import recommend, similar, top_items
from alsolike.recommending.explain import contributions_of, explain, explain_rows
from alsolike.recommending.model_diff import diff
from alsolike.recommending.pair_scores import scores_of_pairs
from alsolike.recommending.ranking.nearest import Neighbours
from alsolike.recommending.shared import why_no_neighbours
from alsolike.recommending.similarity import similar_indices
from alsolike.recommending.single import (
    fold_in_user,
    recommend_for_likes,
    recommend_one,
    recommend_row,
    recommend_row_for_likes,
    similar_to,
)
from alsolike.recommending.unknown.fallback import fallback_notes
from alsolike.testing import tiny_likes, with_tiny_features
from fixed_model import Fixed
from made_up import same


def likes_with_dislikes() -> al.Interactions:
    """More users than a block has, and dislikes among the likes; some users have nothing else."""
    likes = tiny_likes(260, 44, seed=3)
    values = likes.user_items.copy()
    values.data[::7] *= -1
    sour = values.indptr[5], values.indptr[6]
    values.data[slice(*sour)] = -np.abs(values.data[slice(*sour)])
    return with_tiny_features(replace(likes, user_items=values))


LIKES = likes_with_dislikes()
PAIRWISE = ("bpr", "warp")  # new people are not solved as known users were
NAMES = [family.name for family in trained()]
SOUR, NOBODY = 5, len(LIKES.users) - 1


def plain_factors(model: Any) -> FactorModel:
    return FactorModel(
        model.users, model.items, model.user_factors, model.item_factors, model.item_counts,
        catalogue=model.catalogue, history=model.history,
    )  # fmt: skip


FITTED: dict[str, Any] = {
    name: fit(LIKES, family=name, **({"factors": 6} if name == "als" else {})) for name in NAMES
}
MODELS: dict[str, Any] = {**FITTED, "factors": plain_factors(FITTED["als"])}


@pytest.fixture(params=MODELS)
def model(request: pytest.FixtureRequest) -> Any:
    return MODELS[request.param]


@pytest.mark.parametrize("exclude_seen", [True, False])
@pytest.mark.parametrize("without_likes", ["popular", "empty"])
def test_one_user_gets_the_bytes_of_all(model, exclude_seen, without_likes):
    options = {"k": 12, "exclude_seen": exclude_seen, "without_likes": without_likes}
    table = recommend(model, **options)
    listed = np.array(table["user"].tolist())
    for row, user in enumerate(LIKES.users):
        if row % 13 and row not in (SOUR, NOBODY):
            continue
        alone = recommend_one(model, user, **options)
        same(alone, recommend(model, user, **options))
        of_all = {name: table[name][np.flatnonzero(listed == user)] for name in table.column_names}
        same(alone, al.Table(of_all))


def test_lists_by_rows_say_how_each_item_was_found(model):
    everything = np.ones(len(model.items), dtype=bool)
    for row in (0, 1, SOUR, NOBODY):
        found = recommend_row(model, row, everything, 40)
        table = recommend_one(model, model.users.id_of(row), k=40)
        assert model.items.ids_of(found.rows).tolist() == table["item"].tolist()
        assert found.scores.tobytes() == table["score"].tobytes()
        assert found.bases.tolist() == table["basis"].tolist()
        assert found.basis == found.bases[0]
        # What is listed by popularity comes last, by descending likes.
        assert (np.diff(found.popular.astype(int)) >= 0).all()
        likes = model.item_counts[found.rows[found.popular]]
        assert (np.diff(likes) <= 0).all()
        assert found.scores[found.popular].tolist() == likes.tolist()
    for row in (SOUR, NOBODY):
        nothing = recommend_row(model, row, everything, 5, without_likes="empty")
        assert (len(nothing.rows), nothing.basis) == (0, "popularity")


def test_seen_and_disliked_items_are_left_out(model):
    seen = LIKES.user_items.toarray()
    table = recommend(model, k=len(model.items))
    users, items = (
        ids.indices_of(table[name].tolist())
        for name, ids in (("user", model.users), ("item", model.items))
    )
    assert (seen[users, items] == 0).all()
    if isinstance(model, HasFactors):
        return
    kept = recommend(model, k=len(model.items), exclude_seen=False)
    users, items = (
        ids.indices_of(kept[name].tolist())
        for name, ids in (("user", model.users), ("item", model.items))
    )
    assert (seen[users, items] >= 0).all()
    assert (seen[users, items] > 0).any()


def test_item_knn_lists_the_most_liked_after_what_it_has_a_reason_for():
    likes = al.Interactions.from_columns(list("aabbcdee"), list("xyxywzzw"))
    model = fit(likes, family="item-knn")
    found = recommend_row(model, 0, np.ones(4, dtype=bool), 4, exclude_seen=False)
    assert [model.items.id_of(row) for row in found.rows] == ["x", "y", "w", "z"]
    assert found.popular.tolist() == [False, False, True, True]
    assert found.basis == "model"
    folded = recommend_row_for_likes(model, np.int32([1]), [1.0], np.ones(4, dtype=bool), 4)
    assert folded.popular.tolist() == [False, True, True, True]
    only = recommend_row_for_likes(model, np.int32([1]), [1.0], np.ones(4, dtype=bool), 4, "empty")
    assert (only.rows.tolist(), only.basis) == ([2], "model")


@pytest.mark.parametrize("name", [name for name in NAMES if name not in PAIRWISE])
def test_fold_in_of_known_likes(name):
    """Somebody new with the likes of a known user gets that user's list."""
    model = MODELS[name]
    for row in (0, 1, 33, SOUR):
        stored = slice(*LIKES.user_items.indptr[row : row + 2])
        rows, values = LIKES.user_items.indices[stored], LIKES.user_items.data[stored]
        ids = LIKES.items.ids_of(rows).tolist()
        backwards = dict(zip(ids[::-1], values[::-1].tolist(), strict=True))
        table = recommend_for_likes(model, backwards, k=9)
        known = recommend_one(model, LIKES.users.id_of(row), k=9)
        if name == "random":  # drawn by the likes, and not by who has them
            assert set(known["basis"]) == set(table["basis"])
            continue
        assert table["item"].tolist() == known["item"].tolist()
        assert table["basis"].tolist() == known["basis"].tolist()
        np.testing.assert_allclose(
            table["score"],
            known["score"],
            atol=1e-3 if name.endswith(("als", "lmf")) else {"blend": 1e-5}.get(name, 0),
        )
        may_appear = np.ones(len(model.items), dtype=bool)
        found = recommend_row_for_likes(model, rows, values.tolist(), may_appear, 50)
        assert name.endswith(("als", "lmf")) or not set(rows[values < 0]) & set(found.rows)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("without_likes", ["popular", "empty"])
def test_fold_in_of_dislikes_alone(name, without_likes):
    model = MODELS[name]
    found = recommend_for_likes(model, {LIKES.items.id_of(0): -1}, k=3, without_likes=without_likes)
    likes = [row for row in model.items_by_likes.tolist() if row != 0][:3]
    ids = model.items.ids_of(likes).tolist() if without_likes == "popular" else []
    assert found["item"].tolist() == ids
    assert set(found["basis"]) <= {"popularity"}


def test_what_takes_in_nobody_says_so():
    model = MODELS["factors"]
    assert not isinstance(model, FoldsIn)
    for ask in (
        lambda: recommend_for_likes(model, {"a0": 1}),
        lambda: recommend_row_for_likes(
            model, np.int32([0]), [1.0], np.ones(len(model.items), dtype=bool), 3
        ),
    ):
        with pytest.raises(SettingError, match="folds in users is needed to recommend for likes"):
            ask()
    for name in sorted(set(MODELS) - {"als", "feature-als", "explicit-als", "lmf", *PAIRWISE}):
        with pytest.raises(SettingError, match="is needed to fold in a user; "):
            fold_in_user(MODELS[name], ["a0"])


@pytest.mark.parametrize("min_count", [1, 2, 60])
def test_neighbours_of_one_are_those_of_many(model, min_count):
    rows = np.arange(len(model.items), dtype=np.int32)
    k, neighbours = 9, Neighbours(model)
    ranked = similar_indices(model, rows, k=k, min_count=min_count)
    for row in rows.tolist():
        items, scores = neighbours.similar(row, k, min_count=min_count)
        n_listed = int((ranked.indices[row] >= 0).sum())
        assert items.tobytes() == ranked.indices[row, :n_listed].tobytes()
        assert scores.tobytes() == ranked.scores[row, :n_listed].tobytes()
        assert row not in items
        assert (model.item_counts[items] >= min_count).all()
        same(
            similar_to(model, model.items.id_of(row), k=k, min_count=min_count),
            similar(model, model.items.id_of(row), k=k, min_count=min_count),
        )
        if not len(items):
            assert why_no_neighbours(model, row, min_count)
    if min_count == 2:
        items, scores = neighbours.similar_to_many(rows, k)
        assert items.tobytes() == ranked.indices.tobytes()
        assert (np.isnan(scores) == (items < 0)).all()
        assert scores[items >= 0].tobytes() == ranked.scores[items >= 0].tobytes()


@pytest.mark.parametrize("name", sorted(set(MODELS) - {"als", "factors"}))
def test_neighbours_are_the_best_item_scores(name):
    model: Any = MODELS[name]
    assert isinstance(model, ItemScorer)
    scores = model.item_scores(slice(None), slice(None)).astype(np.float64)
    np.fill_diagonal(scores, -np.inf)
    scores[:, model.item_counts < 2] = -np.inf
    order = np.lexsort((np.broadcast_to(np.arange(scores.shape[1]), scores.shape), -scores))[:, :7]
    best = np.where(np.take_along_axis(scores, order, 1) > -np.inf, order, -1)
    ranked = similar_indices(model, np.arange(len(model.items)), k=7)
    assert ranked.indices.tolist() == best.tolist()
    may_appear = np.arange(scores.shape[1]) % 3 == 0
    found, _ = Neighbours(model).similar(4, 50, may_appear=may_appear)
    wanted = np.where(may_appear, scores[4], -np.inf)
    assert sorted(found.tolist()) == np.flatnonzero(wanted > -np.inf).tolist()
    for ask in (similar, similar_to):
        with pytest.raises(SettingError, match=r"include_self .* Leave out include_self"):
            ask(model, model.items.id_of(0), include_self=True)


def test_why_nothing_is_similar():
    likes = al.Interactions.from_columns(list("abbc"), list("xyzz"), [1, 1, 1, -1])
    knn = fit(likes, family="item-knn")
    x, y, z = (likes.items.index_of(one) for one in "xyz")
    assert (
        why_no_neighbours(knn, x, 1) == "The model 'item-knn' finds no items similar to this item."
    )
    assert why_no_neighbours(knn, y, 2) == "No other item has at least 2 likes."
    assert Neighbours(knn).similar(z, 3, min_count=1)[0].tolist() == [y]
    unliked = fit(
        al.Interactions.from_columns(list("ab"), list("xy"), [1, -1]), family="popularity"
    )
    assert why_no_neighbours(unliked, 1, 1).startswith("Nobody likes this item")


def test_what_compares_no_items_says_so():
    fixed = Fixed(LIKES.users, LIKES.items, np.zeros(LIKES.user_items.shape, dtype=np.float32))
    for ask in (
        lambda: Neighbours(fixed),  # type: ignore[arg-type]
        lambda: similar_indices(fixed, [0], k=1),  # type: ignore[arg-type]
        lambda: similar(fixed, k=1),  # type: ignore[arg-type]
        lambda: similar_to(fixed, "a0", k=1),  # type: ignore[arg-type]
    ):
        with pytest.raises(SettingError, match="that compares items is needed to compare items"):
            ask()


@dataclass
class Broken(Fixed):
    """Scores of items that are no numbers."""

    def item_scores(self, item_indices: Any, other_indices: slice) -> Any:
        return self.table.T[item_indices][:, other_indices]


def test_scores_of_items_that_are_not_finite_are_an_error_with_both_names():
    table = np.zeros((3, 3), dtype=np.float32)
    table[2, 1] = np.nan
    ids = Vocabulary.of(list("pqr"), kind="item")
    broken: Any = Broken(Vocabulary.of(list("stu"), kind="user"), ids, table)
    message = "scores item 'r' for item 'q' as nan; every score must be finite"
    with pytest.raises(FitError, match=message):
        similar_indices(broken, [0, 1], k=2, min_count=0)
    with pytest.raises(FitError, match=message):
        Neighbours(broken).similar(1, 2, min_count=0)
    with pytest.raises(FitError, match="scores item 'q' for user 'u' as nan"):
        recommend(broken, "u", exclude_seen=False)
    with pytest.raises(FitError, match="scores item 'q' for user 'u' as nan"):
        recommend_one(broken, "u", exclude_seen=False)


@pytest.mark.parametrize("name", ["als", "item-knn", "ease", "blend"])
def test_parts_add_up_to_the_score(name):
    model = MODELS[name]
    assert isinstance(model, Explains)
    n_explained = 0
    for row in (0, 1, 33):
        user = model.users.id_of(row)
        table = recommend_one(model, user, k=5)
        for item, score, basis in zip(table["item"], table["score"], table["basis"], strict=True):
            why = explain(model, user, item)
            assert why.basis == basis
            assert np.float32(why.stored_score) == score
            if basis == "popularity":
                continue
            n_explained += 1
            between = why.members or ("pull", "similarity")
            assert why.parts.column_names[-4:] == ("value", *between, "contribution")
            assert len(why.parts) == len(LIKES.user_items[[row]].data)
            assert why.score == pytest.approx(why.parts["contribution"].sum())
            assert why.score == pytest.approx(score, abs=1e-3 if name == "als" else 1e-5)
            first, second = (why.parts[column] for column in between)
            expected = first + second if why.members else first * second
            np.testing.assert_allclose(why.parts["contribution"], expected, atol=1e-15)
            disliked = why.parts["value"] < 0
            assert not why.parts["contribution"][disliked].any()
            assert why.dislikes == disliked.sum()
    assert n_explained > 9


@pytest.mark.parametrize("name", ["als", "item-knn", "ease", "blend"])
def test_all_targets_at_once_are_explained_as_each(name):
    model = MODELS[name]
    stored = slice(*LIKES.user_items.indptr[:2])
    rows, values = LIKES.user_items.indices[stored], LIKES.user_items.data[stored]
    targets = np.arange(12, dtype=np.int32)
    parts = contributions_of(model, rows, values, targets).parts
    assert parts.shape == (12, len(rows))
    for target, of_one in zip(targets, parts, strict=True):
        alone = contributions_of(model, rows, values, np.array([target])).parts[0]
        np.testing.assert_allclose(of_one, alone, rtol=1e-9, atol=1e-12)
        why = explain_rows(model, "somebody", int(target), rows, values)
        assert why.basis == "popularity" or why.score == pytest.approx(alone.sum())


def test_an_item_for_which_nothing_speaks_is_explained_so():
    likes = al.Interactions.from_columns(list("aabbcde"), list("xyxywzz"))
    why = explain(fit(likes, family="item-knn"), "a", "z")
    assert (why.basis, why.is_known, why.score, len(why.parts)) == ("popularity", True, 2.0, 0)
    assert (
        str(why)
        == "No item that user 'a' likes contributes to the score of item 'z'; 2 users like it."
    )


@pytest.mark.parametrize("name", ["popularity", "random", "factors"])
def test_scores_that_are_no_sums_over_likes_are_not_explained(name):
    model = MODELS[name]
    for ask in (
        lambda: explain(model, model.users.id_of(0), model.items.id_of(0)),
        lambda: explain_rows(model, "me", 0, np.int32([1]), np.float32([1])),
        lambda: contributions_of(model, np.int32([1]), np.float32([1]), np.int32([0])),
    ):
        with pytest.raises(SettingError, match="single likes is needed to explain a score"):
            ask()


def test_models_of_two_families_are_compared(model):
    found = diff(MODELS["ease"], model, k=5)
    assert len(found.items) == len(model.items)
    assert (found.moved == 0) == (model.name == "ease")


def test_notes_count_those_of_whom_a_model_knows_nothing(model: FittedModel) -> None:
    rows = np.arange(len(model.users), dtype=np.int32)
    notes = fallback_notes(model, rows, "popular")
    unknown = int((np.diff((LIKES.user_items > 0).tocsr().indptr) == 0).sum())
    assert unknown >= 2
    assert notes[0].startswith(f"{unknown} users without positive interactions get the most liked")
    table = recommend(model, k=1)
    listed_so = int((table["basis"] == "popularity").sum())
    assert model.name == "popularity" or listed_so >= unknown


def test_a_model_that_scores_all_alike_for_somebody_says_so():
    likes = al.Interactions.from_columns(list("abbcc"), list("zxyxy"))
    knn = fit(likes, family="item-knn")
    assert fallback_notes(knn, np.int32([0, 1]), "empty") == [
        "1 user for whom the model scores all items equally (it cannot distinguish items for "
        "them) gets no list."
    ]


def test_without_history_the_way_out_is_named():
    bare = replace(MODELS["ease"], history=None)
    for exclude_seen in (True, False):  # which would not help: EASE scores by the history
        with pytest.raises(SettingError, match=r"alsolike\.recommend_for_likes"):
            recommend_one(bare, bare.users.id_of(0), exclude_seen=exclude_seen)
    assert len(recommend_for_likes(bare, {bare.items.id_of(0): 1}))
    with pytest.raises(UnknownId):
        recommend_one(bare, "nobody here")


def test_scores_of_pairs_are_those_of_lists(model):
    table = recommend(model, k=6)
    listed = np.flatnonzero(np.array(table["basis"].tolist()) == "model")
    if model.name == "popularity":
        listed = np.flatnonzero(np.isin(table["user"].tolist(), model.users.ids_of([0, 1, 2])))
    rng = np.random.default_rng(0)
    rows = rng.permutation(listed)
    asked = [table[name][rows].tolist() for name in ("user", "item")]
    found = al.scores(model, *asked)
    assert found.column_names == ("user", "item", "score")
    assert [found["user"].tolist(), found["item"].tolist()] == asked
    assert found["score"].tobytes() == table["score"][rows].tobytes()
    assert len(al.scores(model, [], [])) == 0
    if model.catalogue is not None:
        by_name = al.scores(model, model.users.id_of(3), "Item 20 ♪")
        assert by_name["item"].tolist() == [model.items.id_of(model.item_index("Item 20 ♪"))]


def test_pairs_that_vanish_score_as_in_lists():
    als = MODELS["als"]
    small = replace(
        als, user_factors=np.ldexp(als.user_factors, -70),
        item_factors=np.ldexp(als.item_factors, -60),
    )  # fmt: skip
    ranked = top_items(small, [0, 7], k=44)
    users = np.repeat(np.int32([0, 7]), 44)
    found = scores_of_pairs(small, users, ranked.indices.ravel())
    assert found.tobytes() == ranked.scores.tobytes()
    assert (found != 0).any()


def test_pairs_that_are_none_say_where():
    model = MODELS["ease"]
    user, item = model.users.id_of(0), model.items.id_of(0)
    with pytest.raises(SettingError, match=r"2 users and 1 items given\. Repeat"):
        al.scores(model, [user, user], [item])
    with pytest.raises(UnknownId, match=r"user 'usher 1' is not .*At position 1 of the users"):
        al.scores(model, [user, "usher 1"], [item, "no"])
    with pytest.raises(UnknownId, match=r"item 'no' is neither .*At position 2 of the items"):
        al.scores(model, [user] * 3, [item, "Item 20 ♪", "no"])
    with pytest.raises(SettingError, match="at position 0"):
        al.scores(model, [0], [item])
    with pytest.raises(al.AlsolikeError, match="A model is needed to score pairs"):
        al.scores(None, [user], [item])


def test_similar_users_are_those_of_the_largest_cosines():
    model = MODELS["als"]
    factors = model.user_factors.astype(np.float64)
    lengths = np.linalg.norm(factors, axis=1)
    has = lengths > 0
    assert not has[NOBODY]
    units = factors / np.where(has, lengths, 1)[:, None]
    cosines = np.where(has[:, None] & has, units @ units.T, -np.inf)
    np.fill_diagonal(cosines, -np.inf)
    table = al.similar_users(model, k=5)
    assert table.column_names == ("user", "rank", "similar_user", "score")
    users, others = (
        model.users.indices_of(table[name].tolist()) for name in table.column_names[::2]
    )
    assert sorted(set(users.tolist())) == np.flatnonzero(has).tolist()
    assert table["rank"].tolist() == [1, 2, 3, 4, 5] * int(has.sum())
    assert (users != others).all()
    np.testing.assert_allclose(table["score"], cosines[users, others], atol=1e-6)
    best = -np.sort(-cosines[has], axis=1)[:, :5].ravel()
    np.testing.assert_allclose(table["score"], best, atol=1e-6)
    one = al.similar_users(model, [model.users.id_of(3), model.users.id_of(NOBODY)], k=5)
    here = np.flatnonzero(users == 3)
    assert one["similar_user"].tolist() == table["similar_user"][here].tolist()
    assert one["score"].tobytes() == table["score"][here].tobytes()
    threads = al.similar_users(model, k=5, engine=LocalEngine(1))
    assert threads["similar_user"].tolist() == table["similar_user"].tolist()
    assert threads["score"].tobytes() == table["score"].tobytes()


def test_similar_users_that_cannot_be_found_are_an_error():
    with pytest.raises(SettingError, match="with factors is needed to compare users; 'ease'"):
        al.similar_users(MODELS["ease"])
    with pytest.raises(UnknownId):
        al.similar_users(MODELS["als"], "nobody here")
    broken = replace(MODELS["als"], user_factors=np.full_like(MODELS["als"].user_factors, np.nan))
    with pytest.raises(FitError, match=r"user 'user 0' \(row 0\) has factors that are not finite"):
        al.similar_users(broken)


def test_protocols_ask_for_what_they_name():
    ask: Callable[..., Any] = MODELS["item-knn"].user_scores
    block = ask(sp.csr_array((1, len(LIKES.items)), dtype=np.float32), slice(0, 2))
    assert block.tolist() == [[0.0, 0.0]]
