"""Which settings are best: searches over a ledger that loses and doubles nothing."""
