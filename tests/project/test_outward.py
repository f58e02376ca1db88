"""What programs and scripts rely on stays: the API, the pages, metrics, tables and options.

`record_compatibility.py` says how today's was recorded. Additions are free; losses are not.
"""

import copy
import json
import math
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="the extra 'serve' is not installed")

import record_compatibility as outward

# Keys whose values are for people. Names of properties are no such keys.
PROSE = {"description", "summary"}
# Where an API may come to say more; what else it says of something is all there is to say.
MAY_GROW = {"paths", "responses", "properties", "content"}


def recorded(name: str) -> Any:
    return json.loads((outward.HERE / name).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    with outward.service(tmp_path_factory.mktemp("service")) as one:
        yield one


def lost(before: Any, now: Any, where: str = "") -> Iterator[str]:
    """Yield what an answer no longer says; further keys are no loss."""
    if isinstance(before, dict) and isinstance(now, dict):
        for key, value in before.items():
            if key in now:
                yield from lost(value, now[key], f"{where}/{key}")
            else:
                yield f"{where}/{key} is gone"
    elif isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        for number, (one, other) in enumerate(zip(before, now, strict=True)):
            yield from lost(one, other, f"{where}/{number}")
    elif isinstance(before, float) and isinstance(now, float):
        if not math.isclose(before, now, rel_tol=1e-9, abs_tol=1e-12):
            yield f"{where} was {before}, is {now}"
    elif type(before) is not type(now) or before != now:
        yield f"{where} was {before!r}, is {now!r}"


def broken(before: dict[str, Any], now: dict[str, Any]) -> Iterator[str]:
    """Yield what breaks a client of one OpenAPI description when another takes its place."""

    def followed(document: dict[str, Any], node: Any) -> Any:
        while isinstance(node, dict) and "$ref" in node:
            reference, node = node["$ref"], document
            for key in reference.removeprefix("#/").split("/"):
                node = node[key]
        return node

    def of_parameters(old: list[Any], new: list[Any], path: tuple[str, ...]) -> Iterator[str]:
        olds, news = ({(one["in"], one["name"]): one for one in many} for many in (old, new))
        for key, one in olds.items():
            yield from compared(one, news.get(key), (*path, *key))
        for key in news.keys() - olds.keys():
            if news[key].get("required"):
                yield f"{'/'.join((*path, *key))} is new and required"

    def compared(old: Any, new: Any, path: tuple[str, ...]) -> Iterator[str]:
        """Compare what stands at `path`, with references followed on both sides."""
        old, new = followed(before, old), followed(now, new)
        name = path[-1] if path else ""
        if not isinstance(old, dict) or not isinstance(new, dict):
            if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
                for number, pair in enumerate(zip(old, new, strict=True)):
                    yield from compared(*pair, (*path, str(number)))
            elif old != new or type(old) is not type(new):
                yield f"{'/'.join(path)} was {old!r}, is {new!r}"
            return
        is_map = name in MAY_GROW or path[-2:-1] == ("paths",)
        for key in sorted(old.keys() | new.keys()):
            inner = (*path, key)
            if key == "parameters" and path[-3:-2] == ("paths",):
                yield from of_parameters(old.get(key, []), new.get(key, []), inner)
            elif key == "required" and isinstance(old.get(key, new.get(key)), list):
                olds, news = set(old.get(key, [])), set(new.get(key, []))
                # What is sent must not have to say more; an answer may always say more.
                if not olds <= news or ("requestBody" in path and olds != news):
                    yield f"{'/'.join(inner)} was {sorted(olds)}, is {sorted(news)}"
            elif key in PROSE and not is_map:
                continue
            elif key not in new:
                yield f"{'/'.join(inner)} is gone"
            elif key in old:
                yield from compared(old[key], new[key], inner)
            elif not is_map:
                yield f"{'/'.join(inner)} is new: {new[key]!r}"

    yield from compared({"paths": before["paths"]}, {"paths": now["paths"]}, ())


def ids_as_text(node):
    """Return a description in which ids are text only, as they were when it was recorded.

    They are whole numbers only of models of tables whose ids are; such a model answered with their
    digits, which no client could join with its table. In requests, the digits are still taken.
    """
    if isinstance(node, list):
        return [ids_as_text(one) for one in node]
    if not isinstance(node, dict):
        return node
    found = {key: ids_as_text(one) for key, one in node.items()}
    kinds = found.get("anyOf", [])
    if {"type": "integer"} in kinds and any(one.get("type") == "string" for one in kinds):
        left = [one for one in kinds if one != {"type": "integer"}]
        del found["anyOf"]
        found |= left[0] if len(left) == 1 else {"anyOf": left}
    return found


def with_any_by(document):
    """Return a description in which `by` is any text: it takes names of blocks besides its words.

    A request may say more than when it was recorded, and what it could say still means the same.
    """
    for path in document["paths"].values():
        for one in path.get("get", {}).get("parameters", ()):
            if one["name"] == "by":
                for key in ("enum", "maxLength"):
                    one["schema"].pop(key, None)
    return document


def test_the_api_describes_all_that_it_described(client):
    before, now = map(ids_as_text, (recorded("openapi.json"), outward.description(client)))
    before, now = with_any_by(before), with_any_by(now)
    assert list(broken(before, now)) == []
    for key in ("openapi", "info"):
        assert list(lost(before[key], now[key], key)) == []


def item_similar(document):
    return document["paths"]["/api/v1/items/{item_id}/similar"]["get"]


def shape(name):
    return lambda document: document["components"]["schemas"][name]


def parameter(name):
    return lambda document: next(
        one for one in item_similar(document)["parameters"] if one["name"] == name
    )


@pytest.mark.parametrize(
    ("place", "change"),
    [
        (lambda document: document["paths"], lambda one: one.pop("/api/v1/similar")),
        (lambda document: document["paths"]["/api/v1/likes"], lambda one: one.pop("delete")),
        (item_similar, lambda one: one["parameters"].pop()),
        (item_similar, lambda one: one["responses"].pop("404")),
        (item_similar, lambda one: one["parameters"].append(
            {"name": "must", "in": "query", "required": True, "schema": {"type": "string"}})),
        (parameter("k"), lambda one: one.update(required=True)),
        (parameter("k"), lambda one: one["schema"].update(maximum=5)),
        (parameter("k"), lambda one: one["schema"].update(default=11)),
        (shape("Ranked"), lambda one: one["properties"].pop("likes")),
        (shape("Ranked"), lambda one: one["properties"]["score"].update(type="string")),
        (shape("Ranked"), lambda one: one["required"].remove("score")),
        (shape("Explained"), lambda one: one["properties"]["basis"]["enum"].append("other")),
        (shape("Like"), lambda one: one["required"].append("value")),
        (shape("Fault"), lambda one: one["properties"].pop("field")),
    ],
)  # fmt: skip
def test_a_loss_in_the_description_is_found(place, change):
    before = recorded("openapi.json")
    now = copy.deepcopy(before)
    change(place(now))
    assert list(broken(before, now))


@pytest.mark.parametrize(
    ("place", "change"),
    [
        (lambda document: document["paths"], lambda one: one.update({"/more": {}})),
        (lambda document: document["paths"]["/healthz"], lambda one: one.update(post={})),
        (item_similar, lambda one: one["parameters"].insert(
            0, {"name": "may", "in": "query", "schema": {"type": "string"}})),
        (item_similar, lambda one: one["responses"].update({"418": {}})),
        (item_similar, lambda one: one.update(description="other words")),
        (parameter("k"), lambda one: one["schema"].update(description="other words")),
        (shape("Ranked"), lambda one: one["properties"].update(more={"type": "string"})),
        (shape("Ranked"), lambda one: one["required"].append("more")),
        (shape("Like"), lambda one: one["properties"].update(more={"type": "string"})),
    ],
)  # fmt: skip
def test_an_addition_to_the_description_is_free(place, change):
    before = recorded("openapi.json")
    now = copy.deepcopy(before)
    change(place(now))
    assert list(broken(before, now)) == []


def test_the_api_answers_as_it_did(tmp_path):
    before = recorded("service.json")["answers"]
    with outward.service(tmp_path) as client:  # of its own: likes are told to it
        now = outward.answers(client, [one["request"] for one in before])
    for one, other in zip(before, now, strict=True):
        assert list(lost(one, other)) == [], one["request"]


def test_pages_have_the_status_type_and_title_that_they_had(client):
    before = recorded("service.json")["pages"]
    assert outward.pages(client, [one["request"] for one in before]) == before


def test_metrics_keep_their_names_types_and_labels(client):
    # A label more would split what somebody's alarm watches, so labels are all the same.
    assert list(lost(recorded("metrics.json"), outward.metrics(client))) == []


def test_tables_of_a_run_keep_their_columns(tmp_path):
    now = outward.columns(tmp_path / "out")
    for table, before in recorded("columns.json").items():
        names = {name for name, _ in before}
        assert [one for one in now[table] if one[0] in names] == before, table


def test_verbs_take_what_they_took():
    now = outward.options()
    for verb, before in recorded("options.json").items():
        assert set(before["options"]) <= set(now[verb]["options"]), verb
        assert set(now[verb]["required"]) <= set(before["required"]), verb
        # By their places; one that takes several may still be given one.
        arguments = [one.removesuffix("...") for one in now[verb]["arguments"]]
        known = [one.removesuffix("...") for one in before["arguments"]]
        assert arguments[: len(known)] == known, verb
