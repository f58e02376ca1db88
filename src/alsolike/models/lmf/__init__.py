"""Logistic matrix factorization (LMF): probabilities of likes, by exact gradients."""
