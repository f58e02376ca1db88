"""Store the trials of a search in a ledger."""
