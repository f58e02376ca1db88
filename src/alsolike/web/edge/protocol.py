"""Connections that clients may not hold for nothing: slow senders and slow takers are dropped.

Uvicorn waits as long as a client likes for its first byte, for the rest of a request, and until an
answer is taken. Here a request must be whole within `patience` seconds of its first byte (the first
one: of the connection), what precedes a body has a most number of bytes, and an answer must be
taken at no less than a slow modem's rate, however long it is.

Nothing is timed for each request: each connection is looked at every `patience` / 2 seconds.
"""

import asyncio
import functools
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

PATIENCE = 10.0
MOST_HEAD = 65_536  # bytes of a request before its body
LEAST_RATE = 2_048  # bytes a second

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
        self._begun: float | None = None  # when the request that is not yet whole began
        self._in_head, self._head = True, 0  # before the body: how many bytes came
        self._answers, self._has_resumed = 0, False
        self._before = (0, 0)  # at the last look: bytes not taken, answers so far
        self._is_last_look = False
        self._next_look: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to look at the connection."""
        super().connection_made(cast("asyncio.Transport", transport))
        self._begun = self.loop.time()
        self._look_later()

    def connection_lost(self, exc: Exception | None) -> None:
        """Look no more."""
        if self._next_look is not None:
            self._next_look.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes; a request begins with the first, even if it is but a line end."""
        if self._begun is None:
            self._begun = self.loop.time()
        if self._in_head:
            self._head += len(data)
        super().data_received(data)
        if self._in_head and self._head > MOST_HEAD and not self.transport.is_closing():
            self.transport.write(_TOO_LARGE)
            self.transport.close()

    def on_message_begin(self) -> None:
        """Hear that a request begins, perhaps behind another one in the same bytes."""
        super().on_message_begin()
        if self._begun is None:
            self._begun = self.loop.time()

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
        self._next_look = self.loop.call_later(self._patience / 2, self._look)

    def _look(self) -> None:
        if self.transport.get_protocol() is not self:  # another protocol has taken over
            return
        if self._keeps_sending() or self._keeps_taking() or self._is_last_look:
            self.transport.abort()
            return
        # Whoever does not take the end of the last answer does so until the next look.
        self._is_last_look = self.transport.is_closing()
        self._look_later()

    def _keeps_sending(self) -> bool:
        """Tell whether a request has been incomplete for too long."""
        if self._begun is None or self.transport.is_closing():
            return False
        if self.flow.read_paused:  # it is this side that does not go on
            self._begun = self.loop.time()
        # Of a body that does not come the guard says so first, after `patience` seconds.
        allowed = self._patience if self._in_head else 1.5 * self._patience
        return self.loop.time() - self._begun > allowed

    def _keeps_taking(self) -> bool:
        """Tell whether hardly anything was taken since the last look, though there was enough."""
        left, answers = self.transport.get_write_buffer_size(), self._answers
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


def protocol(patience: float) -> type[asyncio.Protocol]:
    """Return uvicorn's protocol with so much patience, for ``uvicorn.Config(http=...)``.

    Parameters
    ----------
    patience : float
        Seconds for a client to send a request, and to go on taking its answer; above 0.

    Returns
    -------
    type
        In truth a partial of it: a supervisor pickles its configuration for the workers that it
        starts, and a class that was made here could not be.

    Examples
    --------
    >>> import pickle
    >>> pickle.loads(pickle.dumps(protocol(2.5))).keywords
    {'patience': 2.5}
    """
    return cast("type[asyncio.Protocol]", functools.partial(PatientProtocol, patience=patience))
