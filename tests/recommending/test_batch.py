import gzip

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

import oracles_topk
from alsolike.data.interactions import Interactions, canonical
from alsolike.engines.local import LocalEngine
from alsolike.errors import DataError, FitError, SettingError, UnknownId
from alsolike.models.als.config import ALSConfig
from alsolike.models.als.train import fit
from alsolike.progress import Observer
from alsolike.recommending.affinities import with_similarity
from alsolike.recommending.batch import recommend, similar, top_items
from alsolike.recommending.ranking.exclusion import with_excluded
from alsolike.recommending.similarity import similar_indices
from made_up import model_of, random_model, rows_of, small_model, vocabulary


class Dense:
    """A model that is nothing but its scores."""

    name = "dense"

    def __init__(self, scores):
        self.matrix = np.asarray(scores, dtype=np.float32)
        self.users = vocabulary(len(self.matrix), "user")
        self.items = vocabulary(self.matrix.shape[1], "item")

    def scores(self, user_indices, item_indices):
        return self.matrix[user_indices][:, item_indices]


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_top_items_equals_sorting_everything(data):
    seed = data.draw(st.integers(0, 10**6))
    rng = np.random.default_rng(seed)
    n_users, n_items, f = rng.integers(1, 6), rng.integers(1, 70), rng.integers(1, 9)
    # Small whole numbers: ties abound, and every sum is exact.
    X, Y = rng.integers(-2, 3, (n_users, f)), rng.integers(-2, 3, (n_items, f))
    model = model_of(X, Y)
    exclude = canonical(sp.random_array((n_users, n_items), density=0.3, rng=rng))
    allow = data.draw(st.none() | st.lists(st.integers(0, n_items - 1)))
    deny = data.draw(st.none() | st.lists(st.integers(0, n_items - 1)))
    k = data.draw(st.integers(1, 80))
    users = rng.integers(0, n_users, rng.integers(0, 9))
    ranked = top_items(model, users, k=k, exclude=exclude, allow=allow, deny=deny)
    may_appear = np.isin(np.arange(n_items), np.arange(n_items) if allow is None else allow)
    may_appear &= ~np.isin(np.arange(n_items), [] if deny is None else deny)
    taken = [rows_of(exclude)[user] for user in users]
    scores = (X @ Y.T)[users].astype(np.float32)
    want = oracles_topk.top(scores, k, taken=taken, open_items=may_appear)
    np.testing.assert_array_equal(ranked.indices, want[0])
    np.testing.assert_array_equal(ranked.scores, want[1])
    plain = top_items(Dense(X @ Y.T), users, k=k, exclude=exclude, allow=allow, deny=deny)
    np.testing.assert_array_equal(plain.indices, want[0])


def test_scores_are_the_defined_sum_and_twins_stand_in_order():
    model, seen = random_model(n_users=5, n_items=2500)
    ranked = top_items(model, np.arange(5), k=60, exclude=seen)
    scores = oracles_topk.dots(model.user_factors, model.item_factors)
    want = oracles_topk.top(scores, 60, taken=rows_of(seen))
    np.testing.assert_array_equal(ranked.indices, want[0])
    assert ranked.scores.tobytes() == want[1].tobytes()


@given(st.integers(0, 10**6), st.integers(1, 12))
@settings(max_examples=60, deadline=None)
def test_lists_with_the_excluded_items_come_from_those_without(seed, k):
    rng = np.random.default_rng(seed)
    n_users, n_items, f = rng.integers(1, 6), rng.integers(1, 40), rng.integers(1, 9)
    # Ties abound, some rows are nothing, and some are hardly more.
    X = rng.integers(-2, 3, (n_users, f)) * rng.choice([0.0, 1.0, 1e-38, 3e-41], (n_users, 1))
    model = model_of(X, rng.integers(-2, 3, (n_items, f)) * rng.choice([1.0, 1e-30]))
    exclude = canonical(sp.random_array((n_users, n_items), density=0.4, rng=rng))
    users = rng.integers(0, n_users, rng.integers(0, 9))
    without = top_items(model, users, k=k + rng.integers(0, 3), exclude=exclude)
    found = with_excluded(model, users, without, exclude, k=k)
    want = top_items(model, users, k=k)
    assert found.indices.tobytes() == want.indices.tobytes()
    assert found.scores.tobytes() == want.scores.tobytes()


