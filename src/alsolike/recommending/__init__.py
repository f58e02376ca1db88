"""Recommend items, similar items and similar users from a fitted model, with the caller's ids."""
