"""Evaluate a cold start: lists of new items, and how often these are shown among all."""
