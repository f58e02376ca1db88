"""Splits interactions into disjoint training, validation and test parts.

Settings are chosen on validation; test is used once, for the report. Only relevant interactions
(value above 0) are held out; dislikes stay in training, except after a point in time that cuts the
whole table.
"""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from alsolike.data.interactions import Interactions
from alsolike.data.splitting.sampling import (
    TEST,
    TRAIN,
    VALIDATION,
    draw_users,
    fraction_of_each,
    held_out_facts,
    last_places,
    places,
    row_numbers,
    share_of,
)
from alsolike.data.splitting.split import Split, relevant_counts
from alsolike.data.validation import check_whole, expect_interactions, expect_seconds
from alsolike.errors import DataError, SettingError, SplitError
from alsolike.usage_hints import with_example

__all__ = [
    "Split", "hold_out", "hold_out_by_time", "hold_out_fraction", "hold_out_users", "leave_one_out",
]  # fmt: skip

_GIVEN = 3  # the part of a held-out user that is given to a model


@with_example("split = al.hold_out(likes, k=5)")
def hold_out(
    interactions: Interactions,
    *,
    k: int = 5,
    share: float | None = None,
    validation_share: float | None = None,
    min_interactions: int | None = None,
    seed: int = 0,
) -> Split:
    """Hold out `k` random relevant items of each of some random users.

    The article's split, with a second group of users: settings are chosen on the validation users
    and reported on the test users. A user is in at most one group.

    Parameters
    ----------
    interactions : Interactions
    k : int
        Items held out of each such user, at least 1.
    share : float or None
        Test users as a share of *all* users, above 0 and at most 1, rounded down. None: a fifth,
        or, if too few users are eligible for both groups, half of the eligible ones.
    validation_share : float or None
        Validation users, likewise. None: as many as test users. 0: none.
    min_interactions : int or None
        Relevant interactions (value above 0) that a user must have to be drawn, above `k`.
        None: twice `k`.
    seed : int
        Of the draw, at least 0. Which items of a user are held out does not depend on the shares.

    Returns
    -------
    Split

    Raises
    ------
    SettingError
        A setting is out of its range.
    SplitError
        Too few users are eligible; the message says how many are and what would work.

    Examples
    --------
    >>> users = [f"u{user}" for user in range(20) for item in range(12)]
    >>> items = [f"i{(user + item) % 20}" for user in range(20) for item in range(12)]
    >>> print(hold_out(Interactions.from_columns(users, items), k=5))
    split: 5 random items of each of some random users (seed 0)
    users with at least 10 relevant interactions: 20 of 20
    test users: 4 (20 % of all)
    validation users: 4 (20 % of all)
    training: 200 interactions
    validation: 20 interactions of 4 users
    test: 20 interactions of 4 users
    """
    expect_interactions(interactions)
    check_whole("k", k, least=1)
    least = 2 * k if min_interactions is None else min_interactions
    if least <= k:
        raise SettingError(
            f"min_interactions must be above k={k}, so that something is left to train on; it is "
            f"{least}."
        )
    of_users, of_items = _generators(seed)
    part_of_user, details = draw_users(
        interactions, of_users, needed=least, share=share, validation_share=validation_share
    )
    is_first = places(interactions, of_items.random(interactions.n_interactions)) < k
    is_relevant = interactions.user_items.data > 0
    parts = np.where(is_first & is_relevant, part_of_user[row_numbers(interactions)], TRAIN)
    method = f"{k} random items of each of some random users (seed {seed})"
    return _split(interactions, parts, method, details)


@with_example("split = al.leave_one_out(likes)")
def leave_one_out(interactions: Interactions, *, seed: int = 0) -> Split:
    """Hold out one random relevant item of each user for the test, and another for validation.

    Users with fewer than 3 relevant interactions stay in training as they are.

    Parameters
    ----------
    interactions : Interactions
    seed : int
        Of the draw, at least 0.

    Returns
    -------
    Split

    Raises
    ------
    SplitError
        No user has 3 relevant interactions.

    Examples
    --------
    >>> likes = Interactions.from_columns(["ann"] * 3 + ["bob"] * 2, list("xyzxy"))
    >>> leave_one_out(likes)
    Split(3 training, 1 validation, 1 test interactions)
    """
    expect_interactions(interactions)
    takes = np.where(relevant_counts(interactions) >= 3, 1, 0)
    details = held_out_facts(interactions, takes, 3)
    _, of_items = _generators(seed)
    parts = last_places(interactions, takes, of_items.random(interactions.n_interactions))
    method = f"one random item of each user for test, one for validation (seed {seed})"
    return _split(interactions, parts, method, details)


