"""Somebody else to ask when a call has failed."""
