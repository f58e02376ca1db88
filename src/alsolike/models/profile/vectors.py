"""Weighs features of items into vectors: tf-idf of words, and numbers of bounded length.

Words of all blocks, such as tags and words of a text, share a length of 1: an item's word weighs
``sign(v) log2(1 + |v|)``, 1 for a tag, times the rarity of the word. A block that is a vector has
length 1, times its weight; standardized numbers z of a block are divided by ``sqrt(1 + |z|^2)``,
so that one odd number cannot outweigh all words.

References
----------
Salton, Buckley 1988, "Term-weighting approaches in automatic text retrieval".
Pazzani, Billsus 2007, "Content-Based Recommendation Systems".
"""

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from alsolike.data.features.features import Block, Features
from alsolike.errors import SettingError
from alsolike.models.profile.config import ItemProfileConfig
from alsolike.usage_hints import did_you_mean

Doubles = npt.NDArray[np.float64]


def column_scales(
    features: Features, liked: npt.NDArray[np.bool_], config: ItemProfileConfig
) -> Doubles:
    """Return what each column weighs, float64, (n_features,).

    Parameters
    ----------
    features : Features
    liked : bool, (n_rows,)
        Items with likes in training. A word of none of them weighs 0: no profile can have it.
    config : ItemProfileConfig

    Raises
    ------
    SettingError
        A weight is of no block of the features.
    """
    names = [block.name for block in features.blocks]
    if unknown := [name for name in config.named_weights if name not in names]:
        raise SettingError(
            f"weights names the block {unknown[0]!r}; the features have {', '.join(names)}."
            f"{did_you_mean(unknown[0], names)}"
        )
    stored = features.matrix[np.flatnonzero(liked)]
    counts = np.bincount(stored.indices[stored.data != 0], minlength=features.n_features)
    rarity = np.log(max(int(np.count_nonzero(liked)), 1) / np.maximum(counts, 1))
    scales = np.where(counts > 0, rarity**config.rarity_exponent, 0.0)
    for place, block in enumerate(features.blocks):
        columns, weight = features.columns_of(place), config.weight_of(block.name)
        scales[columns] = scales[columns] * weight if block.is_of_words else weight
    return scales


def item_vectors(matrix: sp.csr_array, blocks: tuple[Block, ...], scales: Doubles) -> sp.csr_array:
    """Weigh rows of features, CSR of float64, (n, n_features), without zeros.

    Parameters
    ----------
    matrix : CSR, (n, n_features)
        Rows as `Features.matrix` has them.
    blocks : tuple of Block
        Of its columns.
    scales : float64, (n_features,)
        Of `column_scales`.

    Examples
    --------
    >>> tags = Features.of_words("tag", [["rock", "folk"], ["rock"], []])
    >>> item_vectors(tags.matrix, tags.blocks, np.array([3.0, 4.0])).toarray()
    array([[0.6, 0.8],
           [0. , 1. ],
           [0. , 0. ]])
    """
    widths = [len(block.names) for block in blocks]
    is_word = np.repeat([block.is_of_words for block in blocks], widths).astype(bool)
    # Words of all blocks have a length together; each other block has its own.
    group = np.repeat(np.where([b.is_of_words for b in blocks], 0, np.arange(len(blocks)) + 1),
                      widths).astype(np.int64)  # fmt: skip
    shared = np.repeat([block.kind in ("number", "date") for block in blocks], widths).astype(bool)
    data, columns = matrix.data.astype(np.float64), matrix.indices
    words = is_word[columns]
    data[words] = (
        np.copysign(np.log2(1 + np.abs(data[words])), data[words]) * scales[columns[words]]
    )
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    keys = rows * (len(blocks) + 1) + group[columns]
    cells = matrix.shape[0] * (len(blocks) + 1)
    squares = np.bincount(keys, np.square(data), minlength=cells)[keys]
    lengths = np.sqrt(squares + shared[columns])
    data = np.divide(data, lengths, out=np.zeros_like(data), where=lengths > 0)
    data[~words] *= scales[columns[~words]]
    found = sp.csr_array((data, columns.copy(), matrix.indptr.copy()), shape=matrix.shape)
    found.eliminate_zeros()
    return found


def unit_rows(vectors: sp.csr_array) -> sp.csr_array:
    """Divide rows by their Euclidean lengths; empty rows stay empty."""
    rows = np.repeat(np.arange(vectors.shape[0]), np.diff(vectors.indptr))
    lengths = np.sqrt(np.bincount(rows, np.square(vectors.data), minlength=vectors.shape[0]))
    return sp.csr_array(
        (vectors.data / lengths[rows], vectors.indices, vectors.indptr), shape=vectors.shape
    )
