"""Checks the contract that every model must fulfil, on tiny data; also for authors of models.

In the test file of a further model::

    @pytest.mark.parametrize("check", CONTRACT, ids=lambda check: check.__name__)
    def test_contract(check):
        check(fit_my_model)

where ``fit_my_model`` takes `Interactions` and returns a `Recommender`. Each check raises
AssertionError with what was expected and what came. Optional abilities, such as scoring new people,
are checked for models that have the protocol (`alsolike.models.protocols`).
"""

import tempfile
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from alsolike.data.catalogue import Catalogue
from alsolike.data.features.features import Block, Features
from alsolike.data.interactions import Interactions, canonical
from alsolike.data.string_array import StringArray
from alsolike.data.vocabulary import Vocabulary
from alsolike.models.als.model import ALSModel
from alsolike.models.base import FittedModel, Floats
from alsolike.models.bundle.io import load, save
from alsolike.models.protocols import Explains, FoldsIn, FoldsInItems, ItemScorer, Recommender
from alsolike.models.registry import family_of_model
from alsolike.models.values import aged_by
from alsolike.recommending.batch import top_items

__all__ = ["CONTRACT", "tiny_likes", "tiny_model", "with_tiny_features"]

Fit = Callable[[Interactions], Recommender]

_EVERYTHING = slice(None)
# Share of the largest score by which float32 sums of another order may differ.
_TOLERANCE = 1e-5


