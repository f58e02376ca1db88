"""Ranking metrics per user, with intervals, tests and objectives of searches."""
