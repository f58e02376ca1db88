"""Defines the ids of requests and responses: text in addresses, text or whole numbers in bodies.

Paths and queries are text, so a whole number is sent there as its digits. A body may hold either;
the vocabulary of the model says whether it can be an id. A response has the type of the model's
ids, so that a client can join it with its own table; JSON has no limit to numbers, but JavaScript
rounds those above 2^53.
"""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import Path as InPath
from fastapi import Query
from pydantic import Field, GetCoreSchemaHandler, GetJsonSchemaHandler, StringConstraints
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema
from pydantic_core.core_schema import no_info_wrap_validator_function

from alsolike.data.vocabulary import Id

MOST_OF_AN_ID = 16_384
NO_NUL = r"^[^\x00]*$"

IdText = Annotated[str, StringConstraints(min_length=1, max_length=MOST_OF_AN_ID, pattern=NO_NUL)]
IdInPath = Annotated[
    str,
    InPath(
        min_length=1,
        max_length=MOST_OF_AN_ID,
        pattern=NO_NUL,
        description="your own id, percent-encoded",
    ),
]
IdInQuery = Annotated[
    str,
    Query(min_length=1, max_length=MOST_OF_AN_ID, pattern=NO_NUL, description="your own id"),
]


class _IdInBody:
    """Lets an id be a whole number, too; errors are those of a text."""

    @classmethod
    def __get_pydantic_core_schema__(cls, _: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return no_info_wrap_validator_function(cls._taken, handler.generate_schema(IdText))

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"anyOf": [handler(schema), {"type": "integer"}]}

    @staticmethod
    def _taken(given: Any, checked_text: Callable[[Any], str]) -> Id:
        return given if type(given) is int else checked_text(given)


OutsideId = Annotated[Id, _IdInBody]
AnsweredId = Annotated[
    Id, Field(description="a whole number if the ids of the model are, else a text")
]
