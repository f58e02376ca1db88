"""Rank the runs of a search."""
