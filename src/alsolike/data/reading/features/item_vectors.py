"""Holds vectors of items with their ids, reads what they are made of, and makes those of texts."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from scipy.sparse.linalg import svds

from alsolike.data.features.columns import Column
from alsolike.data.features.encode import encode
from alsolike.data.reading.features.asked import AskedColumn
from alsolike.data.reading.features.tables import Form, load_table, of_loaded
from alsolike.data.reading.source_table import SourceTable
from alsolike.data.reading.sources import Ref, workspace
from alsolike.data.vocabulary import Vocabulary
from alsolike.engines.local import LocalEngine
from alsolike.errors import DataError, SettingError
from alsolike.progress import SILENT, Observer
from alsolike.storage.atomic import replacing
from alsolike.text import in_two_columns
from alsolike.usage_hints import with_example

Floats = npt.NDArray[np.float32]

COMPONENTS = 128  # of vectors of texts
_LIKELY = ("item", "item_id", "id")


@dataclass(frozen=True, eq=False)
class ItemVectors:
    """Vectors of items, such as those of their pictures.

    Parameters
    ----------
    ids : Vocabulary
    vectors : float32, (n_items, n_components)
    report : object
        What was made, and what was left out; ``str()`` gives lines for people.
    """

    ids: Vocabulary
    vectors: Floats
    report: Any

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write an ``.npz`` file that ``item_vectors`` of `alsolike.read` takes.

        Raises
        ------
        WritingError
            The place cannot be written.
        """
        ids = [self.ids.id_of(row) for row in range(len(self.ids))]
        fits = self.ids.are_whole and all(abs(int(one)) < 2**63 for one in ids)
        with replacing(path) as part, part.open("wb") as file:
            np.savez(file, ids=np.array(ids, dtype=np.int64 if fits else str), vectors=self.vectors)

    def __repr__(self) -> str:
        return f"ItemVectors({len(self.ids):,} items, {self.vectors.shape[1]:,} components)"


@dataclass(frozen=True)
class ItemCells:
    """A cell of a column for each item of a table, empty where it has none.

    `repeated` and `without_id` are the rows beyond the first of an id, and those without one.
    """

    ids: Vocabulary
    cells: list[str]
    repeated: int = 0
    without_id: int = 0

    def facts(self) -> list[tuple[str, str]]:
        """Return (label, text) pairs of the rows that were left out; zero counts are not told."""
        counts = (
            ("left out: further rows of an id", self.repeated),
            ("left out: rows without an id", self.without_id),
        )
        return [(label, f"{count:,}") for label, count in counts if count]


def read_cells(
    items: Any, column: Ref, id_column: Ref | None, form: Form, threads: int | None
) -> ItemCells:
    """Read a column of a table with a row for each item.

    Without `id_column`, it is the one named item, item_id or id, else the first.

    Raises
    ------
    DataError
        The table cannot be read, or has no such column.
    """
    with workspace(threads) as (connection, scratch):
        ids = [] if id_column is None else [id_column]
        loaded = load_table(connection, scratch, "cell_table", items, ids, form=form)
        key = key_of_items(loaded, id_column)
        found = of_loaded(connection, loaded, key, [AskedColumn(column, "words")], "item")
    cells = [""] * len(found.ids)
    told = found.columns[0]
    for row, cell in zip(told.rows.tolist(), told.cells, strict=True):
        cells[row] = str(cell)
    return ItemCells(found.ids, cells, found.repeated, found.without_id)


def key_of_items(loaded: SourceTable, id_column: Ref | None) -> Ref:
    """Return the column of ids: the one asked for, or the likely one, else the first."""
    likely: Sequence[Ref] = [name for name in _LIKELY if name in loaded.names]
    return id_column if id_column is not None else (likely[0] if likely else 1)


@dataclass(frozen=True, kw_only=True)
class TextReport:
    """What became of the texts. ``str()`` gives lines for people.

    `share` is how much of the squared lengths of the tf-idf vectors the components hold.
    """

    items: int
    with_vector: int
    words: int
    components: int
    share: float
    left_out: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        facts = [
            ("items", f"{self.items:,}"),
            ("words and parts of words", f"{self.words:,}"),
            (
                "vectors",
                f"{self.with_vector:,} of {self.components:,} components, which hold "
                f"{self.share:.0%} of tf-idf",
            ),
        ]
        if left := self.items - self.with_vector:
            facts.append(("left out: items without known words", f"{left:,}"))
        facts += self.left_out
        return in_two_columns(facts)


