"""Holds training, validation and test interactions over the same users and items."""

import functools
import operator
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from alsolike.data.features.attributed import AttributedFeatures
from alsolike.data.features.features import Features
from alsolike.data.interactions import Interactions, canonical
from alsolike.data.validation import expect_interactions, said
from alsolike.errors import DataError
from alsolike.tables import wrapped

Indices = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Split:
    """Training, validation and test interactions over the same users and items.

    The functions of `alsolike.data.splitting.splitters` build it; build it by hand for a public set
    with its own split: the parts are checked.

    Parameters
    ----------
    train, validation, test : Interactions
        Disjoint; `validation` may be empty.
    method : str
        How the parts were made, in words.
    given : Interactions or None
        Of whole-user hold-out: the part of the held-out users' rows that a model is shown, by
        fold-in, before it is asked for the rest.
    details : tuple of (label, text)
        What else is to be said of how the parts were made.
    is_by_items : bool
        Whether validation and test have whole items, of which no other part has an interaction.
        Lists are scored over these items alone then.
    keeps_own_features : bool
        Of features that people gave (`AttributedFeatures`): fit to those of all people. False: what
        test and validation users gave is left out of training, and what test users gave is left out
        of training and validation together; in a split by items, only what they gave of the items
        that they like there.

    Raises
    ------
    DataError
        The parts have different users or items, share a pair, or only some have timestamps; or
        parts share an item, and the split is by items.

    Examples
    --------
    >>> from alsolike.data.splitting.splitters import leave_one_out
    >>> likes = Interactions.from_columns(["ann"] * 3 + ["bob"] * 2, list("xyzxy"))
    >>> split = leave_one_out(likes)
    >>> split.train.n_interactions, split.validation.n_interactions, split.test.n_interactions
    (3, 1, 1)
    >>> split.train_and_validation().n_interactions
    4
    """

    train: Interactions
    validation: Interactions
    test: Interactions
    method: str
    given: Interactions | None = None
    details: tuple[tuple[str, str], ...] = ()
    is_by_items: bool = False
    keeps_own_features: bool = False

    def __post_init__(self) -> None:
        for name in ("train", "validation", "test"):
            expect_interactions(getattr(self, name), name)
        if self.given is not None:
            expect_interactions(self.given, "given")
        for part in self._parts:
            if part.users != self.train.users or part.items != self.train.items:
                raise DataError(
                    "All parts of a split must have the same users and items, in the same rows; "
                    f"these are {self.train!r} and {part!r}. Build one table of all interactions "
                    "and take the parts from it with keep()."
                )
        if len({part.timestamps is None for part in self._parts}) > 1:
            raise DataError("Either all parts of a split have timestamps or none has.")
        shared = sum(part.n_interactions for part in self._parts) - self._union.nnz
        if shared:
            raise DataError(
                f"The parts of a split must be disjoint; {shared:,} (user, item) pairs are in "
                "more than one."
            )
        if self.is_by_items:
            self._refuse_shared_items()
        if isinstance(self.test.item_features, AttributedFeatures):
            self._leave_out_own_features(self.test.item_features)

    def _leave_out_own_features(self, known: AttributedFeatures) -> None:
        """Replace the features of training and validation by those that others gave."""
        for name, left_out in (
            ("train", (self.validation, self.test)),
            ("validation", (self.test,)),
        ):
            features: Features = known
            if self.keeps_own_features:
                pass
            elif self.is_by_items:
                liked = functools.reduce(operator.add, map(_pattern, left_out))
                features = known.without_pairs(self.test.users, liked)
            else:
                has = functools.reduce(operator.or_, (part.user_counts > 0 for part in left_out))
                features = known.without(self.test.users.subset(np.flatnonzero(has)))
            part = replace(getattr(self, name), item_features=features)
            object.__setattr__(self, name, part)

    @property
    def own_features(self) -> int:
        """Cells of features that training lacks, since only held-out users gave them."""
        known, left = self.test.item_features, self.train.item_features
        return 0 if known is None or left is None else known.matrix.nnz - left.matrix.nnz

    def _refuse_shared_items(self) -> None:
        if self.given is not None:
            raise DataError("A split by items has no given items: its users are in training.")
        in_parts = np.array([part.item_counts > 0 for part in self._parts])
        if (shared := np.flatnonzero(in_parts.sum(axis=0) > 1)).size:
            raise DataError(
                f"The parts of a split by items must not share items; {len(shared):,} are in more "
                f"than one, such as {self.train.items.id_of(int(shared[0]))!r}. Leave their likes "
                "out of training, or make the split with is_by_items=False."
            )

    def new_items(self, part: Literal["validation", "test"]) -> Indices | None:
        """Return the rows of the items of a part, int64, ascending; None if not split by items."""
        if not self.is_by_items:
            return None
        held_out = self.validation if part == "validation" else self.test
        return np.flatnonzero(held_out.item_counts)

    @property
    def _parts(self) -> list[Interactions]:
        parts = [self.train, self.validation, self.test]
        return parts if self.given is None else [*parts, self.given]

    @property
    def _union(self) -> sp.csr_array:
        return functools.reduce(lambda one, other: one + other, map(_pattern, self._parts))

    @functools.cached_property
    def test_users(self) -> Indices:
        """Rows of the users with a relevant test interaction, int64, ascending."""
        return np.flatnonzero(relevant_counts(self.test))

    @functools.cached_property
    def validation_users(self) -> Indices:
        """Rows of the users with a relevant validation interaction, int64, ascending."""
        return np.flatnonzero(relevant_counts(self.validation))

    def train_and_validation(self) -> Interactions:
        """Return training and validation interactions together, for the final fit.

        In a hold-out of whole users, the given items of validation users are included.
        """
        parts = [self.validation, self.train]  # with the features of the first
        if self.given is not None:
            is_test_user = np.zeros(self.test.n_users, dtype=bool)
            is_test_user[self.test_users] = True
            parts.append(self.given.keep(~np.repeat(is_test_user, self.given.user_counts)))
        return _merged(parts)

    def shown(self, *, with_validation: bool = False) -> Interactions:
        """Return the interactions that a model has seen of the held-out users.

        These are training, validation if fitted to both, and given items.
        """
        parts = [self.train, self.validation] if with_validation else [self.train]
        return _merged(parts if self.given is None else [*parts, self.given])

    def facts(self) -> list[tuple[str, str]]:
        """Return pairs of a label and a text."""
        rows = [("split", self.method), *self.details]
        rows.append(("training", f"{self.train.n_interactions:,} interactions"))
        if self.own_features:
            rows.append(("features left out, given by held-out users alone",
                         f"{self.own_features:,}"))  # fmt: skip
        if self.given is not None:
            rows.append(("given of held-out users", f"{self.given.n_interactions:,} interactions"))
        shown = self.train.user_counts + (0 if self.given is None else self.given.user_counts)
        held_out = (
            ("validation", self.validation, self.validation_users),
            ("test", self.test, self.test_users),
        )
        for label, part, users in held_out:
            text = f"{part.n_interactions:,} interactions of {len(users):,} users"
            if not part.n_interactions:
                text = "none"
            rows.append((label, text))
            cold_users = int((shown[users] == 0).sum())
            if cold_users:
                rows.append((f"{label} users without any training interaction", f"{cold_users:,}"))
            cold_items = int(((part.item_counts > 0) & (self.train.item_counts == 0)).sum())
            if cold_items:
                rows.append((f"{label} items without any training interaction", f"{cold_items:,}"))
        return rows

    def brief(self, width: int) -> str:
        """Return the scheme and the sizes of the parts, without details."""
        facts = [fact for fact in self.facts() if fact not in self.details]
        return wrapped("; ".join(f"{label}: {text}" for label, text in facts), width, indent=2)

    def __str__(self) -> str:
        return "\n".join(f"{label}: {text}" for label, text in self.facts())

    def __repr__(self) -> str:
        return (
            f"Split({self.train.n_interactions:,} training, {self.validation.n_interactions:,} "
            f"validation, {self.test.n_interactions:,} test interactions)"
        )


