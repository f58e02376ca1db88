"""Searches items by name or id while typing, with SQLite's FTS5, the most liked first.

Rows are numbered by popularity, so the first matches are the most liked, and one character is as
fast as a whole name. After exact matches come words with one typo (`spelling`), and names with two,
by trigrams.
"""

import contextlib
import hashlib
import itertools
import os
import re
import sqlite3
import threading
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from urllib.parse import unquote, unquote_plus, urlsplit

import numpy as np
import numpy.typing as npt

from alsolike.errors import WritingError
from alsolike.storage.atomic import replacing
from alsolike.views.page import web_origin
from alsolike.web.search import spelling
from alsolike.web.search.spelling import SHORTEST, edits_within

_VERSION = 4
_MOST_CHARACTERS = 200
_MOST_WORDS = 12
_MOST_PARTS = 50  # of a link
_CANDIDATES = 200
_GRAMS = 24  # trigrams of a query
_FREQUENT = 50  # names; rarer trigrams have no count
_LOOKED_THROUGH = 3000  # names per query found by trigrams
_BEGINNING = 2  # characters: shorter queries are prefixes, not words
_BATCH = 10_000  # rows written at once
_WORD = re.compile(r"[^\W_]+")
_PARTS_OF_LINKS = re.compile(r"[/?&=#\s]+")
_BETWEEN = str.maketrans("-_", "  ")  # blanks in links
# Prefix of names written as one word; a private-use character that no name has.
_AS_ONE, _MOST_AS_ONE = "\ue000", 40
# Letters without a Unicode decomposition.
_PLAIN = str.maketrans(
    {"ł": "l", "ø": "o", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "\u0131": "i"}
)

_HAVING = "SELECT rowid FROM grams WHERE grams MATCH ?"
_SCHEMA = (
    "CREATE TABLE items (place INTEGER PRIMARY KEY, row INTEGER, id TEXT, name TEXT, lone TEXT)",
    # With "ascii" all other characters are letters, so that words are those of `fold`.
    "CREATE VIRTUAL TABLE words "
    "USING fts5(text, content='', tokenize='ascii', prefix='1 2 3 4', detail=none)",
    "CREATE VIRTUAL TABLE grams USING fts5(text, content='', tokenize='trigram', detail=none)",
    "CREATE TABLE frequent (gram TEXT PRIMARY KEY, names INTEGER) WITHOUT ROWID",
    "CREATE TABLE links (link INTEGER, row INTEGER)",
    *spelling.SCHEMA,
)


def fold(text: str) -> str:
    """Return a text without accents, case and punctuation, for comparison.

    Examples
    --------
    >>> fold("  BJÖRK & Guðmundsdóttir "), fold("Motörhead_live")
    ('bjork gudmundsdottir', 'motorhead live')
    """
    return " ".join(_WORD.findall(_bare(text)))


def closed_up(text: str) -> str:
    """Return the words of a text that contain punctuation, without it.

    Examples
    --------
    >>> closed_up("AC/DC"), closed_up("Jay-Z feat. R.E.M."), closed_up("Abba")
    ('acdc', 'jayz rem', '')
    """
    words = map(fold, text.split())
    return " ".join(word.replace(" ", "") for word in words if " " in word)


