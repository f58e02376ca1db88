"""Splits by the name of a scheme, for the command line and jobs."""

from collections.abc import Mapping
from types import MappingProxyType

from alsolike.data.interactions import Interactions
from alsolike.data.splitting import splitters
from alsolike.data.splitting.folds import split_folds
from alsolike.data.splitting.new_items import hold_out_new_items
from alsolike.data.splitting.split import Split
from alsolike.errors import SettingError, SplitError
from alsolike.usage_hints import did_you_mean

# Arguments of each scheme, see `split_by`.
TAKES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "items": ("held_out", "share"),
        "one": (),
        "fraction": ("share",),
        "time": ("held_out", "share", "folds"),
        "users": ("share",),
        "new-items": ("share",),
        "newest-items": ("share",),
    }
)

NEW_ITEMS = ("new-items", "newest-items")  # of which training sees no like
_HELD_OUT = 5


def split_by(
    likes: Interactions,
    by: str,
    *,
    held_out: int | None = None,
    share: float | None = None,
    validation_share: float | None = None,
    seed: int = 0,
) -> Split:
    """Split by one of the schemes of `alsolike.data.splitting.splitters`.

    Parameters
    ----------
    likes : Interactions
    by : {"items", "one", "fraction", "time", "users", "new-items", "newest-items"}
        `held_out` random items of some users (the article's); one of each user; a fraction of
        each user's; the last of each user's; whole users; whole items; the newest whole items.
    held_out : int or None
        Items per user, of "items" and "time" (default 5).
    share : float or None
        Of "items": test users among all; of "fraction" and "time": of each user's items; of
        "users": test users among all; of "new-items" and "newest-items": test items among those
        with likes. None: the default of that way.
    validation_share : float or None
        Of "items" alone: validation users among all.
    seed : int

    Raises
    ------
    SettingError
        Another way, or one that does not take what is given.
    SplitError
        As the way itself.

    Examples
    --------
    >>> likes = Interactions.from_columns(["u"] * 4 + ["v"] * 4, list("abcdabce"))
    >>> split_by(likes, "one").test.n_interactions
    2
    """
    check_scheme(by, held_out=held_out, share=share)
    k = _HELD_OUT if held_out is None else held_out
    if by == "items":
        try:
            return splitters.hold_out(
                likes, k=k, share=share, validation_share=validation_share, seed=seed
            )
        except SplitError as error:  # which speaks of k, the name of that function
            raise SplitError(f"{error} That number is held_out={k} here.") from None
    if by == "one":
        return splitters.leave_one_out(likes, seed=seed)
    if by == "fraction":
        return splitters.hold_out_fraction(
            likes, fraction=0.2 if share is None else share, seed=seed
        )
    if by == "time":
        k_of_time = k if share is None else held_out
        return splitters.hold_out_by_time(likes, k=k_of_time, fraction=share, seed=seed)
    if by in NEW_ITEMS:
        of_items = {} if share is None else {"share": share}
        return hold_out_new_items(likes, by_time=by == "newest-items", seed=seed, **of_items)
    return splitters.hold_out_users(likes, share=0.1 if share is None else share, seed=seed)


def check_scheme(
    by: str,
    *,
    held_out: int | None = None,
    share: float | None = None,
    folds: int | None = None,
) -> None:
    """Raise SettingError for an unknown scheme, or an argument that it does not take."""
    if by not in TAKES:
        hint = did_you_mean(by, TAKES)
        raise SettingError(f"A split is by {', '.join(TAKES)}, not by {by!r}.{hint}")
    for name, value in (("held_out", held_out), ("share", share), ("folds", folds)):
        if value is not None and name not in TAKES[by]:
            takes = " and ".join(f"{one}=" for one in TAKES[by]) or "nothing"
            raise SettingError(f"A split by {by} takes no {name}=, but {takes}.")
    if folds is not None and held_out is not None:
        raise SettingError(
            f"held_out={held_out} is for the last items of each user. Folds have windows of time: "
            "give the share of all interactions in each window, share=."
        )


def folds_by_time(likes: Interactions, folds: int, share: float | None) -> tuple[Split, ...]:
    """Return the rolling folds of `split_folds`; a share of None is its default."""
    return split_folds(likes, folds=folds, **({} if share is None else {"share": share}))
