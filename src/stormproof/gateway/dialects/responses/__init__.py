"""OpenAI's Responses API, and what it shares with the common tongue."""
