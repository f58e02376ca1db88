"""Tests a model before it is served, with the checks of `--golden` among others."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from msgspec import Meta

from alsolike.errors import AlsolikeError, BundleError, SettingError
from alsolike.models.protocols import HasFactors
from alsolike.recommending.ranking.nearest import expect_item_scorer
from alsolike.recommending.shared import MIN_COUNT
from alsolike.storage.strict_json import checked_as, read_json
from alsolike.web.serving import user_queries
from alsolike.web.serving.registry import ServedModel

_ITEMS, _USERS, _K = 20, 5, 10
_MOST_BYTES = 1 << 20


@dataclass(frozen=True)
class SmokeTest:
    """One check of the file: items `expect` are among the first `among` neighbours of `similar`."""

    similar: Annotated[str, Meta(description="an id")]
    among: Annotated[int, Meta(ge=1, description="a number from 1")]
    expect: Annotated[tuple[str, ...], Meta(description="a list of ids")]


def read_smoke_tests(path: Path | None) -> tuple[SmokeTest, ...]:
    """Read a JSON list of ``{"similar": ID, "among": K, "expect": [ID, ...]}``.

    Raises
    ------
    SettingError
        The file cannot be read, or a check is malformed; with its number.
    """
    if path is None:
        return ()
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise SettingError(f"{path}: at most {_MOST_BYTES:,} bytes of smoke tests expected.")
        stated = read_json(path.read_bytes())
    except (OSError, ValueError) as error:
        raise SettingError(f"{path}: smoke tests expected ({error}).") from error
    if not isinstance(stated, list):
        raise SettingError(f"{path}: a list of checks expected.")
    return tuple(_smoke_test(path, number, one) for number, one in enumerate(stated, start=1))


def run(served: ServedModel, tests: Sequence[SmokeTest]) -> None:
    """Raise BundleError unless a model passes all checks.

    The model for similar items finds some of the most liked items', if it has factors; the users
    with most likes, and new users with the same likes, get recommendations without items that they
    like already; all scores are finite. Then each check of the file.
    """
    try:
        _check_items(served.similar_model, is_companion=served.companion is not None)
        _check_users(served)
        for test in tests:
            _check_neighbours(served.similar_model, test)
    except BundleError:
        raise
    except AlsolikeError as error:
        raise BundleError(f"Model {served.name!r} fails a check: {error}") from error


def _smoke_test(path: Path, number: int, stated: Any) -> SmokeTest:
    try:
        return checked_as(SmokeTest, stated if isinstance(stated, dict) else {})
    except ValueError as error:
        raise SettingError(
            f'{path}: check {number} is not {{"similar": ID, "among": K, "expect": [ID, ...]}}: '
            f"{error}."
        ) from error


def _check_items(served: ServedModel, *, is_companion: bool) -> None:
    model, counts = served.model, served.model.item_counts
    if not served.neighbours.is_able:
        if is_companion:
            expect_item_scorer(model, "find similar items")
        return
    known = counts >= MIN_COUNT
    if isinstance(model, HasFactors):
        known &= model.item_norms > 0
    if np.count_nonzero(known) < 2:
        return
    # Items whose likers like nothing else may have no neighbours.
    has_any = not isinstance(model, HasFactors)
    for row in model.items_by_likes[:_ITEMS].tolist():
        if counts[row] < MIN_COUNT:
            break
        rows, scores = served.neighbours.similar(row, _K)
        has_any = has_any or len(rows) > 0
        if not np.isfinite(scores).all():
            raise BundleError(
                f"Model {served.name!r} finds no finite scores of items similar to "
                f"{model.items.text_of(row)!r}, one of its most liked items. The current model "
                "stays."
            )
    if not has_any:
        raise BundleError(
            f"Model {served.name!r} finds no items similar to its most liked items. The current "
            "model stays."
        )


def _check_users(served: ServedModel) -> None:
    model = served.model
    if model.history is None or not len(model.users):
        return
    likes = model.history.user_items
    most = np.argsort(-np.diff(likes.indptr), kind="stable")[:_USERS]
    for row in most.tolist():
        user = model.users.text_of(row)
        profile = user_queries.profile_of(served, user, {})
        found = [user_queries.recommend(served, profile, _K)]
        if served.folds_in:
            found.append(user_queries.recommend_for(served, profile.values, _K, ages=profile.days))
        for one in found:
            again = set(profile.values).intersection(one.rows.tolist())
            if again or not np.isfinite(one.scores).all():
                raise BundleError(
                    f"Model {served.name!r} fails the check of recommendations for user {user!r}."
                )


def _check_neighbours(served: ServedModel, test: SmokeTest) -> None:
    row = served.model.items.index_of(test.similar)
    rows, _ = served.neighbours.similar(row, test.among)
    found = set(served.model.items.ids.cells(rows))
    missing = [one for one in test.expect if one not in found]
    if missing:
        raise BundleError(
            f"Model {served.name!r}: {missing[0]!r} expected among the first {test.among} "
            f"neighbours of {test.similar!r}, but not found."
        )
