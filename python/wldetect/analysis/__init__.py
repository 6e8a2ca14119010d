"""Looking inside a model: token counts, learned weights, filtered tables, what quantizing costs, its languages."""
