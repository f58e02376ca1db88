"""Turn pictures into vectors: open them, send them through a network, and compare the results."""
