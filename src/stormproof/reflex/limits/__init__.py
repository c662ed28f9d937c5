"""How much somebody may ask for: requests and tokens in a minute, and calls at once."""
