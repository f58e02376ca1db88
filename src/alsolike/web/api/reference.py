"""Lists the endpoints and schemas of the OpenAPI document, for the reference page."""

from collections.abc import Mapping
from typing import Any

Schema = Mapping[str, Any]
Row = dict[str, Any]

_REFERENCE = "#/components/schemas/"
_KINDS = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "null": "null",
}
_HIGHEST = 10**6  # larger bounds only keep numbers finite, and are not shown


def endpoints(described: Schema) -> list[Row]:
    """Return all endpoints; "body" and "answer" name the schemas of request and response."""
    found = []
    for path, verbs in described["paths"].items():
        for verb, about in verbs.items():
            status, answer = next(iter(about["responses"].items()))
            body = about.get("requestBody")
            found.append(
                {
                    "name": about["operationId"],
                    "verb": verb.upper(),
                    "path": path,
                    "meaning": about.get("description") or about["summary"],
                    "parameters": [_parameter(one) for one in about.get("parameters", ())],
                    "body": "" if body is None else _name_of(_json_of(body)),
                    "answer": _name_of(_json_of(answer)),
                    "status": status,
                }
            )
    return found


def schemas(described: Schema) -> list[Row]:
    """Return all schemas, by name."""
    return [
        {
            "name": name,
            "meaning": shape.get("description", ""),
            "fields": [
                _field(part, schema, is_needed=part in shape.get("required", ()))
                for part, schema in shape["properties"].items()
            ],
        }
        for name, shape in sorted(described["components"]["schemas"].items())
    ]


def in_words(schema: Schema) -> str:
    """Describe the type of a value in words.

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


def _parameter(one: Schema) -> Row:
    # A URL cannot hold null, so only the other type of an optional parameter is shown.
    options = [kind for kind in one["schema"].get("anyOf", ()) if kind.get("type") != "null"]
    schema = {**one["schema"], **options[0]} if len(options) == 1 else one["schema"]
    known = {key: value for key, value in schema.items() if key != "anyOf"}
    return _field(one["name"], known, is_needed=one["required"], place=one["in"])


def _field(name: str, schema: Schema, *, is_needed: bool, place: str = "") -> Row:
    """Return a parameter, or a field of a schema; "kind": type in words, "shape": a schema."""
    inner, default = schema.get("items", schema), schema.get("default")
    if default is None or isinstance(default, bool):
        default = "" if default is None else str(default).lower()
    return {
        "name": name,
        "place": place,
        "meaning": schema.get("description", ""),
        "kind": in_words(schema),
        "shape": _name_of(inner) if "$ref" in inner else "",
        "default": "needed" if is_needed else f"{default}",
    }


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
