"""Blends: models made of two or three models of other families."""
