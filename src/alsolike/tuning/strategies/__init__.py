"""Ways to search: grid, random, Bayesian, successive halving."""
