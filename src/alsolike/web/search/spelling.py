"""Finds words one edit away from a misspelt one, by deletion neighbourhoods.

Two words that are one edit apart have a common rest after deleting a letter from either or both. So
each word is stored under its rests, and a few look-ups find the words near another one.

References
----------
.. [1] T. Bocek, E. Hunt, B. Stiller, "Fast similarity search in large dictionaries", University of
   Zurich, 2007 (deletion neighbourhoods).
"""

import sqlite3
import zlib
from collections.abc import Iterable, Iterator

import numpy as np
from rapidfuzz.distance import OSA

SHORTEST = 4  # characters; shorter words are near too many others
_LONGEST = 20
_MOST = 8  # corrections of one word
_BATCH = 100_000  # rows written at once

SCHEMA = (
    "CREATE TABLE vocabulary (number INTEGER PRIMARY KEY, word TEXT)",
    "CREATE TABLE rests (rest INTEGER, number INTEGER, PRIMARY KEY (rest, number)) WITHOUT ROWID",
)
_FILED_UNDER = "SELECT number, word FROM rests JOIN vocabulary USING (number) WHERE rest = ?"


def is_filed(word: str) -> bool:
    """Return whether typos in a word are corrected; not in numbers."""
    return SHORTEST <= len(word) <= _LONGEST and word.isalpha()


def fill(connection: sqlite3.Connection, words: Iterable[str]) -> None:
    """Store distinct words, preferred ones first."""
    filed = [word for word in words if is_filed(word)]
    connection.executemany("INSERT INTO vocabulary VALUES (?, ?)", enumerate(filed))
    # Sorted, so that the table grows only at its end; as arrays, since there are many.
    rests = np.fromiter((rest for word in filed for rest in _rests(word)), dtype=np.uint32)
    numbers = np.repeat(np.arange(len(filed)), [len(word) + 1 for word in filed])
    for part in np.array_split(np.lexsort((numbers, rests)), 1 + len(rests) // _BATCH):
        rows = zip(rests[part].tolist(), numbers[part].tolist(), strict=True)
        connection.executemany("INSERT OR IGNORE INTO rests VALUES (?, ?)", rows)


def meant(connection: sqlite3.Connection, word: str) -> list[str]:
    """Return the words one edit away from `word`, preferred ones first."""
    if not is_filed(word):
        return []
    found: dict[int, str] = {}
    for rest in set(_rests(word)):
        found |= connection.execute(_FILED_UNDER, (rest,)).fetchall()
    near = (found[number] for number in sorted(found))
    return [one for one in near if OSA.distance(word, one, score_cutoff=1) == 1][:_MOST]


def edits_within(wanted: str, name: str, most: int) -> int:
    """Return the fewest edits to consecutive words of `name`, or more than `most`.

    They are as many words, or one more or less, for a typo at a blank. An edit adds, drops or
    changes a letter, or swaps it with the next (optimal string alignment).

    Examples
    --------
    >>> edits_within("billytfury", "the billy fury show", 2), edits_within("fury", "billy", 2)
    (1, 3)
    """
    count, words = wanted.count(" ") + 1, name.split()
    windows = (
        " ".join(words[first : first + size])
        for size in range(max(count - 1, 1), min(count + 1, len(words)) + 1)
        for first in range(len(words) - size + 1)
    )
    distances = (OSA.distance(wanted, window, score_cutoff=most) for window in windows)
    return min(distances, default=most + 1)


def _rests(word: str) -> Iterator[int]:
    """Yield hashes of a word, and of it without each letter; `meant` resolves collisions."""
    yield zlib.crc32(word.encode("utf-8"))
    for at in range(len(word)):
        yield zlib.crc32((word[:at] + word[at + 1 :]).encode("utf-8"))
