"""From a file of likes to indexed, filtered and split interactions."""
