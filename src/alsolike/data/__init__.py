"""Read, clean, filter, split and hold interactions."""
