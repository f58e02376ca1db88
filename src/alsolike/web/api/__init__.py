"""Defines routes, schemas and reference of the API under /api/v1."""
