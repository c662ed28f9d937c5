"""Engines called in the process they are measured in; nothing here needs more than its engine."""
