"""Merged pairs and vocabularies to `Interactions`."""

from typing import Any

import numpy as np
import scipy.sparse as sp

from alsolike.data.interactions import Interactions, canonical
from alsolike.data.reading.cleaning.aggregate import Pairs
from alsolike.data.reading.cleaning.rows import Rules
from alsolike.data.string_array import Texts
from alsolike.data.vocabulary import Vocabulary
from alsolike.errors import DataError


def assembled(
    pairs: Pairs, users: Vocabulary, items: Vocabulary, rules: Rules, name: str
) -> tuple[Interactions, int]:
    """Build the matrix; return it with the number of pairs that came to nothing."""
    kept = pairs.values > 0 if rules.negative == "net" else pairs.values != 0
    with np.errstate(over="ignore", under="ignore"):
        values = pairs.values[kept].astype(np.float32)
    odd = np.flatnonzero(~np.isfinite(values) | (values == 0))
    if len(odd):
        place = int(np.flatnonzero(kept)[odd[0]])
        raise DataError(
            f"{name}: the value {pairs.values[place]:g} of user "
            f"{users.id_of(int(pairs.users[place]))!r} and item "
            f"{items.id_of(int(pairs.items[place]))!r}, its rows taken together, is beyond what "
            "32-bit floats hold (1e-45 to 3e38). Rescale the values."
        )
    counts = np.bincount(pairs.users[kept], minlength=len(users))
    indptr = np.concatenate(([0], np.cumsum(counts)))
    matrix = sp.csr_array((values, pairs.items[kept], indptr), shape=(len(users), len(items)))
    times = None if pairs.timestamps is None else pairs.timestamps[kept]
    return Interactions(canonical(matrix), users, items, times), int(np.count_nonzero(~kept))


def numbered(count: int, kind: str) -> tuple[Vocabulary, Any]:
    """Return the vocabulary of row numbers as text, and where each number stands in it."""
    names = [str(number) for number in range(count)]
    order = np.array(sorted(range(count), key=names.__getitem__), dtype=np.int64)
    codes = np.empty(count, dtype=np.int64)
    codes[order] = np.arange(count)
    return Vocabulary(Texts.pack(names[number] for number in order), kind=kind), codes
