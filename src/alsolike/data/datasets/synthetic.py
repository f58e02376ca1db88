"""Makes random tables of a given size with power laws, and files in the article's format."""

import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from alsolike.data.interactions import Interactions, canonical
from alsolike.data.string_array import StringArray
from alsolike.data.vocabulary import Vocabulary
from alsolike.errors import SettingError
from alsolike.storage.atomic import replacing

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

FEW = 4  # the article's filter drops users and items with at most so many likes
# Shares left by the article's filter, of 62,583 users, 28,806 items, 632,685 distinct likes.
_CORE_USERS = 15_274 / 62_583
_CORE_ITEMS = 25_655 / 28_806
_CORE_LIKES = 547_477 / 632_685
# Names like those of the article's catalogue, one for each difficulty of its dialect.
_HARD_NAMES = (
    "Firelight | Fan Art",
    "Champion (Upgraded) \\ Inferno",
    "Mouse, without w\\o \\\\ with",
    "First line\nsecond line",
    '"Deathwing" Revisited',
    'Rifle "Skytear" | (Free)',
    "\\",
)
_ONSETS = ("b", "br", *"dfghjklmnpr", "s", "sh", *"tvz")
_VOWELS = ("a", "e", "i", "o", "u", "ai", "é", "ö")
_VOWEL_WEIGHTS = (0.22, 0.2, 0.18, 0.18, 0.12, 0.04, 0.03, 0.03)
_CODAS = ("", "l", "n", "r", "s", "x")
_CODA_WEIGHTS = (0.6, 0.1, 0.1, 0.1, 0.06, 0.04)
_SHORT = 0.5  # share of words of two syllables; the others have three
# {0} and {1} are coined words. Some forms contain characters that need escaping.
_FORMS = (
    ("{0}", 30),
    ("{0} {1}", 30),
    ("Old {0}", 6),
    ("The {0} of {1}", 8),
    ("{0} by Night", 6),
    ("{0} No. 7", 5),
    ("Little {0}", 5),
    ("{0} & {1}", 4),
    ("{0} | {1}", 3),
    ('"{0}" Revisited', 2),
    ("{0} w\\o {1}", 1),
    ("I <3 {0}", 1),
)


def synthetic(
    n_users: int, n_items: int, n_interactions: int, *, minimum: int = 1, seed: int = 0
) -> Interactions:
    """Make a random table of exactly this size, with power laws on both sides.

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
    users, items = numbered("u", n_users, "user"), numbered("m", n_items, "item")
    return Interactions(matrix, users, items)


def article_shape(seed: int = 0) -> Interactions:
    """Make a random table of the size of the article's after its filter: 15,274 x 25,655."""
    return synthetic(15_274, 25_655, 547_477, minimum=FEW + 1, seed=seed)


