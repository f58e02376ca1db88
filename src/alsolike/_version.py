"""Holds the version, for the modules that write or print it."""

__version__ = "0.1.0"
