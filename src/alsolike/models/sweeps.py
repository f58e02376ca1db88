"""Runs trainings that go sweep by sweep: a model after each, or the last one alone."""

from collections.abc import Iterator
from typing import Protocol, TypeVar

from alsolike.progress import Observer

Model_co = TypeVar("Model_co", covariant=True)
Model = TypeVar("Model")


class InSweeps(Protocol[Model_co]):
    """A training that holds its current factors."""

    def sweep(self) -> None:
        """Update the factors of both sides."""

    def model(self) -> Model_co:
        """Return the current model; its arrays are never written to again."""


def models_of(training: InSweeps[Model], iterations: int, observer: Observer) -> Iterator[Model]:
    """Yield the model after each of so many sweeps."""
    for _ in _sweeps(training, iterations, observer):
        yield training.model()


def last_model_of(training: InSweeps[Model], iterations: int, observer: Observer) -> Model:
    """Return the model after so many sweeps, without one of each in memory."""
    for _ in _sweeps(training, iterations, observer):
        pass
    return training.model()


def _sweeps(training: InSweeps[Model], iterations: int, observer: Observer) -> Iterator[None]:
    observer.start("sweeps", iterations)
    for _ in range(iterations):
        training.sweep()
        observer.advance()
        yield
    observer.finish()
