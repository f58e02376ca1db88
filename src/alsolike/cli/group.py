"""The group of all verbs, and the one place where errors become lines and exit statuses."""

import contextlib
import io
import os
import sys
from typing import Any

import click

from alsolike.cli import asking, flow, handing, judging, serving
from alsolike.cli.printing import say
from alsolike.errors import AlsolikeError


class Verbs(click.Group):
    """Verbs in the order of the flow; every error of ours becomes one line and exit status 1.

    Status 2 is click's, of words that it cannot understand; 130 is an interruption's.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the verbs in the order in which they were added."""
        return list(self.commands)

    def main(self, *args: Any, **extra: Any) -> Any:
        """Run the command line; a full disk behind standard output is one line, too."""
        try:
            return super().main(*args, **extra)
        except OSError as error:
            place = error.filename or "standard output"
            message = f"error: {place}: {error.strerror or error}."
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
        try:
            return super().invoke(ctx)
        except AlsolikeError as error:
            message = f"error: {error}"
        except MemoryError as error:
            message = (
                f"error: there is not enough memory. {error} Ask for fewer factors or threads."
            )
        except KeyboardInterrupt:
            say("Stopped. What was finished is kept: a run goes on where it was.", err=True)
            return ctx.exit(130)
        say(message.replace("\n", " "), err=True)
        return ctx.exit(1)


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
    flow.run,
    flow.demo,
    flow.read,
    flow.filter_,
    flow.split,
    flow.search,
    flow.runs,
    flow.fit,
    flow.compile_,
    asking.evaluate,
    judging.passport,
    asking.similar,
    asking.recommend,
    asking.explain,
    asking.gallery,
    asking.describe,
    handing.export,
    handing.diff,
    serving.serve,
    serving.swap,
    serving.likes,
):
    main.add_command(verb)
