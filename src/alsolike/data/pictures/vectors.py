"""Makes vectors of the pictures of items: the entry point `picture_vectors`."""

import os
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from alsolike.data.pictures.drawings import Drawer
from alsolike.data.pictures.opening import open_pixels, pillow
from alsolike.data.pictures.pretrained import (
    Embedding,
    Scaling,
    efficientnet,
    expect_side,
    own_network,
)
from alsolike.data.pictures.sources import FAULTS, Fault, Source, Unreadable
from alsolike.data.pictures.unfinished import Unfinished, key_of
from alsolike.data.reading.features.item_vectors import ItemCells, ItemVectors, read_cells
from alsolike.data.reading.features.tables import Form
from alsolike.data.reading.sources import Ref
from alsolike.data.vocabulary import Vocabulary
from alsolike.engines.local import LocalEngine
from alsolike.errors import DataError, SettingError
from alsolike.progress import SILENT, Observer
from alsolike.text import counted, in_two_columns
from alsolike.usage_hints import with_example

Floats = npt.NDArray[np.float32]

_AT_ONCE = 32  # pictures of a thread between two reports of progress
_EXAMPLES = 3


@dataclass(frozen=True, kw_only=True)
class PictureReport:
    """What became of the pictures. ``str()`` gives lines for people.

    Parameters
    ----------
    network : str
    items, with_vector : int
    components : int
    repeated : int
        Items whose picture is another's, named in the same way; it was looked at once.
    resumed : int
        Pictures whose vectors an earlier start had made.
    animated : int
        Pictures of several frames or pages, of which the first was taken.
    faults : mapping of str to list of ids
        Items without a vector, by reason.
    left_out : tuple of (str, str)
        Rows of the table that were left out, and how many.
    """

    network: str
    items: int
    with_vector: int
    components: int
    repeated: int = 0
    resumed: int = 0
    animated: int = 0
    faults: Mapping[str, list[Any]] = field(default_factory=dict)
    left_out: tuple[tuple[str, str], ...] = ()

    def facts(self) -> list[tuple[str, str]]:
        """Return (label, text) pairs; zero counts are left out."""
        facts = [
            ("network", self.network),
            ("items", f"{self.items:,}"),
            ("vectors", f"{self.with_vector:,} of {self.components:,} components"),
        ]
        counts: list[tuple[str, int]] = [
            ("made by an earlier start", self.resumed),
            ("pictures of other items", self.repeated),
            ("of several frames, the first taken", self.animated),
        ]
        facts += [(label, f"{count:,}") for label, count in counts if count]
        for fault in FAULTS:
            if ids := self.faults.get(fault):
                some = ", ".join(repr(one) for one in ids[:_EXAMPLES])
                more = ", ..." if len(ids) > _EXAMPLES else ""
                facts.append((f"left out: {fault}", f"{len(ids):,} ({some}{more})"))
        return [*facts, *self.left_out]

    def __str__(self) -> str:
        return in_two_columns(self.facts())


