"""A body on its way in and an answer on its way out, as the guard passes them on."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

from alsolike.web.edge.security_headers import Policies
from alsolike.web.refusals import Message

_DRAIN_SECONDS = 1.0

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class ClientLeft(Exception):
    """The client has gone, or does not take its answer."""


class Answer:
    """An answer on its way out: headers are added to it, and what it is, is noted.

    Parameters
    ----------
    send : callable
        Of the server.
    policies : Policies
        Which headers are added.
    patience : float
        Seconds for a client to take what was sent.
    has_body : bool
        False for HEAD: the headers go out as they are, Content-Length among them, and nothing
        after them.
    """

    __slots__ = ("_has_body", "_patience", "_policies", "_send", "ended", "size", "status")

    def __init__(self, send: Send, policies: Policies, patience: float, *, has_body: bool) -> None:
        self._send, self._policies, self._patience = send, policies, patience
        self._has_body = has_body
        self.status, self.size, self.ended = 0, 0, 0.0

    async def __call__(self, message: MutableMapping[str, Any]) -> None:
        """Pass on one part of the answer."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = self._policies.added_to(message.get("headers", ()))
            await self._send(message)
            return
        if not self._has_body:
            message["body"] = b""
        self.size += len(message.get("body", b""))
        if message.get("more_body"):
            # The server waits here for a client that does not take what was sent before.
            try:
                async with asyncio.timeout(self._patience):
                    await self._send(message)
            except TimeoutError:
                raise ClientLeft from None
            return
        await self._send(message)
        self.ended = time.perf_counter()

    async def all(self, messages: Iterable[Message]) -> None:
        """Send a whole answer."""
        for message in messages:
            await self(message)


class Replayed:
    """A body that is here already, as the application asks for it."""

    __slots__ = ("_body", "_receive")

    def __init__(self, body: bytes, receive: Receive) -> None:
        self._body: bytes | None = body
        self._receive = receive

    async def __call__(self) -> MutableMapping[str, Any]:
        """Return the body, then whatever the server says."""
        body, self._body = self._body, None
        if body is None:
            return await self._receive()  # which tells when the client leaves
        return {"type": "http.request", "body": body, "more_body": False}


async def part_of(receive: Receive) -> tuple[bytes, bool]:
    """Return the next part of a body, and whether more follows; ClientLeft where none will."""
    message = await receive()
    if message["type"] == "http.disconnect":
        raise ClientLeft
    return message.get("body", b""), message.get("more_body", False)


async def drain(receive: Receive, most: int) -> None:
    """Throw away what comes, within bounds: a client that is still sending reads no answer."""
    try:
        async with asyncio.timeout(_DRAIN_SECONDS):
            size, more = 0, True
            while more and size < most:
                part, more = await part_of(receive)
                size += len(part)
    except TimeoutError:
        return
