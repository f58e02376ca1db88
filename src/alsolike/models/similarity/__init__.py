"""Compare items: affinities, and the dial from specific to popular items."""
