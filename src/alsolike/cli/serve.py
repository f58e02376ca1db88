"""Defines the verbs of the service: serve models, swap one, export live likes."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from alsolike.cli import signals
from alsolike.cli.options import PATH, remote_images_option, to_option
from alsolike.cli.printing import say
from alsolike.errors import SettingError
from alsolike.usage_hints import way_to_install

# The extra `serve` of pyproject.toml, in a command that works from any folder.
_PARTS = (
    "fastapi>=0.115,<1",
    "httptools>=0.6,<1",
    "itsdangerous>=2.2",
    "prometheus-client>=0.21",
    "uvicorn>=0.32,<1",
    "uvloop>=0.21",
)


def _option(*names: str, **given: Any) -> Callable[..., Any]:
    return click.option(*names, show_default=given.get("default") not in (None, ()), **given)


@click.command()
@click.argument("model", type=PATH)
@click.option(
    "--model",
    "others",
    multiple=True,
    type=PATH,
    help="Another model, or NAME=PATH; repeatable.",
)
@_option("--port", type=click.IntRange(0, 65535), default=8000, help="Port; 0: any free one.")
@_option(
    "--host",
    default="127.0.0.1",
    help="Address to listen on; anything but localhost needs a token.",
)
@_option("--workers", type=click.IntRange(1, 256), default=1, help="Worker processes.")
@click.option(
    "--state",
    type=PATH,
    help="Folder for likes, votes and copies of models [default: serving, in the run's folder].",
)
@click.option(
    "--token-file", type=PATH, help="File with the token for every request [or ALSOLIKE_TOKEN]."
)
@click.option(
    "--swap-token-file",
    type=PATH,
    help="File with the token for swaps [or ALSOLIKE_SWAP_TOKEN]; without it the endpoint is "
    "disabled.",
)
@click.option("--allow-host", "hosts", multiple=True, help="Extra Host header to accept.")
@_option(
    "--base-path",
    default="",
    metavar="PATH",
    help="Path under which a proxy serves this, such as /rec.",
)
@click.option(
    "--trusted-proxy",
    "trusted_proxies",
    multiple=True,
    metavar="ADDRESS",
    help="Proxy, or network, whose X-Forwarded-For, -Proto and -Prefix count; repeatable.",
)
@click.option(
    "--cors-origin",
    "cors_origins",
    multiple=True,
    metavar="ORIGIN",
    help="Origin whose pages may read from the API, such as https://shop.example; repeatable.",
)
@_option(
    "--rate",
    type=click.FloatRange(min=0),
    default=50.0,
    help="Requests per second and client; 0: no limit.",
)
@_option("--burst", type=click.IntRange(min=1), default=200, help="Requests allowed in one burst.")
@_option(
    "--patience",
    type=click.FloatRange(min=0, min_open=True),
    default=10.0,
    help="Timeout for slow clients, in seconds.",
)
@remote_images_option
@click.option("--pictures", type=PATH, help="Folder of the image files named in the item table.")
@click.option("--bundles", type=PATH, help="Folder of the bundles that the swap endpoint may load.")
@click.option("--golden", type=PATH, help="Checks a model must pass before it is served (JSON).")
@_option("--log", default="-", help="Access log: a file, - for standard output, or '' for none.")
def serve(
    model: Path,
    others: tuple[Path, ...],
    state: Path | None,
    token_file: Path | None,
    swap_token_file: Path | None,
    **given: Any,
) -> None:
    """Serve models: an app for people and an API for a product page.

    MODEL is a bundle, or the folder of a run: then similar items are of the run's second model,
    where it has one for them (RUN/similar), and all else of RUN/model.
    """
    _refuse_without_parts()
    from alsolike.web.server import serve as serve_
    from alsolike.web.settings import Settings, model_folders, slots

    models = slots([model, *others])
    settings = Settings(
        models=models,
        state=state or model_folders(models[0].folder)[0].absolute().parent / "serving",
        token=_token(token_file, "ALSOLIKE_TOKEN"),
        swap_token=_token(swap_token_file, "ALSOLIKE_SWAP_TOKEN"),
        **given,
    )
    names = ", ".join(
        f"{slot.name} (similar items of {similar})"
        if (similar := model_folders(slot.folder)[1])
        else slot.name
        for slot in settings.models
    )
    said = "" if settings.token is None else " Log in with the token, or send it as a bearer token."

    def ready(address: str) -> None:
        signals.stop_by_itself()
        print(f"{names} at {address} (API: {address}docs).{said}", file=sys.stderr, flush=True)

    serve_(settings, ready)


@click.command()
@click.argument("state", type=PATH)
@click.argument("model", type=PATH)
@click.option("--name", help="Slot to swap [default: the first].")
def swap(state: Path, model: Path, name: str | None) -> None:
    """Switch a running service to another model.

    STATE is the state folder of the service. MODEL is the new bundle, which then answers for
    everything, or the folder of a run, whose second model for similar items is taken, too.
    """
    _refuse_without_parts()
    from alsolike.web.server import SETTINGS_FILE
    from alsolike.web.serving.deploy import swap as swap_
    from alsolike.web.serving.state_store import Store
    from alsolike.web.settings import Settings

    settings = Settings.from_file(state / SETTINGS_FILE)
    with Store(settings.state) as kept:
        say(str(swap_(settings, kept, name or settings.default, model)))


@click.command()
@click.argument("state", type=PATH)
@to_option
@click.option(
    "--forget",
    "exported",
    type=PATH,
    help="A file written by --to: delete its likes from the service, once a model trained on them "
    "is served.",
)
def likes(state: Path, to: Path | None, exported: Path | None) -> None:
    """Export the live likes of a service, to train the next model.

    STATE is the service's state folder, or a copy of it; the service may be running.
    """
    from alsolike.cli.files import write_rows
    from alsolike.storage.atomic import refuse_overlap
    from alsolike.web.serving.live_likes import live_likes, state_at

    if to is not None and exported is not None:
        raise click.UsageError(
            "Give either --to, to export likes, or --forget, to delete likes that a model has."
        )
    place = state_at(state)
    if exported is not None:
        _forget(place, exported)
        return
    refuse_overlap([place], filter(None, [to]))
    found = live_likes(place)
    if found.undated:
        say(
            f"warning: likes stored without a time by an earlier version: {found.undated:,}. They "
            "get the time at which the state was last written.",
            err=True,
        )
    if to is None:
        hint = ". To export them, give --to likes.csv" if len(found.table) else "."
        say(f"{found}{hint}")
    else:
        write_rows(to, found.table)


def _forget(state: Path, exported: Path) -> None:
    """Delete the likes of a file that `likes` wrote from the state of a service."""
    from alsolike.data.merge import to_table
    from alsolike.data.reading.read import read
    from alsolike.web.serving.state_store import Store

    found, _ = read(
        exported,
        user="user",
        item="item",
        value="value",
        timestamp="timestamp",
        repeats="error",
        negative="dislike",
    )
    rows = zip(*(column.tolist() for column in to_table(found).to_dict().values()), strict=True)
    with Store(state) as kept:
        forgotten = kept.forget(rows)
        left = kept.counts()["likes"]
    count = found.n_interactions
    which = (
        f"all {count:,} likes in {exported}."
        if forgotten == count
        else f"{forgotten:,} of the {count:,} likes in {exported}; the others were not there, or "
        "came again since."
    )
    say(f"Forgotten: {which} Live likes left: {left:,}")


def _token(path: Path | None, variable: str) -> str | None:
    """Return a token from a file, or else from the environment."""
    if path is None:
        return os.environ.get(variable) or None
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingError(f"{path}: a file with a token expected ({error}).") from error


def _refuse_without_parts() -> None:
    try:
        import fastapi  # noqa: F401
        import itsdangerous  # noqa: F401
        import prometheus_client  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise SettingError(
            f"The service needs {error.name}, which is not installed: {way_to_install(*_PARTS)}."
        ) from error
