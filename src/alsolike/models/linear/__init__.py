"""Linear models of items: scores are likes times item-item weights."""