def test_lists_with_the_excluded_items_are_refused_where_they_cannot_be_right():
    model, seen = random_model(n_users=3, n_items=40)
    short = top_items(model, [0, 1], k=2, exclude=seen)
    with pytest.raises(DataError, match="2 lists of at least 3 items expected, 2 of 2 found"):
        with_excluded(model, [0, 1], short, seen, k=3)
    with pytest.raises(DataError, match="3 lists of at least 2 items expected, 2 of 2 found"):
        with_excluded(model, [0, 1, 2], short, seen, k=2)
    broken = model_of([[1.0]], [[1.0], [np.nan]])
    exclude = canonical(sp.csr_array(np.float32([[0, 1]])))
    without = top_items(broken, [0], k=1, exclude=exclude)
    with pytest.raises(FitError, match="item 'i00001' for user 'u00000' as nan"):
        with_excluded(broken, [0], without, exclude, k=1)


@pytest.mark.parametrize("threads", [2, 4])
def test_same_bytes_for_any_number_of_threads(threads):
    model, seen = random_model()
    one, more = (
        [
            top_items(model, np.arange(700), k=20, exclude=seen, engine=LocalEngine(count)),
            similar_indices(model, np.arange(700), k=10, engine=LocalEngine(count)),
        ]
        for count in (1, threads)
    )
    for first, second in zip(one, more, strict=True):
        assert first.indices.tobytes() == second.indices.tobytes()
        assert first.scores.tobytes() == second.scores.tobytes()


def test_a_row_does_not_depend_on_its_company():
    model, seen = random_model()
    everybody = top_items(model, np.arange(700), k=20, exclude=seen)
    for users in ([3], [699, 3], np.arange(255, 300)):
        some = top_items(model, users, k=20, exclude=seen)
        assert some.indices.tobytes() == everybody.indices[users].tobytes()
        assert some.scores.tobytes() == everybody.scores[users].tobytes()


def test_unsorted_exclusions_and_zeros_count_as_stored_pairs():
    unsorted = sp.csr_array(
        (np.zeros(3, np.float32), np.array([3, 0, 2]), np.array([0, 3])), shape=(1, 5)
    )
    ranked = top_items(Dense([[5, 4, 3, 2, 1]]), [0], k=4, exclude=unsorted)
    assert ranked.indices.tolist() == [[1, 4, -1, -1]]
    assert unsorted.indices.tolist() == [3, 0, 2]


def test_nothing_left_is_padding_and_a_models_scores_stay_as_they_were():
    model = Dense([[1.0, 2.0]])
    ranked = top_items(model, [0], k=3, deny=[0, 1])
    assert ranked.indices.tolist() == [[-1, -1, -1]]
    assert np.isneginf(ranked.scores).all()
    assert top_items(model, [0], k=3, allow=[]).indices.tolist() == [[-1, -1, -1]]
    assert model.matrix.tolist() == [[1.0, 2.0]]
    assert top_items(model, [], k=3).indices.shape == (0, 3)


def test_minus_infinity_means_not_to_be_shown():
    ranked = top_items(Dense([[-np.inf, 2.0, -np.inf]]), [0], k=3)
    assert ranked.indices.tolist() == [[1, -1, -1]]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_score_that_is_not_finite_is_an_error_with_its_place(bad):
    with pytest.raises(FitError, match=r"'i00001' for user 'u00001' as (nan|inf)"):
        top_items(Dense([[1.0, 2.0], [1.0, bad]]), [0, 1], k=1)
    broken = model_of([[1.0], [1.0]], [[1.0], [bad], [1.0]])
    with pytest.raises(FitError):
        top_items(broken, [0], k=1)
    with pytest.raises(FitError, match="item 'i00001'"):
        similar_indices(broken, [0], k=1)


