"""Weighs features: what regressions take in place of the features as they were read.

========= ==========================================================================
columns   weight of a cell with value v
========= ==========================================================================
words     ``log(1 + v) log(N / df)``, over the length of the row within the block: of
          N rows with likes, df have the word (tf-idf, Salton and Buckley 1988)
vectors   v over the length of the row within the block
numbers   v
========= ==========================================================================

With the weights ``"given"``, all are v.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from alsolike.data.features.features import Features

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class FeatureScale:
    """Weights of columns of features, taken from the rows of a training.

    Parameters
    ----------
    columns : float32, (n_features,)
        ``log(N / df)`` of words, else 1.
    is_weighed : bool
        Whether rows of words and vectors are brought to length 1.
    """

    columns: Floats
    is_weighed: bool

    @classmethod
    def of(cls, features: Features, occupied: Mask, weighting: str) -> "FeatureScale":
        """Take the weights of the rows with likes, `occupied`, (n_rows,)."""
        columns = np.ones(features.n_features, dtype=np.float32)
        if weighting == "given":
            return cls(columns, is_weighed=False)
        own = features.matrix[np.flatnonzero(occupied)]
        having = np.bincount(own.indices, minlength=features.n_features)
        rarity = np.log(max(own.shape[0], 1) / np.maximum(having, 1))
        for place, block in enumerate(features.blocks):
            if block.is_of_words:
                here = features.columns_of(place)
                columns[here] = rarity[here]
        return cls(columns, is_weighed=True)

    def vectors(self, features: Features) -> sp.csr_array:
        """Return the weighed features, CSR of float32, (n_rows, n_features)."""
        matrix = features.matrix
        if not self.is_weighed:
            return matrix
        values = matrix.data.astype(np.float64)
        blocks = np.searchsorted(features.starts, matrix.indices, side="right") - 1
        of_words = np.array([block.is_of_words for block in features.blocks])[blocks]
        values[of_words] = np.log1p(np.abs(values[of_words]))
        values *= self.columns[matrix.indices]
        to_length_1 = np.array([block.kind in _OF_LENGTH_1 for block in features.blocks])[blocks]
        rows = np.repeat(np.arange(features.n_rows), np.diff(matrix.indptr))
        keys = rows * len(features.blocks) + blocks
        squares = np.bincount(keys, values**2, features.n_rows * len(features.blocks))
        lengths = np.sqrt(squares)[keys]
        values[to_length_1] /= np.where(lengths > 0, lengths, 1.0)[to_length_1]
        return sp.csr_array(
            (values.astype(np.float32), matrix.indices, matrix.indptr), matrix.shape
        )


_OF_LENGTH_1 = ("set", "text", "vector")