def build(
    path: Path,
    ids: Sequence[str],
    names: Sequence[str] | None,
    counts: npt.NDArray[np.int64],
    *,
    links: Sequence[str] | None = None,
) -> None:
    """Write the index of a catalogue as one file.

    Parameters
    ----------
    path : Path
        The file to write; its folder is created.
    ids, names : sequence of str
        Of each item; names may be None.
    counts : int64, (n_items,)
        Likes of each item.
    links : sequence of str or None
        Links of the items' own pages.

    Raises
    ------
    WritingError
        It cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as part, contextlib.closing(sqlite3.connect(part)) as connection:
            connection.execute("PRAGMA journal_mode = OFF")
            with connection:
                _fill(connection, ids, names, counts)
                _fill_links(connection, links or ())
    except (OSError, sqlite3.Error) as error:
        if isinstance(error, WritingError):
            raise
        raise WritingError(f"{path}: the search index cannot be written ({error}).") from error


class SearchIndex:
    """An index that `build` has written; any thread may use it."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection, self._one_at_a_time = connection, threading.Lock()

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> "SearchIndex":
        """Open an index.

        Raises
        ------
        WritingError
            It is missing, damaged or of another version: build it again.
        """
        place = Path(path)
        try:
            connection = sqlite3.connect(
                f"{place.absolute().as_uri()}?mode=ro&immutable=1",
                uri=True,
                check_same_thread=False,
            )
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            connection.execute("SELECT count(*) FROM words WHERE words MATCH 'a'").fetchone()
        except sqlite3.Error as error:
            raise WritingError(f"{place}: no search index ({error}).") from error
        if version != _VERSION:
            connection.close()
            raise WritingError(f"{place}: a search index of another version ({version}).")
        return cls(connection)

    def find(self, text: str, *, limit: int = 20) -> list[int]:
        """Return at most `limit` rows of items matching a text, the best match first.

        First the item with that id, itself or within a link; then equal names, names that begin so,
        names with words that begin so, the same with the words written as one, and those with
        typos. Ties by likes. Only 200 characters of the text count, except in an id or a link.
        """
        found: dict[int, None] = {}
        with self._one_at_a_time:
            for rows in self._ways(text):
                found |= dict.fromkeys(rows)
                if len(found) >= limit:
                    break
        return list(found)[:limit]

    def called(self, text: str) -> list[int]:
        """Return at most 50 rows of items with this name, or id if they have none.

        The most liked come first. Accents, case and punctuation make no difference.
        """
        folded = fold(text[:_MOST_CHARACTERS])
        if len(text) > _MOST_CHARACTERS or not folded:
            return []
        with self._one_at_a_time:
            return self._named(folded)

    def _ways(self, text: str) -> Iterator[Iterable[int]]:
        """Yield rows by one kind of match after the other, the best first."""
        by_id = self._by_id(text)
        yield by_id
        if web_origin(text) is not None:
            if by_id:
                return
            text = _named_in(text)
        folded = fold(text[:_MOST_CHARACTERS])
        words = folded.split()[:_MOST_WORDS]
        if not words:
            yield self._of_signs(_bare(text[:_MOST_CHARACTERS]).strip())
            return
        yield self._named(folded)
        whole = " ".join(f'"{word}"' for word in words)
        near = self._matching(whole) if len(folded) > _BEGINNING else []
        if len(near) < _CANDIDATES:
            near += self._matching(f"{whole}*")
        # Names that begin so come first.
        near.sort(key=lambda one: not one[1].startswith(folded))
        yield [row for row, _ in near]
        as_one = "".join(words)
        if len(words) > 1:
            yield [row for row, _ in self._matching(f'"{as_one}"*')]
        if len(folded) < SHORTEST:
            return
        yield [row for row, _ in self._matching(f'"{_AS_ONE}{as_one[:_MOST_AS_ONE]}"*')]
        if not by_id:
            yield self._spelt(words)
            yield self._slips(" ".join(words))

    def _by_id(self, text: str) -> list[int]:
        parts = _PARTS_OF_LINKS.split(text)[:_MOST_PARTS] if "/" in text else []
        pieces = [piece for part in parts for piece in (part, unquote(part), *part.split("-")[-1:])]
        tried = dict.fromkeys(one for one in (text, text.strip(), *reversed(pieces)) if one)
        found = [
            row
            for one in tried
            for row in self._rows("SELECT row FROM items WHERE id = ?", _sound(one))
        ]
        if web_origin(text) is None:
            return found
        own = self._rows("SELECT row FROM links WHERE link = ? LIMIT 50", _key_of_link(text))
        return [*own, *found]

    def _of_signs(self, signs: str) -> list[int]:
        """Return rows whose name, without letters and digits, begins so."""
        if not signs:
            return []
        query = "SELECT row FROM items WHERE lone >= ? AND lone < ? ORDER BY lone, place LIMIT 50"
        end = f"{_sound(signs)}\U0010ffff"
        return [row for (row,) in self._connection.execute(query, (_sound(signs), end))]

    def _matching(self, query: str) -> list[tuple[int, str]]:
        return self._connection.execute(
            "SELECT items.row, items.name FROM words JOIN items ON items.place = words.rowid "
            "WHERE words MATCH ? ORDER BY words.rowid LIMIT ?",
            (query, _CANDIDATES),
        ).fetchall()

    def _spelt(self, words: Sequence[str]) -> list[int]:
        """Return rows whose name has these words, or words that are one typo away."""
        meant = [spelling.meant(self._connection, word) for word in words]
        if not any(meant):
            return []
        forms = [(word, *also) for word, also in zip(words, meant, strict=True)]
        quoted = [[f'"{one}"' for one in part] for part in forms]
        quoted[-1][0] += "*"  # the last word may be incomplete
        near = self._matching(" AND ".join(f"({' OR '.join(part)})" for part in quoted))
        near.sort(key=lambda one: not one[1].startswith(forms[0]))
        whole = meant[0] if len(words) == 1 else []
        return [*(row for one in whole for row in self._named(one)), *(row for row, _ in near)]

    def _named(self, folded: str) -> list[int]:
        return self._rows("SELECT row FROM items WHERE lone = ? ORDER BY place LIMIT 50", folded)

    def _slips(self, folded: str) -> list[int]:
        """Return rows whose name has words like these, one or two edits away."""
        grams = dict.fromkeys(folded[at : at + 3] for at in range(len(folded) - 2))
        most = 1 if len(folded) < 2 * SHORTEST else 2
        near = [
            (distance, place, row)
            for row, name, place in self._alike(self._rare(list(grams)[:_GRAMS]))
            if (distance := edits_within(folded, name, most)) <= most
        ]
        return [row for _, _, row in sorted(near)]

    def _rare(self, grams: Sequence[str]) -> list[str]:
        """Return the rarest trigrams, as many as match at most `_LOOKED_THROUGH` names."""
        kept, names = list[str](), 0
        for gram, count in sorted(
            ((gram, self._count(gram)) for gram in grams), key=lambda one: one[1]
        ):
            names += count
            if names > _LOOKED_THROUGH:
                break
            kept.append(gram)
        return kept

    def _count(self, gram: str) -> int:
        found = self._connection.execute(
            "SELECT names FROM frequent WHERE gram = ?", (gram,)
        ).fetchone()
        return _FREQUENT if found is None else int(found[0])

    def _alike(self, grams: Iterable[str]) -> list[tuple[int, str, int]]:
        """Return the names with most of these trigrams."""
        # Without positions FTS5 has no ranks, so shared trigrams are counted.
        shared = Counter(place for gram in grams for place in self._rows(_HAVING, f'"{gram}"'))
        places = sorted(shared, key=lambda place: (-shared[place], place))[:_CANDIDATES]
        query = "SELECT row, name, place FROM items WHERE place = ?"
        return [self._connection.execute(query, (place,)).fetchone() for place in places]

    def _rows(self, query: str, text: str | int) -> list[int]:
        return [row for (row,) in self._connection.execute(query, (text,))]


