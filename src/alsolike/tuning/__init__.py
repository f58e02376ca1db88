"""Search for the best settings, with a ledger to resume from."""
