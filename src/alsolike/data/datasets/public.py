"""Data that is at hand: the demo's planted tastes, made-up tables of any size, public sets.

Nothing here downloads; readers of public sets are given the folder of a local copy, and only sets
that `alsolike.data.reading.read.read` cannot take as they are have one.
"""

import csv
import gzip
import io
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from alsolike.data.catalogue import Catalogue
from alsolike.data.datasets.demo import KINDS, coin_names, plant_items
from alsolike.data.datasets.synthetic import FEW, article_pairs, pairs, power_law
from alsolike.data.interactions import Interactions, canonical
from alsolike.data.string_array import StringArray
from alsolike.data.vocabulary import Vocabulary
from alsolike.errors import DataError, SettingError
from alsolike.storage.atomic import replacing, write_text

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_NOISE = 0.1  # share of the demo's likes that follow the crowd, not a taste
_MOST_LIKES = 120  # of one user of the demo
_DEMO_DUPLICATES = 12
_HEADER = "modelName|mid|uid\n"
# Names as they occur in the article's catalogue: the traps of its dialect, one of each.
_TRAPS = (
    "Firelight | Fan Art",
    "Champion (Upgraded) \\ Inferno",
    "Mouse, without w\\o \\\\ with",
    "First line\nsecond line",
    '"Deathwing" Revisited',
    'Rifle "Skytear" | (Free)',
    "\\",
)


class DemoFiles(NamedTuple):
    """The two files of the demo."""

    likes: Path
    items: Path


def planted_tastes(*, n_users: int = 2000, n_items: int = 1500, seed: int = 0) -> Interactions:
    """Make up users who like a few kinds of items each, and the catalogue that they like from.

    An item's kind is hidden from the likes; its drawing shows it. A user likes one to four kinds,
    popular items before others, and now and then something that is just popular. How much users
    like, and how much items are liked, follows power laws.

    Parameters
    ----------
    n_users, n_items : int
        Rows and columns of the result, each user with at least one like.
    seed : int
        The same seed gives the same likes.

    Returns
    -------
    Interactions
        All values 1. Its catalogue has ``name``, ``image`` (a data URL) and ``kind``.

    Examples
    --------
    >>> likes = planted_tastes(n_users=50, n_items=40, seed=1)
    >>> likes.n_users, likes.n_items, sorted(likes.catalogue.columns())
    (50, 40, ['image', 'kind', 'name'])
    """
    rng = np.random.default_rng(seed)
    planted = plant_items(n_items, rng)
    kinds = np.array([KINDS.index(item.kind) for item in planted])
    chances = _chances(kinds, n_users, rng)
    wanted = np.minimum(3 + 9 * rng.pareto(1.4, size=n_users), _MOST_LIKES).astype(np.int64)
    # The largest of Gumbel noise + log chance, per user: a weighted draw without replacement.
    noisy = np.log(chances) + rng.gumbel(size=chances.shape)
    least = np.sort(noisy, axis=1)[np.arange(n_users), -np.minimum(wanted, n_items)]
    liked = noisy >= least[:, np.newaxis]
    catalogue = Catalogue(
        n_items=n_items,
        names=StringArray.pack(item.name for item in planted),
        images=StringArray.pack(item.image for item in planted),
        more={"kind": StringArray.pack(item.kind for item in planted)},
    )
    matrix = canonical(sp.csr_array(liked.astype(np.float32)))
    users, items = _numbered("u", n_users, "user"), _numbered("m", n_items, "item")
    return Interactions(matrix, users, items, catalogue=catalogue)


def write_demo(folder: str | os.PathLike[str], *, seed: int = 0) -> DemoFiles:
    """Write the planted tastes as two files: the likes in the article's format, and the items.

    ``likes.psv`` has the columns ``modelName|mid|uid`` and 12 duplicate rows; ``items.csv`` has
    ``mid,name,image,kind``.
    """
    likes = planted_tastes(seed=seed)
    rng = np.random.default_rng(seed)
    items = likes.user_items.indices.astype(np.int64)
    users = np.repeat(np.arange(likes.n_users), likes.user_counts)
    catalogue = likes.catalogue
    columns = {} if catalogue is None else catalogue.columns()
    files = DemoFiles(Path(folder) / "likes.psv", Path(folder) / "items.csv")
    names, mids, uids = list(columns["name"]), list(likes.items), list(likes.users)
    rows = _shuffled_rows(len(users), _DEMO_DUPLICATES, rng)
    write_text(files.likes, _HEADER + _likes_text(names, mids, uids, users[rows], items[rows]))
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(("mid", *columns))
    writer.writerows(zip(mids, *columns.values(), strict=True))
    write_text(files.items, table.getvalue())
    return files