@with_example('al.picture_vectors("items.csv", column="image")')
def picture_vectors(
    items: Any,
    *,
    column: Ref | None = None,
    id_column: Ref | None = None,
    folder: str | os.PathLike[str] | None = None,
    network: str | os.PathLike[str] | None = None,
    size: int | None = None,
    pixels: Scaling = "imagenet",
    resume: str | os.PathLike[str] | None = None,
    threads: int | None = None,
    delimiter: str | None = None,
    header: bool | None = None,
    encoding: str | None = None,
    observer: Observer = SILENT,
) -> ItemVectors:
    """Turn the pictures of items into vectors; those of pictures that look alike are near.

    The network is EfficientNet-Lite0, trained on ImageNet. Its last layer, which names classes, is
    left out: a vector is the mean over the picture of the 1,280 numbers before it. Pictures are
    read from this machine; nothing is fetched. One that cannot be read has no vector and is
    counted; it never ends the job.

    Parameters
    ----------
    items : path, frame or mapping
        A table with a row for each item, or a picture for each id: a path, a data URL or the text
        of an SVG.
    column : str or int, optional
        Of the table: the column of pictures; default: ``image``.
    id_column : str or int, optional
        Of the table; default: ``item``, ``item_id`` or ``id``, else the first one.
    folder : path, optional
        That paths start at; default: the folder of the table's file, or the current one.
    network : path, optional
        An ONNX file instead, which ONNX Runtime runs.
    size : int, optional
        Pictures are resized to squares of so many pixels, whatever their shape; default: 128, or
        what `network` takes. Vectors of different sizes cannot be compared.
    pixels : {"imagenet", "unit", "centred", "bytes"}
        What a network of one's own takes: less ImageNet's mean and divided by its deviation, from 0
        to 1, from -1 to 1, or bytes.
    resume : path, optional
        A file that keeps the vectors that are done until all are, so that a further call goes on.
    threads : int, optional
        Vectors do not depend on it.
    delimiter, header, encoding : optional
        Of a text file, as in `alsolike.read`.
    observer : Observer

    Returns
    -------
    ItemVectors
        With a row for each item whose picture could be read, and a report.

    Raises
    ------
    DataError
        The table cannot be read, no picture can, or a package is not installed.
    SettingError
        An argument is out of its range.

    References
    ----------
    Tan, Le 2019, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks".

    Examples
    --------
    >>> drawing = "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 9 9'/>"
    >>> found = picture_vectors({"m1": drawing, "m2": ""})  # doctest: +SKIP
    ItemVectors(1 items, 1,280 components)
    """
    side, engine = expect_side(size), LocalEngine(threads)
    pillow()
    embedding = efficientnet(side) if network is None else own_network(Path(network), side, pixels)
    if isinstance(items, Mapping):
        if column is not None or id_column is not None:
            raise SettingError("column and id_column are those of a table, and a dict is none.")
        given = {one: str(cell) for one, cell in items.items()}
        ids = Vocabulary.of(given, kind="item")
        cells = ItemCells(ids, [given[one] for one in ids])
    else:
        form = Form.of(delimiter, header, encoding)
        wanted: Ref = "image" if column is None else column
        cells = read_cells(items, wanted, id_column, form, threads)
    if folder is None:
        folder = Path(items).parent if isinstance(items, (str, os.PathLike)) else Path()
    store = Unfinished(None if resume is None else Path(resume))
    with store, Drawer() as drawer, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of odd metadata, and of pictures that are refused
        job = _Job(embedding, Path(folder), drawer, store)
        found = job.run(cells.cells, engine, observer)
    return _result(cells, found, embedding)


@dataclass(frozen=True)
class _Made:
    """The vector of a cell, or why it has none."""

    vector: Floats | None = None
    is_animated: bool = False
    fault: Fault | None = None
    is_resumed: bool = False
    key: bytes = b""


@dataclass(frozen=True)
class _Job:
    """Makes vectors of cells."""

    embedding: Embedding
    folder: Path
    drawer: Drawer
    store: Unfinished

    def run(
        self, texts: Sequence[str], engine: LocalEngine, observer: Observer
    ) -> dict[str, _Made]:
        """Return what became of each distinct cell."""
        cells = list(dict.fromkeys(texts))
        found: dict[str, _Made] = {}
        observer.start("pictures", len(cells))
        step = _AT_ONCE * engine.threads
        for start in range(0, len(cells), step):
            part = cells[start : start + step]
            for cell, made in zip(part, engine.each(self._make, part), strict=True):
                found[cell] = made
                if made.vector is not None and not made.is_resumed:
                    self.store.add(made.key, made.vector, made.is_animated)
            self.store.flush()
            observer.advance(len(part))
        observer.finish()
        return found

    def _make(self, cell: str) -> _Made:
        source = Source(cell, self.folder)
        try:
            key = key_of(self.embedding.fingerprint, source.signature())
            if (known := self.store.get(key)) is not None:
                return _Made(*known, is_resumed=True)
            pixels, is_animated = open_pixels(source, self.embedding.side, self.drawer)
        except Unreadable as error:
            return _Made(fault=error.fault)
        return _Made(self.embedding.vector(pixels), is_animated, key=key)


def _result(cells: ItemCells, found: Mapping[str, _Made], embedding: Embedding) -> ItemVectors:
    """Return the vectors of items; raise DataError if there are none."""
    ids, texts = cells.ids, cells.cells
    faults: dict[str, list[Any]] = {}
    rows: list[int] = []
    vectors: list[Floats] = []
    for row, text in enumerate(texts):
        made = found[text]
        if made.vector is not None:
            rows.append(row)
            vectors.append(made.vector)
        elif made.fault is not None:
            faults.setdefault(made.fault, []).append(ids.id_of(row))
    if not rows:
        why = "; ".join(f"{fault}: {len(some):,}" for fault, some in faults.items())
        raise DataError(f"None of {counted(len(texts), 'item')} has a picture that can be read "
                        f"({why}). Name their column, and the folder of their paths.")  # fmt: skip
    shown = Counter(text for text in texts if found[text].vector is not None)
    report = PictureReport(
        network=embedding.name,
        items=len(texts),
        with_vector=len(rows),
        components=len(vectors[0]),
        repeated=len(rows) - len(shown),
        resumed=sum(found[text].is_resumed for text in shown),
        animated=sum(found[text].is_animated for text in shown),
        faults=faults,
        left_out=tuple(cells.facts()),
    )
    return ItemVectors(ids.subset(rows), np.stack(vectors), report)
