"""Renders the pages of the app."""
