"""Replace ids of people by keyed hashes, in files and frames."""
