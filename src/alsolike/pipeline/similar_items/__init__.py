"""Choose the model and the dial of similar items, on users whom training never saw."""
