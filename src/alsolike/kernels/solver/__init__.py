"""Solve the rows of a half-sweep."""
