"""Anthropic's Messages API, and what it shares with the common tongue."""
