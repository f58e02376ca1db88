"""The command line: one thin function per verb. It alone reads the environment and prints.

What a verb needs is imported when it runs, so that ``alsolike --help`` answers at once.
"""

from alsolike.cli.group import main

__all__ = ["main"]
