"""A gateway under load for a long time, with failures behind it and clients who leave."""
