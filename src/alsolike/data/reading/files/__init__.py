"""Recognise, check and unpack files."""