@with_example('al.text_vectors("items.csv", column="description")')
def text_vectors(
    items: Any,
    *,
    column: Ref | None = None,
    id_column: Ref | None = None,
    components: int = COMPONENTS,
    feature_min: int = 2,
    threads: int | None = None,
    delimiter: str | None = None,
    header: bool | None = None,
    encoding: str | None = None,
    observer: Observer = SILENT,
) -> ItemVectors:
    """Turn the texts of items into vectors; those of texts with related words are near.

    tf-idf of words and of parts of words, each text of length 1, by its singular value
    decomposition: latent semantic analysis. Words that occur in the same texts share components, so
    texts can be near without a common word.

    Parameters
    ----------
    items : path or frame
        A table with a row for each item.
    column : str or int, optional
        Of the texts; default: ``description``.
    id_column : str or int, optional
        Default: ``item``, ``item_id`` or ``id``, else the first one.
    components : int
        At most so many; fewer where texts or words are fewer.
    feature_min : int
        Words of fewer texts are left out.
    threads : int, optional
    delimiter, header, encoding : optional
        Of a text file, as in `alsolike.read`.
    observer : Observer

    Returns
    -------
    ItemVectors
        With a row for each item that has a known word.

    Raises
    ------
    DataError
        The table cannot be read, or fewer than three texts share words.
    SettingError
        `components` is below 1.

    References
    ----------
    Deerwester et al. 1990, "Indexing by latent semantic analysis".
    Salton, Buckley 1988, "Term-weighting approaches in automatic text retrieval".
    """
    if isinstance(components, bool) or not isinstance(components, int) or components < 1:
        raise SettingError(
            f"components: a whole number of at least 1 expected, not {components!r}."
        )
    form = Form.of(delimiter, header, encoding)
    cells = read_cells(items, "description" if column is None else column, id_column, form, threads)
    observer.start("texts", None)
    told = [row for row, cell in enumerate(cells.cells) if cell]
    texts = Column(
        "text", "text", np.array(told, dtype=np.int64), [cells.cells[row] for row in told]
    )
    known = encode([texts], len(cells.cells), minimum=feature_min).features
    weighed = tf_idf(known.matrix)
    rows = np.flatnonzero(np.diff(weighed.indptr))
    width = min(components, len(rows) - 1, weighed.shape[1] - 1)
    if width < 1:
        raise DataError(
            f"Column {column or 'description'!r}: texts that share words expected, found "
            f"{len(rows):,} of {len(cells.cells):,} items with words of {feature_min:,} texts."
        )
    (vectors,) = LocalEngine(1).each(lambda kept: leading(weighed[kept], width), [rows])
    observer.finish()
    report = TextReport(
        items=len(cells.cells),
        with_vector=len(rows),
        words=weighed.shape[1],
        components=width,
        share=float(np.square(vectors, dtype=np.float64).sum() / len(rows)),
        left_out=tuple(cells.facts()),
    )
    return ItemVectors(cells.ids.subset(rows), vectors, report)


def tf_idf(counts: sp.csr_array) -> sp.csr_array:
    """Weigh counts of words, rows of length 1: ``log2(1 + count) log((1 + n) / (1 + n_having))``.

    Examples
    --------
    >>> tf_idf(sp.csr_array(np.array([[1.0, 1.0], [1.0, 0.0]]))).toarray().round(3).tolist()
    [[0.0, 1.0], [0.0, 0.0]]
    """
    found = sp.csr_array(counts, dtype=np.float64)
    having = np.bincount(found.indices, minlength=found.shape[1])
    rare = np.log((1.0 + found.shape[0]) / (1.0 + having))
    values = np.log2(1.0 + found.data) * rare[found.indices]
    rows = np.repeat(np.arange(found.shape[0]), np.diff(found.indptr))
    lengths = np.sqrt(np.bincount(rows, np.square(values), minlength=found.shape[0]))
    values = values / np.where(lengths > 0, lengths, 1.0)[rows]
    weighed = sp.csr_array((values, found.indices, found.indptr), shape=found.shape)
    weighed.eliminate_zeros()
    return weighed


def leading(matrix: sp.csr_array, width: int) -> Floats:
    """Return rows by the leading singular vectors, float32, (n_rows, width), the longest first.

    The largest entry of each right singular vector is positive, so that equal texts give equal
    bytes.
    """
    # A fixed start: ARPACK draws one otherwise.
    start = np.ones(min(matrix.shape)) / np.sqrt(min(matrix.shape))
    left, lengths, right = svds(matrix, k=width, v0=start)
    order = np.argsort(-lengths, kind="stable")
    signs = np.sign(right[np.arange(width), np.abs(right).argmax(axis=1)])
    found: Floats = (left * (lengths * signs))[:, order].astype(np.float32)
    return found
