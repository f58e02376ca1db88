"""Draws held-out users and items at random.

Draws are orderings by random keys, so that a seed means the same on every platform.
"""

import math

import numpy as np
import numpy.typing as npt

from alsolike.data.interactions import Interactions
from alsolike.data.splitting.split import relevant_counts
from alsolike.errors import SettingError, SplitError

Indices = npt.NDArray[np.int64]
Parts = npt.NDArray[np.int8]
Facts = list[tuple[str, str]]

# The part that an interaction belongs to.
TRAIN, VALIDATION, TEST = range(3)

# A product such as 0.29 * 100 must not be rounded down to 28.
_ROUNDING = 1e-9


def row_numbers(interactions: Interactions) -> Indices:
    """Return the user of each interaction, int64, (n_interactions,)."""
    return np.repeat(np.arange(interactions.n_users), interactions.user_counts)


def places(interactions: Interactions, *keys: npt.NDArray[np.float64]) -> Indices:
    """Return the rank from 0 of each interaction in its user's row when sorted by `keys`.

    Keys are float64, (n_interactions,); the last one counts most. Interactions that are not
    relevant come last.
    """
    users = row_numbers(interactions)
    order = np.lexsort((*keys, interactions.user_items.data < 0, users))
    found = np.empty(len(order), dtype=np.int64)
    found[order] = np.arange(len(order)) - interactions.user_items.indptr[users[order]]
    return found


def last_places(
    interactions: Interactions, takes: Indices, *keys: npt.NDArray[np.float64]
) -> Parts:
    """Assign the last ``takes[user]`` relevant items to test, as many before to validation.

    Items are ordered by `keys`, as in `places`. Returns TRAIN, VALIDATION or TEST, int8,
    (n_interactions,).
    """
    users, is_relevant = row_numbers(interactions), interactions.user_items.data > 0
    from_end = relevant_counts(interactions)[users] - 1 - places(interactions, *keys)
    take = takes[users]
    parts = np.full(len(users), TRAIN, dtype=np.int8)
    parts[is_relevant & (from_end < 2 * take)] = VALIDATION
    parts[is_relevant & (from_end < take)] = TEST
    return parts


def fraction_of_each(interactions: Interactions, fraction: float) -> Indices:
    """Return `fraction` of the relevant items of each user, rounded down."""
    if not 0 < fraction < 0.5:
        raise SettingError(
            "fraction must be above 0 and below 0.5, since validation takes as much as the test; "
            f"it is {fraction}."
        )
    counts = relevant_counts(interactions)
    takes: Indices = np.minimum(share_of(fraction, counts), np.maximum(counts - 1, 0) // 2)
    return takes


def share_of(share: float, counts: Indices) -> Indices:
    """Return `share` of each count, rounded down, int64."""
    taken: Indices = np.floor(share * counts + _ROUNDING).astype(np.int64)
    return taken


def draw_users(
    interactions: Interactions,
    rng: np.random.Generator,
    *,
    needed: int,
    share: float | None = None,
    validation_share: float | None = None,
) -> tuple[Parts, Facts]:
    """Draw two disjoint groups of users, for test and for validation.

    `needed` is the minimum of relevant interactions; shares are as in
    `alsolike.data.splitting.splitters.hold_out`. Returns TRAIN, VALIDATION or TEST, int8,
    (n_users,), and facts for the report. Raises SettingError for a share out of range, and
    SplitError if too few users are eligible.
    """
    everybody = interactions.n_users
    eligible = np.flatnonzero(relevant_counts(interactions) >= needed)
    usual, room = max(everybody // 5, 1), len(eligible)
    n_validation = _users_of("validation_share", validation_share or 0.0, everybody)
    if share is not None:
        n_test = _users_of("share", share, everybody)
        n_validation = n_test if validation_share is None else n_validation
    elif validation_share is None:
        n_test = n_validation = min(usual, room // 2)
    else:
        n_test = min(usual, room - n_validation)
    if n_test < 1 or n_test + n_validation > room:
        raise SplitError(
            f"{_too_few(interactions, needed)} "
            + _way_out(everybody, room, share, validation_share, (n_test, n_validation))
        )
    drawn = eligible[np.argsort(rng.random(room), kind="stable")]
    part_of_user = np.full(everybody, TRAIN, dtype=np.int8)
    part_of_user[drawn[:n_test]] = TEST
    part_of_user[drawn[n_test : n_test + n_validation]] = VALIDATION
    fewer = (
        f"; too few are eligible for a fifth ({usual:,})"
        if share is None and n_test < usual
        else ""
    )
    facts = [
        (f"users with at least {needed} relevant interactions", f"{room:,} of {everybody:,}"),
        ("test users", f"{n_test:,} ({100 * n_test / everybody:.3g} % of all{fewer})"),
        ("validation users", f"{n_validation:,} ({100 * n_validation / everybody:.3g} % of all)"),
    ]
    return part_of_user, facts


def held_out_facts(interactions: Interactions, takes: Indices, needed: int) -> Facts:
    """Return how many users have held-out items, as facts; raise SplitError if none has."""
    users = np.count_nonzero(takes)
    if not users:
        raise SplitError(
            f"{_too_few(interactions, needed)} Nobody has enough: hold out fewer items, or "
            "use another way of splitting."
        )
    return [("users with held-out items", f"{users:,} of {interactions.n_users:,}")]


def _too_few(interactions: Interactions, needed: int) -> str:
    counts = relevant_counts(interactions)
    return (
        f"{np.count_nonzero(counts >= needed):,} of {interactions.n_users:,} users have at least "
        f"{needed} relevant interactions (value above 0); the busiest has "
        f"{counts.max(initial=0):,}."
    )


def _users_of(name: str, share: float, everybody: int) -> int:
    if not 0 <= share <= 1 or (share == 0 and name == "share"):
        raise SettingError(f"{name} must be above 0 and at most 1, not {share}.")
    count = math.floor(share * everybody + _ROUNDING)
    if share and not count:
        raise SettingError(f"{name}={share} of {everybody:,} users is less than one user.")
    return count


def _way_out(
    everybody: int,
    room: int,
    share: float | None,
    validation_share: float | None,
    asked: tuple[int, int],
) -> str:
    if share is None and validation_share is None:
        return (
            "2 are needed, one for the test and one for validation. Ask for fewer interactions of "
            "each, or do without validation."
        )
    largest = room // 2 if validation_share is None else max(room - asked[1], 0)
    with_validation = (
        "with as many validation users"
        if validation_share is None
        else f"with {validation_share:g} of all users for validation"
    )
    return (
        f"Asked for are {max(asked[0], 1):,} test users and {asked[1]:,} validation users. The "
        f"largest share that works, {with_validation}, is "
        f"{math.floor(1e6 * largest / max(everybody, 1)) / 1e6:g}; or ask for fewer interactions "
        "of each."
    )
