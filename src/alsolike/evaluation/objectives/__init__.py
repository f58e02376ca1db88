"""Objectives: what a search maximises."""
