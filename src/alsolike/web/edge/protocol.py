"""Extends Uvicorn's HTTP protocol: drops clients that send or receive too slowly.

Uvicorn has no timeout for a request or for the reading of a response. Here a request must be
complete `patience` seconds after its first byte (the first one: after the connection), its head has
a largest size, and a response must be read at the rate of a slow modem or faster.

There is no timer per request: each connection is checked every `patience` / 2 seconds.

Uvicorn does not document the extended class. If a later version lacks one of its names, `protocol`
warns and uses Uvicorn's protocol unchanged.
"""

import asyncio
import functools
import logging
from typing import Any, Literal, cast

try:
    from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
except ImportError:
    HttpToolsProtocol = asyncio.Protocol  # type: ignore[assignment, misc]

PATIENCE = 10.0
MOST_HEAD = 65_536  # bytes of a request before its body
LEAST_RATE = 2_048  # bytes a second

# Callbacks of Uvicorn's class: of its parser, and at the end of a response.
_CALLBACKS = (
    "on_message_begin",
    "on_headers_complete",
    "on_message_complete",
    "on_response_complete",
)
_log = logging.getLogger(__name__)
_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"content-length: 0\r\nconnection: close\r\n\r\n"
)


class PatientProtocol(HttpToolsProtocol):
    """Uvicorn's protocol over httptools; drops clients slower than `patience` seconds.

    By default `PATIENCE`: ``uvicorn --http alsolike.web.edge.protocol:PatientProtocol``.
    """

    def __init__(self, *given: Any, patience: float = PATIENCE, **named: Any) -> None:
        super().__init__(*given, **named)
        self._patience = patience
        self._clock = asyncio.get_running_loop()
        self._begun: float | None = None  # start of the incomplete request
        self._in_head, self._head = True, 0  # bytes received before the body
        self._answers, self._has_resumed = 0, False
        self._before = (0, 0)  # at the last check: unread bytes, responses
        self._is_last_look = False
        self._next_look: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start checking the connection."""
        self._connection = cast("asyncio.Transport", transport)
        super().connection_made(self._connection)
        self._begun = self._clock.time()
        self._look_later()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop checking the connection."""
        if self._next_look is not None:
            self._next_look.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Receive bytes; a request begins with the first, even a line end."""
        if self._begun is None:
            self._begun = self._clock.time()
        if self._in_head:
            self._head += len(data)
        super().data_received(data)
        if self._in_head and self._head > MOST_HEAD and not self._connection.is_closing():
            self._connection.write(_TOO_LARGE)
            self._connection.close()

    def on_message_begin(self) -> None:
        """Start the time of a request, perhaps one pipelined behind another."""
        super().on_message_begin()
        if self._begun is None:
            self._begun = self._clock.time()

    def on_headers_complete(self) -> None:
        """Note that the head is complete."""
        self._in_head = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Note that the request is complete."""
        self._begun, self._in_head, self._head = None, True, 0
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Count a response that is written, though perhaps not read."""
        self._answers += 1
        super().on_response_complete()

    def resume_writing(self) -> None:
        """Note that the client reads."""
        self._has_resumed = True
        super().resume_writing()

    def _look_later(self) -> None:
        self._next_look = self._clock.call_later(self._patience / 2, self._look)

    def _look(self) -> None:
        if self._connection.get_protocol() is not self:  # upgraded to another protocol
            return
        if self._keeps_sending() or self._keeps_taking() or self._is_last_look:
            self._connection.abort()
            return
        # The client has until the next check to read the end of the last response.
        self._is_last_look = self._connection.is_closing()
        self._look_later()

    def _keeps_sending(self) -> bool:
        """Return whether a request has been incomplete for too long."""
        if self._begun is None or self._connection.is_closing():
            return False
        if not self._connection.is_reading():  # paused by this side
            self._begun = self._clock.time()
        # A late body is refused by a middleware first, after `patience` seconds.
        allowed = self._patience if self._in_head else 1.5 * self._patience
        return self._clock.time() - self._begun > allowed

    def _keeps_taking(self) -> bool:
        """Return whether hardly anything was read since the last check."""
        left, answers = self._connection.get_write_buffer_size(), self._answers
        left_before, answers_before = self._before
        least = LEAST_RATE * self._patience / 2
        is_stuck = (
            0 < left_before <= left + least
            and left > 0
            and answers == answers_before
            and not self._has_resumed
        )
        self._before, self._has_resumed = (left, answers), False
        return is_stuck


def protocol(patience: float) -> type[asyncio.Protocol] | Literal["auto"]:
    """Return the protocol for ``uvicorn.Config(http=...)``.

    Parameters
    ----------
    patience : float
        Seconds for a client to send a request, and to continue reading its response; above 0.

    Returns
    -------
    type or "auto"
        A partial of the type, since the supervisor pickles it for its workers. "auto", with a
        warning: Uvicorn's own protocol, if this version lacks a name that is extended here.

    Examples
    --------
    >>> import pickle
    >>> pickle.loads(pickle.dumps(protocol(2.5))).keywords
    {'patience': 2.5}
    """
    missing = [name for name in _CALLBACKS if not hasattr(HttpToolsProtocol, name)]
    if missing:
        _log.warning(
            "This version of uvicorn has no HttpToolsProtocol with %s, so clients that send or "
            "take slowly are not dropped. Install a version that alsolike asks for: pip install "
            "'alsolike[serve]'.",
            ", ".join(missing),
        )
        return "auto"
    return cast("type[asyncio.Protocol]", functools.partial(PatientProtocol, patience=patience))
