"""What would have a model obey a text that it was only to read: found by its form."""
