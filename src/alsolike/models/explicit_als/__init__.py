"""Explicit ALS: factors and biases that predict ratings, fitted to observed cells alone."""
