"""What is answered to a request that goes no further: one shape for all, the API's own."""

import json
from collections.abc import Iterable, Sequence

Headers = Sequence[tuple[bytes, bytes]]
Message = dict[str, object]


class Refusal(Exception):
    """A request is answered here and now, with a status other than success.

    Parameters
    ----------
    status : int
        Of HTTP.
    code : str
        A word for programs; also how `/metrics` counts it.
    message : str
        What was expected, what came, what to do; nothing of the request's own text.
    headers : sequence of (bytes, bytes)
        Further ones.
    field : str or None
        What of the request is wrong.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        headers: Headers = (),
        field: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.field = status, code, message, field
        self.headers = tuple(headers)

    def messages(self, *, closes: bool = False) -> Iterable[Message]:
        """Return the answer as ASGI sends it; with `closes`, the connection ends after it."""
        told = {"error": {"code": self.code, "message": self.message, "field": self.field}}
        body = json.dumps(told, ensure_ascii=True).encode("ascii")
        headers = [*self.headers, (b"cache-control", b"no-store")]
        if closes:
            headers.append((b"connection", b"close"))
        return answer(self.status, b"application/json", body, headers)


def answer(status: int, kind: bytes, body: bytes, headers: Headers = ()) -> Iterable[Message]:
    """Return a whole answer as ASGI sends it.

    Examples
    --------
    >>> [message["type"] for message in answer(200, b"text/plain", b"ok")]
    ['http.response.start', 'http.response.body']
    """
    length = str(len(body)).encode("ascii")
    fields = [(b"content-type", kind), (b"content-length", length), *headers]
    yield {"type": "http.response.start", "status": status, "headers": fields}
    yield {"type": "http.response.body", "body": body}
