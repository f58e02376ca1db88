"""Middleware: limits the request rate of a client over all workers, in one table that they map.

A client's state is one number: the time at which its requests are paid off at the allowed rate (the
"theoretical arrival time" of the generic cell rate algorithm, a token bucket without refills). A
byte-range lock, which the kernel releases when a process dies, serialises the workers.

References
----------
.. [1] ITU-T Recommendation I.371, Traffic control and congestion control in B-ISDN, annex A.
"""

import contextlib
import fcntl
import hashlib
import ipaddress
import mmap
import os
import secrets
import struct
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from starlette.types import ASGIApp, Receive, Scope, Send

from alsolike.errors import Refusal, WritingError
from alsolike.web.edge.exchange import client_of

_MAGIC = b"alsolim1"
_KEY_BYTES = 16
_HEAD = 192  # bytes before the first group: magic, key, nothing
_SLOTS = 8  # clients in a group; a ninth replaces the one with the most left
_GROUPS = 8192
_GROUP = struct.Struct("<" + "16sd" * _SLOTS)
_SLOT = struct.Struct("<16sd")
_KNOWN = 4096  # clients whose hash is cached
_TRIES, _PAUSE = 20, 0.0001  # attempts and pause (s) for a locked group

_Place = tuple[int, bytes]


class Limiter:
    """Counts requests per client against `rate` and `burst`, together with all other workers.

    Parameters
    ----------
    path : Path
        The table, created if missing; about 1.5 MiB.
    rate : float
        Sustained requests per second and client; above 0.
    burst : int
        Requests in one burst; at least 1.
    clock : callable
        Seconds, the same for all workers of this machine.

    Raises
    ------
    WritingError
        The table cannot be made or mapped.

    Notes
    -----
    Not thread-safe: byte-range locks are per process. Only the event loop uses it.

    Examples
    --------
    >>> import tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> limiter = Limiter(Path(folder.name) / "limits.bin", rate=1.0, burst=2, clock=lambda: 100.0)
    >>> [limiter.take("192.0.2.7") for _ in range(3)], limiter.take("192.0.2.8")
    ([0.0, 0.0, 1.0], 0.0)
    >>> limiter.close(); folder.cleanup()
    """

    def __init__(
        self, path: Path, rate: float, burst: int, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._rate, self._cost = rate, 1.0 / rate
        self._ahead = burst / rate  # how far in the future the time may be
        self._clock = clock
        self._places: dict[str, _Place] = {}
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            self._table, self._key = _mapped(self._file)
        except OSError as error:
            raise WritingError(f"{path}: cannot be written ({error.strerror}).") from error

    def take(self, client: str, cost: float = 1.0) -> float:
        """Count a request of a client; return 0, or how many seconds it is too early.

        Parameters
        ----------
        client : str
            Its address; IPv6 clients count by their /64.
        cost : float
            Requests that this one counts as; refused ones cost nothing.
        """
        place = self._places.get(client) or self._place(client)
        start, fingerprint = place
        locked = self._lock(start)
        try:
            return self._count(start, fingerprint, cost * self._cost)
        finally:
            if locked:
                fcntl.lockf(self._file, fcntl.LOCK_UN, _GROUP.size, start)

    def check(self, client: str, cost: float = 1.0) -> None:
        """Count a request as `take` does; raise Refusal (429) if there are too many."""
        early = self.take(client, cost)
        if early > 0:
            seconds = int(early) + 1
            raise Refusal(
                429,
                "too_many_requests",
                f"More than {self._rate:g} requests a second from this address. "
                f"Retry in {seconds} s.",
                headers={"Retry-After": f"{seconds}"},
            )

    def close(self) -> None:
        """Close the table for this worker."""
        self._table.close()
        os.close(self._file)

    def _count(self, start: int, fingerprint: bytes, cost: float) -> float:
        group = _GROUP.unpack_from(self._table, start)
        now = self._clock()
        if fingerprint in group[::2]:
            slot = group.index(fingerprint) // 2
            paid = group[2 * slot + 1]
            # A time too far ahead is from before a reboot.
            if not now < paid <= now + 2 * self._ahead:
                paid = now
        else:
            moments = group[1::2]
            slot = moments.index(min(moments))
            paid = now
        paid += cost
        early = paid - now - self._ahead
        if early > 1e-9:
            return float(early)
        _SLOT.pack_into(self._table, start + slot * _SLOT.size, fingerprint, paid)
        return 0.0

    def _lock(self, start: int) -> bool:
        for _ in range(_TRIES):
            try:
                fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, _GROUP.size, start)
            except BlockingIOError:
                time.sleep(_PAUSE)
            except OSError:
                break
            else:
                return True
        # A worker that was stopped while holding the lock must not block the others. At worst, one
        # request is not counted.
        return False

    def _place(self, client: str) -> _Place:
        if len(self._places) >= _KNOWN:
            self._places.clear()
        digest = hashlib.blake2b(
            counted_as(client).encode("utf-8", "surrogatepass"), key=self._key, digest_size=24
        ).digest()
        group = int.from_bytes(digest[16:], "little") % _GROUPS
        place = (_HEAD + group * _GROUP.size, digest[:16])
        self._places[client] = place
        return place


class RateLimitMiddleware:
    """Refuses requests of a client above the rate (429)."""

    def __init__(self, app: ASGIApp, *, limiter: Limiter) -> None:
        self._app, self._limiter = app, limiter

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Count one request and pass it on."""
        if scope["type"] == "http":
            self._limiter.check(client_of(scope))
        return self._app(scope, receive, send)


def counted_as(client: str) -> str:
    """Return the key of `client` in the table: its address, or the /64 of an IPv6 address.

    Examples
    --------
    >>> counted_as("192.0.2.7"), counted_as("2001:db8::17"), counted_as("::ffff:192.0.2.7")
    ('192.0.2.7', '2001:db8::/64', '192.0.2.7')
    """
    with contextlib.suppress(ValueError):
        address = ipaddress.ip_address(client)
        if isinstance(address, ipaddress.IPv6Address):
            if address.ipv4_mapped is not None:
                return str(address.ipv4_mapped)
            return str(ipaddress.ip_network((int(address) >> 64 << 64, 64)))
    return client


def _mapped(file: int) -> tuple[mmap.mmap, bytes]:
    """Return the table and its key; the first process creates both."""
    size = _HEAD + _GROUPS * _GROUP.size
    fcntl.lockf(file, fcntl.LOCK_EX, _HEAD, 0)
    try:
        if os.fstat(file).st_size < size:  # never shortened: others map it
            os.ftruncate(file, size)
        table = mmap.mmap(file, size)
        if table[: len(_MAGIC)] != _MAGIC:
            # A secret key: nobody can choose an address in another client's group.
            key = secrets.token_bytes(_KEY_BYTES)
            table[: len(_MAGIC) + _KEY_BYTES] = _MAGIC + key
        key = table[len(_MAGIC) : len(_MAGIC) + _KEY_BYTES]
    finally:
        fcntl.lockf(file, fcntl.LOCK_UN, _HEAD, 0)
    return table, key
