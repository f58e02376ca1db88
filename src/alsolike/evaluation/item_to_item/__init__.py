"""Measure similar items by the users who like them."""
