"""What the benchmark of the service asks with: a service in processes of its own, and raw sockets.

The client shares the machine's cores with the service, so it must cost little: keep-alive
connections, ready-made requests, one loop, and no more of an answer is read than where it ends.
"""

import contextlib
import dataclasses
import http.client
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

HOST = "127.0.0.1"
STARTS_WITHIN = 120.0  # seconds
CHECKED = 64  # every so many answers, one is looked into
_VERSION = b'"version":"'
_DIGEST = 64


@dataclasses.dataclass
class Pressed:
    """What came of asking for a while."""

    seconds: float = 0.0
    latencies: list[float] = dataclasses.field(default_factory=list)
    failed: list[str] = dataclasses.field(default_factory=list)
    # When an answer came and with which version; only where that was asked for.
    versions: list[tuple[float, bytes]] = dataclasses.field(default_factory=list)

    @property
    def rate(self) -> float:
        """Answers per second."""
        return len(self.latencies) / self.seconds


class _Connection:
    """One keep-alive connection and the request that is under way on it."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection((HOST, port), timeout=10)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.settimeout(10)
        self.number, self.sent, self.content = 0, 0.0, b""

    def is_whole(self) -> bool:
        """Tell whether the answer has come to its end."""
        end = self.content.find(b"\r\n\r\n")
        if end < 0:
            return False
        start = self.content.find(b"content-length: ", 0, end + 2) + 16
        if start < 16:
            raise ValueError(f"no length in {self.content[:end]!r}")
        stop = self.content.find(b"\r", start)
        return len(self.content) >= end + 4 + int(self.content[start:stop])


def press(
    port: int,
    requests: Sequence[bytes],
    *,
    connections: int,
    goes_on: Callable[[], bool],
    check: Callable[[int, bytes], str | None] | None = None,
    note_versions: bool = False,
) -> Pressed:
    """Ask one request after the other on each connection, as long as `goes_on`.

    Parameters
    ----------
    requests : sequence of bytes
        Asked in their order, over all connections together, and again from the start.
    check : callable or None
        Given the number of a request and the body of its answer; returns what is wrong with it.
        It is asked when all is over, of one answer in `CHECKED`.
    note_versions : bool
        Whether to note which version each answer is of.
    """
    done, number, kept = Pressed(), 0, list[tuple[int, bytes]]()
    selector = selectors.EpollSelector()

    def ask(one: _Connection) -> None:
        nonlocal number
        one.number, one.content = number % len(requests), b""
        number += 1
        one.sent = time.perf_counter()
        one.socket.sendall(requests[one.number])

    def connect() -> None:
        one = _Connection(port)
        selector.register(one.socket, selectors.EVENT_READ, one)
        ask(one)

    def end(one: _Connection, why: str) -> None:
        done.failed.append(why)
        selector.unregister(one.socket)
        one.socket.close()
        connect()

    for _ in range(connections):
        connect()
    start = time.perf_counter()
    while goes_on():
        for key, _ in selector.select(1.0):
            one: _Connection = key.data
            try:
                part = one.socket.recv(1 << 18)
            except OSError as error:
                end(one, str(error))
                continue
            if not part:
                end(one, "the connection was closed")
                continue
            one.content += part
            if one.is_whole():
                _note(done, one, None if check is None else kept, note_versions)
                ask(one)
    done.seconds = time.perf_counter() - start
    for key in list(selector.get_map().values()):
        key.data.socket.close()
    selector.close()
    if check is not None:
        done.failed += filter(None, (check(asked_for, body) for asked_for, body in kept))
    return done


def _note(
    done: Pressed,
    one: _Connection,
    kept: list[tuple[int, bytes]] | None,
    note_versions: bool,
) -> None:
    now = time.perf_counter()
    done.latencies.append(now - one.sent)
    if one.content[9:10] != b"2":
        done.failed.append(one.content[:400].decode("utf-8", "replace"))
        return
    if note_versions:
        start = one.content.find(_VERSION) + len(_VERSION)
        done.versions.append((now, one.content[start : start + _DIGEST]))
    if kept is not None and len(done.latencies) % CHECKED == 1:
        kept.append((one.number, one.content.partition(b"\r\n\r\n")[2]))


def for_seconds(seconds: float) -> Callable[[], bool]:
    """Return what is true for so long."""
    end = time.perf_counter() + seconds
    return lambda: time.perf_counter() < end


def request(
    method: str, path: str, body: Any = None, headers: Sequence[tuple[str, str]] = ()
) -> bytes:
    """Return the bytes of a request."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {HOST}", "Accept: application/json"]
    content = b"" if body is None else json.dumps(body).encode()
    if body is not None:
        lines += ["Content-Type: application/json", f"Content-Length: {len(content)}"]
    lines += [f"{name}: {value}" for name, value in headers]
    return "\r\n".join([*lines, "", ""]).encode() + content


def asked(port: int, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
    """Return status and JSON of one answer, on a connection of its own."""
    connection = http.client.HTTPConnection(HOST, port, timeout=120)
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    content = None if body is None else json.dumps(body)
    if content is not None:
        sent["Content-Type"] = "application/json"
    try:
        connection.request(method, path, content, sent)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


class Process:
    """A server in a process of its own, with those that it begins."""

    def __init__(self, command: Sequence[object], port: int, log: Path, **variables: str) -> None:
        self.port, self.log = port, log
        with log.open("ab") as said:
            self.process = subprocess.Popen(
                list(map(str, command)),
                stdout=said,
                stderr=said,
                env=os.environ | variables,
            )

    def wait(self, path: str) -> None:
        """Wait until `path` is answered; a server that does not come is told of."""
        end = time.monotonic() + STARTS_WITHIN
        while time.monotonic() < end and self.process.poll() is None:
            with contextlib.suppress(OSError, ValueError, http.client.HTTPException):
                if asked(self.port, "GET", path)[0] == 200:
                    return
            time.sleep(0.1)
        sys.exit(f"The service did not start:\n{self.log.read_text(errors='replace')[-4000:]}")

    def memory(self) -> float:
        """Return the MiB of all its processes; what several of them map counts once."""
        total = 0
        for process in self._tree(self.process.pid):
            with contextlib.suppress(OSError):
                told = Path(f"/proc/{process}/smaps_rollup").read_text(encoding="ascii")
                total += sum(
                    int(line.split()[1]) for line in told.splitlines() if line.startswith("Pss:")
                )
        return total / 1024

    def stop(self) -> None:
        """End it, and wait."""
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            for process in reversed(self._tree(self.process.pid)):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
            self.process.wait()

    def _tree(self, process: int) -> list[int]:
        try:
            said = Path(f"/proc/{process}/task/{process}/children").read_text(encoding="ascii")
        except OSError:
            return [process]
        return [process, *(one for child in said.split() for one in self._tree(int(child)))]


@contextlib.contextmanager
def running(
    command: Sequence[object], port: int, log: Path, *, path: str, **variables: str
) -> Iterator[Process]:
    """Run a server until the block ends; `path` is what it answers once it is ready."""
    process = Process(command, port, log, **variables)
    try:
        process.wait(path)
        yield process
    finally:
        process.stop()


def free_port() -> int:
    """Return a port that nobody listens at just now."""
    with socket.socket() as one:
        one.bind((HOST, 0))
        return int(one.getsockname()[1])
