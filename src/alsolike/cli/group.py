"""Groups all verbs, and turns errors into one line and an exit status."""

import contextlib
import copy
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

from alsolike.cli import (
    demo,
    export,
    features,
    pictures,
    pipeline,
    query,
    scores,
    serve,
    signals,
    similar,
)
from alsolike.cli.printing import say, warn
from alsolike.cli.syntax import as_typed
from alsolike.errors import AlsolikeError
from alsolike.system_errors import explained, is_of_memory, more_memory, way_out_of

_NO_FOLDER = "The current folder no longer exists: change to another one (cd)."
_NO_MEMORY = b"error: there is not enough memory. Raise the limit on it (ulimit -v).\n"


class Verbs(click.Group):
    """A click group whose errors become one line and exit status 1.

    Status 2 is click's, for a wrong usage; 130 is for an interruption.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the verbs in the order in which they were added."""
        return list(self.commands)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the verb that was typed, and note it for the line printed on a signal."""
        found = super().resolve_command(ctx, args)
        signals.name_verb(found[0] or "")
        return found

    def main(self, *args: Any, **extra: Any) -> Any:
        """Run the command line; an error of the system is one line, too."""
        if not args and extra.get("args") is None:
            signals.install()  # unless `alsolike.__main__` did
        try:
            return super().main(*args, **extra)
        except OSError as error:
            is_output = _is_output_error(error)
            message = _system_line(error, is_output=is_output)
        except MemoryError:  # not enough even to print an error in the usual way
            os.write(2, _NO_MEMORY)
            os._exit(1)
        if is_output:
            _redirect_to_null(sys.stdout)
        with contextlib.suppress(OSError):
            say(message, err=True)
        sys.exit(1)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a verb; print an error as one line."""
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                # Characters that the terminal's encoding lacks are printed as escapes.
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
                message = _memory_line(error, self._verb(ctx))
            except KeyboardInterrupt:
                say(signals.last_words(), err=True)
                return ctx.exit(130)
        say(message.replace("\n", " "), err=True)
        return ctx.exit(1)

    def _verb(self, ctx: click.Context) -> click.Command | None:
        return self.commands.get(ctx.invoked_subcommand or "")


@contextlib.contextmanager
def _temporary_folder(named: str | None) -> Iterator[None]:
    """Use the temporary folder of TMPDIR, even if bad: Python would silently use another."""
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
    """Print a warning of a library as one line, without its place in the code."""
    text = " ".join(str(message).partition("Traceback (most recent")[0].split())
    warn(text)


def _system_line(error: OSError, *, is_output: bool) -> str:
    """Return the line for an error of the system."""
    if is_output:
        return f"error: standard output: {error.strerror or error}."
    if error.errno == errno.ENOENT and not _has_folder():
        return f"error: {error.strerror}. {_NO_FOLDER}"
    named = "" if error.filename is None else f"{os.fsdecode(error.filename)}: "
    folder = Path(os.fsdecode(error.filename or ".")).parent
    return f"error: {named}{explained(error, folder)}. {way_out_of(error)}".rstrip()


def _is_output_error(error: OSError) -> bool:
    """Return whether the error was raised while click printed."""
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


def _memory_line(error: Exception, verb: click.Command | None) -> str:
    """Return the line for too little memory, with ways out by the options of the verb."""
    options = {one.name for one in verb.params} if verb is not None else set()
    ways = [more_memory()]
    if "settings" in options:
        ways.append("ask for fewer factors (--set factors=16)")
    if "threads" in options:
        ways.append("use fewer threads (--threads 1)")
    said = f" ({str(error).rstrip('.')})" if str(error) else ""
    tried = ways[0] if len(ways) == 1 else ", ".join(ways[:-1]) + f", or {ways[-1]}"
    return f"error: there is not enough memory{said}. {tried}."


def _redirect_to_null(stream: Any) -> None:
    """Redirect a stream to /dev/null: flushing it at exit would fail again."""
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
    demo.demo,
    pipeline.read,
    export.anonymize,
    pipeline.filter_,
    pipeline.split,
    pipeline.search,
    pipeline.runs,
    pipeline.fit,
    pipeline.compile_,
    query.evaluate,
    query.evaluate_folds,
    query.metric_definitions,
    similar.similar,
    similar.why,
    similar.similar_users,
    pictures.features,
    features.items_for,
    features.suggest_features,
    features.add_items,
    query.recommend,
    scores.scores,
    scores.predict,
    query.explain,
    similar.gallery,
    query.describe,
    similar.configure,
    export.export,
    export.diff,
    serve.serve,
    serve.swap,
    serve.likes,
):
    main.add_command(verb)

_old_name = copy.copy(query.metric_definitions)
_old_name.hidden = True
main.add_command(_old_name, "passport")
