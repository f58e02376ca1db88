"""What the outside sees of the program: taken here, kept in `compatibility/`, held to by tests.

``python tests/record_compatibility.py`` writes today's anew. Only on purpose: a change that breaks
what is recorded breaks somebody's program, and its commit says why that is right.
"""

import contextlib
import html
import json
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click
import click.testing
import duckdb
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from alsolike.cli.group import main as alsolike
from serving import client_of, settings_of

HERE = Path(__file__).parent / "compatibility"
SWAP_TOKEN = "only-for-these-requests"
VERSION = "{version}"  # stands for that of the model, which a later format may count otherwise
WORDS = "{words}"  # stand for the message of an error, which people read

_FILTERED = "k=3&allow=a12&allow=a15&allow=a18&allow=a21&deny=a15"
_LIKES = [{"item": "a0"}, {"item": "é1", "value": 3.0}]
# In this order: likes that the service is told change what it answers afterwards.
REQUESTS: tuple[tuple[str, str, Any], ...] = (
    ("GET", "/healthz", None),
    ("GET", "/readyz", None),
    ("GET", "/api/v1/model", None),
    ("GET", "/api/v1/items?q=a1&limit=5", None),
    ("GET", "/api/v1/items/a0", None),
    ("GET", "/api/v1/items/none", None),
    ("GET", "/api/v1/item?item=%C3%A91", None),
    ("GET", "/api/v1/items/a0/similar?k=3", None),
    ("GET", f"/api/v1/items/a0/similar?model=als&min_count=0&{_FILTERED}", None),
    ("GET", "/api/v1/items/a0/similar?k=0", None),
    ("GET", "/api/v1/items/a0/similar?unheard_of=1", None),
    ("GET", "/api/v1/items/a0/similar?model=none", None),
    ("GET", "/api/v1/similar?item=%C3%A91&k=3", None),
    ("GET", "/api/v1/similar", None),
    ("GET", "/api/v1/items/a0/similar?k=3&popularity_bias=0.2&affinity=audience", None),
    ("GET", "/api/v1/items/a0/similar?popularity_bias=2", None),
    ("GET", "/api/v1/features?q=a", None),
    ("GET", "/api/v1/features/items?feature=rock", None),
    ("GET", "/api/v1/features/recommendations?feature=rock", None),
    ("GET", "/api/v1/features/suggested?item=a0", None),
    ("GET", "/api/v1/items/a0/features/suggested", None),
    ("GET", "/api/v1/items/a0/similar?by=features", None),
    ("POST", "/api/v1/items", {"items": [{"id": "new", "features": {"tag": ["rock"]}}]}),
    ("POST", "/api/v1/similar", {"items": ["a0", "é1"], "k": 3, "popularity_bias": 0.5}),
    ("POST", "/api/v1/similar", {"items": ["none", "a0"]}),
    ("GET", "/api/v1/items/a0/explanations?other=a12", None),
    ("GET", "/api/v1/users/user%200/recommendations?k=3", None),
    ("GET", "/api/v1/users/user%200/recommendations?k=3&exclude_seen=false", None),
    ("GET", "/api/v1/users/user%200/recommendations?k=3&model=popularity", None),
    ("GET", f"/api/v1/users/user%207/recommendations?model=als&{_FILTERED}", None),
    ("GET", "/api/v1/users/nobody/recommendations?k=3", None),
    ("GET", "/api/v1/users/nobody/recommendations?k=3&without_likes=empty", None),
    ("GET", "/api/v1/recommendations?user=user%207&k=3", None),
    ("POST", "/api/v1/recommendations", {"likes": _LIKES, "k": 3}),
    ("POST", "/api/v1/recommendations?model=popularity", {"likes": _LIKES, "k": 3}),
    (
        "POST",
        "/api/v1/recommendations?model=als",
        {"likes": _LIKES, "k": 3, "allow": ["a0", "a12", "a15"], "deny": ["a15"],
         "exclude_seen": False, "without_likes": "empty"},
    ),
    ("POST", "/api/v1/recommendations", {"likes": [], "k": 3}),
    ("POST", "/api/v1/recommendations", {"likes": [{"item": "none"}]}),
    ("POST", "/api/v1/recommendations", {"like": []}),
    ("GET", "/api/v1/users/user%200/explanations?item=a3", None),
    ("GET", "/api/v1/users/nobody/explanations?item=a3", None),
    ("POST", "/api/v1/users/ann/likes", {"likes": [*_LIKES, {"item": "none"}]}),
    ("POST", "/api/v1/likes?user=user%200", {"likes": [{"item": "a3", "value": 2.0}]}),
    ("GET", "/api/v1/users/ann/recommendations?k=3", None),
    ("GET", "/api/v1/users/ann/explanations?item=a3", None),
    ("GET", "/api/v1/users/user%200/recommendations?k=3", None),
    ("DELETE", "/api/v1/users/ann/likes/a0", None),
    ("DELETE", "/api/v1/likes?user=user%200&item=a3", None),
    ("DELETE", "/api/v1/likes?user=user%200&item=a3", None),
    ("POST", "/api/v1/model/swap", {}),
    ("POST", "/api/v1/model/swap", {"model": "none"}),
    ("POST", "/api/v1/model/swap", {"bundle": "none"}),
    ("PUT", "/api/v1/model", None),
    ("GET", "/api/v1/nothing", None),
)  # fmt: skip
PAGES: tuple[tuple[str, str], ...] = (
    ("GET", "/"),
    ("GET", "/?q=a1"),
    ("GET", "/random"),
    ("GET", "/item"),
    ("GET", "/item?id=a0"),
    ("GET", "/items/a0"),
    ("GET", "/items/a0?popularity_bias=0.2"),
    ("GET", "/items/none"),
    ("GET", "/user"),
    ("GET", "/user?id=user%200"),
    ("GET", "/users/user%200"),
    ("GET", "/users/nobody"),
    ("GET", "/try"),
    ("GET", "/try?item=a0"),
    ("GET", "/try?unheard_of=1"),
    ("GET", "/features"),
    ("GET", "/map"),
    ("GET", f"/map/points/als/{VERSION}"),
    ("GET", f"/map/names/als/{VERSION}"),
    ("GET", f"/map/item/als/{VERSION}?row=1"),
    ("GET", f"/pictures/als/{VERSION}/0"),
    ("GET", "/compare"),
    ("POST", "/compare"),
    ("GET", "/compare/result"),
    ("GET", "/about"),
    ("GET", "/report"),
    ("GET", "/leaderboard"),
    ("GET", "/docs"),
    ("GET", "/openapi.json"),
    ("GET", "/metrics"),
    ("GET", "/static/none.css"),
    ("GET", "/nothing"),
)
RUN = (
    "--value plays --item-name item --k 3 --min-per-user 2 --min-per-item 1 --set factors=4 "
    "--grid alpha=2.5,3 --grid regularization=0.5,10 --sweeps 2,4 --baselines popularity --quiet "
    "--set confidence=log --set values=given --set unobserved_weight=1 "
    "--set regularization_exponent=0"
)
TABLES = (
    "similar_items.parquet",
    "recommendations.parquet",
    "learning_curves.parquet",
    "leaderboard.csv",
    "learning_curves.csv",
)


