"""The command line: one thin function per verb.

Only this package reads the environment and prints. A verb imports what it needs when it runs, so
that ``alsolike --help`` answers at once.
"""
