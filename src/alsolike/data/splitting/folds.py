"""Splits interactions into rolling folds by time: train before a window, test on the next."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from alsolike.data.interactions import Interactions
from alsolike.data.splitting.split import Split
from alsolike.data.splitting.splitters import checked_times, hold_out_by_time
from alsolike.data.validation import check_whole, expect_interactions
from alsolike.errors import SettingError, SplitError
from alsolike.usage_hints import with_example


@with_example("folds = al.split_folds(likes, folds=3)")
def split_folds(
    interactions: Interactions, *, folds: int = 3, share: float = 0.1
) -> tuple[Split, ...]:
    """Cut the end of a table into windows of time, and test on one after the other.

    There is one window more than folds. Fold f trains on all that is before window f, validates on
    window f, and tests on window f + 1. It has no interaction, user or item of later windows. So
    the last fold has the whole table.

    Parameters
    ----------
    interactions : Interactions
        With timestamps.
    folds : int
        At least 1.
    share : float
        Of all relevant interactions (value above 0), in each window; above 0. Those of the very
        same time are never parted, so that a window may have a few more.

    Returns
    -------
    tuple of Split
        The earliest fold first.

    Raises
    ------
    DataError
        There are no timestamps, or some are not finite.
    SettingError
        A setting is out of its range.
    SplitError
        A window would be empty.

    Notes
    -----
    As scikit-learn's ``TimeSeriesSplit``, windows have equal numbers of interactions, and training
    grows from fold to fold; unlike it, there is a validation window. Users and items that are new
    in a window stay in it: ``print(fold)`` counts them.

    Examples
    --------
    >>> likes = Interactions.from_columns(["ann", "bob"] * 10, [f"i{n}" for n in range(20)])
    >>> times = np.empty(20)
    >>> times[likes.items.indices_of([f"i{n}" for n in range(20)])] = np.arange(20.0)
    >>> likes = replace(likes, timestamps=times[likes.user_items.indices])
    >>> for fold in split_folds(likes, folds=2, share=0.2):
    ...     fold
    Split(8 training, 4 validation, 4 test interactions)
    Split(12 training, 4 validation, 4 test interactions)
    """
    expect_interactions(interactions)
    check_whole("folds", folds, least=1)
    windows = folds + 1
    if not 0 < share * windows < 1:
        raise SettingError(
            f"share is that of each of {windows} windows, one more than folds, so it must be above "
            f"0 and below {1 / windows:.3g}, not {share}."
        )
    times = checked_times(interactions)
    starts = _starts(np.sort(times[interactions.user_items.data > 0]), windows, share)
    ends = [*starts[2:], np.inf]
    return tuple(
        _fold(interactions, times, (starts[at], starts[at + 1], ends[at]), f"{at + 1} of {folds}")
        for at in range(folds)
    )


def _starts(times: npt.NDArray[np.float64], windows: int, share: float) -> list[float]:
    """Return the times at which the last `windows` windows begin."""
    size = int(share * len(times) + 1e-9)
    if size:
        starts = times[len(times) - size * np.arange(windows, 0, -1)].tolist()
        if len(set(starts)) == windows and starts[0] > times[0]:
            return list(starts)
    raise SplitError(
        f"{windows} windows, each with {100 * share:.3g} % of the {len(times):,} relevant "
        "interactions, would leave a window, or training, empty: there are too few of them, or too "
        "many of one time. Use fewer folds, or another share."
    )


def _fold(
    interactions: Interactions,
    times: npt.NDArray[np.float64],
    window: tuple[float, float, float],
    name: str,
) -> Split:
    """Return the fold that validates and tests between three times."""
    validation_at, at, end = window
    is_known = times < end
    known = interactions.keep(is_known)
    if not is_known.all():
        known = known.subset(np.flatnonzero(known.user_counts), np.flatnonzero(known.item_counts))
    split = hold_out_by_time(known, at=at, validation_at=validation_at)
    details = [("validation from", moment(validation_at)), ("test from", moment(at))]
    if later := np.count_nonzero(~is_known):
        details.append(("later, in no part", f"{later:,} interactions, from {moment(end)}"))
    return replace(split, method=f"fold {name} by time", details=tuple(details))


def moment(seconds: float) -> str:
    """Return seconds since 1970 as a date and time.

    Examples
    --------
    >>> moment(1.3e9)
    '2011-03-13T07:06:40'
    """
    return f"{np.datetime64(int(seconds), 's')}"