@contextlib.contextmanager
def service(folder: Path) -> Iterator[TestClient]:
    """Give a client of a service with the recorded bundle, laid out in `folder` as a run does."""
    shutil.copytree(HERE / "bundle-with-history", folder / "run" / "model")
    shutil.copy(HERE / "leaderboard.csv", folder / "run")
    report = "<!doctype html><title>A report</title>"
    (folder / "run" / "report.html").write_text(report, encoding="utf-8")
    settings = settings_of(folder / "state", folder / "run" / "model", swap_token=SWAP_TOKEN)
    with client_of(settings) as client:
        yield client


def description(client: TestClient) -> dict[str, Any]:
    """Return how the API describes itself, but for the version of the program."""
    described = client.get("/openapi.json").json()
    del described["info"]["version"]
    return described


def answers(client: TestClient, requests: Sequence[Sequence[Any]]) -> list[dict[str, Any]]:
    """Ask the API in this order; return each request with its status and its answer."""
    version = client.app.state.service.registry.of(None).version
    found = []
    for method, path, body in requests:
        headers = {"authorization": f"Bearer {SWAP_TOKEN}"} if path.endswith("/swap") else {}
        told = client.request(method, path, json=body, headers=headers)
        answer = json.loads(told.text.replace(version, VERSION))
        for changing in ("seconds", "counts_as_of"):  # these likes have no times
            answer.pop(changing, None)
        if "error" in answer:
            answer["error"]["message"] = answer["error"]["message"] and WORDS
        found.append(
            {
                "request": [method, path, body],
                "status": told.status_code,
                "type": told.headers["content-type"],
                "answer": answer,
            }
        )
    return found


