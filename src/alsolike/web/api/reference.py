"""The description of the API as a page shows it: what can be asked, and the shapes of answers.

All of it is taken from the OpenAPI document, so that the page cannot say something else.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Schema = Mapping[str, Any]

_REFERENCE = "#/components/schemas/"
_KINDS = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "null": "null",
}
_HIGHEST = 10**6  # bounds beyond are there to keep numbers finite, not to be known


@dataclass(frozen=True)
class Field:
    """A parameter, or a part of a shape.

    Parameters
    ----------
    name, place, meaning : str
        Place: where it stands, "path" or "query"; nothing for a part of a shape.
    kind : str
        In words: "whole number, at least 1".
    shape : str
        The shape that it is, or of which it is a list, or nothing.
    default : str
        "needed" where a value must be given; nothing where leaving it out says nothing.
    """

    name: str
    place: str
    meaning: str
    kind: str
    shape: str
    default: str


@dataclass(frozen=True)
class Question:
    """One thing that can be asked.

    Parameters
    ----------
    name, verb, path, meaning : str
    parameters : tuple of Field
    takes, gives : str
        Shapes of the body and of the answer; nothing where there is no body.
    status : str
        Of that answer.
    """

    name: str
    verb: str
    path: str
    meaning: str
    parameters: tuple[Field, ...]
    takes: str
    gives: str
    status: str


@dataclass(frozen=True)
class Shape:
    """What is sent or answered as one object of JSON."""

    name: str
    meaning: str
    fields: tuple[Field, ...]


def questions(described: Schema) -> list[Question]:
    """Return all that an OpenAPI document says can be asked."""
    return list(_questions(described))


def shapes(described: Schema) -> list[Shape]:
    """Return all shapes that an OpenAPI document names, by name."""
    return [
        Shape(
            name,
            shape.get("description", ""),
            tuple(
                _field(part, schema, is_needed=part in shape.get("required", ()))
                for part, schema in shape["properties"].items()
            ),
        )
        for name, shape in sorted(described["components"]["schemas"].items())
    ]


def in_words(schema: Schema) -> str:
    """Return what a value may be.

    Examples
    --------
    >>> in_words({"type": "integer", "minimum": 1})
    'whole number, at least 1'
    >>> in_words({"anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "null"}]})
    'list of text, or null'
    >>> in_words({"type": "array", "items": {"$ref": "#/components/schemas/Like"}, "maxItems": 9})
    'list of Like, at most 9'
    >>> in_words({"type": "string", "enum": ["keep", "refuse"]})
    'keep or refuse'
    """
    if "anyOf" in schema:
        return ", or ".join(in_words(one) for one in schema["anyOf"])
    if "$ref" in schema:
        return _name_of(schema)
    if schema.get("type") == "array":
        return f"list of {in_words(schema['items'])}{_bounds(schema, 'minItems', 'maxItems')}"
    if "enum" in schema:
        return " or ".join(map(str, schema["enum"]))
    if schema.get("type") == "object":
        return "object"
    return f"{_KINDS[schema['type']]}{_bounds(schema, 'minimum', 'maximum')}"


def _questions(described: Schema) -> Iterator[Question]:
    for path, verbs in described["paths"].items():
        for verb, about in verbs.items():
            status, answer = next(iter(about["responses"].items()))
            body = about.get("requestBody")
            yield Question(
                name=about["operationId"],
                verb=verb.upper(),
                path=path,
                meaning=about.get("description") or about["summary"],
                parameters=tuple(_parameters(about.get("parameters", ()))),
                takes="" if body is None else _name_of(_json_of(body)),
                gives=_name_of(_json_of(answer)),
                status=status,
            )


def _parameters(stated: Sequence[Schema]) -> Iterator[Field]:
    for one in stated:
        # An optional one of a question is left out: nobody can send null in an address.
        options = [kind for kind in one["schema"].get("anyOf", ()) if kind.get("type") != "null"]
        schema = {**one["schema"], **options[0]} if len(options) == 1 else one["schema"]
        known = {key: value for key, value in schema.items() if key != "anyOf"}
        yield _field(one["name"], known, is_needed=one["required"], place=one["in"])


def _field(name: str, schema: Schema, *, is_needed: bool, place: str = "") -> Field:
    inner = schema.get("items", schema)
    default = schema.get("default")
    return Field(
        name=name,
        place=place,
        meaning=schema.get("description", ""),
        kind=in_words(schema),
        shape=_name_of(inner) if "$ref" in inner else "",
        default="needed" if is_needed else _said(default),
    )


def _said(value: Any) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else f"{value}"


def _bounds(schema: Schema, least: str, most: str) -> str:
    said = [
        f"{words} {schema[bound]:,g}"
        for words, bound in (("at least", least), ("at most", most))
        if bound in schema and 0 < abs(schema[bound]) <= _HIGHEST
    ]
    return "".join(f", {one}" for one in said)


def _json_of(message: Schema) -> Schema:
    schema: Schema = message["content"]["application/json"]["schema"]
    return schema


def _name_of(schema: Schema) -> str:
    return str(schema["$ref"]).removeprefix(_REFERENCE)
