"""Real connections to a real server: who is dropped, who is not, and what is answered before."""

import asyncio
import contextlib
import json
import pickle
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="the extra 'serve' is not installed")

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from alsolike.web.edge import protocol as connections
from alsolike.web.edge.protocol import MOST_HEAD, PatientProtocol, protocol
from alsolike.web.settings import Settings, Slot
from serving import stacked

PATIENCE = 0.5
LARGE = 64 * 2**20  # more than the buffers of both ends hold


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        for _ in range(2):
            message = await receive()
            await send({"type": f"{message['type']}.complete"})
        return
    body = (await receive())["body"]
    if scope["path"] == "/slow":
        await asyncio.sleep(2 * PATIENCE)
    size = {"/large": LARGE, "/echo": len(body)}.get(scope["path"], 2)
    headers = [(b"content-length", b"%d" % size)]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    body = body if scope["path"] == "/echo" else b"y" * size
    await send({"type": "http.response.body", "body": body})


@contextlib.contextmanager
def serving(folder: Path, http: Any) -> Iterator[int]:
    named: Any = {"state": folder, "patience": PATIENCE, "rate": 0, "log": ""}
    settings = Settings(models=(Slot("a", folder),), **named)
    config = uvicorn.Config(
        stacked(app, settings),
        http=http,
        loop="uvloop",
        ws="none",
        log_level="critical",
        timeout_keep_alive=3,
    )
    server = uvicorn.Server(config)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield listening.getsockname()[1]
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with serving(tmp_path_factory.mktemp("state"), protocol(PATIENCE)) as number:
        yield number


@contextlib.contextmanager
def connected(port: int) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        yield client


def head(method: str = "GET", path: str = "/", *more: str) -> bytes:
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: localhost", *more, "", ""]).encode()


def answer(client: socket.socket) -> tuple[int, bytes]:
    """Return status and body of one answer."""
    content = b""
    while b"\r\n\r\n" not in content:
        part = client.recv(65_536)
        assert part, content
        content += part
    top, _, body = content.partition(b"\r\n\r\n")
    size = int(top.lower().partition(b"content-length:")[2].split()[0])
    while len(body) < size:
        body += client.recv(65_536)
    return int(top.split()[1]), body


def is_dropped(client: socket.socket, within: float = 3 * PATIENCE) -> bool:
    client.settimeout(within)
    try:
        while client.recv(65_536):
            pass
    except TimeoutError:
        return False
    except ConnectionError:
        return True
    return True


@pytest.mark.parametrize(
    "begun",
    [
        b"",
        b"G",
        b"GET / HTTP/1.1\r\nHost: loc",
        b"\r\n",
        head("POST", "/", "Content-Length: 9")[:-2],
    ],
    ids=["nothing", "letter", "field", "line end", "almost"],
)
def test_who_does_not_finish_is_dropped(port: int, begun: bytes) -> None:
    with connected(port) as client:
        client.sendall(begun)
        start = time.monotonic()
        assert is_dropped(client)
        assert time.monotonic() - start > 0.9 * PATIENCE


def test_drop_by_drop_does_not_help(port: int) -> None:
    with connected(port) as client:
        start, gone = time.monotonic(), False
        client.sendall(b"GET / HTTP/1.1\r\n")
        while not gone and time.monotonic() - start < 6 * PATIENCE:
            try:
                client.sendall(b"X-A: b\r\n")
                time.sleep(0.05)
            except ConnectionError:
                gone = True
        assert gone


def test_a_body_drop_by_drop_is_refused(port: int) -> None:
    with connected(port) as client:
        client.sendall(head("POST", "/echo", "Content-Length: 1000") + b"abc")
        status, body = answer(client)
        assert (status, json.loads(body)["error"]["code"]) == (408, "too_slow")
        assert is_dropped(client)


def test_after_an_answer_the_next_request_must_be_whole_too(port: int) -> None:
    for begun in (b"GE", b"\r\n"):  # either ends uvicorn's own waiting for a next request
        with connected(port) as client:
            client.sendall(head())
            assert answer(client)[0] == 200
            client.sendall(begun)
            assert is_dropped(client)


def test_a_second_request_behind_the_first_must_be_whole_too(port: int) -> None:
    with connected(port) as client:
        client.sendall(head() + b"GET / HT")
        assert answer(client)[0] == 200
        assert is_dropped(client)


def test_who_waits_for_a_slow_answer_is_not_dropped(port: int) -> None:
    with connected(port) as client:
        client.sendall(head("GET", "/slow"))
        assert answer(client) == (200, b"yy")


def test_a_request_in_pieces_and_many_after_each_other(port: int) -> None:
    with connected(port) as client:
        for _ in range(3):
            request = head("POST", "/echo", "Content-Length: 3") + b"abc"
            for cut in (request[:9], request[9:-1], request[-1:]):
                client.sendall(cut)
                time.sleep(0.02)
            assert answer(client) == (200, b"abc")
        time.sleep(2 * PATIENCE)  # between requests uvicorn's own patience counts
        client.sendall(head())
        assert answer(client)[0] == 200


def test_pipelined_requests_are_answered_in_turn(port: int) -> None:
    with connected(port) as client:
        bodies = [b"a", b"bb", b"ccc"]
        parts = [head("POST", "/echo", f"Content-Length: {len(body)}") + body for body in bodies]
        client.sendall(b"".join([head("GET", "/slow"), *parts]))
        content = b""
        while not content.endswith(b"ccc"):
            content += client.recv(65_536)
        assert content.count(b"HTTP/1.1 200") == 4


