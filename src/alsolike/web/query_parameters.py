"""The query of a request, held to what its address takes: nothing unknown, nothing given twice."""

from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from pydantic import TypeAdapter
from starlette.requests import Request
from starlette.responses import Response

from alsolike.errors import RepeatedParameter, UnknownParameter
from alsolike.suggestions import did_you_mean

# What other sites and mailings add to links that lead to pages: it asks nothing of a page.
_OF_CAMPAIGNS = "utm_"
_OF_CLICKS = frozenset({"fbclid", "gclid", "msclkid"})
_SHOWN = 60  # characters of a name that is not known


@dataclass(frozen=True)
class QueryParameters:
    """The query parameters that an address takes.

    Parameters
    ----------
    once, often : tuple of str
        Those that may be given once, and those that may be given again.
    for_people : bool
        Whether it is the address of a page: what mailings and other sites add to links to it
        (``utm_...``, ``fbclid``, ``gclid``, ``msclkid``) is passed over.
    """

    once: tuple[str, ...] = ()
    often: tuple[str, ...] = ()
    for_people: bool = False

    def check(self, given: Iterable[str]) -> None:
        """Raise where a name is none of these, or is given again and may not be.

        Parameters
        ----------
        given : iterable of str
            The names of a query, as often as they stand in it.

        Raises
        ------
        UnknownParameter
            The message names the unknown one, those that are known, and which may be meant.
        RepeatedParameter
            One of `once` is given more than once.

        Examples
        --------
        >>> QueryParameters(("k", "model"), ("allow",)).check(["k", "allow", "allow"])
        >>> QueryParameters(("k", "model")).check(["modell"])
        Traceback (most recent call last):
        alsolike.errors.UnknownParameter: 'modell' is no parameter of this address. Did you \
mean 'model'? It takes: k, model.
        """
        known = sorted({*self.once, *self.often})
        for name, times in Counter(given).items():
            if self.for_people and (name.startswith(_OF_CAMPAIGNS) or name in _OF_CLICKS):
                continue
            if name not in known:
                raise _unknown(name, known)
            if times > 1 and name in self.once:
                raise RepeatedParameter(f"{name} is given {times} times. Give it once.", name)


class CheckedRoute(APIRoute):
    """A route that refuses a query that its function does not take."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the function that answers a request."""
        answered = super().get_route_handler()
        fields = list(_query_fields(self.dependant))
        takes = QueryParameters(
            once=tuple(name for name, is_list in fields if not is_list),
            often=tuple(name for name, is_list in fields if is_list),
        )

        async def checked(request: Request) -> Response:
            if request.scope["query_string"]:
                takes.check(name for name, _ in request.query_params.multi_items())
            return await answered(request)

        return checked


def _query_fields(dependant: Dependant) -> Iterator[tuple[str, bool]]:
    """Yield the name of each query parameter of a function, and whether it is a list."""
    for field in dependant.query_params:
        schema = TypeAdapter(field.field_info.annotation or str).json_schema()
        kinds = {one.get("type") for one in (schema, *schema.get("anyOf", ()))}
        yield field.alias, "array" in kinds
    for inner in dependant.dependencies:
        yield from _query_fields(inner)


def _unknown(name: str, known: list[str]) -> UnknownParameter:
    shown = repr(name if len(name) <= _SHOWN else f"{name[:_SHOWN]}\N{HORIZONTAL ELLIPSIS}")
    if not known:
        message = f"This address takes no parameters; {shown} was given."
        return UnknownParameter(message, name)
    return UnknownParameter(
        f"{shown} is no parameter of this address.{did_you_mean(name, known)} It takes: "
        f"{', '.join(known)}.",
        name,
    )
