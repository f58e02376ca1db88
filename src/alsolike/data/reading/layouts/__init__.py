"""Turn rows that hold objects, arrays or several items into one row for each item."""
