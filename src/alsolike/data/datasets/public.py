"""Reads local copies of public data sets that `alsolike.read` cannot read: Gowalla."""

import gzip
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from alsolike.data.interactions import Interactions, canonical
from alsolike.data.vocabulary import Vocabulary
from alsolike.errors import DataError

Ints = npt.NDArray[np.int64]


def gowalla(folder: str | os.PathLike[str]) -> tuple[Interactions, Interactions]:
    """Read Gowalla's check-ins as split by the authors of NGCF and LightGCN.

    Parameters
    ----------
    folder : path
        Holds ``train.txt`` and ``test.txt``, or the same with ``.gz``; a line is a user's number
        and those of the items.

    Returns
    -------
    train, test : Interactions
        Over the same users and items; ids are the numbers as text. Timestamps are places in the
        line, from 0: the lines are in the order of the check-ins (neighbours in a line are liked
        together far more often than chance), and the test part continues them.

    Raises
    ------
    DataError
        A file is missing or damaged, a line holds something else than numbers, or a pair repeats.
    """
    parts = [_adjacency(_found(Path(folder), name)) for name in ("train.txt", "test.txt")]
    user_ids, user_row = _text_order(np.concatenate([users for users, *_ in parts]), "user")
    item_ids, item_row = _text_order(np.concatenate([items for _, items, _ in parts]), "item")
    shape = (len(user_ids), len(item_ids))
    tables = []
    for users, items, places in parts:
        ones = np.ones(len(users), dtype=np.float32)
        pairs = (user_row[users], item_row[items])
        matrix = canonical(sp.coo_array((ones, pairs), shape=shape))
        if matrix.nnz != len(users):
            raise DataError(f"{folder}: {len(users) - matrix.nnz:,} (user, item) pairs repeat.")
        times = places[np.lexsort(pairs[::-1])].astype(np.float64)
        tables.append(Interactions(matrix, user_ids, item_ids, times))
    return tables[0], tables[1]


def _found(folder: Path, name: str) -> Path:
    for path in (folder / name, folder / f"{name}.gz"):
        if path.is_file():
            return path
    raise DataError(f"{folder}: neither {name} nor {name}.gz is there.")


def _adjacency(path: Path) -> tuple[Ints, Ints, Ints]:
    """Return user, item and place in the line of each pair; lines are ``user item item ...``."""
    users, items, places = [], [], []
    for number, line in enumerate(_lines(path), start=1):
        try:
            row = np.array(line.split(), dtype=np.int64)
        except (ValueError, OverflowError):
            shown = line.strip()[:60]
            raise DataError(
                f"{path}, line {number}: whole numbers expected, not {shown!r}."
            ) from None
        if row.size and row.min() < 0:
            raise DataError(f"{path}, line {number}: {row.min()} is below 0.")
        users.append(np.repeat(row[:1], max(row.size - 1, 0)))
        items.append(row[1:])
        places.append(np.arange(len(items[-1])))
    if not users:
        raise DataError(f"{path}: empty; lines of 'user item item ...' were expected.")
    return np.concatenate(users), np.concatenate(items), np.concatenate(places)


def _lines(path: Path) -> Iterator[str]:
    opened = gzip.open if path.suffix == ".gz" else open
    try:
        with opened(path, "rt", encoding="ascii") as file:
            yield from file
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read to its end ({error}).") from error


def _text_order(numbers: Ints, kind: str) -> tuple[Vocabulary, Ints]:
    distinct = np.unique(numbers)
    ids = Vocabulary.of(map(str, distinct.tolist()), kind=kind)
    rows = np.zeros(int(distinct[-1]) + 1, dtype=np.int64)
    rows[distinct] = ids.indices_of(map(str, distinct.tolist()))
    return ids, rows
