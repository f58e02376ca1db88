"""The group of all verbs, and the one place where errors become lines and exit statuses."""

import contextlib
import errno
import io
import os
import sys
import traceback
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from alsolike.cli import export, pipeline, query, serve, signals
from alsolike.cli.printing import say, warn
from alsolike.cli.syntax import as_typed
from alsolike.errors import AlsolikeError
from alsolike.system_errors import explained, is_of_memory, more_memory, way_out_of

_NO_FOLDER = "The current folder is no longer there: change to one that is (cd)."
_NO_MEMORY = b"error: there is not enough memory. Raise the limit on it (ulimit -v).\n"


class Verbs(click.Group):
    """Verbs in the order of the flow; every error of ours becomes one line and exit status 1.

    Status 2 is click's, of words that it cannot understand; 130 is an interruption's.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the verbs in the order in which they were added."""
        return list(self.commands)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the verb that was typed, and remember it for what is said at its end."""
        found = super().resolve_command(ctx, args)
        signals.name_verb(found[0] or "")
        return found

    def main(self, *args: Any, **extra: Any) -> Any:
        """Run the command line; what the system refuses is one line, too."""
        if not args and extra.get("args") is None:
            signals.install()  # where it was begun otherwise than by `alsolike.__main__`
        try:
            return super().main(*args, **extra)
        except OSError as error:
            is_output = _is_of_output(error)
            message = _of_system(error, is_output=is_output)
        except MemoryError:  # not even enough to say what was wrong; all blocks have ended
            os.write(2, _NO_MEMORY)
            os._exit(1)
        if is_output:
            _turn_away(sys.stdout)
        with contextlib.suppress(OSError):
            say(message, err=True)
        sys.exit(1)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a verb; say what stood in the way in one line."""
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                # A name that the terminal's alphabet lacks is shown as an escape, not a crash.
                stream.reconfigure(errors="backslashreplace")
        with warnings.catch_warnings(), _temporary_folder(os.environ.get("TMPDIR")):
            warnings.showwarning = _warn
            try:
                return super().invoke(ctx)
            except AlsolikeError as error:
                message = f"error: {as_typed(str(error), self._verb(ctx))}"
                if not _has_folder():
                    message += f" {_NO_FOLDER}"
            except OSError:  # of the system, see `main`
                raise
            except Exception as error:
                if not is_of_memory(error):
                    raise
                message = _of_memory(error, self._verb(ctx))
            except KeyboardInterrupt:
                say(signals.last_words(), err=True)
                return ctx.exit(130)
        say(message.replace("\n", " "), err=True)
        return ctx.exit(1)

    def _verb(self, ctx: click.Context) -> click.Command | None:
        return self.commands.get(ctx.invoked_subcommand or "")


@contextlib.contextmanager
def _temporary_folder(named: str | None) -> Iterator[None]:
    """Take the temporary folder that was asked for; Python silently takes another for a bad one."""
    if not named:
        yield
        return
    import tempfile

    before, tempfile.tempdir = tempfile.tempdir, named
    if _has_folder():
        tempfile.tempdir = str(Path(named).absolute())
    try:
        yield
    finally:
        tempfile.tempdir = before


def _warn(message: Warning | str, *_: Any, **__: Any) -> None:
    """Show a warning of a library as one of ours: one line, and not where in its code it stands."""
    text = " ".join(str(message).partition("Traceback (most recent")[0].split())
    warn(text)


def _of_system(error: OSError, *, is_output: bool) -> str:
    """Return the line for an error of the system; a place that it does not name is not guessed."""
    if is_output:
        return f"error: standard output: {error.strerror or error}."
    if error.errno == errno.ENOENT and not _has_folder():
        return f"error: {error.strerror}. {_NO_FOLDER}"
    named = "" if error.filename is None else f"{os.fsdecode(error.filename)}: "
    folder = Path(os.fsdecode(error.filename or ".")).parent
    return f"error: {named}{explained(error, folder)}. {way_out_of(error)}".rstrip()


def _is_of_output(error: OSError) -> bool:
    """Return whether it came up where click writes."""
    if error.filename is not None:
        return False
    frames = traceback.extract_tb(error.__traceback__)
    return any(
        frame.name == "echo" and Path(frame.filename).parent.name == "click" for frame in frames
    )


def _has_folder() -> bool:
    try:
        Path.cwd()
    except OSError:
        return False
    return True


def _of_memory(error: Exception, verb: click.Command | None) -> str:
    """Return the line for too little memory, with the ways out that the verb has."""
    options = {one.name for one in verb.params} if verb is not None else set()
    ways = [more_memory()]
    if "settings" in options:
        ways.append("ask for fewer factors (--set factors=16)")
    if "threads" in options:
        ways.append("use fewer threads (--threads 1)")
    said = f" ({str(error).rstrip('.')})" if str(error) else ""
    tried = ways[0] if len(ways) == 1 else ", ".join(ways[:-1]) + f", or {ways[-1]}"
    return f"error: there is not enough memory{said}. {tried}."


def _turn_away(stream: Any) -> None:
    """Let what `stream` still holds go nowhere, or Python would fail once more when it ends."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="alsolike", prog_name="alsolike")
def main() -> None:
    """From a table of likes to similar items and recommendations.

    `run` does everything; each of its steps is a verb of its own.
    """


for verb in (
    pipeline.run,
    pipeline.demo,
    pipeline.read,
    pipeline.filter_,
    pipeline.split,
    pipeline.search,
    pipeline.runs,
    pipeline.fit,
    pipeline.compile_,
    query.evaluate,
    query.metric_definitions,
    query.similar,
    query.similar_users,
    query.recommend,
    query.scores,
    query.explain,
    query.gallery,
    query.describe,
    export.export,
    export.diff,
    serve.serve,
    serve.swap,
    serve.likes,
):
    main.add_command(verb)
