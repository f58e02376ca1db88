"""Lists the recommendations of all users in parts, so that not all are in memory at once."""

import math
from collections.abc import Iterator

import numpy as np

from alsolike.engines.base import Engine
from alsolike.models.base import FittedModel
from alsolike.progress import SILENT, Observer
from alsolike.recommending.batch import shown_items
from alsolike.recommending.shared import lists_table
from alsolike.tables import Table

# Whole blocks of users whose scores are made together, of a model that has no factors.
USERS_PER_PART = 240 * 400


def recommended_in_parts(
    model: FittedModel,
    *,
    k: int,
    engine: Engine | None = None,
    observer: Observer = SILENT,
    users: int = USERS_PER_PART,
) -> Iterator[Table]:
    """Yield what `alsolike.recommend` gives of all users, in tables of `users` of them.

    `observer` receives the ranking of the only part, or else each part.
    """
    total = len(model.users)
    parts = math.ceil(total / users)
    if parts > 1:
        observer.start("Recommendations of all users", parts)
    for first in range(0, total, users):
        rows = np.arange(first, min(first + users, total), dtype=np.int32)
        lists = shown_items(
            model,
            rows,
            k=k,
            exclude_seen=True,
            engine=engine,
            observer=observer if parts == 1 else SILENT,
        )
        owners = ("user", model.users.ids_of(rows))
        yield lists_table(model, owners, "item", lists.indices, lists.scores, lists.bases)
        if parts > 1:
            observer.advance()
    if parts > 1:
        observer.finish()
