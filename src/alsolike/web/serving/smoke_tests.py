"""Golden questions: what a model must answer before it is served."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from msgspec import Meta

from alsolike.errors import AlsolikeError, BundleError, SettingError
from alsolike.models.base import HasFactors
from alsolike.recommending.shared import MIN_COUNT
from alsolike.storage.strict_json import checked_as, read_json
from alsolike.web.serving import user_queries
from alsolike.web.serving.registry import ServedModel

_ITEMS, _USERS, _K = 20, 5, 10
_MOST_BYTES = 1 << 20


@dataclass(frozen=True)
class Question:
    """One question of the file: whether these are among the first neighbours of an item.

    Parameters
    ----------
    similar : str
        Id of the item.
    among : int
    expect : tuple of str
        Ids.
    """

    similar: Annotated[str, Meta(description="an id")]
    among: Annotated[int, Meta(ge=1, description="a number from 1")]
    expect: Annotated[tuple[str, ...], Meta(description="a list of ids")]


def questions_of(path: Path | None) -> tuple[Question, ...]:
    """Read a file of questions, a list of ``{"similar": ID, "among": K, "expect": [ID, ...]}``.

    Raises
    ------
    SettingError
        The file cannot be read, or holds something else; with the number of the question.
    """
    if path is None:
        return ()
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise SettingError(f"{path}: at most {_MOST_BYTES:,} bytes of questions expected.")
        stated = read_json(path.read_bytes())
    except (OSError, ValueError) as error:
        raise SettingError(f"{path}: golden questions expected ({error}).") from error
    if not isinstance(stated, list):
        raise SettingError(f"{path}: a list of questions expected.")
    return tuple(_question(path, number, one) for number, one in enumerate(stated, start=1))


def ask(served: ServedModel, questions: Sequence[Question]) -> None:
    """Raise BundleError where a model does not answer as one that may be served must.

    The most liked items have neighbours, the users with most likes get recommendations without
    anything that they like already, and so does somebody new with the same likes; all scores are
    finite. Then each question of the file.
    """
    try:
        _ask_items(served)
        _ask_users(served)
        for question in questions:
            _ask_one(served, question)
    except BundleError:
        raise
    except AlsolikeError as error:
        raise BundleError(f"Model {served.name!r} does not answer: {error}") from error


def _question(path: Path, number: int, stated: Any) -> Question:
    try:
        return checked_as(Question, stated if isinstance(stated, dict) else {})
    except ValueError as error:
        raise SettingError(
            f'{path}: question {number} is not {{"similar": ID, "among": K, "expect": [ID, ...]}}: '
            f"{error}."
        ) from error


def _ask_items(served: ServedModel) -> None:
    model, counts = served.model, served.model.item_counts
    if not served.neighbours.is_able:
        return
    known = counts >= MIN_COUNT
    # Where there are factors, everything is near to something; what counts together may not be.
    has_factors = isinstance(model, HasFactors)
    if isinstance(model, HasFactors):
        known &= model.item_norms > 0
    if np.count_nonzero(known) < 2:
        return  # nothing can be beside anything
    for row in model.items_by_likes[:_ITEMS].tolist():
        if counts[row] < MIN_COUNT:
            break
        rows, scores = served.neighbours.similar(row, _K)
        if (has_factors and not len(rows)) or not np.isfinite(scores).all():
            raise BundleError(
                f"Model {served.name!r} finds nothing similar to {model.items.id_of(row)!r}, one "
                f"of its most liked items. The model before stays."
            )


def _ask_users(served: ServedModel) -> None:
    model = served.model
    if model.history is None or not len(model.users):
        return
    likes = model.history.user_items
    everything = np.ones(len(model.items), dtype=bool)
    most = np.argsort(-np.diff(likes.indptr), kind="stable")[:_USERS]
    for row in most.tolist():
        user = model.users.id_of(row)
        profile = user_queries.profile_of(served, user, {})
        found = [user_queries.listed(served, profile, _K, everything)]
        if served.folds_in:
            found.append(user_queries.listed_for(served, profile.values, _K, everything))
        for one in found:
            again = set(profile.values).intersection(one.rows.tolist())
            if again or not np.isfinite(one.scores).all():
                raise BundleError(
                    f"Model {served.name!r} does not recommend to user {user!r} as it should."
                )


def _ask_one(served: ServedModel, question: Question) -> None:
    row = served.model.items.index_of(question.similar)
    rows, _ = served.neighbours.similar(row, question.among)
    found = set(served.model.items.ids_of(rows).tolist())
    missing = [one for one in question.expect if one not in found]
    if missing:
        raise BundleError(
            f"Model {served.name!r}: {missing[0]!r} is expected among the first {question.among} "
            f"neighbours of {question.similar!r}, and is not there."
        )
