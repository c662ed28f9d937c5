"""One strategy for each key."""