def test_bad_arguments_say_what_to_do():
    model, seen = random_model(n_users=4, n_items=6)
    with pytest.raises(DataError, match=r"user index 4 at position 1 .* 0 to 3"):
        top_items(model, [0, 4], k=1)
    with pytest.raises(DataError, match="item index -1"):
        top_items(model, [0], k=1, deny=[-1])
    with pytest.raises(DataError, match="exclude is 4 x 5"):
        top_items(model, [0], k=1, exclude=seen[:, :5])
    for k in (0, 1.5, True):
        with pytest.raises(SettingError, match="k must be a whole number"):
            top_items(model, [0], k=k)
    with pytest.raises(DataError, match="whole numbers"):
        top_items(model, [0.5], k=1)
    with pytest.raises(SettingError, match="exclude_seen=False"):
        recommend(model)
    with pytest.raises(SettingError, match="Pass '2'"):
        recommend(model, [2], exclude_seen=False)
    with pytest.raises(UnknownId, match="user 'nobody'"):
        recommend(model, "nobody", exclude_seen=False)
    with pytest.raises(UnknownId, match="item 'nothing'"):
        recommend(model, "u00000", exclude_seen=False, deny=["nothing"])


def test_progress_adds_up():
    class Counter(Observer):
        total = done = 0
        finished = False

        def start(self, task, total=None):
            self.total = total

        def advance(self, steps=1):
            self.done += steps

        def finish(self):
            self.finished = True

    model, _ = random_model(n_items=10)
    counter = Counter()
    top_items(model, np.arange(700), k=1, observer=counter, engine=LocalEngine(3))
    assert (counter.total, counter.done, counter.finished) == (700, 700, True)


def test_recommend_gives_exactly_k_or_honestly_fewer():
    model = small_model()
    table = recommend(model, k=12)
    assert table.column_names == ("user", "rank", "item", "name", "score", "basis")
    for user in model.users:
        rows = table["user"] == user
        seen = set(rows_of(model.history.user_items)[model.users.index_of(user)])
        found = model.items.indices_of(table["item"][rows])
        assert len(found) == min(12, len(model.items) - len(seen))
        assert not seen & set(found.tolist())
        assert table["rank"][rows].tolist() == list(range(1, len(found) + 1))
        assert (np.diff(table["score"][rows]) <= 0).all()
    assert len(recommend(model, "u00", k=10**9, exclude_seen=False)) == len(model.items)
    only = recommend(model, ["u00"], exclude_seen=False, allow=["i03", "i05"], deny=["i05"])
    assert only["item"].tolist() == ["i03"]
    assert only["name"].tolist() == ["Name 3"]


def test_similar_by_id_and_name_with_and_without_itself():
    model = small_model()
    table = similar(model, ["i03", "name 7"], k=4)
    assert table["item"].tolist() == ["i03"] * 4 + ["i07"] * 4
    assert not (table["item"] == table["similar_item"]).any()
    cosine = with_similarity(model, affinity="cosine", popularity_bias=0.0)
    itself = similar(cosine, "i03", k=4, include_self=True)
    others = similar(model, "i03", k=3, affinity="cosine", popularity_bias=0)
    assert itself["similar_item"].tolist() == ["i03", *others["similar_item"]]
    assert itself["score"][0] == 1.0
    assert similar(cosine, "i03", k=1, include_self=True)["similar_item"].tolist() == ["i03"]
    assert len(similar(model, k=3)) == 3 * len(model.items)
    for other in (model, with_similarity(cosine, popularity_bias=0.1)):
        with pytest.raises(SettingError, match="include_self needs the cosine"):
            similar(other, "i03", include_self=True)
    with pytest.raises(UnknownId):
        similar(model, "no such thing")


