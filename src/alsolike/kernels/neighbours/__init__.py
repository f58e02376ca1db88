"""Compiled loops of nearest neighbours: similarities of items, and scores as sums of them."""
