"""The verbs of the service: serve models, swap one while they are served, take likes out."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from alsolike.cli import signals
from alsolike.cli.options import PATH, to_option
from alsolike.cli.printing import say
from alsolike.errors import SettingError
from alsolike.suggestions import way_to_install

# The extra `serve` of pyproject.toml, in a command that works from any folder.
_PARTS = (
    "fastapi>=0.115",
    "httptools>=0.6",
    "itsdangerous>=2.2",
    "prometheus-client>=0.21",
    "uvicorn>=0.32",
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
    help="Another one, or NAME=PATH; repeatable.",
)
@_option("--port", type=click.IntRange(0, 65535), default=8000, help="0 takes a free one.")
@_option("--host", default="127.0.0.1", help="Anything but localhost needs a token.")
@_option("--workers", type=click.IntRange(1, 256), default=1, help="Processes that answer.")
@click.option(
    "--state",
    type=PATH,
    help="Folder of likes, votes and copies [default: serving beside the model].",
)
@click.option("--token-file", type=PATH, help="What every request must show [or ALSOLIKE_TOKEN].")
@click.option(
    "--swap-token-file",
    type=PATH,
    help="What a swap must show [or ALSOLIKE_SWAP_TOKEN]; without it the endpoint is closed.",
)
@click.option("--allow-host", "hosts", multiple=True, help="Extra Host header to accept.")
@_option(
    "--rate",
    type=click.FloatRange(min=0),
    default=50.0,
    help="Requests per second of one client; 0: no limit.",
)
@_option("--burst", type=click.IntRange(min=1), default=200, help="Requests allowed in one burst.")
@_option(
    "--patience",
    type=click.FloatRange(min=0, min_open=True),
    default=10.0,
    help="Seconds that a slow client has.",
)
@click.option("--remote-images", is_flag=True, help="Let pages load pictures from the web.")
@click.option("--pictures", type=PATH, help="Folder of pictures that items name as files.")
@click.option("--bundles", type=PATH, help="Folder whose bundles the swap endpoint may name.")
@click.option("--golden", type=PATH, help="Checks a model must pass before it is served (JSON).")
@_option("--log", default="-", help="Access log: a file, - for here, or '' for none.")
def serve(
    model: Path,
    others: tuple[Path, ...],
    state: Path | None,
    token_file: Path | None,
    swap_token_file: Path | None,
    **given: Any,
) -> None:
    """Serve models: an app to look and judge, an API for a product page."""
    _refuse_without_parts()
    from alsolike.web.server import serve as serve_
    from alsolike.web.settings import Settings, slots

    models = slots([model, *others])
    settings = Settings(
        models=models,
        state=state or models[0].folder.absolute().parent / "serving",
        token=_token(token_file, "ALSOLIKE_TOKEN"),
        swap_token=_token(swap_token_file, "ALSOLIKE_SWAP_TOKEN"),
        **given,
    )
    names = ", ".join(place.name for place in settings.models)
    said = "" if settings.token is None else " Log in with the token, or send it as a bearer."

    def ready(address: str) -> None:
        signals.stop_by_itself()
        print(f"{names} at {address} (API: {address}docs).{said}", file=sys.stderr, flush=True)

    serve_(settings, ready)


@click.command()
@click.argument("state", type=PATH)
@click.argument("model", type=PATH)
@click.option("--name", help="Slot to swap [default: the first].")
def swap(state: Path, model: Path, name: str | None) -> None:
    """Let a running service take another model: its state folder, and the new bundle."""
    _refuse_without_parts()
    from alsolike.web.server import SETTINGS_FILE
    from alsolike.web.serving.deploy import swap as swap_
    from alsolike.web.serving.store import Store
    from alsolike.web.settings import Settings

    settings = Settings.from_file(state / SETTINGS_FILE)
    with Store(settings.state) as kept:
        say(str(swap_(settings, kept, name or settings.default, model)))


@click.command()
@click.argument("state", type=PATH)
@to_option
@click.option(
    "--forget",
    "told",
    type=PATH,
    help="A file that --to wrote: let the service forget what it holds, once a model was trained "
    "on it and is served.",
)
def likes(state: Path, to: Path | None, told: Path | None) -> None:
    """Take out the likes that a service was told, to train the next model on.

    STATE is the service's state folder, or a copy of it; the service may be running.
    """
    from alsolike.cli.files import write_rows
    from alsolike.storage.atomic import refuse_overlap
    from alsolike.web.serving.live_likes import live_likes, state_at

    if to is not None and told is not None:
        raise click.UsageError("Give --to to take likes out, or --forget when a model has them.")
    place = state_at(state)
    if told is not None:
        _forget(place, told)
        return
    refuse_overlap([place], filter(None, [to]))
    found = live_likes(place)
    if found.undated:
        say(
            f"warning: likes that an earlier version kept without a time: {found.undated:,}. They "
            "are given the time at which the state was written last.",
            err=True,
        )
    if to is None:
        hint = ". To take them out, give --to likes.csv" if len(found.table) else "."
        say(f"{found}{hint}")
    else:
        write_rows(to, found.table)


def _forget(state: Path, told: Path) -> None:
    """Let a service forget the likes of a file that `likes` wrote."""
    from alsolike.data.merge import to_table
    from alsolike.data.reading.read import read
    from alsolike.web.serving.store import Store

    found, _ = read(
        told,
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
        f"all {count:,} likes in {told}."
        if forgotten == count
        else f"{forgotten:,} of the {count:,} likes in {told}; the others were not there, or came "
        "again since."
    )
    say(f"Forgotten: {which} Live likes left: {left:,}")


def _token(path: Path | None, variable: str) -> str | None:
    """Return a token from a file, or else from the environment; never from the command line."""
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
            f"The service needs {error.name}, which is not there: {way_to_install(*_PARTS)}."
        ) from error