def test_who_takes_nothing_is_dropped(port: int) -> None:
    with connected(port) as client:
        client.sendall(head("GET", "/large"))
        time.sleep(4 * PATIENCE)
        taken = 0
        with contextlib.suppress(ConnectionError):
            while part := client.recv(1 << 20):
                taken += len(part)
        assert taken < LARGE


def test_who_takes_slowly_but_steadily_gets_all(port: int) -> None:
    with connected(port) as client:
        client.sendall(head("GET", "/large"))
        taken, start = 0, time.monotonic()
        while taken < LARGE:
            taken += len(client.recv(1 << 20))
            if time.monotonic() - start < 4 * PATIENCE:
                time.sleep(0.1)
        assert time.monotonic() - start > 3 * PATIENCE


def test_who_asks_and_takes_nothing_is_dropped(port: int) -> None:
    """Many answers, each too short for the server to wait for its being taken."""
    with connected(port) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.settimeout(4 * PATIENCE)
        body = b"z" * 60_000
        request = head("POST", "/echo", f"Content-Length: {len(body)}") + body
        with pytest.raises((ConnectionError, TimeoutError)) as stopped:  # noqa: PT012
            for _ in range(2000):
                client.sendall(request)
        if stopped.type is TimeoutError:
            assert is_dropped(client)


def test_the_head_is_bounded(port: int) -> None:
    with connected(port) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n")
        with contextlib.suppress(ConnectionError):
            for _ in range(10):
                client.sendall(b"X-A: " + b"b" * (MOST_HEAD // 4) + b"\r\n")
                time.sleep(0.02)
        assert is_dropped(client)
    with connected(port) as client:  # nobody is kept from more requests than that
        for _ in range(5):
            client.sendall(head("GET", "/", "X-A: " + "b" * (MOST_HEAD // 3)))
            assert answer(client)[0] == 200


def test_a_long_body_is_refused_so_that_the_client_hears_it(port: int) -> None:
    for more in ("Content-Length: 200000", "Content-Length: 200000\r\nExpect: 100-continue"):
        with connected(port) as client:
            client.sendall(head("POST", "/echo", more))
            if "Expect" not in more:
                client.sendall(b"x" * 200_000)
            content = client.recv(65_536)
            if content.startswith(b"HTTP/1.1 100"):
                client.sendall(b"x" * 200_000)
                content = client.recv(65_536)
            assert content.startswith(b"HTTP/1.1 413")


def test_chunks_are_counted(port: int) -> None:
    with connected(port) as client:
        client.sendall(head("POST", "/echo", "Transfer-Encoding: chunked"))
        client.sendall(b"1\r\nx\r\n" * 70_000 + b"0\r\n\r\n")
        status, body = answer(client)
        assert (status, json.loads(body)["error"]["code"]) == (413, "body_too_large")
    with connected(port) as client:
        client.sendall(head("POST", "/echo", "Transfer-Encoding: chunked"))
        client.sendall(b"1\r\nx\r\n" * 1000 + b"0\r\n\r\n")
        assert answer(client) == (200, b"x" * 1000)


@pytest.mark.parametrize(
    "request_",
    [
        head("POST", "/", "Content-Length: 3", "Content-Length: 4"),
        head("POST", "/", "Content-Length: 3", "Transfer-Encoding: chunked"),
        head("POST", "/", "Content-Length: -1"),
        b"GET / HTTP/1.1\r\nHost: localhost\r\n folded\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # a browser that speaks TLS
        b"GET /\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"CONNECT localhost:80 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ],
)
def test_what_is_no_request_is_refused(port: int, request_: bytes) -> None:
    with connected(port) as client:
        client.sendall(request_)
        content = b""
        with contextlib.suppress(ConnectionError):
            while part := client.recv(65_536):
                content += part
        assert content[:12] in (b"HTTP/1.1 400", b"")


def test_a_host_is_asked_of_old_clients_too(port: int) -> None:
    with connected(port) as client:
        client.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert answer(client)[0] == 400


def test_the_protocol_travels_to_workers() -> None:
    sent = pickle.loads(pickle.dumps(protocol(2.5)))  # noqa: S301 - as a supervisor does
    assert (sent.func, sent.keywords) == (PatientProtocol, {"patience": 2.5})


@pytest.mark.parametrize("name", ["on_message_begin", "on_response_complete"])
def test_without_a_name_of_uvicorn_its_own_protocol_serves(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    shown = {one: getattr(HttpToolsProtocol, one) for one in dir(HttpToolsProtocol) if one != name}
    monkeypatch.setattr(connections, "HttpToolsProtocol", type("Other", (), shown))
    chosen = protocol(PATIENCE)
    assert chosen == "auto"
    assert f"HttpToolsProtocol with {name}, so clients" in caplog.text
    with serving(tmp_path, chosen) as other, connected(other) as client:
        for body in (b"abc", b""):
            client.sendall(head("POST", "/echo", f"Content-Length: {len(body)}") + body)
            assert answer(client) == (200, body)


def test_without_uvicorns_class_a_service_starts(tmp_path: Path) -> None:
    code = f"""
import logging, uvicorn.protocols.http.httptools_impl as implementation
del implementation.HttpToolsProtocol
from alsolike.web import server
print(server.protocol({PATIENCE}))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "auto\n"
    for name in ("on_message_begin", "on_response_complete", "are not dropped"):
        assert name in done.stderr
