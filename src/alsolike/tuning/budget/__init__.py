"""Forecast time and memory of a search, and keep it within a budget."""
