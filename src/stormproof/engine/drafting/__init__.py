"""Guessing tokens that the model then verifies."""
