"""`create_app`: the service as one ASGI application; what each part does stands in its own room."""

import asyncio
import contextlib
import multiprocessing
import os
import signal
from collections.abc import AsyncIterator

from fastapi import FastAPI
from threadpoolctl import ThreadpoolController

from alsolike._version import __version__
from alsolike.web.api import admin, likes
from alsolike.web.api import routes as api
from alsolike.web.api.fast_path import Quick
from alsolike.web.edge.guard import guarded
from alsolike.web.errors import install
from alsolike.web.monitoring.metrics import Metrics
from alsolike.web.pages import routes as pages
from alsolike.web.pages.base import problem_page
from alsolike.web.service import Service
from alsolike.web.serving.deploy import prepare
from alsolike.web.serving.registry import Holder
from alsolike.web.serving.store import State
from alsolike.web.settings import Settings

# All addresses of the service, but for the two that the guard answers by itself.
ROUTERS = (api.router, likes.router, admin.router, pages.router)


def create_app(settings: Settings) -> FastAPI:
    """Return the application of one worker, with its models loaded.

    Parameters
    ----------
    settings : Settings

    Returns
    -------
    FastAPI
        ``app.state.service`` is its `Service`.

    Raises
    ------
    BundleError
        A model cannot be loaded.
    WritingError
        The state folder cannot be used.
    """
    state = State(settings.state)
    prepare(settings, state)
    metrics = Metrics(settings.state / "metrics")
    service = Service(settings, state, Holder(settings, state, metrics), metrics)
    app = FastAPI(
        title="alsolike",
        version=__version__,
        openapi_url=None,  # as those below: our own routes, held to our own rules
        docs_url=None,
        redoc_url=None,
        lifespan=_lifespan,
    )
    app.state.service = service
    for router in ROUTERS:
        app.include_router(router)
    install(app, routes=[one for router in ROUTERS for one in router.routes], page=problem_page)
    holder = service.holder
    # The last one added is the first that a request passes.
    app.add_middleware(Quick, holder=holder, most_k=settings.most_k, shelves=service.shelves)
    app.add_middleware(
        guarded,
        settings=settings,
        image_origins=lambda: holder.image_origins,
        metrics=metrics,
    )
    return app


def _end_with_parent() -> None:
    """Let this worker end when the process that started it is gone.

    After a ``kill -9`` of that one, nobody would start this worker anew, nor tell it to end; it
    would hold the address against a service that starts again.
    """
    parent = multiprocessing.parent_process()
    if parent is None:
        return
    loop = asyncio.get_running_loop()

    def end() -> None:
        loop.remove_reader(parent.sentinel)
        os.kill(os.getpid(), signal.SIGTERM)

    loop.add_reader(parent.sentinel, end)


@contextlib.asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Follow swaps while the application runs."""
    service: Service = app.state.service
    # Requests are spread over workers; threads of BLAS would only get in each other's way.
    with ThreadpoolController().limit(limits=1, user_api="blas"):
        watching = asyncio.create_task(service.holder.watch())
        _end_with_parent()
        try:
            yield
        finally:
            watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watching
            service.state.close()
            service.metrics.close()
