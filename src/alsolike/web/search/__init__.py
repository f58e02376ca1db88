"""Searches items by name, id or link."""
