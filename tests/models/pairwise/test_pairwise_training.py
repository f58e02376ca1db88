"""Training of BPR and WARP against the published steps, written out in float64, one by one."""

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

import alsolike as al
from alsolike.engines.local import LocalEngine
from alsolike.errors import DataError, FitError, SettingError
from alsolike.kernels.pairwise.draws import draw_below
from alsolike.models.pairwise import train as training
from alsolike.models.pairwise.config import BPRConfig, WARPConfig
from alsolike.models.pairwise.schedule import Schedule
from alsolike.testing import tiny_likes

ALL = 2**64 - 1
GOLDEN = 0x9E3779B97F4A7C15
LIKES = tiny_likes(60, 90, seed=2)
CONFIGS = {
    "bpr": BPRConfig(factors=5, iterations=3, candidates=1, learning_rate=0.2),
    "bpr sgd": BPRConfig(factors=8, iterations=3, optimizer="sgd", bias_regularization=0.02),
    "bpr adaptive": BPRConfig(
        factors=3, iterations=3, candidates=4, negatives_exponent=1.0, values="log"
    ),
    "warp": WARPConfig(factors=6, iterations=3, learning_rate=0.1, max_sampled=7),
    "k-os": WARPConfig(factors=4, iterations=3, kos_draws=5, kos_order=2, values="capped",
                       value_scale=3.0, bias_regularization=0.01),
}  # fmt: skip


def mixed(state):
    """SplitMix64's output, in whole numbers of Python."""
    z = (state ^ (state >> 30)) * 0xBF58476D1CE4E5B9 & ALL
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB & ALL
    return z ^ (z >> 31)


def below(key, draw, count):
    return (mixed((key + (draw + 1) * GOLDEN) & ALL) >> 32) * count >> 32


def key_of(key, row):
    return mixed((key + mixed((row + GOLDEN) & ALL)) & ALL)


