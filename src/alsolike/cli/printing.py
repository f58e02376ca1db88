"""How the command line prints: a terminal only shows what a name from a stranger holds."""

import click


def say(finding: object, *, err: bool = False) -> None:
    """Print a finding, with what a terminal would act on written as an escape."""
    from alsolike.tables import harmless

    click.echo(harmless(str(finding), keep="\n"), err=err)
