"""Made-up likes and models that several tests share."""

import functools
import itertools

import numpy as np
import scipy.sparse as sp

from alsolike.data.catalogue import Catalogue
from alsolike.data.interactions import Interactions, canonical
from alsolike.data.string_array import StringArray
from alsolike.data.vocabulary import Vocabulary
from alsolike.models.als.config import ALSConfig
from alsolike.models.als.model import ALSModel
from alsolike.models.als.train import fit


def make_likes(n_users=120, n_items=90, seed=0, *, counts=False, dislikes=False):
    """Return skewed interactions with rows both shorter and longer than the factors."""
    rng = np.random.default_rng(seed)
    share = np.outer(rng.pareto(1.0, n_users) + 0.1, rng.pareto(1.0, n_items) + 0.1)
    filled = rng.random((n_users, n_items)) < np.clip(0.05 * share, 0, 0.9)
    filled[np.arange(n_users), rng.integers(n_items, size=n_users)] = True
    values = rng.integers(1, 9, filled.shape) if counts else np.ones(filled.shape)
    if dislikes:
        values = values * rng.choice([1, 1, 1, -1], filled.shape)
    return Interactions.from_matrix(sp.csr_array(filled * values))


def dense(likes):
    return likes.user_items.toarray().astype(np.float64)


def vocabulary(count, kind):
    return Vocabulary.of([f"{kind[0]}{row:05}" for row in range(count)], kind=kind)


def model_of(X, Y, *, counts=None, **more):
    X, Y = np.asarray(X, dtype=np.float32), np.asarray(Y, dtype=np.float32)
    return ALSModel(
        users=vocabulary(len(X), "user"),
        items=vocabulary(len(Y), "item"),
        user_factors=X,
        item_factors=Y,
        eigenvalues=np.zeros(X.shape[1]),
        item_counts=np.full(len(Y), 9) if counts is None else np.asarray(counts),
        **more,
    )


def random_model(n_users=700, n_items=2500, f=13, seed=0):
    """Blocks of more than one size, and every fifth item the twin of the one before it."""
    rng = np.random.default_rng(seed)
    X, Y = rng.standard_normal((n_users, f)), rng.standard_normal((n_items, f))
    Y[4::5] = Y[3::5]
    Y *= rng.lognormal(size=(n_items, 1))
    Y[4::5] = Y[3::5]
    seen = sp.random_array((n_users, n_items), density=0.02, rng=rng, format="csr")
    return model_of(X, Y), canonical(seen)


def rows_of(matrix):
    return [matrix.indices[a:b].tolist() for a, b in itertools.pairwise(matrix.indptr)]


@functools.cache
def small_model():
    rng = np.random.default_rng(3)
    users, items = rng.integers(0, 40, 300), rng.integers(0, 25, 300)
    likes = Interactions.from_columns(
        [f"u{user:02}" for user in users], [f"i{item:02}" for item in items]
    )
    names = StringArray.pack(f"Name {row}" for row in range(likes.n_items))
    catalogue = Catalogue(likes.n_items, names=names)
    named = Interactions(likes.user_items, likes.users, likes.items, catalogue=catalogue)
    return fit(named, ALSConfig(factors=6, iterations=3, alpha=5.0))


def same(one, many):
    assert one.column_names == many.column_names
    for name in one.column_names:
        assert one[name].tolist() == many[name].tolist()
