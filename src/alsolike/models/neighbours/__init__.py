"""Nearest neighbours of items: settings, similarities, models."""
