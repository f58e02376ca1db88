"""Holds out whole users of whom training sees nothing, to evaluate similar items."""

import numpy as np

from alsolike.data.interactions import Interactions
from alsolike.data.splitting.sampling import TEST, TRAIN, VALIDATION, Parts, row_numbers
from alsolike.data.splitting.split import Split, relevant_counts
from alsolike.data.validation import check_whole, expect_interactions
from alsolike.errors import SplitError
from alsolike.usage_hints import with_example

# Of all users, for each of both parts.
_TENTH = 10
_MOST = 2_000
# Of one like nothing is left to be found once a list is asked for it.
_NEEDED = 2


@with_example("split = al.hold_out_unseen_users(likes)")
def hold_out_unseen_users(interactions: Interactions, *, seed: int = 0, fold: int = 0) -> Split:
    """Hold out all interactions of some users, of whom a model is given nothing.

    A tenth of all users each for validation and test, at most 2,000, drawn from those with at least
    2 relevant interactions (value above 0); fewer if these are few, so that a third of them stays
    in training. For lists of similar items, which do not need to know a user: see
    `alsolike.evaluation.item_to_item.evaluate`.

    Parameters
    ----------
    interactions : Interactions
    seed : int
        Of the draw, at least 0.
    fold : int
        Another draw for each number, at least 0.

    Returns
    -------
    Split
        Whole rows, dislikes included, are in ``validation`` and ``test``.

    Raises
    ------
    SettingError
        A setting is out of its range.
    SplitError
        There are fewer than 10 users, or fewer than 3 have 2 relevant interactions.

    Examples
    --------
    >>> users = [f"u{user}" for user in range(20) for item in range(4)]
    >>> hold_out_unseen_users(Interactions.from_columns(users, list("abcd") * 20))
    Split(64 training, 8 validation, 8 test interactions)
    """
    expect_interactions(interactions)
    check_whole("seed", seed, least=0)
    check_whole("fold", fold, least=0)
    everybody = interactions.n_users
    eligible = np.flatnonzero(relevant_counts(interactions) >= _NEEDED)
    count = min(everybody // _TENTH, _MOST, len(eligible) // 3)
    if not count:
        raise SplitError(
            "Similar items are evaluated on users whom training has not seen, a tenth of all users "
            f"for validation and as many for test. That takes at least {_TENTH} users, 3 of them "
            f"with {_NEEDED} relevant interactions (value above 0); there are {everybody:,} users, "
            f"{len(eligible):,} with so many. Use more users, or the ranking objective."
        )
    keys = np.random.default_rng([seed, fold]).random(len(eligible))
    drawn = eligible[np.argsort(keys, kind="stable")]
    part_of_user: Parts = np.full(everybody, TRAIN, dtype=np.int8)
    part_of_user[drawn[:count]] = TEST
    part_of_user[drawn[count : 2 * count]] = VALIDATION
    parts = part_of_user[row_numbers(interactions)]
    drawn_by = f"seed {seed}" if not fold else f"seed {seed}, fold {fold + 1}"
    share = f"{count:,} ({100 * count / everybody:.3g} % of all)"
    return Split(
        interactions.keep(parts == TRAIN),
        interactions.keep(parts == VALIDATION),
        interactions.keep(parts == TEST),
        f"all interactions of some random users, whom training never sees ({drawn_by})",
        details=(
            (
                f"users with at least {_NEEDED} relevant interactions",
                f"{len(eligible):,} of {everybody:,}",
            ),
            ("test users", share),
            ("validation users", share),
        ),
    )
