"""Solves regressions of items on their neighbourhoods."""
