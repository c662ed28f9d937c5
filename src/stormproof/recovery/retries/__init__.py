"""Calling again, and the record and the bounds of doing so."""
