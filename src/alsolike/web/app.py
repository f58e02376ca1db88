"""Assembles the service as one ASGI application: its models, its routes and its middlewares."""

import asyncio
import contextlib
import multiprocessing
import os
import signal
from collections.abc import AsyncIterator, Callable

from fastapi import FastAPI
from starlette.middleware import Middleware
from threadpoolctl import ThreadpoolController

from alsolike._version import __version__
from alsolike.web.api.fast_path import FastPath
from alsolike.web.edge.auth import (
    LOGIN_PATH,
    AuthenticationMiddleware,
    LoginMiddleware,
    Tokens,
)
from alsolike.web.edge.cors import CorsMiddleware, CrossOrigin
from alsolike.web.edge.forwarded import ForwardedMiddleware
from alsolike.web.edge.head import HeadMiddleware
from alsolike.web.edge.host import HostMiddleware
from alsolike.web.edge.origin import OriginMiddleware
from alsolike.web.edge.rate_limit import Limiter, RateLimitMiddleware
from alsolike.web.edge.request_limits import BodyLimitsMiddleware, HeadLimitsMiddleware
from alsolike.web.edge.security_headers import SecurityHeadersMiddleware
from alsolike.web.errors import ErrorMiddleware, install
from alsolike.web.monitoring.access_log import AccessLog, AccessLogMiddleware
from alsolike.web.monitoring.metrics import Metrics
from alsolike.web.pages.base import problem_page
from alsolike.web.route_table import mount
from alsolike.web.service import Service
from alsolike.web.serving.deploy import prepare
from alsolike.web.serving.registry import ModelRegistry
from alsolike.web.serving.state_store import Store
from alsolike.web.settings import Settings


def create_app(settings: Settings) -> FastAPI:
    """Return the application of one worker, with its models loaded.

    ``app.state.service`` is its `Service`.

    Raises
    ------
    BundleError
        A model cannot be loaded.
    WritingError
        The state folder or the access log cannot be used.
    """
    state = Store(settings.state)
    prepare(settings, state)
    metrics = Metrics(settings.state / "metrics")
    service = Service(settings, state, ModelRegistry(settings, state, metrics), metrics)
    registry, answers = service.registry, service.answers
    log, limiter = AccessLog(settings.log), make_limiter(settings)
    stack = middlewares(settings, metrics, log, limiter, lambda: registry.image_origins)
    app = FastAPI(
        title="alsolike",
        version=__version__,
        openapi_url=None,  # our own routes serve these three
        docs_url=None,
        redoc_url=None,
        lifespan=_lifespan,
        middleware=[
            *stack,
            Middleware(FastPath, registry=registry, most_k=settings.most_k, answers=answers),
        ],
    )
    app.state.service = service
    app.state.open = [one for one in (state, metrics, log, limiter) if one is not None]
    mount(app)
    install(app, problem_page)
    return app


def make_limiter(settings: Settings) -> Limiter | None:
    """Return the rate limiter of clients; None without a limit."""
    if settings.rate == 0:
        return None
    return Limiter(settings.state / "limits.bin", settings.rate, settings.burst)


def middlewares(
    settings: Settings,
    metrics: Metrics,
    log: AccessLog,
    limiter: Limiter | None,
    image_origins: Callable[[], frozenset[str]],
) -> list[Middleware]:
    """Return the middlewares, outermost first; ``docs/serving.md`` explains each."""
    has_token = settings.token is not None
    tokens = Tokens(settings.token, settings.swap_token, f"alsolike-{settings.port}")
    cross_origin = CrossOrigin(settings.cors_origins) if settings.cors_origins else None
    stack = [
        Middleware(
            ForwardedMiddleware, base_path=settings.base_path, trusted=settings.trusted_proxies
        ),
        Middleware(AccessLogMiddleware, log=log, metrics=metrics),
        Middleware(HeadMiddleware),
        Middleware(SecurityHeadersMiddleware, image_origins=image_origins, is_private=has_token),
        cross_origin and Middleware(CorsMiddleware, cross_origin=cross_origin),
        Middleware(ErrorMiddleware, metrics=metrics),
        limiter and Middleware(RateLimitMiddleware, limiter=limiter),
        Middleware(HeadLimitsMiddleware),
        Middleware(HostMiddleware, names=(settings.host, *settings.hosts)),
        Middleware(
            OriginMiddleware, login=LOGIN_PATH if has_token else None, cross_origin=cross_origin
        ),
        (has_token or settings.swap_token)
        and Middleware(AuthenticationMiddleware, tokens=tokens, limiter=limiter),
        Middleware(
            BodyLimitsMiddleware, most_bytes=settings.most_bytes, patience=settings.patience
        ),
        has_token and Middleware(LoginMiddleware, tokens=tokens, limiter=limiter),
    ]
    return [one for one in stack if one]


def _end_with_parent() -> None:
    """End this worker when its parent process dies, which would keep the address in use."""
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
    """Follow swaps while the application runs, and close its files at the end."""
    service: Service = app.state.service
    # Workers share the processors; BLAS threads would compete with them.
    with ThreadpoolController().limit(limits=1, user_api="blas"):
        watching = asyncio.create_task(service.registry.watch())
        _end_with_parent()
        try:
            yield
        finally:
            watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watching
            for one in app.state.open:
                one.close()
