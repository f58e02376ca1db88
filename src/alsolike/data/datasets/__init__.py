"""Data sets: the demo, made-up tables, readers of public files."""
