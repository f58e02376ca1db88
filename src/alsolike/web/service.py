"""Defines `Service`: all that the routes of one worker ask, and the way to it from a request."""

from dataclasses import dataclass, field

from starlette.requests import Request

from alsolike.web.monitoring.metrics import Metrics
from alsolike.web.serving.answer_cache import AnswerCache
from alsolike.web.serving.registry import ModelRegistry
from alsolike.web.serving.store import Store
from alsolike.web.settings import Settings


@dataclass
class Service:
    """What every route asks, one for each worker."""

    settings: Settings
    state: Store
    registry: ModelRegistry
    metrics: Metrics
    answers: AnswerCache = field(default_factory=AnswerCache)
    _has_begun: bool = False

    @property
    def has_begun(self) -> bool:
        """Tell whether all workers have come; one that is replaced later changes nothing."""
        if not self._has_begun:
            self._has_begun = self.metrics.serving() >= self.settings.workers
        return self._has_begun


def service_of(request: Request) -> Service:
    """Return the service that a request is made to."""
    service: Service = request.app.state.service
    return service
