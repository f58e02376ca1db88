"""Defines the parameters and fields of rules on lists, see `alsolike.Rules`."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Query
from pydantic import BaseModel, Field, StringConstraints

from alsolike.recommending.rules.rules import Rules

_MOST_RULES = 20
_MOST_VALUES = 1_000
_MOST_OF_A_TEXT = 1_000
_NO_NUL = r"^[^\x00]*$"

Text = Annotated[str, StringConstraints(min_length=1, max_length=_MOST_OF_A_TEXT, pattern=_NO_NUL)]
Values = Annotated[list[Text], Field(min_length=1, max_length=_MOST_VALUES)]
ByColumn = Annotated[dict[Text, Values] | None, Field(max_length=_MOST_RULES)]
Texts = list[Text] | None

ONLY = "items must have one of these values in a column of the item table"
EXCLUDE = "items must have none of these values"
AT_MOST = "most items of one value of a column in the list"
ONE_OF = "columns of which the list has one item of each value, for near-duplicates"
NOTE = Field(
    None,
    description="with rules: why the list has fewer than k items, in a sentence; null if it has k, "
    "and without rules",
)


@dataclass(frozen=True)
class RulesQuery:
    """Query parameters of rules on a list."""

    only: Annotated[
        Texts,
        Query(
            max_length=_MOST_RULES,
            description=f"COLUMN=VALUE or COLUMN=VALUE|VALUE: {ONLY}; repeatable",
        ),
    ] = None
    exclude: Annotated[
        Texts,
        Query(
            max_length=_MOST_RULES,
            description=f"COLUMN=VALUE or COLUMN=VALUE|VALUE: {EXCLUDE}; repeatable",
        ),
    ] = None
    at_most: Annotated[
        Texts,
        Query(max_length=_MOST_RULES, description=f"N:COLUMN: {AT_MOST}; repeatable"),
    ] = None
    one_of: Annotated[Texts, Query(max_length=_MOST_RULES, description=f"{ONE_OF}; repeatable")] = (
        None
    )

    @property
    def rules(self) -> Rules | None:
        """The rules; None if there are none."""
        texts = self.only or (), self.exclude or (), self.at_most or (), self.one_of or ()
        only, exclude, at_most, one_of = texts
        return Rules.parsed(only=only, exclude=exclude, at_most=at_most, one_of=one_of) or None


class RulesFields(BaseModel):
    """Fields of rules in a request body."""

    only: ByColumn = Field(None, description=f"columns to values: {ONLY}")
    exclude: ByColumn = Field(None, description=f"columns to values: {EXCLUDE}")
    at_most: (
        Annotated[
            dict[Text, Annotated[int, Field(ge=1, strict=True)]], Field(max_length=_MOST_RULES)
        ]
        | None
    ) = Field(None, description=f"columns to numbers: {AT_MOST}")
    one_of: Texts = Field(None, max_length=_MOST_RULES, description=ONE_OF)

    @property
    def rules(self) -> Rules | None:
        """The rules; None if there are none."""
        found = Rules(
            only=self.only or {},
            exclude=self.exclude or {},
            at_most=self.at_most or {},
            one_of=self.one_of or [],
        )
        return found or None
