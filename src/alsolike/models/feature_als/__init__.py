"""Feature-aware ALS: factors are pulled to what features of items and users predict."""
