"""Holds out whole items, of which training sees no like, to evaluate a cold start."""

import numpy as np
import numpy.typing as npt

from alsolike.data.interactions import Interactions
from alsolike.data.splitting.sampling import TEST, TRAIN, VALIDATION, Parts
from alsolike.data.splitting.split import Split
from alsolike.data.splitting.splitters import checked_times
from alsolike.data.validation import check_whole, expect_interactions
from alsolike.errors import SettingError, SplitError
from alsolike.usage_hints import with_example

_ROUNDING = 1e-9  # a product such as 0.29 * 100 must not be rounded down to 28
_FEWEST = 3  # one item for each part


@with_example("split = al.hold_out_new_items(likes, share=0.1)")
def hold_out_new_items(
    interactions: Interactions, *, share: float = 0.1, by_time: bool = False, seed: int = 0
) -> Split:
    """Hold out all interactions of some items, so that they are new to a model.

    They stay among the items of the parts, with their features. Lists are scored over the new items
    of a part alone: see `Split.new_items`.

    Parameters
    ----------
    interactions : Interactions
    share : float
        Test items as a share of those with a like (value above 0), and as many validation items;
        above 0 and below 0.5, rounded down, at least one each.
    by_time : bool
        Take the items whose first like is the latest for the test, and those before them for
        validation, instead of random ones. Training keeps all likes of all other items.
    seed : int
        Of the draw, at least 0; decides between items of the very same first moment.

    Returns
    -------
    Split

    Raises
    ------
    SettingError
        A setting is out of its range.
    DataError
        `by_time`, and there are no timestamps.
    SplitError
        Fewer than 3 items have a like.

    Examples
    --------
    >>> likes = Interactions.from_columns(["ann", "bob"] * 10, [f"i{n // 2}" for n in range(20)])
    >>> split = hold_out_new_items(likes)
    >>> split, split.new_items("test").tolist()
    (Split(16 training, 2 validation, 2 test interactions), [9])
    """
    expect_interactions(interactions)
    check_whole("seed", seed, least=0)
    if not 0 < share < 0.5:
        raise SettingError(
            "share must be above 0 and below 0.5, since validation takes as many items as the "
            f"test; it is {share}."
        )
    liked = np.flatnonzero(interactions.like_counts)
    if len(liked) < _FEWEST:
        raise SplitError(
            f"A split by new items takes at least {_FEWEST} items with a like, one each for "
            f"training, validation and test; there are {len(liked):,}."
        )
    count = max(int(share * len(liked) + _ROUNDING), 1)
    keys = np.random.default_rng(seed).random(len(liked))
    firsts = _first_times(interactions)[liked] if by_time else np.zeros(len(liked))
    latest = liked[np.lexsort((keys, firsts))[::-1]]
    part_of_item: Parts = np.full(interactions.n_items, TRAIN, dtype=np.int8)
    part_of_item[latest[:count]] = TEST
    part_of_item[latest[count : 2 * count]] = VALIDATION
    parts = part_of_item[interactions.user_items.indices]
    which = "the items whose first like is the latest" if by_time else f"random items (seed {seed})"
    each = f"{count:,} ({100 * count / len(liked):.3g} % of the items with likes)"
    return Split(
        interactions.keep(parts == TRAIN),
        interactions.keep(parts == VALIDATION),
        interactions.keep(parts == TEST),
        f"all interactions of some items, which are new to a model: {which}",
        details=(("test items", each), ("validation items", each)),
        is_by_items=True,
    )


def _first_times(interactions: Interactions) -> npt.NDArray[np.float64]:
    """Return when each item was first liked, float64, (n_items,); infinite without likes."""
    times = checked_times(interactions)
    relevant = interactions.user_items.data > 0
    firsts = np.full(interactions.n_items, np.inf)
    np.minimum.at(firsts, interactions.user_items.indices[relevant], times[relevant])
    return firsts
