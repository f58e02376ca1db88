"""Where array work is spread over threads."""
