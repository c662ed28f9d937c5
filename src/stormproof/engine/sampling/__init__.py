"""How the next token is chosen, and what may be."""
