"""`/metrics`: sums over workers, also over those that are no more."""

import asyncio
import multiprocessing
import os
import signal
import threading
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="the extra 'serve' is not installed")

from prometheus_client.parser import text_string_to_metric_families

from alsolike.errors import WritingError
from alsolike.web.monitoring import counters
from alsolike.web.monitoring.counters import MOST_BYTES, Counters, read
from alsolike.web.monitoring.metrics import COUNTERS, Metrics

TEMPLATE = "/items/{item_id}"


def told(metrics: Metrics) -> dict[tuple[str, ...], float]:
    """Return every sample by its name and the values of its labels, in the order of their names."""
    return {
        (
            sample.name.removeprefix("alsolike_"),
            *(v for _, v in sorted(sample.labels.items())),
        ): sample.value
        for family in text_string_to_metric_families(metrics.exposition().decode("utf-8"))
        for sample in family.samples
    }


@pytest.fixture
def metrics(tmp_path: Path) -> Metrics:
    return Metrics(tmp_path)


def test_requests_are_counted_by_what_they_were(metrics: Metrics) -> None:
    for seconds in (0.0005, 0.0006, 3.0):
        metrics.answered("GET", TEMPLATE, 200, seconds)
    metrics.answered("GET", TEMPLATE, 404, 0.01)
    metrics.answered("BREW", TEMPLATE, 405, 0.01)
    found = told(metrics)
    assert found["requests_total", "GET", TEMPLATE, "200"] == 3
    assert found["requests_total", "GET", TEMPLATE, "404"] == 1
    assert found["requests_total", "other", TEMPLATE, "405"] == 1
    assert found["request_seconds_count", TEMPLATE] == 5
    assert found["request_seconds_sum", TEMPLATE] == pytest.approx(3.0211)
    buckets = {key[1]: value for key, value in found.items() if key[0] == "request_seconds_bucket"}
    assert (buckets["0.0005"], buckets["0.001"], buckets["2.5"], buckets["+Inf"]) == (1, 2, 4, 5)
    assert list(buckets.values()) == sorted(buckets.values())


def test_every_counter_is_there_from_the_start_and_counts(metrics: Metrics) -> None:
    found = told(metrics)
    assert found["likes_total",] == found["votes_total",] == 0
    for name, (_, labels) in COUNTERS.items():
        metrics.count(name, 2, **dict.fromkeys(labels, "x"))
        assert told(metrics)[(f"{name}_total", *("x" for _ in labels))] == 2
    with pytest.raises(KeyError):
        metrics.count("nonsense")
    with pytest.raises(KeyError):
        metrics.count("swaps")


def test_workers_are_added_up(tmp_path: Path) -> None:
    one, other = Metrics(tmp_path), Metrics(tmp_path)
    one.answered("GET", TEMPLATE, 200, 0.01)
    other.answered("GET", TEMPLATE, 200, 0.01)
    other.count("likes", 5)
    one.serves({"als": "v1"})
    other.serves({"als": "v1", "ease": "w"})
    assert told(one) == told(other)
    found = told(one)
    assert found["requests_total", "GET", TEMPLATE, "200"] == 2
    assert found["likes_total",] == 5
    assert found["model_workers", "als", "v1"] == 2
    assert found["model_workers", "ease", "w"] == 1
    assert found["workers",] == 2
    one.serves({"als": "v2"})
    found = told(one)
    assert (found["model_workers", "als", "v1"], found["model_workers", "als", "v2"]) == (1, 1)


def work(folder: Path, ready: Any) -> None:
    metrics = Metrics(folder)
    metrics.serves({"als": "v1"})
    for _ in range(1000):
        metrics.answered("GET", TEMPLATE, 200, 0.001)
    ready.put(1)
    signal.pause()


