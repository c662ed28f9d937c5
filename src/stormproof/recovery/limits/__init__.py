"""How much may be asked of a dependency: at once, in a time, and in which order."""
