"""Weighs features into vectors: tf-idf of words, and numbers of bounded length.

Words of all blocks, such as tags and words of a text, share a length of 1: a row's word weighs
``sign(v) log2(1 + |v|)``, 1 for a tag, times the rarity of the word. A block that is a vector has
length 1, times its weight; standardized numbers z of a block are divided by ``sqrt(1 + |z|^2)``,
so that one odd number cannot outweigh all words.

References
----------
Salton, Buckley 1988, "Term-weighting approaches in automatic text retrieval".
Pazzani, Billsus 2007, "Content-Based Recommendation Systems".
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from alsolike.data.features.features import Block, Features
from alsolike.data.validation import said
from alsolike.errors import SettingError
from alsolike.models.settings import check_number
from alsolike.usage_hints import did_you_mean

Doubles = npt.NDArray[np.float64]

_MOST_EXPONENT = 10
_MOST_BLOCKS = 6
_MARKS = (",", "=")  # that a text of weights has between its parts


def column_scales(
    features: Features,
    occupied: npt.NDArray[np.bool_],
    rarity_exponent: float,
    weights: str | Mapping[str, float] | None,
) -> Doubles:
    """Return what each column weighs, float64, (n_features,).

    Parameters
    ----------
    features : Features
    occupied : bool, (n_rows,)
        Rows with likes in training. A word of none of them weighs 0.
    rarity_exponent : float
        r: a word of df of the N rows with likes weighs ``log(N / df) ** r``.
    weights : str, mapping or None
        Of blocks, see `block_weights`; 1 for all others.

    See `expect_blocks` for weights of blocks that are not there.
    """
    of_blocks = block_weights(weights)
    stored = features.matrix[np.flatnonzero(occupied)]
    counts = np.bincount(stored.indices[stored.data != 0], minlength=features.n_features)
    rarity = np.log(max(int(np.count_nonzero(occupied)), 1) / np.maximum(counts, 1))
    scales = np.where(counts > 0, rarity**rarity_exponent, 0.0)
    for place, block in enumerate(features.blocks):
        columns, weight = features.columns_of(place), of_blocks.get(block.name, 1.0)
        scales[columns] = scales[columns] * weight if block.is_of_words else weight
    return scales


def vectors_of(matrix: sp.csr_array, blocks: tuple[Block, ...], scales: Doubles) -> sp.csr_array:
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
    >>> vectors_of(tags.matrix, tags.blocks, np.array([3.0, 4.0])).toarray()
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


def check_rarity_exponent(value: float) -> None:
    """Raise SettingError unless r is from 0 to 10."""
    check_number("rarity_exponent", value)
    if value > _MOST_EXPONENT:
        raise SettingError(f"rarity_exponent must be at most {_MOST_EXPONENT}, not {value!r}.")


def weights_as_text(given: str | Mapping[str, float] | None) -> str | None:
    """Return weights of blocks in one form, which is a plain value.

    Examples
    --------
    >>> weights_as_text({"tag": 2, "citation": 0.5}), weights_as_text("a=1.0"), weights_as_text({})
    ('citation=0.5,tag=2', 'a=1', None)
    """
    pairs = sorted(block_weights(given).items())
    return ",".join(f"{name}={weight:.12g}" for name, weight in pairs) or None


def weighable(features: Features) -> list[str]:
    """Return the blocks whose weights a search may change: some of a few, by names without marks.

    Examples
    --------
    >>> weighable(Features.of_words("tag", [["rock"]]))
    []
    """
    names = [block.name for block in features.blocks]
    if not 1 < len(names) <= _MOST_BLOCKS:
        return []
    return [name for name in names if not any(mark in name for mark in _MARKS)]


def expect_blocks(
    weights: str | Mapping[str, float] | None, known: Iterable[Features | None]
) -> None:
    """Raise SettingError for a weight of a block that none of these features has."""
    names = [block.name for one in known if one is not None for block in one.blocks]
    for name in block_weights(weights):
        if name not in names:
            raise SettingError(
                f"weights names the block {name!r}; the features have "
                f"{', '.join(names) or 'none'}.{did_you_mean(name, names)}"
            )


def block_weights(given: Any) -> dict[str, float]:
    """Return weights by the names of blocks; SettingError for what is none."""
    given = "" if given is None else given
    if isinstance(given, str):
        parts = [part.rpartition("=") for part in given.split(",") if part.strip()]
        pairs: Any = [(name.strip(), text) for name, _, text in parts]
    elif isinstance(given, Mapping):
        pairs = list(given.items())
    else:
        raise SettingError(f"weights of blocks must be a text or a mapping, not {said(given)}.")
    found: dict[str, float] = {}
    for name, weight in pairs:
        if not isinstance(name, str) or not name or any(mark in name for mark in _MARKS):
            raise SettingError(
                "weights must be names of blocks with a number for each, such as "
                f"'tag=2,citation=0.5', not {given!r}; names cannot contain a comma or an equals "
                "sign here: rename such a column."
            )
        if name in found:
            raise SettingError(f"weights gives two of block {name!r}: {given!r}.")
        try:
            found[name] = float(weight)
        except (TypeError, ValueError):
            raise SettingError(f"weights of {name!r} must be a number, not {weight!r}.") from None
        check_number(f"weights of {name!r}", found[name])
    return found
