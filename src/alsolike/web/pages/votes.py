"""Blind votes between two models: what is shown to whom, what was chosen, what that says.

A pair is two slots, or a slot and popularity where the service has but one. Which of them stands
on the left follows from voter and item, so that a page opened again shows the same. A vote counts
for the versions that were shown; with a new model the count begins anew.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from alsolike.errors import SettingError, UnknownId
from alsolike.evaluation.statistics.sequential import SequentialTest
from alsolike.recommending.shared import MIN_COUNT
from alsolike.web.serving.registry import ServedModel
from alsolike.web.serving.similar_items import popular_rows
from alsolike.web.serving.store import Store, Vote
from alsolike.web.settings import POPULARITY

LEFT, RIGHT, SAME = "left", "right", "same"
FIRST, SECOND = "first", "second"

LENGTH = 6
_DRAWS = 200  # items looked at for one where the strips differ


@dataclass(frozen=True)
class Pair:
    """Two models to be compared.

    Parameters
    ----------
    first : Held
    second : Held or None
        None: popularity.
    """

    first: ServedModel
    second: ServedModel | None

    @property
    def name(self) -> str:
        """As votes are filed, and as pages ask."""
        return f"{self.first.name}|{self.second_name}"

    @property
    def second_name(self) -> str:
        """The second's slot."""
        return POPULARITY if self.second is None else self.second.name

    @property
    def versions(self) -> tuple[str, str]:
        """Of both."""
        return self.first.version, (self.second or self.first).version


@dataclass(frozen=True)
class Comparison:
    """What one voter is asked.

    Parameters
    ----------
    item : str
        Whose neighbours are shown.
    left, right : tuple of str
        Ids of items.
    """

    item: str
    left: tuple[str, ...]
    right: tuple[str, ...]


def pairs_of(served: Mapping[str, ServedModel]) -> dict[str, Pair]:
    """Return all pairs of models by name; of one model alone, the pair with popularity."""
    models = list(served.values())
    if len(models) == 1:
        return {pair.name: pair for pair in (Pair(models[0], None),)}
    pairs = [Pair(one, other) for at, one in enumerate(models) for other in models[at + 1 :]]
    return {pair.name: pair for pair in pairs}


def next_comparison(state: Store, pair: Pair, voter: str) -> Comparison | None:
    """Return what to ask a voter next, None where nothing is left.

    Items are drawn by how many like them, so that what visitors see counts; those that the voter
    has judged, and those beside which both models show the same, are left out.
    """
    judged = {vote.item for vote in _cast(state, pair) if vote.voter == voter}
    model = pair.first.model
    counts = np.where(model.item_counts >= MIN_COUNT, model.item_counts, 0).astype(np.float64)
    if not counts.any():
        return None
    rng = np.random.default_rng(list(_digest(pair.name, voter, str(len(judged)))))
    for row in rng.choice(len(counts), size=_DRAWS, p=counts / counts.sum()).tolist():
        item = model.items.id_of(row)
        if item in judged:
            continue
        comparison = comparison_of(pair, voter, item)
        if comparison is not None and set(comparison.left) != set(comparison.right):
            return comparison
    return None


def comparison_of(pair: Pair, voter: str, item: str) -> Comparison | None:
    """Return what `voter` is asked of `item`, None where a model shows nothing beside it."""
    first, second = _list(pair.first, item), _second_list(pair, item)
    if not first or not second:
        return None
    turned = _turned(voter, item)
    return Comparison(item, *((second, first) if turned else (first, second)))


def vote(state: Store, pair: Pair, voter: str, item: str, choice: str) -> bool:
    """Keep what a voter chose; False where this voter has judged that item already.

    Raises
    ------
    UnknownId
        No model knows the item.
    SettingError
        The choice is none of left, right and same.
    """
    if choice not in (LEFT, RIGHT, SAME):
        raise SettingError(f"A choice is left, right or same, not {choice[:20]!r}.")
    if comparison_of(pair, voter, item) is None:
        raise UnknownId(f"There is nothing to compare beside item {item[:200]!r}.")
    chosen = choice
    if choice != SAME:
        chosen = FIRST if (choice == LEFT) != _turned(voter, item) else SECOND
    return state.add_vote(pair.name, chosen, item, voter, pair.versions)


def result(state: Store, pair: Pair) -> SequentialTest:
    """Return what the votes on the versions served now say."""
    chosen = [one.choice for one in _cast(state, pair)]
    return SequentialTest(chosen.count(FIRST), chosen.count(SECOND), chosen.count(SAME))


def _cast(state: Store, pair: Pair) -> list[Vote]:
    return [one for one in state.votes(pair.name) if one.versions == pair.versions]


def _list(served: ServedModel, item: str) -> tuple[str, ...]:
    row = served.model.items.find(item)
    if row is None:
        return ()
    rows, _ = served.neighbours.similar(row, LENGTH)
    return tuple(served.model.items.ids_of(rows).tolist())


def _second_list(pair: Pair, item: str) -> tuple[str, ...]:
    if pair.second is not None:
        return _list(pair.second, item)
    row = pair.first.model.items.find(item)
    rows = popular_rows(pair.first, LENGTH, without=() if row is None else (row,))
    return tuple(pair.first.model.items.id_of(one) for one in rows)


def _turned(voter: str, item: str) -> bool:
    return bool(_digest("side", voter, item)[0] & 1)


def _digest(*texts: str) -> bytes:
    text = "\0".join(texts).encode("utf-8", "replace")
    return hashlib.sha256(text).digest()[:8]
