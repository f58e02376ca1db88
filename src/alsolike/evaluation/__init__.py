"""How good lists are, per user, with the interval of each mean."""
