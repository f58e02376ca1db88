"""Users of whom a model knows nothing: the most liked items, named as such, or no list."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp

import alsolike as al
from alsolike.data.vocabulary import Vocabulary
from alsolike.models.linear.ease import EASEConfig, fit_ease
from alsolike.models.neighbours.config import ItemKNNConfig
from alsolike.models.neighbours.fit import fit_item_knn
from alsolike.recommending.batch import top_items
from alsolike.recommending.model_diff import diff
from alsolike.recommending.single import recommend_for_likes, recommend_one
from alsolike.recommending.unknown.fallback import fallback_notes
from alsolike.recommending.unknown.unknown_users import all_alike
from made_up import same

# "critic" dislikes d and a; "nobody" has no row but in the matrix. Likes: c 4, b 3, d 2, a 1, e 0.
ROWS = [
    ("u1", "c", 1), ("u2", "c", 1), ("u3", "c", 2), ("u4", "c", 1),
    ("u1", "b", 1), ("u2", "b", 5), ("u3", "b", 1),
    ("u3", "d", 1), ("u4", "d", 1),
    ("u4", "a", 1),
    ("critic", "d", -1), ("critic", "a", -3), ("u1", "e", -1),
]  # fmt: skip


def likes_with_nobody() -> al.Interactions:
    users, items, values = zip(*ROWS, strict=True)
    found = al.Interactions.from_columns(users, items, values)
    known = Vocabulary.of([*found.users, "nobody"], kind="user")
    matrix = sp.csr_array((len(known), found.n_items), dtype=np.float32)
    whole = found.user_items.tocoo()
    rows = known.indices_of(found.users)[whole.row]
    matrix = sp.csr_array((whole.data, (rows, whole.col)), shape=matrix.shape)
    return al.Interactions(matrix, known, found.items)


LIKES = likes_with_nobody()
MODEL = al.fit(LIKES, al.ALSConfig(factors=2, iterations=3, regularization=0.5))
FALLBACKS = {"nobody": ["c", "b", "d", "a"], "critic": ["c", "b"]}


def listed(table: al.Table, user: str | None = None) -> list[tuple[str, float, str]]:
    return [
        (row["item"], row["score"], row["basis"])
        for row in table.rows()
        if user is None or row["user"] == user
    ]


def popular(items: list[str]) -> list[tuple[str, float, str]]:
    counts = dict(zip("abcde", (1, 3, 4, 2, 0), strict=True))
    return [(item, counts[item], "popularity") for item in items]


@pytest.mark.parametrize("user", FALLBACKS)
def test_the_most_liked_items_with_their_likes_by_name(user):
    table = al.recommend(MODEL, user)
    assert listed(table) == popular(FALLBACKS[user])
    assert table["score"].dtype == np.float32
    assert table["rank"].tolist() == list(range(1, len(table) + 1))
    assert len(al.recommend(MODEL, user, without_likes="empty")) == 0
    kept = al.recommend(MODEL, user, exclude_seen=False)
    assert listed(kept) == popular(FALLBACKS[user])  # what is disliked is not offered as liked
    assert listed(al.recommend(MODEL, user, k=1, deny=["c"])) == popular(["b"])
    assert listed(al.recommend(MODEL, user, allow=["e"])) == []


def test_everybody_else_is_recommended_to_by_the_model():
    table = al.recommend(MODEL)
    for user in ("u1", "u2", "u3", "u4"):
        of_user = listed(table, user)
        assert of_user
        assert {basis for _, _, basis in of_user} == {"model"}
        row = [MODEL.users.index_of(user)]
        ranked = top_items(MODEL, row, k=5, exclude=LIKES.user_items)
        scores = ranked.scores[0][ranked.indices[0] >= 0]
        assert [score for _, score, _ in of_user] == scores.tolist()


@pytest.mark.parametrize("without_likes", ["popular", "empty"])
@pytest.mark.parametrize("exclude_seen", [True, False])
def test_one_user_gets_the_bytes_of_all(without_likes, exclude_seen):
    options = {"without_likes": without_likes, "exclude_seen": exclude_seen, "k": 3}
    collapsed = al.fit(LIKES, al.ALSConfig(factors=2, regularization=1e6))
    for model in (MODEL, collapsed):
        table = al.recommend(model, **options)
        for user in LIKES.users:
            alone = recommend_one(model, user, **options)
            same(alone, al.recommend(model, user, **options))
            assert listed(alone) == listed(table, user)


def test_what_is_ranked_for_figures_stays_the_models():
    row = MODEL.users.index_of("nobody")
    assert top_items(MODEL, [row], k=5).scores.tolist() == [[0.0] * 5]


@pytest.mark.parametrize(
    ("likes", "items"),
    [({}, ["c", "b", "d"]), ({"c": -1}, ["b", "d", "a"]), ({"c": -1, "b": -0.5}, ["d", "a"])],
)
def test_fold_in_without_a_like(likes, items):
    assert listed(al.recommend_for_likes(MODEL, likes, k=3)) == popular(items)
    assert len(al.recommend_for_likes(MODEL, likes, without_likes="empty")) == 0
    liked = al.recommend_for_likes(MODEL, {**likes, "a": 1}, k=3)
    assert {basis for _, _, basis in listed(liked)} == {"model"}


def test_likes_that_are_all_unknown_are_an_error_with_a_hint():
    with pytest.raises(al.AlsolikeError, match=r"item 'C'.* Did you mean 'c'"):
        al.recommend_for_likes(MODEL, {"C": 1})


def test_a_model_whose_factors_are_all_zero():
    collapsed = al.fit(LIKES, al.ALSConfig(factors=2, regularization=1e6))
    assert not collapsed.item_norms.any()
    assert listed(al.recommend(collapsed, "u1")) == popular(["c", "b", "d", "a"])[2:]
    assert listed(al.recommend_for_likes(collapsed, {"b": 3}, k=2)) == popular(["c", "d"])
    notes = fallback_notes(collapsed, np.arange(len(LIKES.users), dtype=np.int32), "popular")
    assert [note.partition(" get the")[0] for note in notes] == [
        "2 users without positive interactions",
        "4 users for whom the model scores all items equally (all its factors are zero; fit it "
        "with less regularization)",
    ]


def test_items_that_all_score_the_same_are_not_told_apart_by_their_ids():
    same_factors = np.tile(np.float32([0.3, -0.7]), (len(LIKES.items), 1))
    flat = replace(MODEL, item_factors=same_factors)
    assert listed(al.recommend(flat, "u4")) == popular(["b"])
    assert listed(recommend_one(flat, "u4")) == popular(["b"])
    apart = same_factors.copy()
    apart[LIKES.items.index_of("e"), 0] = np.nextafter(np.float32(0.3), np.float32(1))
    nearly = replace(flat, item_factors=apart)
    assert {basis for _, _, basis in listed(al.recommend(nearly, "u4"))} == {"model"}


@pytest.mark.parametrize("scale", [0, -60, -70, -120])
def test_alike_is_exact_among_many_items(scale):
    rng = np.random.default_rng(3)
    vectors = np.ldexp(rng.standard_normal((9, 4)).astype(np.float32), scale)
    vectors[4] = 0
    items = np.ldexp(np.tile(rng.standard_normal(4).astype(np.float32), (3000, 1)), scale)
    model = replace(
        MODEL, items=Vocabulary.of([f"i{number:04d}" for number in range(3000)], kind="item"),
        users=Vocabulary.of([f"u{number}" for number in range(9)], kind="user"),
        user_factors=vectors, item_factors=items, eigenvalues=np.ones(4), history=None,
        item_counts=np.arange(3000),
    )  # fmt: skip
    assert all_alike(model, vectors).all()
    apart = items.copy()
    apart[1777] *= 2  # no item that a sample is likely to hold
    found = all_alike(replace(model, item_factors=apart), vectors)
    # Products of the smallest are 0 as float32, whatever their bits were.
    assert found.tolist() == [row == 4 or scale == -120 for row in range(9)]


def test_scores_that_are_all_zero_when_given_back_are_no_recommendation():
    """Factors that all but vanish rank by bits that no score shows; their figures are of ties."""
    rng = np.random.default_rng(5)
    n_users, n_items = len(LIKES.users), len(LIKES.items)
    vanished = replace(
        MODEL,
        user_factors=np.float32(1e-30 * rng.random((n_users, MODEL.factors))),
        item_factors=np.float32(1e-20 * rng.random((n_items, MODEL.factors))),
    )
    assert {basis for _, _, basis in listed(al.recommend(vanished))} == {"popularity"}
    for user in LIKES.users:
        assert listed(recommend_one(vanished, user)) == listed(al.recommend(vanished, user))
    assert not listed(al.recommend(vanished, without_likes="empty"))
    larger = replace(vanished, item_factors=vanished.item_factors * np.float32(1e12))
    found = al.recommend(larger, "u4")
    assert set(found["basis"]) == {"model"}
    assert min(found["score"]) > 0


def test_without_history_the_factors_alone_say_it():
    bare = replace(MODEL, history=None)
    table = al.recommend(bare, ["critic", "u1"], exclude_seen=False, k=2)
    assert listed(table, "critic") == popular(["c", "b"])
    assert {basis for _, _, basis in listed(table, "u1")} == {"model"}


def test_rough_solutions_of_empty_rows_are_no_recommendation():
    config = al.ALSConfig(factors=2, iterations=2, solver="cg", cg_steps=1, start="normal")
    rough = al.fit(LIKES, config)
    for user, items in FALLBACKS.items():
        assert listed(al.recommend(rough, user)) == popular(items)


@pytest.mark.parametrize("fit", ["popularity", "neighbours", "ease"])
def test_models_without_factors(fit):
    model = {
        "popularity": lambda: al.fit_popularity(LIKES),
        "neighbours": lambda: fit_item_knn(LIKES, ItemKNNConfig()),
        "ease": lambda: fit_ease(LIKES, EASEConfig()),
    }[fit]()
    table = al.recommend(model)
    for user, items in FALLBACKS.items():
        assert listed(table, user) == popular(items)
    bases = {basis for _, _, basis in listed(table, "u1")}
    assert bases == {"popularity"} if fit == "popularity" else "model" in bases
    assert set(al.recommend(model, without_likes="empty")["user"]) == {"u1", "u2", "u3", "u4"}


def test_neighbours_list_by_popularity_what_nobody_speaks_for():
    likes = al.Interactions.from_columns(list("aabbcde"), list("xyxywzz"))
    model = fit_item_knn(likes, ItemKNNConfig())
    assert [row[::2] for row in listed(al.recommend(model, "c"))] == [
        ("x", "popularity"), ("y", "popularity"), ("z", "popularity"),
    ]  # fmt: skip
    only = al.recommend(model, "c", without_likes="empty")
    assert len(only) == 0


def test_dislikes_are_no_likes_of_an_item():
    assert MODEL.item_counts.tolist() == [1, 3, 4, 2, 0]
    assert LIKES.item_counts.tolist() == [2, 3, 4, 3, 1]
    assert not len(al.similar(MODEL, "e", min_count=1))


def test_an_explanation_invents_no_contributions():
    why = al.explain(MODEL, "critic", "c")
    assert (why.basis, why.score, len(why.parts)) == ("popularity", 4.0, 0)
    assert "cannot score items" in str(why)
    assert "4 users like item" in str(why)
    assert al.explain(MODEL, "u1", "d").basis == "model"
    collapsed = al.fit(LIKES, al.ALSConfig(factors=2, regularization=1e6))
    assert al.explain(collapsed, "u1", "d").basis == "popularity"


def test_shelves_of_a_collapsed_model_are_those_of_the_counts():
    collapsed = al.fit(LIKES, al.ALSConfig(factors=2, regularization=1e6))
    by_counts = al.similar(collapsed)
    assert len(by_counts)
    assert (by_counts["score"] > 0).all()
    cosine = al.with_similarity(collapsed, affinity="cosine")
    assert not len(al.similar(cosine))
    assert diff(cosine, cosine).moved == 0


def test_the_parameter_is_checked_everywhere():
    for ask in (
        lambda: al.recommend(MODEL, without_likes="populer"),
        lambda: recommend_one(MODEL, "u1", without_likes="populer"),
        lambda: recommend_for_likes(MODEL, {"a": 1}, without_likes="populer"),
    ):
        with pytest.raises(al.AlsolikeError, match=r"without_likes must be one of.*'popular'"):
            ask()


def test_no_users_and_no_items():
    nothing = al.fit_popularity(al.Interactions.from_columns([], []))
    assert al.recommend(nothing).column_names == ("user", "rank", "item", "score", "basis")
