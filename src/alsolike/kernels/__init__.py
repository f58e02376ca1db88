"""Compiled loops on arrays, without ids, files or errors of alsolike."""
