"""What tests need that is not a fixture."""
