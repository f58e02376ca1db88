"""What somebody likes, what is recommended for that, and which likes carry each score."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from alsolike.errors import FitError, SettingError
from alsolike.models.base import Basis
from alsolike.models.equations import Doubles, UserEquations
from alsolike.models.factor_model import FactorModel
from alsolike.recommending.answers import Indices
from alsolike.recommending.one import recommend_for_likes, recommend_one
from alsolike.tables import Table
from alsolike.views.page import clean
from alsolike.web.faces import Face, face_of
from alsolike.web.holding import Held

_CARRIERS = 3
_DIGITS = 3


@dataclass(frozen=True)
class Like:
    """One like on a page.

    Parameters
    ----------
    face : Face
    value : float
    live : bool
        Told to the service, not in the training data.
    """

    face: Face
    value: float
    live: bool = False


@dataclass(frozen=True)
class Carrier:
    """How much of a score one like carries, as it is printed."""

    face: Face
    share: str


@dataclass(frozen=True)
class Suggestion:
    """A recommended item; ``score`` is the sum of what the carriers and ``rest`` print.

    Parameters
    ----------
    face : Face
    score : str
        Nothing where it is listed by popularity.
    carriers : tuple of Carrier
        The likes that carry most, the largest first.
    rest, others : str, int
        What is left, and the likes that carry it.
    """

    face: Face
    score: str
    carriers: tuple[Carrier, ...]
    rest: str
    others: int


@dataclass(frozen=True)
class Taste:
    """What a user likes in the eyes of one model.

    Parameters
    ----------
    known : bool
        The model was trained on this user.
    trained : int or None
        Likes and dislikes in the training data; None where the model was saved without its history
        and was trained on this user, so that they can neither be counted nor left out.
    values : mapping of int to float
        Rows of the items, those in the training data first.
    live : frozenset of int
        Rows told to the service.
    ignored : int
        Likes of items that this model does not know.
    """

    known: bool
    trained: int | None
    values: Mapping[int, float]
    live: frozenset[int]
    ignored: int


def taste_of(held: Held, user: str, live: Mapping[str, float]) -> Taste:
    """Return what a user likes: the training data, overlaid by the likes of the service."""
    model = held.model
    row = model.users.find(user)
    values: dict[int, float] = {}
    if row is not None and model.history is not None:
        likes = model.history.user_items
        stored = slice(likes.indptr[row], likes.indptr[row + 1])
        values = dict(zip(likes.indices[stored].tolist(), likes.data[stored].tolist(), strict=True))
    found = {place: live[item] for item in live if (place := model.items.find(item)) is not None}
    return Taste(
        known=row is not None,
        trained=None if row is not None and model.history is None else len(values),
        values={**values, **found},
        live=frozenset(found),
        ignored=len(live) - len(found),
    )


def likes_shown(held: Held, taste: Taste, *, most: int) -> list[Like]:
    """Return the likes of a user, new ones first, then by value; at most so many."""
    order = sorted(taste.values, key=lambda row: (row not in taste.live, -taste.values[row], row))
    return [Like(face_of(held, row), taste.values[row], row in taste.live) for row in order[:most]]


@dataclass(frozen=True)
class Suggested:
    """What is recommended, best first.

    Parameters
    ----------
    entries : list of Suggestion
    basis : {"model", "popularity"}
        How they were found, see `alsolike.recommending.fallback`.
    fault : str
        Why there are none.
    """

    entries: list[Suggestion]
    basis: Basis = "model"
    fault: str = ""


def suggestions_for(held: Held, user: str, taste: Taste, *, k: int) -> Suggested:
    """Return what is recommended to a user, as the API does.

    Raises
    ------
    FitError
        The user's equations have no unique solution.
    """
    if not taste.known or taste.live:
        return picked_for(held, taste.values, k=k)
    table = recommend_one(held.model, user, k=k, exclude_seen=held.model.history is not None)
    return _explained(held, taste.values, table)


def picked_for(held: Held, values: Mapping[int, float], *, k: int) -> Suggested:
    """Return what is recommended for these likes (rows and values), by fold-in.

    Raises
    ------
    FitError
        As in `suggestions_for`.
    """
    rows = list(values)
    ids = held.model.items.ids_of(rows).tolist()
    likes = {one: values[row] for one, row in zip(ids, rows, strict=True)}
    return _explained(held, values, recommend_for_likes(held.model, likes, k=k))


def or_fault(ask: Callable[[], Suggested]) -> Suggested:
    """Return what is suggested, or nothing and a text that says why."""
    try:
        return ask()
    except (FitError, SettingError) as error:
        return Suggested([], fault=clean(str(error)))


def _explained(held: Held, values: Mapping[int, float], table: Table) -> Suggested:
    model = held.model
    answers = model.items.indices_of(table["item"].tolist())
    if "popularity" in table["basis"].tolist():
        faces = [face_of(held, int(row)) for row in answers]
        return Suggested([Suggestion(face, "", (), "", 0) for face in faces], "popularity")
    if not values:
        return Suggested(
            [
                Suggestion(face_of(held, int(row)), _printed(_units(score)), (), "", 0)
                for row, score in zip(answers, table["score"], strict=True)
            ]
        )
    rows = np.fromiter(values, dtype=np.int32, count=len(values))
    shares = _contributions(model, rows, list(values.values()), answers)
    return Suggested(
        [
            _suggestion(held, int(answer), rows, of_one)
            for answer, of_one in zip(answers, shares, strict=True)
        ]
    )


def _contributions(
    model: FactorModel, rows: Indices, values: Sequence[float], answers: Indices
) -> Doubles:
    """Return what each like carries of the score of each answer, (n_answers, n_likes)."""
    equations = UserEquations.of(model, rows, values)
    # All answers in one solution; see `alsolike.recommending.explaining` for one.
    seen_so = equations.similarities(model.item_factors[answers].T)
    shares: Doubles = (equations.pulls[:, None] * seen_so).T
    return shares


def _suggestion(held: Held, answer: int, rows: Indices, shares: Doubles) -> Suggestion:
    """Round a score and its parts so that what is printed adds up to what is printed."""
    score = _units(shares.sum())
    largest = np.lexsort((rows, -shares))[:_CARRIERS]
    carriers = {int(rows[place]): _units(shares[place]) for place in largest}
    carriers = {row: units for row, units in carriers.items() if units > 0}
    rest, others = score - sum(carriers.values()), len(rows) - len(carriers)
    if carriers and not others:
        # Nobody else is there to take what rounding left over.
        carriers[next(iter(carriers))] += rest
    return Suggestion(
        face=face_of(held, answer),
        score=_printed(score),
        carriers=tuple(
            Carrier(face_of(held, row), _printed(units)) for row, units in carriers.items()
        ),
        rest=_printed(rest),
        others=others,
    )


def _units(value: float | np.floating[Any]) -> int:
    """Return a score in units of the last digit that is printed."""
    return int(np.rint(float(value) * 10**_DIGITS))


def _printed(units: int) -> str:
    return f"{units / 10**_DIGITS:.{_DIGITS}f}".replace("-", "\N{MINUS SIGN}")
