"""Evaluate similar items on users' held-out likes."""
