"""Business rules on lists: which items may appear, and how many of a kind."""