def pages(client: TestClient, requests: Sequence[Sequence[str]]) -> list[dict[str, Any]]:
    """Ask for pages as a browser does; return the status, type and title of each."""
    version = client.app.state.service.registry.of(None).version
    found = []
    for method, path in requests:
        told = client.request(
            method,
            path.replace(VERSION, version[:16]),
            headers={"accept": "text/html,*/*"},
            follow_redirects=False,
        )
        kind = told.headers.get("content-type")
        is_page = (kind or "").startswith("text/html")
        title = re.search("<title>(.*?)</title>", told.text, re.DOTALL) if is_page else None
        found.append(
            {
                "request": [method, path],
                "status": told.status_code,
                "type": kind,
                "title": html.unescape(title[1]).strip() if title else None,
            }
        )
    return found


def metrics(client: TestClient) -> dict[str, Any]:
    """Return the type of each metric, and its samples with the names of their labels."""
    swap = {"url": "/api/v1/model/swap", "headers": {"authorization": f"Bearer {SWAP_TOKEN}"}}
    client.post(**swap, json={})
    client.get("/healthz", headers={"host": "elsewhere.example"})  # which is refused
    # A model that cannot be loaded comes about by a failing disk only.
    client.app.state.service.metrics.count("failed_loads", slot="als")
    return {
        family.name: {
            "type": family.type,
            "samples": {one.name: sorted(one.labels) for one in family.samples},
        }
        for family in text_string_to_metric_families(client.get("/metrics").text)
    }


def columns(folder: Path) -> dict[str, list[list[str]]]:
    """Run the whole job on the recorded likes; return names and types of its tables' columns."""
    words = ["run", str(HERE / "likes.csv"), *RUN.split(), "--out", str(folder)]
    result = click.testing.CliRunner().invoke(alsolike, words)
    if result.exit_code:
        raise RuntimeError(result.output)
    found = {}
    for name in TABLES:
        reading = "read_csv(?, sample_size = -1)" if name.endswith("csv") else "read_parquet(?)"
        question = f"DESCRIBE SELECT * FROM {reading}"  # noqa: S608 (one of the two above)
        rows = duckdb.execute(question, [str(folder / name)]).fetchall()
        found[name] = [[column, kind] for column, kind, *_ in rows]
    return found


def options() -> dict[str, dict[str, list[str]]]:
    """Return what each verb takes: all names of options, its arguments, those it insists on."""
    root = click.Context(alsolike, info_name="alsolike", **alsolike.context_settings)
    contexts = {"alsolike": root} | {
        name: click.Context(verb, info_name=name, parent=root)
        for name, verb in alsolike.commands.items()
    }
    found = {}
    for name, context in contexts.items():
        given = context.command.get_params(context)
        words = [one for one in given if isinstance(one, click.Option)]
        found[name] = {
            "options": sorted({text for one in words for text in one.opts + one.secondary_opts}),
            "required": sorted(_called(one) for one in given if one.required),
            "arguments": [_called(one) for one in given if isinstance(one, click.Argument)],
        }
    return found


def _called(parameter: click.Parameter) -> str:
    """Return the name of an option or argument as its help shows it."""
    is_option = isinstance(parameter, click.Option)
    return parameter.opts[0] if is_option else parameter.human_readable_name


def not_asked(client: TestClient) -> list[str]:
    """Return the routes of the application that this service was not asked, by its own count."""
    told = text_string_to_metric_families(client.get("/metrics").text)
    asked = {
        (one.labels["method"], one.labels["route"])
        for family in told
        for one in family.samples
        if one.name == "alsolike_requests_total"
    }
    return sorted(
        f"{method} {route.path_format}"
        for route in client.app.routes
        for method in route.methods - {"HEAD"}
        if (method, route.path_format) not in asked
    )


def record(name: str, found: Any) -> None:
    """Write one file of the record."""
    text = json.dumps(found, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
    (HERE / name).write_text(text + "\n", encoding="utf-8")


def main() -> None:
    """Write all files of the record."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with service(folder) as client:
            record("openapi.json", description(client))
            told = {"answers": answers(client, REQUESTS), "pages": pages(client, PAGES)}
            record("service.json", told)
            record("metrics.json", metrics(client))
            if left := not_asked(client):
                sys.exit(f"Never asked; add requests of: {', '.join(left)}")
        record("columns.json", columns(folder / "out"))
    record("options.json", options())


if __name__ == "__main__":
    main()
