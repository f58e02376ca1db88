"""Intervals and tests over users."""