def test_cosines_are_cosines():
    model, _ = random_model(n_users=1, n_items=300)
    cosine = with_similarity(model, affinity="cosine", popularity_bias=0.0)
    ranked = similar_indices(cosine, np.arange(300), k=400, min_count=0)
    Y = model.item_factors.astype(np.float64)
    Y /= np.linalg.norm(Y, axis=1, keepdims=True)
    want = Y @ Y.T
    for row in range(300):
        found = ranked.indices[row][ranked.indices[row] >= 0]
        scores = ranked.scores[row, : len(found)]
        np.testing.assert_allclose(scores, want[row, found], atol=3e-7)
        assert ((scores > 0) & (scores <= 1)).all()
        # Those not above 0 are not listed.
        left_out = np.setdiff1d(np.arange(300), [*found, row])
        assert (want[row, left_out] < 3e-7).all()


def test_items_without_factors_have_no_neighbours_and_are_nobodys():
    Y = [[1, 0], [0, 0], [2, 1e-3], [1e-42, 0], [-1, 0], [3e-38, 0]]
    model = with_similarity(model_of([[1, 1]], Y), affinity="cosine", popularity_bias=0.0)
    ranked = similar_indices(model, np.arange(6), k=6, include_self=True)
    assert ranked.indices[0].tolist() == [0, 5, 2, -1, -1, -1]
    assert ranked.scores[0, :3].tolist() == [1.0, 1.0, pytest.approx(1, abs=1e-6)]
    assert (ranked.indices[[1, 3]] == -1).all()
    assert ranked.indices[4].tolist() == [4, -1, -1, -1, -1, -1]  # opposite to all others
    assert set(similar(model)["item"]) == {"i00000", "i00002", "i00005"}


def test_items_of_too_few_listeners_are_no_neighbours_but_may_ask():
    factors = [[1, 0.1], [1, 0.1], [1, 1], [0.1, 1]]
    model = model_of([[1, 1]], factors, counts=[9, 1, 2, 9])
    model = with_similarity(model, affinity="cosine", popularity_bias=0.0)
    assert similar(model, "i00000")["similar_item"].tolist() == ["i00002", "i00003"]
    assert similar(model, "i00000", min_count=1)["similar_item"].tolist()[0] == "i00001"
    assert similar(model, "i00000", min_count=3)["similar_item"].tolist() == ["i00003"]
    assert similar(model, "i00001")["similar_item"].tolist()[0] == "i00000"
    own = similar(model, "i00001", include_self=True)["similar_item"].tolist()
    assert own == ["i00001", "i00000", "i00002", "i00003"]


def test_radioheads_neighbours_are_its_kind_without_any_filter_of_the_data(shared_data):
    with gzip.open(shared_data / "lastfm-2k/artists.dat.gz", "rt", encoding="utf-8") as file:
        names = dict(line.split("\t")[:2] for line in file.read().splitlines()[1:])
    with gzip.open(shared_data / "lastfm-2k/user_artists.dat.gz", "rt") as file:
        rows = [line.split() for line in file.read().splitlines()[1:]]
    users, artists, _ = zip(*rows, strict=True)
    likes = Interactions.from_columns(users, [names[artist] for artist in artists])
    model = fit(likes, ALSConfig(factors=32, iterations=8, alpha=10.0))
    for options in ({}, {"min_count": 5}):
        found = similar(model, "Radiohead", **options)["similar_item"].tolist()
        kin = {"Muse", "Coldplay", "Björk", "Arcade Fire", "Sigur Rós", "Portishead", "Thom Yorke"}
        assert kin & set(found), found
        counts = model.item_counts[model.items.indices_of(found)]
        assert counts.min() >= options.get("min_count", 2)
