"""Find the top k and compute metrics of ranked lists."""
