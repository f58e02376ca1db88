"""Read a table of likes from any file or frame."""