def write_article_file(
    path: str | os.PathLike[str],
    *,
    rows: int = 632_840,
    users: int = 62_583,
    items: int = 28_806,
    duplicates: int = 155,
    seed: int = 0,
) -> Path:
    r"""Write a random table of likes in the article's exact format and shape.

    Pipe-separated ``modelName|mid|uid``, the backslash as quote and as escape, names with ``|``,
    backslashes, quotes and one with a line break. With the defaults, the filter of five leaves the
    article's 15,274 users and 25,655 items with 547,477 likes; other sizes keep these shares.

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
    for place, name in zip(rng.permutation(items), _HARD_NAMES, strict=False):
        names[place] = name
    uids, mids = _hex_ids(users, rng), _hex_ids(items, rng)
    chosen = shuffled_rows(len(user_rows), duplicates, rng)
    text = article_text(names, mids, uids, user_rows[chosen], item_rows[chosen])
    with replacing(path) as part:
        part.write_bytes(text.encode("utf-8"))
    return Path(path)


def power_law(count: int, rng: np.random.Generator) -> Floats:
    """Return weights that fall with a power of the rank, in random order; they sum to 1."""
    weights = np.power(np.arange(5, count + 5, dtype=np.float64), -0.8)
    return rng.permutation(weights / weights.sum())


def pairs(
    n_users: int, n_items: int, n_pairs: int, minimum: int, rng: np.random.Generator
) -> tuple[Ints, Ints]:
    """Return distinct (user, item) pairs, int64, users ascending, with power laws on both sides.

    Each user and each item has at least `minimum` pairs; SettingError if that is impossible.
    """
    if not 0 < n_pairs <= n_users * n_items // 2:
        raise SettingError(
            f"{n_pairs:,} interactions must be at least 1 and at most half of the "
            f"{n_users:,} x {n_items:,} cells."
        )
    if minimum > min(n_users, n_items):
        raise SettingError(f"minimum={minimum} is more than {n_users:,} x {n_items:,} allows.")
    user_weights, item_weights = power_law(n_users, rng), power_law(n_items, rng)
    turned = _fill(np.full(n_items, minimum), user_weights, rng)
    keys = np.sort(turned % n_users * n_items + turned // n_users)
    keys = _fill(np.full(n_users, minimum), item_weights, rng, keys)
    if len(keys) > n_pairs:
        raise SettingError(
            f"{n_pairs:,} interactions are too few for minimum={minimum} with {n_users:,} users "
            f"and {n_items:,} items: as drawn, they need {len(keys):,}."
        )
    more = np.empty(0, dtype=np.int64)
    while len(more) < n_pairs - len(keys):
        count = n_pairs - len(keys) - len(more) + n_pairs // 4
        drawn = _draw(user_weights, count, rng) * n_items + _draw(item_weights, count, rng)
        more = _distinct(np.concatenate((more, drawn)))
        more = more[~np.isin(more, keys, assume_unique=True)]
    # The surplus is dropped at random: the keys are sorted, so its head is the first users.
    keys = np.sort(np.concatenate((keys, rng.permutation(more)[: n_pairs - len(keys)])))
    return keys // n_items, keys % n_items


def article_pairs(
    likes: int, users: int, items: int, rng: np.random.Generator
) -> tuple[Ints, Ints]:
    """Return pairs of which the article's filter leaves the article's shares."""
    core_users, core_items = round(users * _CORE_USERS), round(items * _CORE_ITEMS)
    core_likes = round(likes * _CORE_LIKES)
    rim_users, rim_items = users - core_users, items - core_items
    core = pairs(core_users, core_items, core_likes, FEW + 1, rng)
    few_likers = _few_each(rim_items, 2 * rim_items, "items", rng)
    few_likes = _few_each(rim_users, likes - core_likes - 2 * rim_items, "users", rng)
    by_item = _fill(few_likers, power_law(core_users, rng), rng)
    by_user = _fill(few_likes, power_law(core_items, rng), rng)
    return (
        np.concatenate((core[0], by_item % core_users, core_users + by_user // core_items)),
        np.concatenate((core[1], core_items + by_item // core_users, by_user % core_items)),
    )


def coin_names(count: int, rng: np.random.Generator) -> list[str]:
    """Return pronounceable names; a few contain ``|``, quotes, backslashes, ``<`` and ``&``."""
    forms, weights = zip(*_FORMS, strict=True)
    chosen = rng.choice(len(forms), size=count, p=np.array(weights) / sum(weights))
    first, second = _coin_words(count, rng), _coin_words(count, rng)
    return [
        forms[form].format(*words)
        for form, *words in zip(chosen.tolist(), first, second, strict=True)
    ]


def numbered(prefix: str, count: int, kind: str) -> Vocabulary:
    """Return ids such as ``u001``, in order."""
    width = len(str(count))  # equal widths, so that the order of the texts is that of the numbers
    return Vocabulary(
        StringArray.pack(f"{prefix}{n:0{width}d}" for n in range(1, count + 1)), kind=kind
    )


def _hex_ids(count: int, rng: np.random.Generator) -> list[str]:
    digits = rng.bytes(16 * count).hex()
    return [digits[start : start + 32] for start in range(0, 32 * count, 32)]


def shuffled_rows(count: int, duplicates: int, rng: np.random.Generator) -> Ints:
    """Return the row numbers below `count` in random order, `duplicates` of them twice."""
    twice = rng.choice(count, size=duplicates, replace=False)
    return rng.permutation(np.concatenate((np.arange(count), twice)))


def article_text(
    names: Iterable[str], mids: Iterable[str], uids: list[str], users: Ints, items: Ints
) -> str:
    """Return likes as a text in the article's format, with its header."""
    left = [f"{_quoted(name)}|{mid}|" for name, mid in zip(names, mids, strict=True)]
    right = [uid + "\n" for uid in uids]
    likes = zip(users.tolist(), items.tolist(), strict=True)
    return "".join(["modelName|mid|uid\n", *(left[item] + right[user] for user, item in likes)])


def _quoted(field: str) -> str:
    r"""Write a field as the article's files do: ``a | b`` as ``\a | b\``, inner ``\`` doubled."""
    if not any(mark in field for mark in "|\\\r\n"):
        return field
    return "\\" + field.replace("\\", "\\\\") + "\\"


def _fill(
    targets: Ints, partner_weights: Floats, rng: np.random.Generator, keys: Ints | None = None
) -> Ints:
    """Add partners until row r has at least ``targets[r]``; keys are row * n_partners + partner."""
    n_partners = len(partner_weights)
    keys = np.empty(0, dtype=np.int64) if keys is None else keys
    while True:
        counts = np.bincount(keys // n_partners, minlength=len(targets))
        short = np.repeat(np.arange(len(targets)), np.maximum(targets - counts, 0))
        if not short.size:
            return keys
        drawn = short * n_partners + _draw(partner_weights, len(short), rng)
        keys = _distinct(np.concatenate((keys, drawn)))


def _distinct(keys: Ints) -> Ints:
    # np.unique hashes whole numbers: 17 s, not 7, for synthetic(200_000, 50_000, 5_000_000).
    ordered = np.sort(keys)
    return np.concatenate((ordered[:1], ordered[1:][ordered[1:] != ordered[:-1]]))


def _draw(weights: Floats, count: int, rng: np.random.Generator) -> Ints:
    edges = np.cumsum(weights)
    drawn = np.searchsorted(edges, rng.random(count) * edges[-1], side="right")
    within: Ints = np.minimum(drawn, len(weights) - 1)
    return within


def _few_each(count: int, total: int, side: str, rng: np.random.Generator) -> Ints:
    if not count <= total <= FEW * count:
        raise SettingError(
            f"{total:,} likes cannot be spread over {count:,} {side} with one to {FEW} each. "
            "Keep rows, users and items in the article's proportions."
        )
    places = rng.permutation(np.repeat(np.arange(count), FEW - 1))[: total - count]
    return 1 + np.bincount(places, minlength=count)


def _coin_words(count: int, rng: np.random.Generator) -> list[str]:
    onsets = rng.choice(_ONSETS, size=(count, 3))
    vowels = rng.choice(_VOWELS, size=(count, 3), p=_VOWEL_WEIGHTS)
    syllables = np.strings.add(onsets, vowels)
    syllables[rng.random(count) < _SHORT, 2] = ""
    codas = rng.choice(_CODAS, size=count, p=_CODA_WEIGHTS)
    return [
        "".join([*parts, coda]).capitalize() for parts, coda in zip(syllables, codas, strict=True)
    ]
