"""Provide data sets: the demo, random tables, readers of public files."""
