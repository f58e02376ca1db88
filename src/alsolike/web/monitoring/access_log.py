"""Middleware: times, counts and logs requests, one line of JSON for each.

A line has time, client, method, path, status, duration, bytes, and the version of the model. The
path is shortened, without the query, which may hold secrets; headers, and so tokens and cookies,
are never logged. Everything but printable ASCII is escaped, so that no request can forge a line.
"""

import os
import select
import stat
import time
from json.encoder import encode_basestring_ascii as _quoted
from pathlib import Path

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from alsolike.errors import WritingError
from alsolike.web.edge.exchange import client_of
from alsolike.web.monitoring.metrics import Metrics

MOST_CHARACTERS = 200  # of a path; escaped up to six times, it still fits in one pipe write
STANDARD_OUTPUT = 1
UNMATCHED = "(unmatched)"  # route of requests that matched none
CLIENT_LEFT = 499  # not an HTTP status: only in the log, as in other servers
_SHORT = 40  # characters of a client, a method, a version


class AccessLog:
    r"""Writes lines to standard output ("-"), to the end of a file, or nowhere ("").

    Each line is one write, so that lines of several workers do not mix.

    Raises
    ------
    WritingError
        The file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> log = AccessLog(f"{folder.name}/access.jsonl")
    >>> log.note("192.0.2.7", "GET", "/items/a\nb", 200, 0.00125, 120, "")
    True
    >>> line = Path(folder.name, "access.jsonl").read_text(encoding="ascii")
    >>> line.strip().partition(",")[2]
    '"client":"192.0.2.7","method":"GET","path":"/items/a\\nb","status":200,"ms":1.25,"bytes":120,"version":""}'
    >>> log.close(); folder.cleanup()
    """

    def __init__(self, target: str) -> None:
        self._second, self._moment = 0, ""
        self._file = _opened(target)
        kind = 0 if self._file is None else os.fstat(self._file).st_mode
        self._may_block = not stat.S_ISREG(kind)

    def note(
        self,
        client: str,
        method: str,
        path: str,
        status: int,
        seconds: float,
        size: int,
        version: str,
    ) -> bool:
        """Write the line of one request; return False if it was lost.

        A line that cannot be written at once is lost: a full disk must not stop the service.
        """
        if self._file is None:
            return True
        if len(path) > MOST_CHARACTERS:
            path = path[: MOST_CHARACTERS - 1] + "\u2026"
        line = (
            f'{{"time":"{self._now()}","client":{_quoted(client[:_SHORT])},'
            f'"method":{_quoted(method[:_SHORT])},"path":{_quoted(path)},"status":{status},'
            f'"ms":{1000 * seconds:.6g},"bytes":{size},"version":{_quoted(version[:_SHORT])}}}\n'
        ).replace("\x7f", "\\u007f")  # the one control character that JSON lets through
        try:
            if self._may_block and not select.select((), (self._file,), (), 0)[1]:
                return False
            return os.write(self._file, line.encode("ascii")) == len(line)
        except (OSError, ValueError):  # ValueError: descriptors above what select can ask for
            return False

    def close(self) -> None:
        """Close the file; standard output stays open."""
        if self._file is not None and self._file != STANDARD_OUTPUT:
            os.close(self._file)
        self._file = None

    def _now(self) -> str:
        now = time.time()
        second = int(now)
        if second != self._second:
            self._second = second
            self._moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        return f"{self._moment}.{int(1000 * (now - second)):03d}Z"


class AccessLogMiddleware:
    """Times, counts and logs each request.

    Sets ``scope["state"]["status"]``, 0 before the response. Reads from ``scope["state"]`` the
    "version" of the model, and the "route" if the router sets no ``scope["route"]``.
    """

    def __init__(self, app: ASGIApp, *, log: AccessLog, metrics: Metrics) -> None:
        self._app, self._log, self._metrics = app, log, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start, ended = time.perf_counter(), 0.0
        size = 0
        state = scope.setdefault("state", {})
        state["status"] = 0

        async def noted(message: Message) -> None:
            nonlocal size, ended
            if message["type"] == "http.response.start":
                state["status"] = message["status"]
                await send(message)
                return
            size += len(message.get("body", b""))
            await send(message)
            ended = time.perf_counter()

        try:
            await self._app(scope, receive, noted)
        finally:
            status = state["status"] or CLIENT_LEFT
            seconds = (ended or time.perf_counter()) - start
            route = state.get("route") or getattr(scope.get("route"), "path_format", UNMATCHED)
            self._metrics.answered(scope["method"], route, status, seconds)
            client, version = client_of(scope), state.get("version", "")
            if not self._log.note(
                client, scope["method"], scope["path"], status, seconds, size, version
            ):
                self._metrics.count("lost_log_lines")


def refuse_unwritable(target: str) -> None:
    """Raise WritingError if `target` cannot be appended to.

    A named pipe is not tried: its reader would see an end of file.
    """
    if target not in ("", "-") and not Path(target).is_fifo():
        AccessLog(target).close()


def _opened(target: str) -> int | None:
    if target == "":
        return None
    if target == "-":
        return STANDARD_OUTPUT
    try:
        # Not through a temporary name: several workers append to it.
        return os.open(target, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
    except OSError as error:
        raise WritingError(
            f"{Path(target)}: the access log cannot be written ({error.strerror})."
        ) from error