def tiny_likes(n_users: int = 30, n_items: int = 40, *, seed: int = 0) -> Interactions:
    """Make likes of two groups of users, with irregularities of real data.

    Users of even and odd rows like one half of the items each, some of them often; both like
    popular items. The last user has no likes, the last item no users; ids are of several alphabets
    and not in the order of their numbers. Some names of the catalogue are empty, two are equal.

    Examples
    --------
    >>> tiny_likes()
    Interactions(30 users, 40 items, 292 interactions, 24.3 % filled)
    """
    generator = np.random.default_rng(seed)
    users, items = np.arange(n_users)[:, None], np.arange(n_items)[None, :]
    chance = np.where(users % 2 == items % 2, 0.4, 0.05) + 0.4 * (items < n_items // 10)
    liked = generator.random((n_users, n_items)) < chance
    liked[0, 0] = liked[1, 1 % (n_items - 1)] = True
    liked[-1, :] = liked[:, -1] = False
    amounts = np.where(liked, generator.geometric(0.5, liked.shape), 0)
    matrix = canonical(sp.csr_array(amounts.astype(np.float32)))
    times = 1.4e9 + generator.integers(0, 10**8, matrix.nnz).astype(np.float64)
    names = StringArray.pack(
        "" if row % 7 == 3 else f"Item {max(row, 1)} ♪" for row in range(n_items)
    )
    return Interactions(
        matrix,
        Vocabulary.of((f"user {row}" for row in range(n_users)), kind="user"),
        Vocabulary.of((f"{'aéж'[row % 3]}{row}" for row in range(n_items)), kind="item"),
        times,
        Catalogue(n_items=n_items, names=names),
    )


def with_tiny_features(likes: Interactions) -> Interactions:
    """Add features to items: two sets of words, numbers and a vector; the last item has none.

    Examples
    --------
    >>> with_tiny_features(tiny_likes()).item_features
    Features(40 rows, 12 features: tag, kind, price, vector)
    """
    n_items, rng = likes.n_items, np.random.default_rng(0)
    rows = np.arange(n_items)
    chances = np.where(rows[:, None] % 2 == np.arange(6) % 2, 0.6, 0.2)
    tags = rng.random((n_items, 6)) < chances
    kinds = np.eye(2, dtype=bool)[rows % 2]
    numbers = rng.standard_normal((n_items, 4))
    cells = np.hstack([tags, kinds, numbers]).astype(np.float32)
    cells[n_items - 1 :] = 0
    if n_items == 1:
        cells[0, 0] = 1
    blocks = (
        Block("tag", "set", StringArray.pack("abcdef")),
        Block("kind", "set", StringArray.pack(["even", "odd"])),
        Block("price", "number", StringArray.pack(["price"])),
        Block("vector", "vector", StringArray.pack("012")),
    )
    return replace(likes, item_features=Features(canonical(sp.csr_array(cells)), blocks))


def tiny_model(n_users: int = 4, n_items: int = 5, factors: int = 2) -> ALSModel:
    """Make an untrained model, for tests of the steps after training.

    Examples
    --------
    >>> model = tiny_model()
    >>> model, model.items.id_of(0), model.catalogue.name_of(0)
    (ALSModel(4 users, 5 items, 2 factors, 3 sweeps), 'a0', 'Item 1 ♪')
    """
    likes = tiny_likes(n_users, n_items)
    generator = np.random.default_rng(0)
    return ALSModel(
        users=likes.users,
        items=likes.items,
        user_factors=generator.standard_normal((n_users, factors), dtype=np.float32),
        item_factors=generator.standard_normal((n_items, factors), dtype=np.float32),
        eigenvalues=np.arange(factors, 0, -1, dtype=np.float64),
        item_counts=likes.like_counts,
        settings={
            "factors": factors,
            "confidence": "linear",
            "alpha": 1.0,
            "regularization": 0.1,
            "regularization_exponent": 0.0,
        },
        sweeps=3,
        catalogue=likes.catalogue,
        history=likes,
    )


def check_ids(fit: Fit) -> None:
    """Check that users, items and their order are those of the training data, and the name."""
    likes = tiny_likes()
    model = fit(likes)
    _expect(model.users == likes.users, f"users {likes.users}", model.users)
    _expect(model.items == likes.items, f"items {likes.items}", model.items)
    is_word = model.name.replace("-", "_").isidentifier()
    _expect(is_word, "one word as name", model.name)


def check_shape(fit: Fit) -> None:
    """Check that scores are float32, (users, items) as requested."""
    model = fit(tiny_likes())
    for rows, columns, shape in (
        (_EVERYTHING, _EVERYTHING, (30, 40)),
        (np.array([3, 1, 3]), slice(10, 12), (3, 2)),
        (np.array([], dtype=np.int32), _EVERYTHING, (0, 40)),
        (slice(0, 1), slice(7, 7), (1, 0)),
    ):
        block = model.scores(rows, columns)
        _expect(block.shape == shape, f"scores {shape}", block.shape)
        _expect(block.dtype == np.float32, "float32 scores", block.dtype)


def check_finite(fit: Fit) -> None:
    """Check that every score is finite, also without interactions."""
    scores = _all_scores(fit(tiny_likes()))
    _expect(bool(np.isfinite(scores).all()), "finite scores", f"{np.isnan(scores).sum()} NaN")


def check_blocks(fit: Fit) -> None:
    """Check that a block of scores equals that part of the whole."""
    model = fit(tiny_likes())
    whole = _all_scores(model)
    rows = np.random.default_rng(0).permutation(len(model.users)).astype(np.int32)
    for chosen in (rows[:1], rows[:7], rows, np.sort(rows)):
        for columns in (slice(0, 1), slice(3, 20), slice(20, 40)):
            _expect_close(model.scores(chosen, columns), whole[chosen, columns], "scores")


def check_repeatable(fit: Fit) -> None:
    """Check that training twice on the same data gives the same bytes."""
    first, second = (_all_scores(fit(tiny_likes())).tobytes() for _ in range(2))
    _expect(first == second, "the same bytes from the same data", "others")


def check_data_untouched(fit: Fit) -> None:
    """Check that training and scoring do not change the data."""
    likes = tiny_likes()
    for part in (likes.user_items.data, likes.user_items.indices, likes.user_items.indptr):
        part.flags.writeable = False
    _all_scores(fit(likes))
    _expect(likes.fingerprint == tiny_likes().fingerprint, "the data as they were", "others")


def check_learns(fit: Fit) -> None:
    """Check that a user's own items score higher on average than other items."""
    likes = tiny_likes()
    liked = likes.user_items.toarray() > 0
    scores = _all_scores(fit(likes))
    inside, outside = float(scores[liked].mean()), float(scores[~liked].mean())
    _expect(inside > outside, f"likes to score above {outside:.4f}, the mean of the rest", inside)


def check_small(fit: Fit) -> None:
    """Check that one user and one item can be fitted."""
    scores = _all_scores(fit(Interactions.from_columns(["ann"], ["m1"])))
    _expect(scores.shape == (1, 1), "one score", scores.shape)
    _expect(bool(np.isfinite(scores).all()), "a finite score", scores)


def check_recommends_unseen(fit: Fit) -> None:
    """Check that all unseen items are recommended, each once, best first."""
    likes = tiny_likes()
    model = fit(likes)
    rows = np.arange(likes.n_users)
    found = top_items(model, rows, k=likes.n_items, exclude=likes.user_items)
    seen = likes.user_items.toarray() != 0
    for row, indices, scores in zip(rows, found.indices, found.scores, strict=True):
        listed = indices[indices >= 0]
        unseen = np.flatnonzero(~seen[row])
        _expect(np.array_equal(np.sort(listed), unseen), f"the items {unseen}", np.sort(listed))
        ranks = scores[: len(listed)]
        _expect(bool((ranks[1:] <= ranks[:-1]).all()), "scores that descend", ranks)
        _expect_close(ranks, _all_scores(model)[row, listed], "scores of recommended items")


def check_item_scores(fit: Fit) -> None:
    """Check that item scores do not depend on blocks, and are numbers or -inf."""
    model = fit(tiny_likes())
    if not isinstance(model, ItemScorer):
        return
    whole = model.item_scores(_EVERYTHING, _EVERYTHING)
    _expect(whole.shape == (40, 40), "item scores (40, 40)", whole.shape)
    _expect(whole.dtype == np.float32, "float32 item scores", whole.dtype)
    _expect(bool((whole < np.inf).all()), "item scores that are numbers or -inf", "NaN or inf")
    for rows in (np.array([7]), np.array([39, 0, 7], dtype=np.int32)):
        for columns in (slice(0, 1), slice(3, 40)):
            block, expected = model.item_scores(rows, columns), whole[rows, columns]
            same = np.isneginf(block) == np.isneginf(expected)
            _expect(bool(same.all()), "-inf where the whole has it", "it elsewhere")
            shown = np.isfinite(expected)
            _expect_close(block[shown], expected[shown], "item scores")


def check_new_people(fit: Fit) -> None:
    """Check that scores by likes are finite and do not depend on blocks."""
    likes = tiny_likes()
    model = fit(likes)
    if not isinstance(model, FoldsIn):
        return
    strangers = tiny_likes(seed=1).user_items
    whole = model.user_scores(strangers, _EVERYTHING)
    _expect(whole.shape == (30, 40), "scores (30, 40)", whole.shape)
    _expect(whole.dtype == np.float32, "float32 scores", whole.dtype)
    _expect(bool(np.isfinite(whole).all()), "finite scores", "others")
    for rows in (np.array([3]), np.array([29, 3])):
        for columns in (slice(0, 1), slice(3, 40)):
            block = model.user_scores(strangers[rows], columns)
            _expect_close(block, whole[rows, columns], "scores of new people")


def check_folds_in(fit: Fit) -> None:
    """Check that a known user's likes give the user's scores, and that a history can change."""
    likes = tiny_likes()
    model = fit(likes)
    if not isinstance(model, FoldsIn):
        return
    before = _all_scores(model)
    _expect_close(_scores_by_likes(model, likes), before, "scores by likes")
    fewer = likes.keep(np.arange(likes.n_interactions) % 2 == 0)
    moved = model.with_history(fewer)
    _expect_close(_all_scores(moved), _scores_by_likes(moved, fewer), "scores of another history")
    _expect(_all_scores(model).tobytes() == before.tobytes(), "the model as it was", "another")


def _scores_by_likes(model: Any, history: Interactions) -> Any:
    """Return the scores of all users by the likes in a model's history, and their ages, if any."""
    ages = aged_by(model, getattr(model, "ages", None))
    return model.user_scores(history.user_items, _EVERYTHING, **ages)


def check_new_items(fit: Fit) -> None:
    """Check that items can be added by their users, without changing the model itself."""
    likes = tiny_likes()
    model = fit(likes)
    if not isinstance(model, FoldsInItems) or not isinstance(model, FittedModel):
        return
    before, old = _all_scores(model), likes.items.id_of(7)
    users = [likes.users.id_of(row) for row in (0, 2, 4, 2)]
    likers = Interactions.from_columns(users, ["new", "new", "new", old])
    larger = model.with_items(likers)
    _expect(larger.users == likes.users, "the same users", larger.users)
    _expect(larger.items == likes.items.union(likers.items), "all items", larger.items)
    scores = _all_scores(larger)
    _expect(scores.shape == (30, 41), "scores (30, 41)", scores.shape)
    _expect(bool(np.isfinite(scores).all()), "finite scores", "others")
    counts = larger.item_counts[[larger.items.index_of("new"), larger.items.index_of(old)]]
    _expect(counts.tolist() == [3, 1], "the likes that came, [3, 1]", counts)
    _expect(_all_scores(model).tobytes() == before.tobytes(), "the model as it was", "another")


def check_contributions(fit: Fit) -> None:
    """Check that contributions add up to the score, with dislikes and amounts."""
    model = fit(tiny_likes())
    if not (isinstance(model, Explains) and isinstance(model, FoldsIn)):
        return
    liked = np.array([2, 7, 11], dtype=np.int32)
    values = np.array([1, 3, -1], dtype=np.float32)
    items = np.array([0, 7, 20, 39], dtype=np.int32)
    found = model.contributions(liked, values, items)
    _expect(found.parts.shape == (4, 3), "what 3 likes add to 4 scores, (4, 3)", found.parts.shape)
    row = sp.csr_array((values, liked, [0, 3]), shape=(1, 40), dtype=np.float32)
    scores = model.user_scores(row, _EVERYTHING)[0]
    _expect_close(found.scores, scores[items], "sums of what likes add")


def check_saved(fit: Fit) -> None:
    """Check that a saved model loads bit for bit, with and without its history."""
    model = fit(tiny_likes())
    if not isinstance(model, FittedModel):
        return
    family = family_of_model(model)
    for with_history in (True, False):
        with tempfile.TemporaryDirectory() as folder:
            save(model, f"{folder}/model", with_history=with_history)
            loaded = load(f"{folder}/model")
            packed = family.pack(loaded)
            for name, array in family.pack(model).items():
                same = packed[name].tobytes() == array.tobytes()
                _expect(same, f"{name} as it was saved", "other numbers")
            for part in ("users", "items", "settings", "sweeps", "name"):
                now, then = getattr(loaded, part), getattr(model, part)
                _expect(now == then, f"{part}: {then}", now)
            _expect((loaded.history is not None) == with_history, "the history or none", "other")
            if with_history:
                same = _all_scores(loaded).tobytes() == _all_scores(model).tobytes()
                _expect(same, "the scores of the saved model", "others")


CONTRACT: tuple[Callable[[Fit], None], ...] = (
    check_ids,
    check_shape,
    check_finite,
    check_blocks,
    check_repeatable,
    check_data_untouched,
    check_learns,
    check_small,
    check_recommends_unseen,
    check_item_scores,
    check_new_people,
    check_folds_in,
    check_new_items,
    check_contributions,
    check_saved,
)


def _all_scores(model: Recommender) -> Floats:
    return model.scores(_EVERYTHING, _EVERYTHING)


def _expect(holds: bool, expected: object, found: object) -> None:
    if not holds:
        raise AssertionError(f"{expected} expected, {found} found")


def _expect_close(found: npt.NDArray[np.floating[Any]], expected: Floats, what: str) -> None:
    limit = _TOLERANCE * max(1.0, float(np.abs(expected).max(initial=0)))
    gap = float(np.abs(found - expected).max(initial=0))
    _expect(gap <= limit, f"{what} within {limit:.1e} of the whole's", f"a gap of {gap:.1e}")
