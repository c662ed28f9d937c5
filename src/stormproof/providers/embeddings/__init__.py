"""Texts to vectors, whoever computes them."""
