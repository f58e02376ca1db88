"""Recommend to people whom a model does not know, or about whom it knows nothing."""
