"""Profiles of features: content-based scores, by what liked items have in common with others."""
