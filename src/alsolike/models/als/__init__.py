"""Alternating least squares: settings, training, folding in."""
