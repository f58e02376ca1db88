"""From a fitted model to lists of items, with the caller's own ids."""