def expect_split(given: object) -> None:
    """Raise DataError, with the way out, if `given` is not a `Split`."""
    if not isinstance(given, Split):
        raise DataError(
            f"A Split expected, not {said(given)}. Read likes with alsolike.read and split them: "
            "split = alsolike.hold_out(likes)."
        )


def relevant_counts(interactions: Interactions) -> Indices:
    """Return the interactions with a value above 0 of each user, int64, (n_users,)."""
    users = np.repeat(np.arange(interactions.n_users), interactions.user_counts)
    relevant = users[interactions.user_items.data > 0]
    return np.bincount(relevant, minlength=interactions.n_users).astype(np.int64)


def _pattern(part: Interactions) -> sp.csr_array:
    matrix = part.user_items
    ones = np.ones(matrix.nnz, dtype=np.int8)
    return sp.csr_array((ones, matrix.indices, matrix.indptr), matrix.shape)


def _merged(parts: Sequence[Interactions]) -> Interactions:
    """Return the interactions of disjoint parts as one table."""
    first = parts[0]
    if len(parts) == 1:
        return first
    rows = np.concatenate([np.repeat(np.arange(p.n_users), p.user_counts) for p in parts])
    columns = np.concatenate([part.user_items.indices for part in parts])
    order = np.lexsort((columns, rows))
    values = np.concatenate([part.user_items.data for part in parts])
    starts = np.concatenate(([0], np.cumsum(sum(part.user_counts for part in parts))))
    matrix = sp.csr_array((values[order], columns[order], starts), first.user_items.shape)
    times = [part.timestamps for part in parts if part.timestamps is not None]
    ordered_times = np.concatenate(times)[order] if times else None
    return replace(first, user_items=canonical(matrix), timestamps=ordered_times)
