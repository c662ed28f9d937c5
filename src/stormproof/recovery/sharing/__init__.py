"""State that several processes share, and what to do while it is out of reach."""
