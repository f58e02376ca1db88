"""Rank items: row numbers in, row numbers and scores out."""
