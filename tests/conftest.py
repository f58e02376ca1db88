"""Fixtures of all tests: where the real data and the browser are."""

import os
import shutil
from pathlib import Path

# SciPy reads it when it is imported; without it scikit-learn leaves one of its checks out.
os.environ.setdefault("SCIPY_ARRAY_API", "1")

import hypothesis
import pytest

# No deadline: the first example of a property may have to compile a kernel. No database and no
# chance: a check that fails does so for everyone, every time.
hypothesis.settings.register_profile(
    "workshop",
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("workshop")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder of real data sets, or skip."""
    if "ALSOLIKE_DATA" not in os.environ:
        pytest.skip("ALSOLIKE_DATA is not set")
    return Path(os.environ["ALSOLIKE_DATA"])


@pytest.fixture(scope="session")
def chromium() -> str:
    """Return the path of Debian's browser, or skip."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.skip("chromium is not installed")
    return path
