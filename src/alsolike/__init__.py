"""alsolike: the recommender for anyone with a table of likes."""

__version__ = "0.1.0"
