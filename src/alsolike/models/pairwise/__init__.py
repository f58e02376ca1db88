"""Learning to rank by pairs of items: BPR and WARP, of which only training loads the compiler."""
