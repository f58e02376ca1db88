"""Random search: configurations drawn from a space."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from alsolike.errors import SettingError
from alsolike.models.settings import Config, seed_of
from alsolike.tuning.strategies.search_space import Space, distinct, draw

# Repeated draws in a row after which a space counts as exhausted.
_DRAWS_IN_VAIN = 200


def drawn(space: Space, base: Config, trials: int, *, start: Sequence[Config] = ()) -> list[Any]:
    """Return `start`, and further configurations drawn from the space, so many in all.

    The draws depend on the seed of `base`. A space of lists may hold fewer; then fewer come.
    """
    if trials < 1:
        raise SettingError(f"trials must be at least 1, not {trials!r}.")
    rng = np.random.default_rng(seed_of(base))
    found, in_vain = distinct(start)[:trials], 0
    while len(found) < trials and in_vain < _DRAWS_IN_VAIN:
        more = distinct([*found, draw(space, base, rng)])
        in_vain = 0 if len(more) > len(found) else in_vain + 1
        found = more
    return found
