"""Personal data and secrets: found by their forms."""
