"""Holds features of items or users: a sparse matrix, in blocks of columns such as tags."""

import functools
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from alsolike.data.string_array import StringArray
from alsolike.data.vocabulary import Id, Vocabulary
from alsolike.errors import DataError

BlockKind = Literal["set", "number", "text", "date", "vector"]


@dataclass(frozen=True, eq=False)
class Block:
    """Neighbouring columns that come from one column of a table.

    Parameters
    ----------
    name : str
        Of that column, such as ``"tag"``.
    kind : {"set", "number", "text", "date", "vector"}
        What it holds. The columns of a set or a text are words, each of which a row has or has not.
    names : StringArray, (n_columns,)
        Of the columns: the tags, the words; of a vector, its places.
    encoding : mapping of str to plain values
        What else further rows need to be encoded as these were, such as a mean and a deviation.
    """

    name: str
    kind: BlockKind
    names: StringArray
    encoding: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.kind not in get_args(BlockKind):
            raise DataError(
                f"The kind of features must be one of {', '.join(get_args(BlockKind))}, not "
                f"{self.kind!r}."
            )

    @property
    def is_of_words(self) -> bool:
        """Whether a row has or has not each of its columns, as it has tags."""
        return self.kind in ("set", "text")

    @property
    def is_of_parts(self) -> bool:
        """Whether its columns are parts of words, which models use and people need not see."""
        return self.encoding.get("parts") == "grams"

    def to_plain(self) -> dict[str, Any]:
        """Return all but the names, as plain values."""
        return {"name": self.name, "kind": self.kind, "encoding": dict(self.encoding)}


