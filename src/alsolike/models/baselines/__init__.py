"""Baselines that know no taste: popularity and random."""
