"""Render figures, galleries and the report from tables and models."""
