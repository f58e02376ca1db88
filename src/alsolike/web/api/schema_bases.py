"""Defines the bases of request and response bodies of the API, and its errors."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from alsolike.usage_hints import did_you_mean


class Taken(BaseModel):
    """Base of request bodies; unknown fields are errors."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown(cls, given: Any) -> Any:
        """Report unknown fields before missing ones, which they often are, misspelt."""
        known = sorted(cls.model_fields)
        for name in given if isinstance(given, dict) else ():
            if name not in known:
                raise ValueError(
                    f"Unknown field {name[:60]!r} of {cls.__name__}.{did_you_mean(name, known)} "
                    f"Known are: {', '.join(known)}"
                )
        return given


class Fault(BaseModel):
    """Description of an error."""

    code: str = Field(
        description="for programs; model_unable: this kind of model cannot do this, another served "
        "model may"
    )
    message: str
    field: str | None = None


class Refused(BaseModel):
    """Error response."""

    error: Fault


class Source(BaseModel):
    """Model of a response."""

    name: str
    version: str


class Answer(BaseModel):
    """Fields of every response."""

    model: Source


def to_json(kind: type[BaseModel], **fields: Any) -> bytes:
    """Return a response as JSON."""
    return kind.model_validate(fields).model_dump_json().encode("utf-8")


# Error responses of every route.
REFUSALS: dict[int | str, dict[str, Any]] = {
    status: {"model": Refused}
    for status in (400, 401, 403, 404, 405, 408, 411, 413, 414, 415, 422, 429, 500, 503)
}