@with_example("split = al.hold_out_fraction(likes, fraction=0.2)")
def hold_out_fraction(interactions: Interactions, *, fraction: float = 0.2, seed: int = 0) -> Split:
    """Hold out a random fraction of each user's relevant items for test, as much for validation.

    Parameters
    ----------
    interactions : Interactions
    fraction : float
        Above 0 and below 0.5. Of n relevant interactions ``floor(fraction * n)`` go to each of
        the two parts, so users with fewer than ``1 / fraction`` stay in training as they are.
    seed : int
        Of the draw, at least 0.

    Returns
    -------
    Split

    Raises
    ------
    SettingError
        `fraction` is out of its range.
    SplitError
        No user has enough relevant interactions.

    Examples
    --------
    >>> likes = Interactions.from_columns(["ann"] * 10, list("abcdefghij"))
    >>> hold_out_fraction(likes, fraction=0.2)
    Split(6 training, 2 validation, 2 test interactions)
    """
    expect_interactions(interactions)
    takes = fraction_of_each(interactions, fraction)
    details = held_out_facts(interactions, takes, math.ceil(1 / fraction))
    _, of_items = _generators(seed)
    parts = last_places(interactions, takes, of_items.random(interactions.n_interactions))
    method = (
        f"a random {100 * fraction:.3g} % of each user's items for test, as much for validation "
        f"(seed {seed})"
    )
    return _split(interactions, parts, method, details)


@with_example("split = al.hold_out_by_time(likes, k=5)")
def hold_out_by_time(
    interactions: Interactions,
    *,
    k: int | None = None,
    fraction: float | None = None,
    at: float | None = None,
    validation_at: float | None = None,
    seed: int = 0,
) -> Split:
    """Hold out the latest items for test, and those before them for validation.

    Give exactly one of `k`, `fraction` and `at`.

    Parameters
    ----------
    interactions : Interactions
        With timestamps.
    k : int or None
        The last `k` relevant items of each user, and the `k` before them, of users with more than
        twice `k`.
    fraction : float or None
        The last fraction of each user's relevant items, as in `hold_out_fraction`.
    at : float or None
        One cut for all, in seconds since 1970: what is of this time or later is test, dislikes
        included (they are never relevant, but training must not know the future).
    validation_at : float or None
        With `at`: what is of this time or later, but before `at`, is validation. None: as many
        interactions as the test has, but at most half of those before `at`; more where several
        are of the very same time.
    seed : int
        Decides between a user's interactions of the very same time, for `k` and `fraction`.

    Returns
    -------
    Split

    Raises
    ------
    DataError
        There are no timestamps, or some are not finite.
    SettingError
        Not exactly one of the three was given, or it is out of its range.
    SplitError
        A part would be empty.

    Examples
    --------
    >>> from dataclasses import replace
    >>> likes = Interactions.from_columns(["ann"] * 4, list("abcd"))
    >>> likes = replace(likes, timestamps=np.array([40.0, 10.0, 20.0, 30.0]))
    >>> split = hold_out_by_time(likes, k=1)
    >>> split.test.user_items.toarray(), split.validation.user_items.toarray()
    (array([[1., 0., 0., 0.]], dtype=float32), array([[0., 0., 0., 1.]], dtype=float32))
    """
    expect_interactions(interactions)
    expect_seconds("at", at)
    expect_seconds("validation_at", validation_at)
    choices = {"k": k, "fraction": fraction, "at": at}
    given = [name for name, choice in choices.items() if choice is not None]
    if len(given) != 1:
        raise SettingError(
            f"Give exactly one of k, fraction and at, not {' and '.join(given) or 'none'}. Such "
            "as: hold_out_by_time(likes, k=5), the last 5 of each user."
        )
    times = checked_times(interactions)
    if validation_at is not None and at is None:
        raise SettingError("validation_at goes with at; k and fraction know no common time.")
    if at is not None:
        return _cut_in_time(interactions, times, at, validation_at)
    if k is not None:
        check_whole("k", k, least=1)
        takes = np.where(relevant_counts(interactions) > 2 * k, k, 0)
        what, needed = f"the last {k} items", 2 * k + 1
    else:
        share = fraction or 0.0
        takes = fraction_of_each(interactions, share)
        what, needed = f"the last {100 * share:.3g} % of the items", math.ceil(1 / share)
    details = held_out_facts(interactions, takes, needed)
    _, of_ties = _generators(seed)
    parts = last_places(interactions, takes, of_ties.random(len(times)), times)
    method = f"{what} of each user for test, as many before them for validation"
    return _split(interactions, parts, method, details)


