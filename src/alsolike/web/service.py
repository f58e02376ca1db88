"""Defines `Service`, the state that all routes of a worker share."""

from dataclasses import dataclass, field

from starlette.requests import Request

from alsolike.web.monitoring.metrics import Metrics
from alsolike.web.serving.answer_cache import AnswerCache
from alsolike.web.serving.registry import ModelRegistry
from alsolike.web.serving.state_store import Store
from alsolike.web.settings import Settings


@dataclass
class Service:
    """The state that all routes of a worker share."""

    settings: Settings
    state: Store
    registry: ModelRegistry
    metrics: Metrics
    answers: AnswerCache = field(default_factory=AnswerCache)
    _has_begun: bool = False

    @property
    def has_begun(self) -> bool:
        """Whether all workers have started; stays True when one is replaced later."""
        if not self._has_begun:
            self._has_begun = self.metrics.serving() >= self.settings.workers
        return self._has_begun


def service_of(request: Request) -> Service:
    """Return the service of a request's application."""
    service: Service = request.app.state.service
    return service
