"""How the command line prints: whatever a name from a stranger holds, the terminal only shows it."""

import click


def say(finding: object, *, err: bool = False) -> None:
    """Print a finding, with what a terminal would act on written as an escape."""
    from alsolike.tables import harmless

    click.echo(harmless(str(finding), keep="\n"), err=err)
