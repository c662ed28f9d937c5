"""Who takes part in a step, in which blocks of the cache."""
