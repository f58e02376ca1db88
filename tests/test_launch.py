"""How kernels are compiled: what is said where the compiled code cannot be kept."""

from typing import Any

import numba
import numpy as np
import pytest

from alsolike.kernels import launch


def test_a_cache_that_cannot_be_written_is_said_and_costs_no_result(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def njit(**flags: Any) -> Any:
        if flags.pop("cache", False):
            raise RuntimeError("cannot cache function: no locator available")
        return numba.njit(**flags)

    monkeypatch.setattr(launch, "njit", njit)
    with pytest.warns(RuntimeWarning, match="NUMBA_CACHE_DIR"):
        double = launch.kernel(lambda x: 2 * x)
    assert double(21) == 42


def test_plain_gives_one_kind_of_array_over_the_same_memory() -> None:
    array = np.arange(4.0)
    view = launch.plain(array)
    assert not view.flags.writeable
    assert np.shares_memory(view, array)
    assert array.flags.writeable
