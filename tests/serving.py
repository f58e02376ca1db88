"""A service for tests: bundles with names, an application in this process, a server in another."""

import contextlib
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from starlette.testclient import TestClient
from starlette.types import ASGIApp

from alsolike.data.catalogue import Catalogue
from alsolike.data.features.features import Features
from alsolike.data.interactions import Interactions
from alsolike.data.string_array import StringArray
from alsolike.models.bundle.io import save
from alsolike.models.factor_model import FactorModel
from alsolike.models.fit import fit
from alsolike.models.registry import family_named
from alsolike.testing import with_tiny_features
from alsolike.web.app import create_app, make_limiter, middlewares
from alsolike.web.monitoring.access_log import AccessLog
from alsolike.web.monitoring.metrics import Metrics
from alsolike.web.settings import Settings, slots

HOSTILE = ("<script>alert(1)</script>", "a/b", "..", "x/similar", "100% &c?#", "\u202eevil", "🎸 ö")
BASE = "http://127.0.0.1:8000"


SMALL = {"als": {"factors": 4, "iterations": 3}, "item-knn": {"neighbours": 8}}


def bundle(
    folder: Path,
    *,
    n_users: int = 60,
    ids: Sequence[str] = (),
    n_items: int = 30,
    seed: int = 0,
    family: str = "als",
    tags: Sequence[str] = (),
) -> Path:
    """Fit a small model of a family, of items with names and perhaps tags, and save it.

    Of "factors", which are made elsewhere, it is a plain `FactorModel`: it folds nobody in.
    """
    rng = np.random.default_rng(seed)
    ids = [*ids, *(f"i{number}" for number in range(n_items - len(ids)))]
    likes = rng.random((n_users, n_items)) < 0.3
    likes[:, 0] |= rng.random(n_users) < 0.5
    likes[np.arange(n_items) % n_users, np.arange(n_items)] = True
    rows, columns = np.nonzero(likes)
    names = [f"Björk no. {number}" if number % 2 else one for number, one in enumerate(ids)]
    ratings = 1 + (rows * columns) % 5 if family == "explicit-als" else None
    table = Interactions.from_columns(
        [f"u{row}" for row in rows], [ids[column] for column in columns], ratings
    )
    order = dict(zip(ids, names, strict=True))
    texts = StringArray.pack([order[one] for one in table.items.ids])
    catalogue = Catalogue.from_columns({"name": texts}, n_items=table.n_items)
    words = [
        [tags[at % len(tags)], tags[at // 2 % len(tags)]] for at in range(n_items * bool(tags))
    ]
    features = Features.of_words("tag", words) if tags else None
    named = Interactions(table.user_items, table.users, table.items, None, catalogue, features)
    given = {"seed": seed} if family == "als" else {}
    if family == "factors":
        model = _plain_factors(named)
    else:
        needs = family_named(family).uses_features and not tags
        data = with_tiny_features(named) if needs else named
        model = fit(data, family=family, **SMALL.get(family, {}), **given)
    save(model, folder, metrics={"ndcg@10": 0.25})
    return folder


def _plain_factors(likes: Interactions) -> FactorModel:
    made = fit(likes, family="als", **SMALL["als"])
    arrays = made.user_factors, made.item_factors, made.item_counts
    return FactorModel(
        made.users, made.items, *arrays, catalogue=made.catalogue, history=made.history
    )


def settings_of(state: Path, *models: Path, **given: object) -> Settings:
    """Return the settings of a quiet service."""
    quiet = {"log": "", "rate": 0.0} | given
    return Settings(models=slots(models), state=state, **quiet)


def stacked(
    app: ASGIApp,
    settings: Settings,
    *,
    image_origins: Callable[[], frozenset[str]] = frozenset,
    metrics: Metrics | None = None,
) -> ASGIApp:
    """Return `app` behind the middlewares that every request of a service passes."""
    metrics = metrics or Metrics(settings.state / "metrics")
    log, limiter = AccessLog(settings.log), make_limiter(settings)
    stack = middlewares(settings, metrics, log, limiter, image_origins)
    for one in reversed(stack):
        app = one.cls(app, *one.args, **one.kwargs)
    return app


@contextlib.contextmanager
def client_of(settings: Settings) -> Iterator[TestClient]:
    """Give a client of the application in this process."""
    with TestClient(create_app(settings), base_url=BASE, raise_server_exceptions=False) as client:
        yield client


@contextlib.contextmanager
def running(*given: str, **variables: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Run ``alsolike serve`` on a free port; give its address and its process."""
    command = [sys.executable, "-m", "alsolike", "serve", "--port", "0", *given]
    process = subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, env={**os.environ, **variables}
    )
    try:
        assert process.stderr is not None
        line = process.stderr.readline()
        found = re.search(r"http://\S+?:\d+", line)
        assert found, line + process.stderr.read()
        yield found[0], process
    finally:
        process.terminate()
        process.communicate(timeout=30)


def wait_for(done: object, seconds: float = 10.0) -> None:
    """Wait until `done()`; fail where it takes longer."""
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.05)
