"""The HTTP protocol of the server: drops clients that send or take too slowly.

Uvicorn waits as long as a client likes for its first byte, for the rest of a request, and until an
answer is taken. Here a request must be whole within `patience` seconds of its first byte (the first
one: of the connection), what precedes a body has a most number of bytes, and an answer must be
taken at no less than a slow modem's rate, however long it is.

Nothing is timed for each request: each connection is looked at every `patience` / 2 seconds.

Uvicorn does not document the class that is extended here. Where a later version names something
otherwise, `protocol` says so and takes Uvicorn's protocol as it is.
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

# What Uvicorn's class is called back by: its parser, and the end of an answer.
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
    """Uvicorn's protocol over httptools; drops clients that take more than `patience` seconds.

    By itself it has `PATIENCE`: ``uvicorn --http alsolike.web.edge.protocol:PatientProtocol``.
    """

    def __init__(self, *given: Any, patience: float = PATIENCE, **named: Any) -> None:
        super().__init__(*given, **named)
        self._patience = patience
        self._clock = asyncio.get_running_loop()
        self._begun: float | None = None  # when the request that is not yet whole began
        self._in_head, self._head = True, 0  # before the body: how many bytes came
        self._answers, self._has_resumed = 0, False
        self._before = (0, 0)  # at the last look: bytes not taken, answers so far
        self._is_last_look = False
        self._next_look: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to look at the connection."""
        self._connection = cast("asyncio.Transport", transport)
        super().connection_made(self._connection)
        self._begun = self._clock.time()
        self._look_later()

    def connection_lost(self, exc: Exception | None) -> None:
        """Look no more."""
        if self._next_look is not None:
            self._next_look.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes; a request begins with the first, even if it is but a line end."""
        if self._begun is None:
            self._begun = self._clock.time()
        if self._in_head:
            self._head += len(data)
        super().data_received(data)
        if self._in_head and self._head > MOST_HEAD and not self._connection.is_closing():
            self._connection.write(_TOO_LARGE)
            self._connection.close()

    def on_message_begin(self) -> None:
        """Hear that a request begins, perhaps behind another one in the same bytes."""
        super().on_message_begin()
        if self._begun is None:
            self._begun = self._clock.time()

    def on_headers_complete(self) -> None:
        """Hear that what precedes the body is whole."""
        self._in_head = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Hear that a request is whole."""
        self._begun, self._in_head, self._head = None, True, 0
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Hear that an answer is written, though perhaps not taken."""
        self._answers += 1
        super().on_response_complete()

    def resume_writing(self) -> None:
        """Hear that most of what was written is taken."""
        self._has_resumed = True
        super().resume_writing()

    def _look_later(self) -> None:
        self._next_look = self._clock.call_later(self._patience / 2, self._look)

    def _look(self) -> None:
        if self._connection.get_protocol() is not self:  # another protocol has taken over
            return
        if self._keeps_sending() or self._keeps_taking() or self._is_last_look:
            self._connection.abort()
            return
        # Whoever does not take the end of the last answer does so until the next look.
        self._is_last_look = self._connection.is_closing()
        self._look_later()

    def _keeps_sending(self) -> bool:
        """Tell whether a request has been incomplete for too long."""
        if self._begun is None or self._connection.is_closing():
            return False
        if not self._connection.is_reading():  # it is this side that does not go on
            self._begun = self._clock.time()
        # Of a body that does not come a middleware says so first, after `patience` seconds.
        allowed = self._patience if self._in_head else 1.5 * self._patience
        return self._clock.time() - self._begun > allowed

    def _keeps_taking(self) -> bool:
        """Tell whether hardly anything was taken since the last look, though there was enough."""
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
    """Return Uvicorn's protocol with so much patience, for ``uvicorn.Config(http=...)``.

    Parameters
    ----------
    patience : float
        Seconds for a client to send a request, and to go on taking its answer; above 0.

    Returns
    -------
    type or "auto"
        In truth a partial of the type: a supervisor pickles its configuration for the workers that
        it starts, and a class that was made here could not be. "auto", with a warning: Uvicorn's
        protocol as it is, where this version of it has not all that is extended here.

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