@with_example("split = al.hold_out_users(likes, share=0.1)")
def hold_out_users(
    interactions: Interactions, *, share: float = 0.1, given: float = 0.5, seed: int = 0
) -> Split:
    """Hold out whole users: a model is given a part of their items and predicts the rest.

    Test and validation users have no interaction in training.

    Parameters
    ----------
    interactions : Interactions
    share : float
        Test users as a share of *all* users, and as many validation users; above 0, at most 0.5.
        They are drawn from the users with at least 2 relevant interactions.
    given : float
        Share of a held-out user's relevant items that goes to ``Split.given``, above 0 and below
        1, rounded down; at least one item is given and at least one held out. Dislikes are given.
    seed : int
        Of the draw, at least 0.

    Returns
    -------
    Split
        With `given` set.

    Raises
    ------
    SettingError
        A setting is out of its range.
    SplitError
        Too few users are eligible.

    Examples
    --------
    >>> users = [f"u{user}" for user in range(10) for item in range(4)]
    >>> split = hold_out_users(Interactions.from_columns(users, list("abcd") * 10))
    >>> split, split.given.n_interactions
    (Split(32 training, 2 validation, 2 test interactions), 4)
    """
    expect_interactions(interactions)
    if not 0 < share <= 0.5:
        raise SettingError(f"share must be above 0 and at most 0.5, not {share}.")
    if not 0 < given < 1:
        raise SettingError(f"given must be above 0 and below 1, not {given}.")
    of_users, of_items = _generators(seed)
    part_of_user, details = draw_users(interactions, of_users, needed=2, share=share)
    users, counts = row_numbers(interactions), relevant_counts(interactions)
    # Dislikes come after all relevant items, so by rank they would be held out.
    n_given = np.clip(share_of(given, counts), 1, np.maximum(counts - 1, 1))
    is_first = places(interactions, of_items.random(len(users))) < n_given[users]
    is_shown = is_first | (interactions.user_items.data < 0)
    part = part_of_user[users]
    parts = np.where((part != TRAIN) & is_shown, _GIVEN, part)
    method = f"whole users, {100 * given:.3g} % of whose items are given (seed {seed})"
    return _split(interactions, parts, method, details)


def _split(
    interactions: Interactions,
    parts: npt.NDArray[np.int8],
    method: str,
    details: Sequence[tuple[str, str]],
) -> Split:
    """Assign the interactions to the parts named by `parts`."""
    given = parts == _GIVEN
    return Split(
        interactions.keep(parts == TRAIN),
        interactions.keep(parts == VALIDATION),
        interactions.keep(parts == TEST),
        method,
        interactions.keep(given) if given.any() else None,
        tuple(details),
    )


def _cut_in_time(
    interactions: Interactions,
    times: npt.NDArray[np.float64],
    at: float,
    validation_at: float | None,
) -> Split:
    if validation_at is not None and validation_at >= at:
        raise SettingError(f"validation_at={validation_at} must be before at={at}.")
    relevant, is_test = interactions.user_items.data > 0, times >= at
    earlier = np.sort(times[relevant & ~is_test])
    wanted = min(int(np.count_nonzero(relevant & is_test)), len(earlier) // 2)
    if not wanted:
        raise SplitError(
            f"at={at} leaves {np.count_nonzero(relevant & is_test):,} relevant interactions for "
            f"the test and {len(earlier):,} before it; the test needs 1, training and validation "
            f"2. The times go from {times.min():.0f} to {times.max():.0f}."
        )
    start = float(earlier[-wanted]) if validation_at is None else validation_at
    before = len(earlier) - np.count_nonzero(earlier >= start)
    if before in (0, len(earlier)):
        raise SplitError(
            f"Validation from {start} to at={at} takes {len(earlier) - before:,} of the "
            f"{len(earlier):,} relevant interactions before the test; it must take some and leave "
            "some for training. Choose another validation_at."
        )
    parts = np.where(is_test, TEST, np.where(times >= start, VALIDATION, TRAIN))
    method = f"by time: validation from {start:.0f}, test from {at:.0f} (seconds since 1970)"
    return _split(interactions, parts, method, [])


def checked_times(interactions: Interactions) -> npt.NDArray[np.float64]:
    times = interactions.timestamps
    if times is None:
        raise DataError(
            "A split by time needs timestamps, and these interactions have none. Name the column "
            "that holds them when reading, or use another way of splitting."
        )
    unknown = len(times) - np.count_nonzero(np.isfinite(times))
    if unknown:
        raise DataError(f"{unknown:,} of {len(times):,} timestamps are not finite numbers.")
    return times


def _generators(seed: int) -> tuple[np.random.Generator, np.random.Generator]:
    check_whole("seed", seed, least=0)
    of_users, of_items = np.random.default_rng(seed).spawn(2)
    return of_users, of_items
