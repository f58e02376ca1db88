"""Models of BPR and WARP: new people, new items, explanations, similar items without biases."""

import math
import subprocess
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

import alsolike as al
from alsolike.engines.local import LocalEngine
from alsolike.errors import DataError, SettingError
from alsolike.models.family import TrainingData
from alsolike.models.pairwise import fold_in
from alsolike.models.pairwise.config import BPRConfig, WARPConfig
from alsolike.models.pairwise.squares import Squares
from alsolike.models.registry import family_named
from alsolike.testing import tiny_likes

LIKES = tiny_likes(60, 90, seed=2)
FITTED: dict[str, Any] = {
    "bpr": al.fit(LIKES, BPRConfig(factors=4, iterations=12, candidates=3, values="log")),
    "warp": al.fit(LIKES, WARPConfig(factors=4, iterations=12, max_sampled=6)),
}


@pytest.fixture(params=FITTED)
def model(request: pytest.FixtureRequest) -> Any:
    return FITTED[request.param]


def expected_steps(model: Any, items: Any, weights: Any) -> Any:
    """The factors of a person, by loops over likes and other items."""
    config, y, b = model.config, model.item_factors[:, :-1].astype(float), model.item_factors[:, -1]
    others = [j for j in range(len(y)) if j not in set(items.tolist())]
    x, squares, f = np.zeros(y.shape[1]), 1.0, y.shape[1]
    for _ in range(model.sweeps):
        pull, grown = np.zeros(f), 0.0
        ranked = sorted(others, key=lambda j: (-(x @ y[j] + b[j]), j))
        for i, w in zip(items, weights, strict=True):
            score = x @ y[i] + b[i]
            above = [j for j in others if x @ y[j] + b[j] > score - 1]
            for at, j in enumerate(ranked):
                n = len(others)
                if isinstance(config, BPRConfig):
                    # j is the best of the candidates: none is ranked above, and not all below.
                    chance = ((n - at) / n) ** config.candidates
                    chance -= ((n - at - 1) / n) ** config.candidates
                    g = 1 / (1 + math.exp(score - (x @ y[j] + b[j])))
                else:
                    share, found, total = len(above) / n, 0.0, 0.0
                    for draw in range(1, config.max_sampled + 1):
                        at_draw = share * (1 - share) ** (draw - 1)
                        found += at_draw
                        total += at_draw * math.log(max((len(y) - 1) // draw, 1))
                    chance = found / len(above) if j in above else 0.0
                    g = total / found if found else 0.0
                pull += w * chance * g * (y[i] - y[j])
                grown += chance * (w * g) ** 2 * ((y[i] - y[j]) @ (y[i] - y[j])) / f
        squares += grown
        rate = config.learning_rate / squares**0.5
        x = (1 - rate * config.user_regularization) ** len(items) * x
        x += rate * pull
    return x


def test_new_people_take_the_mean_of_all_steps(model):
    values = np.array([3.0, 1.0, -2.0, 5.0], dtype=np.float32)
    items = np.array([4, 11, 20, 63], dtype=np.int32)
    row = sp.csr_array((values, items, [0, 4]), shape=(1, 90))
    liked, amounts = items[values > 0], values[values > 0].astype(float)
    weights = np.log1p(amounts) if model.config.values == "log" else np.ones(3)
    (found,) = model.folded_in(row)
    np.testing.assert_allclose(found[:-1], expected_steps(model, liked, weights), atol=2e-6)
    assert found[-1] == 1
    backwards = sp.csr_array((values[::-1], items[::-1], [0, 4]), shape=(1, 90))
    assert model.folded_in(backwards).tobytes() == found.tobytes()
    assert not model.folded_in(sp.csr_array((1, 90), dtype=np.float32)).any()


def test_new_people_are_served_without_the_compiler(tmp_path):
    model = FITTED["warp"]
    al.save(model, tmp_path / "model")
    code = (
        "import sys; from alsolike.models.bundle.io import load;"
        "from alsolike.recommending.single import recommend_for_likes;"
        "model = load(sys.argv[1]);"
        "table = recommend_for_likes(model, {model.items.id_of(3): 1, model.items.id_of(9): 1});"
        "print('numba' in sys.modules, *table['item'].tolist())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "model"], capture_output=True, check=True
    )
    likes = {model.items.id_of(3): 1, model.items.id_of(9): 1}
    wanted = al.recommend_for_likes(model, likes)["item"].tolist()
    assert done.stdout.decode().split() == ["False", *map(str, wanted)]


def test_new_people_get_what_they_would_get_in_training(model):
    """A folded-in user ranks the user's likes about as high as the trained one."""
    liked = LIKES.user_items.toarray() > 0
    everybody = model.user_scores(LIKES.user_items, slice(None))
    has = np.flatnonzero(liked.any(axis=1) & ~liked.all(axis=1))

    def auc(scores):
        return np.mean(
            [(scores[u][liked[u]][:, None] > scores[u][~liked[u]][None]).mean() for u in has]
        )

    assert auc(everybody) > 0.97 * auc(model.scores(slice(None), slice(None)))


def test_another_history_folds_in_those_who_changed(model):
    kept = np.ones(LIKES.n_interactions, dtype=bool)
    kept[LIKES.user_items.indptr[3]] = False
    fewer = LIKES.keep(kept)
    moved = model.with_history(fewer, engine=LocalEngine(2))
    others = np.arange(60) != 3
    assert moved.user_factors[others].tobytes() == model.user_factors[others].tobytes()
    folded = model.folded_in(fewer.user_items[[3]])
    assert moved.user_factors[[3]].tobytes() == folded.tobytes()


def test_ages_count_where_weights_decay():
    config = BPRConfig(factors=4, iterations=5, half_life=30)
    model: Any = al.fit(LIKES, config)
    assert model.ages is not None
    likes = LIKES.user_items[[2]]
    old = np.zeros(likes.nnz)
    old[0] = 3000.0
    assert model.folded_in(likes).tobytes() != model.folded_in(likes, ages=old).tobytes()
    moved = model.with_history(replace(LIKES, timestamps=LIKES.timestamps[::-1].copy()))
    assert moved.user_factors.tobytes() != model.user_factors.tobytes()


def test_new_items_are_trained_on(model):
    users = [LIKES.users.id_of(row) for row in (0, 2, 4)]
    likers = al.Interactions.from_columns(users, ["new"] * 3)
    larger = model.with_items(likers)
    joined = larger.history
    assert joined.n_items == 91
    again = al.fit(joined, model.config, start=model)
    assert larger.item_factors.tobytes() == again.item_factors.tobytes()
    assert larger.sweeps == 2 * model.sweeps
    row = larger.items.index_of("new")
    scores = larger.scores(slice(None), slice(row, row + 1))[:, 0]
    assert scores[[0, 2, 4]].mean() > scores[[1, 3, 5]].mean()
    with pytest.raises(SettingError, match="saved without its history"):
        replace(model, history=None).with_items(likers)


def test_parts_of_a_score_are_vectors_of_likes_and_shares_of_the_bias(model):
    items, values = np.array([30, 4, 11], np.int32), np.array([1, 3, -1], np.float32)
    found = model.contributions(items, values, np.array([0, 7, 89]))
    row = sp.csr_array((values, items, [0, 3]), shape=(1, 90))
    score = model.user_scores(row, slice(None))[0, [0, 7, 89]]
    np.testing.assert_allclose(found.parts.sum(axis=1), score, atol=1e-5)
    assert not found.parts[:, 2].any()
    turned = model.contributions(items[::-1], values[::-1], np.array([0, 7, 89]))
    np.testing.assert_allclose(turned.parts[:, ::-1], found.parts, atol=1e-12)
    nothing = model.contributions(items[2:], values[2:], np.array([0]))
    assert not nothing.parts.any()


def test_items_and_users_are_compared_without_biases(model):
    biased = model.item_factors.copy()
    biased[:, -1] += np.random.default_rng(0).standard_normal(90).astype(np.float32) * 100
    other = replace(model, item_factors=biased)
    assert model.affinities == ("cosine", "dot")
    for affinity in model.affinities:
        one, two = (al.with_similarity(each, affinity=affinity) for each in (model, other))
        assert str(al.similar(one, k=4)) == str(al.similar(two, k=4))
    units = model.user_factors[:, :-1].astype(np.float64)
    lengths = np.linalg.norm(units, axis=1)
    units /= np.where(lengths > 0, lengths, 1)[:, None]
    near = al.similar_users(model, LIKES.users.id_of(0), k=1)
    wanted = units[0] @ units.T
    wanted[0] = -2
    assert near["similar_user"].tolist() == [LIKES.users.id_of(int(wanted.argmax()))]
    assert near["score"][0] == pytest.approx(wanted.max(), abs=1e-6)


def test_the_sample_of_other_items_covers_the_catalogue(monkeypatch):
    counts = np.arange(1000, 0, -1)
    uniform = fold_in.sample_of(counts, BPRConfig())
    assert len(uniform) == fold_in._SAMPLE
    assert np.diff(uniform).max() <= 5
    popular = fold_in.sample_of(counts, BPRConfig(negatives_exponent=1.0))
    assert (popular < 500).mean() > 0.7
    assert fold_in.sample_of(counts[:7], BPRConfig()).tolist() == list(range(7))


def test_squares_of_other_rows_are_refused(model):
    with pytest.raises(DataError, match="Squares of 60 users, and twice of 90 items expected"):
        replace(model, squares=Squares.ones(3, 90))


def test_a_search_tries_them_on_request_alone():
    data = TrainingData(LIKES)
    for name in ("bpr", "warp"):
        family = family_named(name)
        assert not family.is_tried(data)
        assert len({str(one) for one in family.search_space(data)}) == 8
