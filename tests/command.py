"""Run a verb in this process, and say what came of it."""

import click.testing

from alsolike.cli.group import main


def call(*words: object) -> click.testing.Result:
    """Run a verb in this process; whatever it raises besides an exit is a failure of the test."""
    result = click.testing.CliRunner().invoke(main, [str(word) for word in words])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def fine(*words: object) -> click.testing.Result:
    result = call(*words)
    assert result.exit_code == 0, result.stderr
    return result


def refused(*words: object, status: int = 1) -> str:
    """Return the one line that says what is wrong."""
    result = call(*words)
    assert result.exit_code == status, result.output
    lines = result.stderr.splitlines()
    assert len(lines) == 1 if status == 1 else lines[0].startswith("Usage:")
    assert lines[-1].startswith("error: " if status == 1 else "Error: ")
    return lines[-1]
