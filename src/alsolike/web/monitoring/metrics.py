"""Counts requests and times for `/metrics`, added up over all workers.

Each worker counts in a file of its own (`counters`), without locks of other processes.

References
----------
.. [1] https://prometheus.io/docs/instrumenting/exposition_formats/
"""

import bisect
import json
import math
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric

from alsolike.web.monitoring.counters import MOST_BYTES, Counters, WorkerCounters, read

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

# Each counter with its help and its labels.
COUNTERS: dict[str, tuple[str, tuple[str, ...]]] = {
    "requests": ("Requests answered.", ("method", "route", "status")),
    "refused": ("Requests rejected, by reason.", ("reason",)),
    "likes": ("Likes that visitors added.", ()),
    "likes_taken_back": ("Likes that visitors took back.", ()),
    "new_items": ("New items that were sent.", ("result",)),
    "votes": ("Votes that visitors cast.", ()),
    "swaps": ("Swaps, by result.", ("result",)),
    "failed_loads": ("Failed loads of a served version.", ("slot",)),
    "lost_log_lines": ("Access log lines lost.", ()),
}
BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, math.inf)
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OTHER = "other"

_TIMES, _MODEL = "seconds", "model"  # first words of names, besides those of the counters
_NONE: Mapping[str, str] = MappingProxyType({})
_MOST_LABEL = 80  # characters of a label's value; three fit in a name


class Metrics:
    """Counts for this worker, and reports on all; they share `folder`.

    Examples
    --------
    >>> import tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> metrics = Metrics(Path(folder.name))
    >>> metrics.answered("GET", "/items/{item_id}", 200, 0.0007)
    >>> metrics.count("likes", 3)
    >>> metrics.serves({"als": "5f0c"})
    >>> text = metrics.exposition().decode("ascii")
    >>> [line for line in text.splitlines() if line.startswith(("alsolike_likes_t", "alsolike_mo"))]
    ['alsolike_likes_total 3.0',
     'alsolike_likes_taken_back_total 0.0',
     'alsolike_model_workers{slot="als",version="5f0c"} 1.0']
    >>> metrics.close(); folder.cleanup()
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._counters = Counters(folder)
        self._lock = threading.Lock()  # likes and swaps are counted from other threads
        self._routes: dict[str, tuple[int, ...]] = {}
        self._answers: dict[tuple[str, str, int], int] = {}
        for name in self._counters.names:  # a dead worker serves nothing
            if json.loads(name)[0] == _MODEL:
                self._counters.drop(name)
        for name, (_, labels) in COUNTERS.items():
            if not labels:
                self.count(name, 0)

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one request, and its time from the headers to the end of the response.

        `route`: the template of the path, such as "/items/{item_id}", of which there must be few.
        """
        key = (method, route, status)
        with self._lock:
            place = self._answers.get(key)
            if place is None:
                known = method if method in METHODS else OTHER
                place = self._offset("requests", known, route, str(status))
                self._answers[key if known is method else (known, route, status)] = place
            self._counters.add(place, 1)
            times = self._routes.get(route)
            if times is None:
                bounds = [*map(_bound, BUCKETS), "sum"]
                times = tuple(self._offset(_TIMES, route, bound) for bound in bounds)
                self._routes[route] = times
            self._counters.add(times[bisect.bisect_left(BUCKETS, seconds)], 1)
            self._counters.add(times[-1], seconds)

    def count(self, name: str, amount: float = 1, **labels: str) -> None:
        """Add to one of `COUNTERS`, with all its labels.

        Raises
        ------
        KeyError
            There is no such counter, or a label is missing.
        """
        values = [labels[label] for label in COUNTERS[name][1]]
        with self._lock:
            self._counters.add(self._offset(name, *values), amount)

    def serves(self, versions: Mapping[str, str], similar: Mapping[str, str] = _NONE) -> None:
        """Record the versions that this worker serves, by slot.

        `similar`: those of models for similar items alone.
        """
        pairs = (*versions.items(), *similar.items())
        now = {_name(_MODEL, slot, version) for slot, version in pairs}
        with self._lock:
            before = {name for name in self._counters.names if json.loads(name)[0] == _MODEL}
            for name in before - now:
                self._counters.drop(name)
            for name in now - before:
                self._counters.add(self._counters.offset(name), 1)

    def serving(self) -> int:
        """Return the number of live workers that serve a model."""
        return sum(
            counter.lives and any(json.loads(name)[0] == _MODEL for name in counter.numbers)
            for counter in read(self._folder)
        )

    def exposition(self) -> bytes:
        """Return the text of `/metrics`, about all workers."""
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Collector(lambda: _families(list(read(self._folder)))))
        return generate_latest(registry)

    def close(self) -> None:
        """Close the file; the next worker continues its numbers."""
        with self._lock:
            self._counters.close()

    def _offset(self, *words: str) -> int:
        return self._counters.offset(_name(*words))


class _Collector:
    """Collector of prometheus_client."""

    def __init__(self, collect: Callable[[], Iterator[Metric]]) -> None:
        self.collect = collect


def _name(*words: str) -> str:
    """Return the name of a number; long words are cut."""
    # Lone surrogates cannot be encoded.
    texts = [word[:_MOST_LABEL].encode("utf-8", "replace").decode("utf-8") for word in words]
    name = json.dumps(texts)
    if len(name) > MOST_BYTES:  # many characters that JSON escapes
        name = json.dumps([ascii(text)[1:-1][: _MOST_LABEL // 2] for text in texts])
    return name


def _bound(bucket: float) -> str:
    return "+Inf" if bucket == math.inf else repr(bucket)


def _families(counters: list[WorkerCounters]) -> Iterator[Metric]:
    """Yield all metrics; of dead workers only the counts."""
    sums: dict[tuple[str, ...], float] = {}
    for counter in counters:
        for name, number in counter.numbers.items():
            words = tuple(json.loads(name))
            if words[0] != _MODEL or counter.lives:
                sums[words] = sums.get(words, 0.0) + number
    for name, (about, labels) in COUNTERS.items():
        family = CounterMetricFamily(f"alsolike_{name}", about, labels=labels)
        for words in sorted(words for words in sums if words[0] == name):
            family.add_metric(words[1:], sums[words])
        yield family
    yield _times(sums)
    models = GaugeMetricFamily(
        "alsolike_model_workers",
        "Workers serving this version.",
        labels=("slot", "version"),
    )
    for words in sorted(words for words in sums if words[0] == _MODEL):
        models.add_metric(words[1:], sums[words])
    yield models
    living = sum(counter.lives for counter in counters)
    yield GaugeMetricFamily("alsolike_workers", "Live workers.", value=living)


def _times(sums: Mapping[tuple[str, ...], float]) -> Metric:
    family = HistogramMetricFamily(
        "alsolike_request_seconds",
        "Seconds from the request's headers to the end of the response.",
        labels=("route",),
    )
    for route in sorted({words[1] for words in sums if words[0] == _TIMES}):
        total, buckets = 0.0, []
        for bound in map(_bound, BUCKETS):
            total += sums.get((_TIMES, route, bound), 0.0)
            buckets.append((bound, total))
        family.add_metric((route,), buckets, sum_value=sums.get((_TIMES, route, "sum"), 0.0))
    return family
