"""Runs the command line: ``alsolike`` and ``python -m alsolike``."""

from alsolike.cli import signals


def main() -> None:
    """Run the command line, with signal handlers installed."""
    signals.install()
    from alsolike.cli.group import main as verbs  # noqa: PLC0415 - after the handlers: it takes a while

    try:
        verbs()
    finally:
        signals.done()


if __name__ == "__main__":
    main()