def write_article_file(
    path: str | os.PathLike[str],
    *,
    rows: int = 632_840,
    users: int = 62_583,
    items: int = 28_806,
    duplicates: int = 155,
    seed: int = 0,
) -> Path:
    r"""Write a made-up table of likes in the article's exact format and shape.

    Pipe-separated ``modelName|mid|uid``, the backslash as quote and as escape, names with ``|``,
    backslashes, quotes and one with a line break. The defaults give the article's figures: 15,274
    users and 25,655 items with 547,477 likes are left when users and items with fewer than five
    likes are dropped in turn; other sizes keep these shares.

    Parameters
    ----------
    path : path
        The file to write.
    rows : int
        Rows after the header, duplicates included.
    users, items : int
        Distinct ids of each side.
    duplicates : int
        Rows that equal an earlier one in every column.
    seed : int
        The same seed gives the same bytes.

    Raises
    ------
    SettingError
        So many rows cannot be spread over so many users and items.
    """
    if not 0 <= duplicates <= rows // 2:
        raise SettingError(f"duplicates must be from 0 to half of {rows:,} rows, not {duplicates}.")
    rng = np.random.default_rng(seed)
    user_rows, item_rows = article_pairs(rows - duplicates, users, items, rng)
    names = coin_names(items, rng)
    for place, trap in zip(rng.permutation(items), _TRAPS, strict=False):
        names[place] = trap
    uids, mids = _hex_ids(users, rng), _hex_ids(items, rng)
    chosen = _shuffled_rows(len(user_rows), duplicates, rng)
    text = _likes_text(names, mids, uids, user_rows[chosen], item_rows[chosen])
    with replacing(path) as part:
        part.write_bytes((_HEADER + text).encode("utf-8"))
    return Path(path)


def synthetic(
    n_users: int, n_items: int, n_interactions: int, *, minimum: int = 1, seed: int = 0
) -> Interactions:
    """Make up a table of exactly this size with power laws on both sides and no tastes.

    Parameters
    ----------
    n_users, n_items, n_interactions : int
        Rows, columns and stored pairs; every value is 1.
    minimum : int
        Each user and each item has at least so many interactions.
    seed : int
        The same seed gives the same table.

    Raises
    ------
    SettingError
        The pairs are too few for `minimum`, or more than half of all cells.

    Examples
    --------
    >>> synthetic(100, 50, 700, minimum=5)
    Interactions(100 users, 50 items, 700 interactions, 14 % filled)
    """
    rng = np.random.default_rng(seed)
    rows, columns = pairs(n_users, n_items, n_interactions, minimum, rng)
    ones = np.ones(n_interactions, dtype=np.float32)
    indptr = np.searchsorted(rows, np.arange(n_users + 1))
    matrix = canonical(sp.csr_array((ones, columns, indptr), shape=(n_users, n_items)))
    users, items = _numbered("u", n_users, "user"), _numbered("m", n_items, "item")
    return Interactions(matrix, users, items)


