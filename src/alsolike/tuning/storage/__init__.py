"""Record a search in a ledger on disk."""