def _fill(
    connection: sqlite3.Connection,
    ids: Sequence[str],
    names: Sequence[str] | None,
    counts: npt.NDArray[np.int64],
) -> None:
    for statement in _SCHEMA:
        connection.execute(statement)
    order = np.argsort(-np.asarray(counts), kind="stable").tolist()
    vocabulary: dict[str, None] = {}  # words of the most liked first
    numbered = enumerate(order, start=1)
    while batch := list(itertools.islice(numbered, _BATCH)):
        table, words, grams = [], [], []
        for place, row in batch:
            id_ = _sound(ids[row])
            called = names[row] if names is not None and names[row] else id_
            lone = fold(called)
            text = lone if names is None else f"{lone} {fold(id_)}".strip()
            table.append((place, row, id_, text, lone or _sound(_bare(called).strip())))
            words.append((place, f"{text} {closed_up(called)} {_as_one(lone)}"))
            grams.append((place, text))
            vocabulary |= dict.fromkeys(lone.split())
        connection.executemany("INSERT INTO items VALUES (?, ?, ?, ?, ?)", table)
        connection.executemany("INSERT INTO words (rowid, text) VALUES (?, ?)", words)
        connection.executemany("INSERT INTO grams (rowid, text) VALUES (?, ?)", grams)
    spelling.fill(connection, vocabulary)
    connection.execute("CREATE VIRTUAL TABLE temp.counts USING fts5vocab(main, grams, row)")
    connection.execute(
        "INSERT INTO frequent SELECT term, doc FROM temp.counts WHERE doc > ?", (_FREQUENT,)
    )
    connection.execute("DROP TABLE temp.counts")
    connection.execute("CREATE INDEX items_id ON items (id)")
    connection.execute("CREATE INDEX items_lone ON items (lone)")
    connection.execute(f"PRAGMA user_version = {_VERSION}")


def _fill_links(connection: sqlite3.Connection, links: Sequence[str]) -> None:
    known = ((_key_of_link(link), row) for row, link in enumerate(links) if web_origin(link))
    connection.executemany("INSERT INTO links VALUES (?, ?)", known)
    connection.execute("CREATE INDEX links_link ON links (link)")


def _bare(text: str) -> str:
    """Return a text without accents and case."""
    apart = unicodedata.normalize("NFKD", text.casefold())
    return "".join(one for one in apart if not unicodedata.combining(one)).translate(_PLAIN)


def _as_one(folded: str) -> str:
    """Return a name of several words as one word, for the index."""
    return _AS_ONE + folded.replace(" ", "")[:_MOST_AS_ONE] if " " in folded else ""


def _named_in(link: str) -> str:
    """Return the name that a link ends in.

    Examples
    --------
    >>> _named_in("https://fm.example/music/Sigur+R%C3%B3s/"), _named_in("http://a.example/p/red-bag")
    ('Sigur Rós', 'red bag')
    """
    parts = [part for part in urlsplit(link.strip()).path.split("/") if part]
    return unquote_plus(parts[-1]).translate(_BETWEEN) if parts else ""


def _key_of_link(link: str) -> int:
    """Return a hash of the page of a link, however the link is written.

    Among a million links, two collide in one of ten million catalogues.
    """
    host, _, path = link.strip().partition("://")[2].partition("#")[0].partition("/")
    page = f"{host.lower().removeprefix('www.')}/{unquote(path).rstrip('/')}"
    digest = hashlib.blake2b(page.encode("utf-8", "replace"), digest_size=8).digest()
    return int.from_bytes(digest, "little", signed=True)


def _sound(text: str) -> str:
    """Replace lone surrogates, which SQLite cannot store."""
    return text.encode("utf-8", "replace").decode("utf-8")