def article_shape(seed: int = 0) -> Interactions:
    """Make up a table as large as the article's after its filter: 15,274 x 25,655."""
    return synthetic(15_274, 25_655, 547_477, minimum=FEW + 1, seed=seed)


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
        Over the same users and items; ids are the numbers as text.

    Raises
    ------
    DataError
        A file is missing or damaged, a line holds something else than numbers, or a pair repeats.
    """
    parts = [_adjacency(_found(Path(folder), name)) for name in ("train.txt", "test.txt")]
    user_ids, user_row = _text_order(np.concatenate([users for users, _ in parts]), "user")
    item_ids, item_row = _text_order(np.concatenate([items for _, items in parts]), "item")
    shape = (len(user_ids), len(item_ids))
    tables = []
    for users, items in parts:
        ones = np.ones(len(users), dtype=np.float32)
        matrix = canonical(sp.coo_array((ones, (user_row[users], item_row[items])), shape=shape))
        if matrix.nnz != len(users):
            raise DataError(f"{folder}: {len(users) - matrix.nnz:,} (user, item) pairs repeat.")
        tables.append(Interactions(matrix, user_ids, item_ids))
    return tables[0], tables[1]


def _chances(kinds: Ints, n_users: int, rng: np.random.Generator) -> Floats:
    """Return how likely each user's next like is each item, (n_users, n_items)."""
    popularity = power_law(len(kinds), rng)
    members = (kinds == np.arange(len(KINDS))[:, np.newaxis]) * popularity
    masses = members.sum(axis=1, keepdims=True)
    within = np.divide(members, masses, out=np.zeros_like(members), where=masses > 0)
    tastes = rng.gamma(1.0, size=(n_users, len(KINDS)))
    ranks = np.argsort(rng.random(tastes.shape), axis=1)
    tastes[ranks >= rng.integers(1, 5, size=(n_users, 1))] = 0.0
    tastes /= tastes.sum(axis=1, keepdims=True)
    chances: Floats = (1 - _NOISE) * (tastes @ within) + _NOISE * popularity
    return chances


def _numbered(prefix: str, count: int, kind: str) -> Vocabulary:
    width = len(str(count))  # equal widths, so that the order of the texts is that of the numbers
    return Vocabulary(
        StringArray.pack(f"{prefix}{n:0{width}d}" for n in range(1, count + 1)), kind=kind
    )


def _hex_ids(count: int, rng: np.random.Generator) -> list[str]:
    digits = rng.bytes(16 * count).hex()
    return [digits[start : start + 32] for start in range(0, 32 * count, 32)]


def _shuffled_rows(count: int, duplicates: int, rng: np.random.Generator) -> Ints:
    """Return the numbers below `count` in random order, `duplicates` of them twice."""
    twice = rng.choice(count, size=duplicates, replace=False)
    return rng.permutation(np.concatenate((np.arange(count), twice)))


def _likes_text(
    names: Iterable[str], mids: Iterable[str], uids: list[str], users: Ints, items: Ints
) -> str:
    left = [f"{_quoted(name)}|{mid}|" for name, mid in zip(names, mids, strict=True)]
    right = [uid + "\n" for uid in uids]
    likes = zip(users.tolist(), items.tolist(), strict=True)
    return "".join([left[item] + right[user] for user, item in likes])


def _quoted(field: str) -> str:
    r"""Write a field as the article's files do: ``a | b`` as ``\a | b\``, inner ``\`` doubled."""
    if not any(mark in field for mark in "|\\\r\n"):
        return field
    return "\\" + field.replace("\\", "\\\\") + "\\"


def _found(folder: Path, name: str) -> Path:
    for path in (folder / name, folder / f"{name}.gz"):
        if path.is_file():
            return path
    raise DataError(f"{folder}: neither {name} nor {name}.gz is there.")


def _adjacency(path: Path) -> tuple[Ints, Ints]:
    """Return users and items, one of each per pair, from lines of ``user item item ...``."""
    users, items = [], []
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
    if not users:
        raise DataError(f"{path}: empty; lines of 'user item item ...' were expected.")
    return np.concatenate(users), np.concatenate(items)


def _lines(path: Path) -> Iterator[str]:
    opened = gzip.open if path.suffix == ".gz" else open
    try:
        with opened(path, "rt", encoding="ascii") as file:
            yield from file
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read to its end ({error}).") from error


def _text_order(numbers: Ints, kind: str) -> tuple[Vocabulary, Ints]:
    """Return the numbers as ids, and the row of each number."""
    distinct = np.unique(numbers)
    ids = Vocabulary.of(map(str, distinct.tolist()), kind=kind)
    rows = np.zeros(int(distinct[-1]) + 1, dtype=np.int64)
    rows[distinct] = ids.indices_of(map(str, distinct.tolist()))
    return ids, rows
