"""Run array work on threads."""
