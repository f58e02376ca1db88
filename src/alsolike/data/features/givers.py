"""Names who gave each cell of encoded features, so that those of some people can be left out."""

from collections.abc import Sequence

import numpy as np
import scipy.sparse as sp

from alsolike.data.features.attributed import AttributedFeatures
from alsolike.data.features.columns import Column
from alsolike.data.features.features import Features
from alsolike.data.vocabulary import Vocabulary


def with_givers(features: Features, columns: Sequence[Column]) -> Features:
    """Return features with the people who gave them, where columns name any.

    Examples
    --------
    >>> from alsolike.data.features.columns import Givers
    >>> from alsolike.data.features.encode import encode
    >>> at = np.array([0, 1])
    >>> people = Vocabulary.of(["ann", "bob"], kind="user")
    >>> tags = Column("tag", "set", at, at, words=["folk", "rock"],
    ...               givers=Givers(people, at, at, at))
    >>> found = with_givers(encode([tags], 2, minimum=1).features, [tags])
    >>> found.without(["bob"]).matrix.toarray().tolist()
    [[1.0, 0.0], [0.0, 0.0]]
    """
    named = [column for column in columns if column.givers is not None]
    if not named:
        return features
    matrix, width = features.matrix, features.n_features
    rows = np.repeat(np.arange(features.n_rows), np.diff(matrix.indptr))
    keys = rows * width + matrix.indices  # ascending, as rows and columns are
    every = sorted({one for column in named for one in _people(column).ids})
    people = Vocabulary.of(every, kind="user")
    cells, by = [], []
    for column in named:
        place = next((at for at, one in enumerate(features.blocks) if one.name == column.name), -1)
        if place < 0 or column.givers is None or column.words is None:
            continue
        known = {name: at for at, name in enumerate(features.blocks[place].names)}
        columns_of = np.array([known.get(word, -1) for word in column.words], dtype=np.int64)
        found = columns_of[column.givers.words]
        here = found >= 0
        wanted = column.givers.rows[here] * width + int(features.starts[place]) + found[here]
        at = np.minimum(np.searchsorted(keys, wanted), max(len(keys) - 1, 0))
        stored = keys[at] == wanted  # a value of 0 is no cell
        cells.append(at[stored])
        by.append(people.places_of(column.givers.people)[column.givers.by[here]][stored])
    if not cells:
        return features
    every_cell, everyone = np.concatenate(cells), np.concatenate(by)
    given = sp.coo_array(
        (np.ones(len(every_cell), dtype=bool), (every_cell, everyone)),
        shape=(matrix.nnz, len(people)),
    )
    return AttributedFeatures(matrix, features.blocks, people, sp.csr_array(given))


def _people(column: Column) -> Vocabulary:
    return Vocabulary.of((), kind="user") if column.givers is None else column.givers.people
