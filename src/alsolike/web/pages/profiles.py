"""Prepares likes, recommendations and their contributions for pages."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from alsolike.errors import FitError, SettingError
from alsolike.models.base import Basis, Doubles, Floats, Indices
from alsolike.models.protocols import Contributions, Explains
from alsolike.recommending.explain import contributions_of
from alsolike.recommending.features.reasons import features_behind
from alsolike.recommending.rules.rules import Allowed, Rules
from alsolike.recommending.unknown.fallback import RankedList
from alsolike.views.page import clean
from alsolike.web.serving import user_queries
from alsolike.web.serving.item_cards import ItemCard, card_of
from alsolike.web.serving.registry import ServedModel
from alsolike.web.serving.user_queries import Profile

_CARRIERS = 3
_DIGITS = 3


@dataclass(frozen=True)
class ShownLike:
    """A like on a page; `live`: sent to the service, not in the training data."""

    card: ItemCard
    value: float
    live: bool = False


@dataclass(frozen=True)
class Carrier:
    """A like, and its printed contribution to a score.

    `members`: of a model made of models, their names and what each adds, with the same sum.
    """

    card: ItemCard
    share: str
    members: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Suggestion:
    """A recommended item; ``score`` is the sum of the printed carriers, ``rest`` and ``base``.

    Parameters
    ----------
    card : ItemCard
    score : str
        Empty if listed by popularity.
    carriers : tuple of Carrier
        The likes with the largest contributions, the largest first.
    rest, others : str, int
        The remaining contribution, and the number of likes behind it.
    base : str
        What is expected of the item for anybody, where the score has such a part.
    fills : bool
        Whether popularity fills the list up with it.
    features : str
        The features behind the score, such as tags, cleaned; of a model that explains by them.
    """

    card: ItemCard
    score: str = ""
    carriers: tuple[Carrier, ...] = ()
    rest: str = ""
    others: int = 0
    base: str = ""
    fills: bool = False
    features: str = ""


def likes_shown(served: ServedModel, profile: Profile, *, most: int) -> list[ShownLike]:
    """Return at most `most` likes of a user, live ones first, then by value."""
    order = sorted(
        profile.values, key=lambda row: (row not in profile.live, -profile.values[row], row)
    )
    return [
        ShownLike(card_of(served, row), profile.values[row], row in profile.live)
        for row in order[:most]
    ]


@dataclass(frozen=True)
class Suggestions:
    """Recommendations, best first.

    Parameters
    ----------
    entries : list of Suggestion
    basis : {"model", "popularity"}
        Basis of the first, see `alsolike.recommending.unknown.fallback`.
    fault : str
        Why there are none.
    note : str
        Why rules make the list shorter.
    """

    entries: list[Suggestion]
    basis: Basis = "model"
    fault: str = ""
    note: str = ""


def suggestions_for(
    served: ServedModel, profile: Profile, *, k: int, rules: Rules | None = None
) -> Suggestions:
    """Recommend to a user, as the API does."""

    def recommend(allowed: Allowed | None) -> RankedList:
        return user_queries.recommend(served, profile, k, allowed)

    return _or_fault(served, profile.values, profile.days, k, rules, recommend)


def picked_for(
    served: ServedModel, values: Mapping[int, float], *, k: int, rules: Rules | None = None
) -> Suggestions:
    """Recommend for likes (rows to values), by fold-in."""

    def recommend(allowed: Allowed | None) -> RankedList:
        return user_queries.recommend_for(served, values, k, allowed)

    return _or_fault(served, values, None, k, rules, recommend)


def _or_fault(
    served: ServedModel,
    values: Mapping[int, float],
    ages: Doubles | None,
    k: int,
    rules: Rules | None,
    recommend: Callable[[Allowed | None], RankedList],
) -> Suggestions:
    try:
        allowed = None if rules is None else rules.of(served.model)
        found = _explained(served, values, ages, recommend(allowed))
        note = "" if allowed is None else allowed.shortfall(k, len(found.entries))
        return replace(found, note=note)
    except (FitError, SettingError) as error:
        return Suggestions([], fault=clean(str(error)))


def _explained(
    served: ServedModel, values: Mapping[int, float], ages: Doubles | None, found: RankedList
) -> Suggestions:
    model, n_known = served.model, int(np.count_nonzero(~found.popular))
    rows = found.rows[:n_known]
    if not values or not isinstance(model, Explains):
        by_model = [
            Suggestion(card_of(served, row), _printed(_units(score)))
            for row, score in zip(rows.tolist(), found.scores.tolist(), strict=False)
        ]
    else:
        likes = np.fromiter(values, dtype=np.int32, count=len(values))
        amounts = np.array(list(values.values()), dtype=np.float32)
        split = contributions_of(model, likes, amounts, rows, ages=ages) if n_known else None
        by_model = [
            replace(
                _suggestion(served, row, likes, split, place),
                features=_features(served, likes, amounts, row),
            )
            for place, row in enumerate(rows.tolist())
            if split is not None
        ]
    more = [
        Suggestion(card_of(served, row), fills=n_known > 0) for row in found.rows[n_known:].tolist()
    ]
    return Suggestions([*by_model, *more], found.basis)


def _suggestion(
    served: ServedModel, answer: int, rows: Indices, split: Contributions, at: int
) -> Suggestion:
    """Round a score and its contributions so that the printed numbers add up."""
    shares = split.parts[at]
    score = _units(split.scores[at])
    base = 0 if split.base is None else _units(split.base[at])
    largest = np.lexsort((rows, -shares))[:_CARRIERS]
    carriers = {int(rows[place]): _units(shares[place]) for place in largest}
    carriers = {row: units for row, units in carriers.items() if units > 0}
    rest, others = score - base - sum(carriers.values()), len(rows) - len(carriers)
    if carriers and not others:
        # No other like can take the rest of the rounding.
        carriers[next(iter(carriers))] += rest
    return Suggestion(
        card=card_of(served, answer),
        score=_printed(score),
        carriers=tuple(
            Carrier(
                card_of(served, row),
                _printed(units),
                _of_members(split, at, int(np.flatnonzero(rows == row)[0]), units),
            )
            for row, units in carriers.items()
        ),
        rest=_printed(rest),
        others=others,
        base=_printed(base) if split.base is not None else "",
    )


def _features(served: ServedModel, likes: Indices, amounts: Floats, row: int) -> str:
    """Return the features behind a score, such as tags, as text."""
    behind = features_behind(served.model, likes, amounts, row)
    return clean(", ".join(label.partition(": ")[2] or label for label, _ in behind))


def _of_members(
    split: Contributions, at: int, like: int, units: int
) -> tuple[tuple[str, str], ...]:
    """Return what each member adds, printed; the largest takes the rest of the rounding."""
    if not split.members:
        return ()
    added = {name: _units(parts[at, like]) for name, parts in split.members.items()}
    added[max(added, key=added.__getitem__)] += units - sum(added.values())
    return tuple((name, _printed(own)) for name, own in added.items())


def _units(value: float | np.floating[Any]) -> int:
    """Return a score in units of the last printed digit."""
    return int(np.rint(float(value) * 10**_DIGITS))


def _printed(units: int) -> str:
    return f"{units / 10**_DIGITS:.{_DIGITS}f}".replace("-", "\N{MINUS SIGN}")
