"""Refuses unknown and repeated query parameters."""

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
from alsolike.usage_hints import did_you_mean

# Tracking parameters that other sites and mailings add to links are ignored on pages.
_OF_CAMPAIGNS = "utm_"
_OF_CLICKS = frozenset({"fbclid", "gclid", "msclkid"})
_SHOWN = 60  # characters of an unknown name


@dataclass(frozen=True)
class QueryParameters:
    """The query parameters of a route.

    Parameters
    ----------
    once, often : tuple of str
        Names that may be given once, and repeatable ones.
    for_people : bool
        Whether tracking parameters (``utm_...``, ``fbclid``, ``gclid``, ``msclkid``) are ignored.
    """

    once: tuple[str, ...] = ()
    often: tuple[str, ...] = ()
    for_people: bool = False

    def check(self, given: Iterable[str]) -> None:
        """Raise for an unknown name, or a repeated one that is not repeatable.

        Raises
        ------
        UnknownParameter
            The message lists the known names.
        RepeatedParameter
            One of `once` is given more than once.

        Examples
        --------
        >>> QueryParameters(("k", "model"), ("allow",)).check(["k", "allow", "allow"])
        >>> QueryParameters(("k", "model")).check(["modell"])
        Traceback (most recent call last):
        alsolike.errors.UnknownParameter: Unknown parameter 'modell'. Did you mean 'model'? \
Known are: k, model.
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
    """A route that refuses query parameters that its function does not have."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the function that answers a request."""
        answered = super().get_route_handler()
        fields = list(_query_fields(self.dependant))
        parameters = QueryParameters(
            once=tuple(name for name, is_list in fields if not is_list),
            often=tuple(name for name, is_list in fields if is_list),
        )

        async def checked(request: Request) -> Response:
            if request.scope["query_string"]:
                parameters.check(name for name, _ in request.query_params.multi_items())
            return await answered(request)

        return checked


def _query_fields(dependant: Dependant) -> Iterator[tuple[str, bool]]:
    """Yield the names of a function's query parameters, and whether each is a list."""
    for field in dependant.query_params:
        schema = TypeAdapter(field.field_info.annotation or str).json_schema()
        kinds = {one.get("type") for one in (schema, *schema.get("anyOf", ()))}
        yield field.alias, "array" in kinds
    for inner in dependant.dependencies:
        yield from _query_fields(inner)


def _unknown(name: str, known: list[str]) -> UnknownParameter:
    shown = repr(name if len(name) <= _SHOWN else f"{name[:_SHOWN]}\N{HORIZONTAL ELLIPSIS}")
    if not known:
        message = f"This address has no parameters; {shown} was given."
        return UnknownParameter(message, name)
    return UnknownParameter(
        f"Unknown parameter {shown}.{did_you_mean(name, known)} Known are: {', '.join(known)}.",
        name,
    )