class Literal:
    """An epoch as its definition has it: one thread, one step after the other."""

    def __init__(self, likes, config, n_parts):
        self.likes, self.config, self.n_parts = likes, config, n_parts
        rng, f = np.random.default_rng(config.seed), config.factors
        drawn = [rng.random((n, f), dtype=np.float32) for n in (likes.n_users, likes.n_items)]
        self.x, self.y = ((one.astype(np.float64) - 0.5) / f for one in drawn)
        self.b = np.zeros(likes.n_items)
        self.gx, self.gy, self.gb = np.ones(len(self.x)), np.ones(len(self.y)), np.ones(len(self.y))
        matrix = likes.user_items
        self.liked = [matrix.indices[a:b][matrix.data[a:b] > 0] for a, b in pairwise(matrix.indptr)]
        values = matrix.data[matrix.data > 0].astype(np.float64)
        form = {"binary": np.sign, "log": np.log1p, "capped": lambda v: np.minimum(v / 3, 1)}
        weights = form[config.values](values)
        cuts = np.cumsum([len(one) for one in self.liked])[:-1]
        self.weights = np.split(weights / weights.mean(), cuts)
        self.epochs = 0

    def epoch(self):
        rng, parts = np.random.default_rng([self.config.seed, self.epochs]), self.n_parts
        users, items = (
            np.array_split(rng.permutation(n), parts) for n in map(len, (self.x, self.y))
        )
        key = int(rng.integers(0, 2**64, dtype=np.uint64))
        counts = np.maximum(self.likes.like_counts, 1) ** self.config.negatives_exponent
        times = np.maximum(np.rint(8 * counts / counts.mean()), 1).astype(int)
        if self.config.negatives_exponent == 0:
            times[:] = 1
        orders = [self.shuffled(key_of(key, u), len(one)) for u, one in enumerate(self.liked)]
        items = [set(part.tolist()) for part in items]
        pools = [
            [j for j in np.repeat(range(len(times)), times).tolist() if j in own] for own in items
        ]
        for turn in range(parts):
            for chain in range(parts):
                part = (chain + turn) % parts
                for u in users[chain]:
                    own = [at for at in orders[u] if int(self.liked[u][at]) in items[part]]
                    self.block(u, own, pools[part], key_of((key + 1 + part) & ALL, int(u)))
        self.epochs += 1

    @staticmethod
    def shuffled(key, length):
        order = []
        for place in range(length):
            other = below(key, place, place + 1)
            order.append(order[other] if other < place else None)
            order[other] = place
        return order

    def score(self, u, item):
        return self.x[u] @ self.y[item] + self.b[item]

    def block(self, u, own, others, key):
        marked = {int(self.liked[u][at]) for at in own}
        draws = iter(range(10**9))
        config = self.config
        for at in own:
            if getattr(config, "kos_order", 0):
                drawn = [own[below(key, next(draws), len(own))] for _ in range(config.kos_draws)]
                drawn.sort(key=lambda one: -self.score(u, self.liked[u][one]))
                at = drawn[config.kos_order - 1]  # noqa: PLW2901
            i = int(self.liked[u][at])
            j, g = (
                self.above(u, i, others, key, draws, marked)
                if isinstance(config, WARPConfig)
                else self.best(u, i, others, key, draws, marked)
            )
            if j is not None:
                self.step(u, i, j, g * self.weights[u][at])

    def best(self, u, i, others, key, draws, marked):
        found = []
        for _ in range(self.config.candidates):
            for _ in range(16):
                j = others[below(key, next(draws), len(others))]
                if j not in marked:
                    found.append(j)
                    break
        if not found:
            return None, 0.0
        j = max(found, key=lambda one: self.score(u, one))
        return j, 1 / (1 + math.exp(self.score(u, i) - self.score(u, j)))

    def above(self, u, i, others, key, draws, marked):
        for tried in range(1, self.config.max_sampled + 1):
            j = others[below(key, next(draws), len(others))]
            if j not in marked and self.score(u, j) > self.score(u, i) - 1:
                return j, min(math.log(max((len(self.y) - 1) // tried, 1)), 10.0)
        return None, 0.0

    def step(self, u, i, j, g):
        config, f = self.config, self.config.factors
        to_x, to_y = g * (self.y[i] - self.y[j]), g * self.x[u]
        if config.optimizer == "adagrad":
            self.gx[u] += to_x @ to_x / f
            for item in (i, j):
                self.gy[item] += to_y @ to_y / f
                self.gb[item] += g * g
        rate = config.learning_rate
        self.x[u] += rate / self.gx[u] ** 0.5 * (to_x - config.user_regularization * self.x[u])
        for item, sign in ((i, 1), (j, -1)):
            pull = sign * to_y - config.item_regularization * self.y[item]
            self.y[item] += rate / self.gy[item] ** 0.5 * pull
            pull = sign * g - config.bias_regularization * self.b[item]
            self.b[item] += rate / self.gb[item] ** 0.5 * pull


def cut(monkeypatch, n_parts):
    """Let a small table have several parts, as large ones do."""
    monkeypatch.setattr(training, "_PARTS", n_parts)
    for name in ("_LEAST_ITEMS", "_LEAST_USERS", "_LEAST_LIKES"):
        monkeypatch.setattr(training, name, 1)


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("n_parts", [1, 3])
def test_an_epoch_is_as_defined(name, n_parts, monkeypatch):
    cut(monkeypatch, n_parts)
    config = CONFIGS[name]
    literal = Literal(LIKES, config, n_parts)
    for model in al.iterate(LIKES, config):
        literal.epoch()
        has = LIKES.user_counts > 0
        np.testing.assert_allclose(model.user_factors[has, :-1], literal.x[has], atol=2e-5)
        np.testing.assert_allclose(model.item_factors[:, :-1], literal.y, atol=2e-5)
        np.testing.assert_allclose(model.item_factors[:, -1], literal.b, atol=2e-5)
        np.testing.assert_allclose(model.squares.users, literal.gx, rtol=1e-5)
        np.testing.assert_allclose(model.squares.items, literal.gy, rtol=1e-5)
        np.testing.assert_allclose(model.squares.biases, literal.gb, rtol=1e-5)
        assert (model.user_factors[has, -1] == 1).all()
        assert not model.user_factors[~has].any()
    assert model.sweeps == config.iterations


def bytes_of(model):
    squares = model.squares
    arrays = (model.user_factors, model.item_factors, squares.users, squares.items, squares.biases)
    return [one.tobytes() for one in arrays]


@pytest.mark.parametrize("name", ["bpr adaptive", "k-os"])
def test_threads_do_not_matter(name, monkeypatch):
    cut(monkeypatch, 5)
    likes = tiny_likes(300, 400, seed=1)
    one, *others = (
        bytes_of(al.fit(likes, CONFIGS[name], engine=LocalEngine(threads)))
        for threads in (1, 2, 4, 7)
    )
    assert all(other == one for other in others)
    assert bytes_of(al.fit(likes, replace(CONFIGS[name], seed=1))) != one


@pytest.mark.parametrize("name", ["bpr", "k-os"])
def test_a_training_goes_on_as_if_it_had_not_ended(name, tmp_path):
    config = CONFIGS[name]
    whole = al.fit(LIKES, replace(config, iterations=5))
    al.save(al.fit(LIKES, replace(config, iterations=2)), tmp_path / "model")
    further = al.fit(LIKES, config, start=al.load(tmp_path / "model"))
    assert further.sweeps == whole.sweeps == 5
    assert bytes_of(further) == bytes_of(whole)


def test_rows_that_a_start_lacks_begin_anew():
    config = CONFIGS["bpr"]
    start = al.fit(tiny_likes(20, 30), config)
    further = al.fit(LIKES, replace(config, iterations=1, learning_rate=1e-9), start=start)
    rows = start.items.places_of(LIKES.items)
    np.testing.assert_allclose(
        further.item_factors[rows >= 0], start.item_factors[rows[rows >= 0]], atol=1e-6
    )
    fresh = al.fit(LIKES, replace(config, iterations=1, learning_rate=1e-9))
    np.testing.assert_allclose(
        further.item_factors[rows < 0], fresh.item_factors[rows < 0], atol=1e-6
    )
    with pytest.raises(SettingError, match="continue from has 5 factors, the settings have 4"):
        al.fit(LIKES, replace(config, factors=4), start=start)


@pytest.mark.parametrize("config", [BPRConfig(factors=4), WARPConfig(factors=4)])
def test_steps_that_are_too_long_end_with_a_word(config):
    wild = replace(config, learning_rate=1e30, optimizer="sgd")
    with pytest.raises(FitError, match=r"no longer finite in epoch 1: .* Lower learning_rate=1e"):
        al.fit(LIKES, wild)


def test_a_user_who_likes_everything_is_left_out():
    likes = al.Interactions.from_columns(["ann", "ann", "bob"], ["m1", "m2", "m1"])
    for family in ("bpr", "warp"):
        assert np.isfinite(al.fit(likes, family=family).item_factors).all()


def test_dislikes_alone_are_nothing_to_train_on():
    likes = al.Interactions.from_columns(["ann"], ["m1"], [-1])
    with pytest.raises(DataError, match="no likes to train on: no value is above 0"):
        al.fit(likes, family="bpr")


def test_draws_are_those_of_splitmix64():
    found = np.empty(50, dtype=np.int64)
    draw_below(np.uint64(12345), 1000, found)
    assert found.tolist() == [below(12345, draw, 1000) for draw in range(50)]
    # The first numbers of seed 0 that are published with the generator.
    assert [mixed((one + 1) * GOLDEN & ALL) for one in range(2)] == [
        0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4,
    ]  # fmt: skip
    draw_below(np.uint64(7), 10, many := np.empty(20_000, dtype=np.int64))
    assert np.bincount(many, minlength=10).min() > 1850


@pytest.mark.parametrize(
    ("config", "changed", "message"),
    [
        (BPRConfig, {"learning_rate": 0}, "learning_rate must be a finite number above 0"),
        (BPRConfig, {"user_regularization": -1}, "user_regularization must be a finite number of"),
        (BPRConfig, {"negatives_exponent": 3}, "from 0 .all items alike. to 2, not 3"),
        (BPRConfig, {"candidates": 0}, "candidates must be"),
        (BPRConfig, {"optimizer": "adam"}, "optimizer must be one of adagrad, sgd, not 'adam'"),
        (WARPConfig, {"max_sampled": 0}, "max_sampled must be"),
        (WARPConfig, {"kos_draws": 3}, "from 1 to kos_draws, or both 0 .* not 0 of 3"),
        (WARPConfig, {"kos_draws": 3, "kos_order": 4}, "not 4 of 3"),
        (WARPConfig, {"values": "bm26"}, "values must be one of"),
    ],
)
def test_settings_out_of_range(config, changed, message):
    with pytest.raises(SettingError, match=message):
        config(**changed)


@pytest.mark.parametrize("threads", [1, 3])
def test_turns_wait_for_those_with_the_same_users_or_items(threads):
    order = []
    Schedule(4, lambda chain, turn: order.append((chain, turn))).run(LocalEngine(threads))
    place = {one: at for at, one in enumerate(order)}
    assert len(place) == 16
    for (chain, turn), at in place.items():
        if turn:
            assert place[chain, turn - 1] < at
            assert place[(chain + 1) % 4, turn - 1] < at


def test_an_error_ends_all_turns():
    def work(chain, turn):
        if (chain, turn) == (1, 1):
            raise FitError("no more")

    with pytest.raises(FitError, match="no more"):
        Schedule(4, work).run(LocalEngine(3))
