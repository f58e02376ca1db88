"""Learn pairwise rankings: draws of items, blocks of likes, steps of gradient descent."""
