"""Runs the service with Uvicorn, in one process or several workers.

``alsolike serve`` calls `serve`. To run uvicorn otherwise, name a file of settings::

    ALSOLIKE_SERVE=serve.json uvicorn --factory alsolike.web.server:application --workers 2
"""

import errno
import fcntl
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import uvicorn
from uvicorn.supervisors import Multiprocess

from alsolike.errors import SettingError, WritingError
from alsolike.storage.cleanup import interrupts_held
from alsolike.web.app import create_app
from alsolike.web.edge.protocol import protocol
from alsolike.web.monitoring.access_log import refuse_unwritable
from alsolike.web.serving.deploy import prepare
from alsolike.web.serving.smoke_tests import read_smoke_tests
from alsolike.web.serving.state_store import Store
from alsolike.web.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastapi import FastAPI

VARIABLE = "ALSOLIKE_SERVE"
SETTINGS_FILE = "serve.json"

_BACKLOG = 2048
_LEFT_WITHIN = 2.0  # seconds
_LAST_WORDS = 5  # seconds for open requests at shutdown


def application() -> "FastAPI":
    """Return the application of the settings file in the environment.

    Raises
    ------
    SettingError
        The variable names no file of settings.
    """
    path = os.environ.get(VARIABLE)
    if not path:
        raise SettingError(f"The variable {VARIABLE} names no file of settings.")
    return create_app(Settings.from_file(path))


def serve(settings: Settings, ready: Callable[[str], None]) -> None:
    """Serve until interrupted; call `ready` with the address once requests are answered.

    Raises
    ------
    SettingError
        The address cannot be used, or the file of smoke tests is malformed.
    WritingError
        The state folder or the access log cannot be used, or another service uses the folder.
    BundleError
        A model cannot be loaded.
    """
    refuse_unwritable(settings.log)
    read_smoke_tests(settings.golden)  # fail now, not at the first swap
    with _alone(settings), _listening(settings) as listener:
        with Store(settings.state) as state:
            prepare(settings, state)
        path = settings.state / SETTINGS_FILE
        settings.to_file(path)
        os.environ[VARIABLE] = str(path.absolute())
        config = uvicorn.Config(
            "alsolike.web.server:application",
            factory=True,
            workers=settings.workers,
            http=protocol(settings.patience),
            ws="none",
            access_log=False,
            log_level="warning",
            server_header=False,
            proxy_headers=False,
            backlog=_BACKLOG,
            timeout_graceful_shutdown=_LAST_WORDS,
        )
        server = uvicorn.Server(config)
        host, port = listener.getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        threading.Thread(
            target=_tell,
            args=(
                host,
                port,
                settings.token,
                lambda: ready(f"http://{shown}:{port}{settings.base_path}/"),
            ),
            daemon=True,
        ).start()
        if settings.workers == 1:
            server.run(sockets=[listener])
        else:
            _Supervisor(config, sockets=[listener]).run()


_ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class _Supervisor(Multiprocess):
    """Uvicorn's supervisor; ends its workers on Ctrl-C itself, in order."""

    def __init__(self, config: uvicorn.Config, sockets: list[socket.socket]) -> None:
        self._before = {number: signal.getsignal(number) for number in _ENDS}
        self._ended_by: int | None = None
        super().__init__(config, sockets)

    def run(self) -> None:
        """Serve until a signal comes; raise it again, as a single server does."""
        super().run()
        for number, handler in self._before.items():
            signal.signal(number, handler)
        if self._ended_by is not None:
            signal.raise_signal(self._ended_by)

    def init_processes(self) -> None:
        """Start all workers."""
        with interrupts_held():
            super().init_processes()

    def keep_subprocess_alive(self) -> None:
        """Replace workers that have ended."""
        with interrupts_held():
            super().keep_subprocess_alive()

    def handle_int(self) -> None:
        """Stop all workers."""
        self._end(signal.SIGINT)

    def handle_term(self) -> None:
        """Stop all workers."""
        self._end(signal.SIGTERM)

    def handle_hup(self) -> None:
        """Stop all workers, which Uvicorn would restart: the terminal is gone."""
        self._end(signal.SIGHUP)

    def _end(self, number: int) -> None:
        self._ended_by = self._ended_by or number
        self.should_exit.set()


@contextmanager
def _alone(settings: Settings) -> "Iterator[None]":
    """Lock the state folder; a kill releases it, too."""
    path = settings.state / "service.lock"
    try:
        settings.state.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise WritingError(
            f"{settings.state}: cannot be written ({error.strerror}). Give --state another folder."
        ) from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise WritingError(
            f"{settings.state}: another service uses this folder. Give --state another one."
        ) from error
    finally:
        os.close(handle)


class _Reserved(socket.socket):
    """A socket that reserves an address; unpickled in a worker, it is a new socket there.

    Workers that share one socket take uneven numbers of connections. With sockets of their own the
    kernel spreads connections evenly.
    """

    def __reduce__(self) -> tuple[Any, ...]:
        return _bound, (self.family, self.getsockname(), True)


def _bound(family: int, address: Any, shared: bool) -> socket.socket:
    one = _Reserved(family, socket.SOCK_STREAM)
    try:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        one.bind(address)
    except OSError:
        one.close()
        raise
    return one


def _bound_soon(family: int, address: Any) -> socket.socket:
    """Bind a socket, retrying while workers of a killed service still end."""
    end = time.monotonic() + _LEFT_WITHIN
    while True:
        try:
            return _bound(family, address, False)
        except OSError as error:
            if error.errno != errno.EADDRINUSE or time.monotonic() > end:
                raise
        time.sleep(0.1)


@contextmanager
def _listening(settings: Settings) -> "Iterator[socket.socket]":
    host = settings.host.strip("[]")
    try:
        family = socket.getaddrinfo(host, settings.port, type=socket.SOCK_STREAM)[0][0]
        # Not shared at first, which fails if another service uses this address.
        with _bound_soon(family, (host, settings.port)) as listener:
            address = listener.getsockname()
            if settings.workers == 1:
                listener.listen(_BACKLOG)
                yield listener
                return
        with _bound(family, address, True) as reserved:
            yield reserved
    except OSError as error:
        if isinstance(error, WritingError):
            raise
        raise SettingError(
            f"Cannot listen on {settings.host}:{settings.port} ({error.strerror}). Is another "
            "service running there? Choose another --port; 0 takes a free one."
        ) from error


def _tell(host: str, port: int, token: str | None, ready: Callable[[], None]) -> None:
    """Call `ready` once all workers answer."""
    request = f"GET /readyz HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n"
    if token is not None:
        request += f"Authorization: Bearer {token}\r\n"
    while True:
        try:
            with socket.create_connection((host, port), timeout=60) as connection:
                connection.sendall(f"{request}\r\n".encode("ascii"))
                if connection.recv(12).endswith(b" 200"):
                    ready()
                    return
        except OSError:
            pass
        time.sleep(0.1)
