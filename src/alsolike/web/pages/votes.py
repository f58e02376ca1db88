"""Chooses what each voter compares, stores votes, and tests which model is preferred.

A pair is two slots, or the only slot and popularity. Voter and item decide which model is on the
left, so that a reloaded page shows the same. Votes count for the versions that were shown.
"""

import hashlib
import itertools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from alsolike.errors import SettingError, UnknownId
from alsolike.evaluation.statistics.sequential_test import SequentialTest
from alsolike.recommending.shared import MIN_COUNT
from alsolike.web.serving.registry import ServedModel
from alsolike.web.serving.similar_items import popular_rows
from alsolike.web.serving.state_store import Store, Vote
from alsolike.web.settings import POPULARITY

LEFT, RIGHT, SAME = "left", "right", "same"
FIRST, SECOND = "first", "second"

LENGTH = 6
_DRAWS = 200  # items tried until the lists differ


@dataclass(frozen=True)
class Pair:
    """Two models to compare; `second` None: popularity."""

    first: ServedModel
    second: ServedModel | None

    @property
    def name(self) -> str:
        """Key of the votes, and of addresses."""
        return f"{self.first.name}|{self.second_name}"

    @property
    def label(self) -> str:
        """Names of both models, for people."""
        return f"{self.first.name} and {self.second_name}"

    @property
    def second_name(self) -> str:
        """Slot of the second model."""
        return POPULARITY if self.second is None else self.second.name

    @property
    def versions(self) -> tuple[str, str]:
        """Versions of both models."""
        return self.first.version, (self.second or self.first).version


@dataclass(frozen=True)
class Comparison:
    """An item, and the ids of its neighbours on both sides."""

    item: str
    left: tuple[str, ...]
    right: tuple[str, ...]


def pairs_of(served: Mapping[str, ServedModel]) -> dict[str, Pair]:
    """Return all pairs of models for similar items by name; with one, it and popularity."""
    models = [one.similar_model for one in served.values()]
    pairs = [Pair(one, other) for one, other in itertools.combinations(models, 2)]
    pairs = pairs or [Pair(models[0], None)]
    return {pair.name: pair for pair in pairs}


def next_comparison(state: Store, pair: Pair, voter: str) -> Comparison | None:
    """Return the next comparison for a voter; None if none is left.

    Items are drawn with probability proportional to their likes, except those on which the voter
    has voted, and those for which both models show the same.
    """
    voted = {vote.item for vote in _cast(state, pair) if vote.voter == voter}
    model = pair.first.model
    counts = np.where(model.item_counts >= MIN_COUNT, model.item_counts, 0).astype(np.float64)
    if not counts.any():
        return None
    rng = np.random.default_rng(list(_digest(pair.name, voter, str(len(voted)))))
    for row in rng.choice(len(counts), size=_DRAWS, p=counts / counts.sum()).tolist():
        item = model.items.text_of(row)
        if item in voted:
            continue
        comparison = comparison_of(pair, voter, item)
        if comparison is not None and set(comparison.left) != set(comparison.right):
            return comparison
    return None


def comparison_of(pair: Pair, voter: str, item: str) -> Comparison | None:
    """Return the comparison of `item` for `voter`; None if a model has no neighbours of it."""
    first, second = _list(pair.first, item), _second_list(pair, item)
    if not first or not second:
        return None
    turned = _turned(voter, item)
    return Comparison(item, *((second, first) if turned else (first, second)))


def vote(state: Store, pair: Pair, voter: str, item: str, choice: str) -> bool:
    """Store a vote; return False if this voter has voted on that item.

    Raises
    ------
    UnknownId
        There is nothing to compare for the item.
    SettingError
        The choice is not left, right or same.
    """
    if choice not in (LEFT, RIGHT, SAME):
        raise SettingError(f"A choice is left, right or same, not {choice[:20]!r}.")
    if comparison_of(pair, voter, item) is None:
        raise UnknownId(f"There is nothing to compare for item {item[:200]!r}.")
    chosen = choice
    if choice != SAME:
        chosen = FIRST if (choice == LEFT) != _turned(voter, item) else SECOND
    return state.add_vote(pair.name, chosen, item, voter, pair.versions)


def result(state: Store, pair: Pair) -> SequentialTest:
    """Return the test of the votes on the versions served now."""
    chosen = [one.choice for one in _cast(state, pair)]
    return SequentialTest(chosen.count(FIRST), chosen.count(SECOND), chosen.count(SAME))


def _cast(state: Store, pair: Pair) -> list[Vote]:
    return [one for one in state.votes(pair.name) if one.versions == pair.versions]


def _list(served: ServedModel, item: str) -> tuple[str, ...]:
    row = served.model.items.find(item)
    if row is None:
        return ()
    rows, _ = served.neighbours.similar(row, LENGTH)
    return tuple(served.model.items.ids.cells(rows))


def _second_list(pair: Pair, item: str) -> tuple[str, ...]:
    if pair.second is not None:
        return _list(pair.second, item)
    row = pair.first.model.items.find(item)
    rows = popular_rows(pair.first, LENGTH, without=() if row is None else (row,))
    return tuple(pair.first.model.items.text_of(one) for one in rows)


def _turned(voter: str, item: str) -> bool:
    return bool(_digest("side", voter, item)[0] & 1)


def _digest(*texts: str) -> bytes:
    text = "\0".join(texts).encode("utf-8", "replace")
    return hashlib.sha256(text).digest()[:8]