def test_what_the_dead_counted_stays_and_what_they_served_goes(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    watching, ready = Metrics(tmp_path), context.Queue()
    for death in range(1, 4):
        worker = context.Process(target=work, args=(tmp_path, ready))
        worker.start()
        ready.get(timeout=30)
        assert told(watching)["model_workers", "als", "v1"] == 1
        assert told(watching)["workers",] == 2
        os.kill(worker.pid or 0, signal.SIGKILL)
        worker.join()
        found = told(watching)
        assert found["requests_total", "GET", TEMPLATE, "200"] == 1000 * death
        assert found["request_seconds_count", TEMPLATE] == 1000 * death
        assert found["workers",] == 1
        assert ("model_workers", "als", "v1") not in found
    assert len(list(tmp_path.iterdir())) == 2, "a new worker counts on where a dead one ended"


def test_a_worker_that_takes_over_serves_what_it_serves(tmp_path: Path) -> None:
    first = Metrics(tmp_path)
    first.serves({"als": "old"})
    first.count("likes", 3)
    first.close()
    second = Metrics(tmp_path)
    assert told(second)["likes_total",] == 3
    assert not [key for key in told(second) if key[0] == "model_workers"]
    second.serves({"als": "new"})
    assert told(second)["model_workers", "als", "new"] == 1


def test_many_swaps_take_no_more_room(tmp_path: Path, metrics: Metrics) -> None:
    for number in range(20_000):
        metrics.serves({"als": f"{number:064d}"})
    assert told(metrics)["model_workers", "als", f"{19_999:064d}"] == 1
    metrics.count("likes")
    assert told(metrics)["likes_total",] == 1


def test_labels_of_any_text_do_no_harm(metrics: Metrics) -> None:
    for text in ('a"b\\c\n', "\u2028", "x" * 10_000, "é" * 10_000, "\ud800", "😀" * 500, ""):
        metrics.count("swaps", result=text)
        metrics.answered("GET", text, 200, 0.1)
    found = told(metrics)
    assert sum(value for key, value in found.items() if key[0] == "swaps_total") == 7
    assert sum(value for key, value in found.items() if key[0] == "requests_total") == 7


def test_there_is_an_end_to_names_but_not_to_service(tmp_path: Path) -> None:
    counting = Counters(tmp_path)
    places = [counting.offset(f"n{number}") for number in range(counters._CELLS + 10)]
    assert places[-1] == 0
    assert places.count(0) == 11
    counting.add(0, 1.0)
    assert len(next(read(tmp_path)).numbers) == counters._CELLS - 1
    for wrong in ("", "x" * (MOST_BYTES + 1)):
        with pytest.raises(ValueError, match="bytes"):
            counting.offset(wrong)
    counting.close()


def test_threads_lose_no_count(metrics: Metrics) -> None:
    def count() -> None:
        for _ in range(2000):
            metrics.count("likes")

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert told(metrics)["likes_total",] == 8000


def test_files_of_another_kind_are_not_read(tmp_path: Path) -> None:
    (tmp_path / "worker-0.tally").write_bytes(b"something else")
    (tmp_path / "worker-1.tally").write_bytes(b"")
    (tmp_path / "notes.txt").write_text("x")
    metrics = Metrics(tmp_path)  # takes the first over
    metrics.count("likes")
    found = told(metrics)
    assert (found["likes_total",], found["workers",]) == (1, 1)


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(WritingError, match="cannot be written"):
        Metrics(tmp_path / "file" / "metrics")


def test_the_middlewares_count(tmp_path: Path) -> None:
    from alsolike.web.settings import Settings, Slot
    from serving import stacked

    async def app(scope: Any, receive: Any, send: Any) -> None:
        scope["state"]["route"] = TEMPLATE
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"x"})

    settings = Settings(models=(Slot("a", tmp_path),), state=tmp_path, rate=1.0, burst=3, log="")
    metrics = Metrics(tmp_path / "metrics")
    guarded = stacked(app, settings, metrics=metrics)
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    def ask(path: str) -> None:
        sent.clear()
        scope = {"type": "http", "method": "GET", "path": path, "query_string": b"", "client": None}
        asyncio.run(guarded(scope | {"headers": [(b"host", b"localhost")]}, None, send))  # type: ignore[arg-type]

    for path in ("/items/a", "/items/b", "/items/c"):
        ask(path)
    text = metrics.exposition().decode()
    assert f'alsolike_requests_total{{method="GET",route="{TEMPLATE}",status="200"}} 3.0' in text
    ask("/items/c")
    assert sent[0]["status"] == 429
    assert int(dict(sent[0]["headers"])[b"retry-after"]) >= 1
    found = told(metrics)
    assert found["refused_total", "too_many_requests"] == 1
    assert found["requests_total", "GET", "(refused)", "429"] == 1
