"""Who likes what by power laws alone: made-up pairs of row numbers, exact in every count."""

import numpy as np
import numpy.typing as npt

from alsolike.errors import SettingError

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

FEW = 4  # the article's filter drops users and items with at most so many likes
# What the article's filter leaves of its 62,583 users, 28,806 items and 632,685 distinct likes.
_CORE_USERS = 15_274 / 62_583
_CORE_ITEMS = 25_655 / 28_806
_CORE_LIKES = 547_477 / 632_685


def power_law(count: int, rng: np.random.Generator) -> Floats:
    """Return weights that fall with a power of the rank, in random order; they sum to 1."""
    weights = np.power(np.arange(5, count + 5, dtype=np.float64), -0.8)
    return rng.permutation(weights / weights.sum())


def pairs(
    n_users: int, n_items: int, n_pairs: int, minimum: int, rng: np.random.Generator
) -> tuple[Ints, Ints]:
    """Return distinct (user, item) pairs, users ascending, with power laws on both sides.

    Parameters
    ----------
    n_users, n_items, n_pairs : int
        Rows of both sides and how many pairs to return.
    minimum : int
        Each user and each item has at least so many pairs.
    rng : numpy.random.Generator
        Where the chances come from.

    Returns
    -------
    users, items : int64, (n_pairs,)

    Raises
    ------
    SettingError
        The pairs are too few for `minimum`, or more than half of all cells.
    """
    if not 0 < n_pairs <= n_users * n_items // 2:
        raise SettingError(
            f"{n_pairs:,} interactions must be at least 1 and at most half of the "
            f"{n_users:,} x {n_items:,} cells."
        )
    if minimum > min(n_users, n_items):
        raise SettingError(f"minimum={minimum} asks for more than {n_users:,} x {n_items:,} has.")
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
    """Return likes of which the article's filter leaves its shares: a dense core and a thin rim."""
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
    """Spread `total` over `count` rows, one to four each."""
    if not count <= total <= FEW * count:
        raise SettingError(
            f"{total:,} likes cannot be spread over {count:,} {side} with one to {FEW} each. "
            "Keep rows, users and items in the article's proportions."
        )
    places = rng.permutation(np.repeat(np.arange(count), FEW - 1))[: total - count]
    return 1 + np.bincount(places, minlength=count)
