"""Compute ranking metrics per user, ties in expectation."""
