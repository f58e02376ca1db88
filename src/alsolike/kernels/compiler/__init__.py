"""Compile kernels with Numba and cache the compiled code on disk."""
