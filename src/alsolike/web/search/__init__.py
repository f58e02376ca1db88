"""Search items by name."""