@dataclass(frozen=True, eq=False)
class Features:
    """What is known of items or users, row by row.

    Parameters
    ----------
    matrix : CSR of float32, (n_rows, n_features)
        Finite; columns ascend within a row. Of a word of a set or a text, how often a row has it,
        or the sum of its values; a standardized number; a component of a vector. Empty rows:
        nothing is known.
    blocks : tuple of Block
        Of its columns, in their order; names of blocks differ.

    Raises
    ------
    DataError
        The parts do not fit each other.

    Examples
    --------
    >>> tags = Features.of_words("tag", [["rock"], [], ["rock", "folk"]])
    >>> tags
    Features(3 rows, 2 features: tag)
    >>> tags.matrix.toarray().tolist(), tags.label(1)
    ([[0.0, 1.0], [0.0, 0.0], [1.0, 1.0]], 'tag: rock')
    """

    matrix: sp.csr_array
    blocks: tuple[Block, ...]

    def __post_init__(self) -> None:
        matrix = self.matrix
        if not sp.issparse(matrix) or matrix.format != "csr" or matrix.data.dtype != np.float32:
            raise DataError("Features are a scipy.sparse.csr_array of float32.")
        if not matrix.has_canonical_format or not np.isfinite(matrix.data).all():
            raise DataError("Features must be finite, each stored once, columns ascending.")
        if (width := sum(len(block.names) for block in self.blocks)) != matrix.shape[1]:
            raise DataError(f"{matrix.shape[1]:,} columns of features, but {width:,} names.")
        names = [block.name for block in self.blocks]
        if len(set(names)) < len(names):
            raise DataError(f"Names of blocks of features must differ: {', '.join(names)}.")

    @classmethod
    def of_words(cls, name: str, words: Sequence[Sequence[str]]) -> "Features":
        """Build one block of the words of each row, such as its tags."""
        known = Vocabulary.of({one for row in words for one in row}, kind="feature")
        rows = np.repeat(np.arange(len(words)), [len(set(row)) for row in words])
        columns = [known.index_of(one) for row in words for one in sorted(set(row))]
        cells = np.ones(len(rows), dtype=np.float32), (rows, np.array(columns, dtype=np.int64))
        matrix = sp.csr_array(sp.coo_array(cells, shape=(len(words), len(known))))
        matrix.sum_duplicates()
        return cls(matrix, (Block(name, "set", known.ids),))

    @property
    def n_rows(self) -> int:
        """Items or users, those without features included."""
        return int(self.matrix.shape[0])

    @property
    def n_features(self) -> int:
        """Columns of all blocks."""
        return int(self.matrix.shape[1])

    @functools.cached_property
    def starts(self) -> npt.NDArray[np.int64]:
        """First column of each block, and the number of columns, (n_blocks + 1,)."""
        widths = [len(block.names) for block in self.blocks]
        return np.concatenate(([0], np.cumsum(widths, dtype=np.int64)))

    @functools.cached_property
    def has(self) -> npt.NDArray[np.bool_]:
        """Which rows have features, (n_rows,)."""
        has: npt.NDArray[np.bool_] = np.diff(self.matrix.indptr) > 0
        return has

    def columns_of(self, block: int) -> slice:
        """Return the columns of a block."""
        return slice(int(self.starts[block]), int(self.starts[block + 1]))

    def block_of(self, column: int) -> int:
        """Return the block of a column."""
        return int(np.searchsorted(self.starts, column, side="right")) - 1

    def name_of(self, column: int) -> str:
        """Return the name of a column within its block, such as ``"rock"``."""
        block = self.block_of(column)
        return self.blocks[block].names[column - int(self.starts[block])]

    def label(self, column: int) -> str:
        """Return the name of a column with that of its block, such as ``"tag: rock"``."""
        name, block = self.name_of(column), self.blocks[self.block_of(column)].name
        return f"{block}: {name}" if name and name != block else block

    @functools.cached_property
    def fingerprint(self) -> str:
        """SHA-256 over cells, names and encodings: equal for equal features."""
        digest = hashlib.sha256()
        matrix = self.matrix
        parts: list[npt.NDArray[Any]] = [matrix.indptr.astype(np.int64)]
        parts += [matrix.indices.astype(np.int64), matrix.data]
        for block in self.blocks:
            digest.update(json.dumps(block.to_plain(), sort_keys=True).encode())
            parts += [block.names.offsets, block.names.blob]
        for part in parts:
            digest.update(str(part.size).encode())
            digest.update(np.ascontiguousarray(part).tobytes())
        return digest.hexdigest()

    def same_columns(self, other: "Features") -> bool:
        """Tell whether these have the columns of others, encoded alike."""
        return len(self.blocks) == len(other.blocks) and all(
            one.to_plain() == two.to_plain() and one.names == two.names
            for one, two in zip(self.blocks, other.blocks, strict=True)
        )

    def take(self, rows: npt.ArrayLike) -> "Features":
        """Return these rows, in that order; nothing is known of a row -1."""
        places = np.asarray(rows, dtype=np.int64)
        if not self.n_rows:
            return Features(sp.csr_array((len(places), self.n_features), dtype=np.float32),
                            self.blocks)  # fmt: skip
        kept = self.matrix[np.maximum(places, 0)]
        if (places < 0).any():
            known = np.repeat(places >= 0, np.diff(kept.indptr))
            counts = np.where(places >= 0, np.diff(kept.indptr), 0)
            starts = np.concatenate(([0], np.cumsum(counts))).astype(kept.indptr.dtype)
            kept = sp.csr_array((kept.data[known], kept.indices[known], starts), kept.shape)
        return Features(kept, self.blocks)

    def __repr__(self) -> str:
        names = ", ".join(block.name for block in self.blocks)
        return f"Features({self.n_rows:,} rows, {self.n_features:,} features: {names})"


@dataclass(frozen=True, eq=False)
class FeatureTable:
    """Features with the ids of their rows, also of items or users without likes.

    Parameters
    ----------
    ids : Vocabulary
    features : Features
        Of each id.

    Examples
    --------
    >>> table = FeatureTable.of_words("tag", {"m1": ["rock"], "m3": ["folk", "rock"]})
    >>> table.of(Vocabulary.of(["m1", "m2", "m3"], kind="item")).matrix.toarray().tolist()
    [[0.0, 1.0], [0.0, 0.0], [1.0, 1.0]]
    """

    ids: Vocabulary
    features: Features

    def __post_init__(self) -> None:
        if len(self.ids) != self.features.n_rows:
            raise DataError(
                f"{len(self.ids):,} {self.ids.kind} ids for {self.features.n_rows:,} rows of "
                "features."
            )

    @classmethod
    def of_words(
        cls, name: str, words: Mapping[Id, Sequence[str]], *, kind: str = "item"
    ) -> "FeatureTable":
        """Build one block of the words of each id, such as the tags of items."""
        ids = Vocabulary.of(words, kind=kind)
        return cls(ids, Features.of_words(name, [words[one] for one in ids]))

    def of(self, ids: Vocabulary) -> Features:
        """Return the features of other ids, in their order; empty rows for those unknown here."""
        return self.features.take(self.ids.places_of(ids))
