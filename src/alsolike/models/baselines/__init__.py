"""Baselines: popularity and random."""
