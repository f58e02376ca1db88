"""Answer by features such as tags: items for tags, tags for items, items like one, new items."""
