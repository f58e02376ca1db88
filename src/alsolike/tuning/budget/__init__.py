"""Forecast time and memory, and keep a search within them."""
