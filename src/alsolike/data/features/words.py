"""Encodes sets and texts: a column for each word, or for each part of a word."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from alsolike.data.features.columns import Column

# Of parts of words; the ends of a word are marked, so that "<cas" begins one.
SHORTEST, LONGEST = 3, 5
_LONGEST_WORD = 1_000  # characters of a word of which parts are taken: the rest is no word
_WORD = re.compile(r"\w+")


def words_of(text: str) -> list[str]:
    """Return the words of a text, lower-cased: runs of letters, digits and underscores.

    Examples
    --------
    >>> words_of("Burg Eltz, 12th-century CASTLE")
    ['burg', 'eltz', '12th', 'century', 'castle']
    """
    return _WORD.findall(unicodedata.normalize("NFC", text.lower()))


def parts_of(word: str, shortest: int = SHORTEST, longest: int = LONGEST) -> list[str]:
    """Return the parts of a word, of 3 to 5 characters, its ends marked.

    Examples
    --------
    >>> parts_of("red")
    ['<re', 'red', 'ed>', '<red', 'red>', '<red>']
    """
    marked = f"<{word[:_LONGEST_WORD]}>"
    return [
        marked[start : start + length]
        for length in range(shortest, longest + 1)
        for start in range(len(marked) - length + 1)
    ]


def named_counts(
    column: Column, n_rows: int, encoding: Mapping[str, Any]
) -> tuple[list[str], sp.csr_array]:
    """Count the words of each row: their names, sorted, and float64, (n_rows, n_names).

    `encoding` says which: ``{"parts": "words"}`` or ``"grams"`` of texts, else those of a set.
    """
    parts = encoding.get("parts")
    if parts is None:
        weights = np.ones(len(column.rows)) if column.weights is None else column.weights
        if column.words is not None:
            return list(column.words), _sums(
                column.rows, column.cells, weights, (n_rows, len(column.words))
            )
        return _counted(column.rows, column.cells, weights, n_rows)
    found = [words_of(text) for text in column.cells]
    rows = np.repeat(column.rows, [len(words) for words in found])
    words = [word for words in found for word in words]
    names, counts = _counted(rows, words, np.ones(len(words)), n_rows)
    if parts == "words":
        return names, counts
    # Parts are taken of each word once, however often it occurs.
    grams = [parts_of(one, encoding["shortest"], encoding["longest"]) for one in names]
    of_word = np.repeat(np.arange(len(names)), [len(some) for some in grams])
    every = [gram for some in grams for gram in some]
    gram_names, by_word = _counted(of_word, every, np.ones(len(every)), len(names))
    return gram_names, sp.csr_array(counts @ by_word)


def frequent(names: Sequence[str], counts: sp.csr_array, minimum: int) -> list[str]:
    """Return the names that occur in at least `minimum` rows."""
    kept = np.flatnonzero(occurrences(counts) >= minimum)
    return [names[place] for place in kept.tolist()]


def occurrences(counts: sp.csr_array) -> npt.NDArray[np.int64]:
    """Return the number of rows with each column, (n_columns,)."""
    return np.bincount(counts.indices, minlength=counts.shape[1]).astype(np.int64)


def taken(
    names: Sequence[str], counts: sp.csr_array, known: Sequence[str]
) -> tuple[sp.csr_array, int]:
    """Return the cells of `known` names, float32, and how many cells have another name."""
    places = {name: place for place, name in enumerate(known)}
    columns = np.array([places.get(name, -1) for name in names], dtype=np.int64)
    cells = counts.tocoo()
    is_known = columns[cells.col] >= 0
    kept = sp.coo_array(
        (
            cells.data[is_known].astype(np.float32),
            (cells.row[is_known], columns[cells.col[is_known]]),
        ),
        shape=(counts.shape[0], len(known)),
    )
    return sp.csr_array(kept), int(np.count_nonzero(~is_known))


def _counted(
    rows: npt.NDArray[np.int64],
    words: Sequence[str],
    weights: npt.NDArray[np.float64],
    n_rows: int,
) -> tuple[list[str], sp.csr_array]:
    names = sorted(set(words))
    places = {name: place for place, name in enumerate(names)}
    columns = np.array([places[word] for word in words], dtype=np.int64)
    return names, _sums(rows, columns, weights, (n_rows, len(names)))


def _sums(
    rows: npt.NDArray[np.int64],
    columns: npt.NDArray[np.int64],
    weights: npt.NDArray[np.float64],
    shape: tuple[int, int],
) -> sp.csr_array:
    counts = sp.csr_array(sp.coo_array((weights, (rows, columns)), shape=shape))
    counts.sum_duplicates()
    counts.eliminate_zeros()
    return counts
