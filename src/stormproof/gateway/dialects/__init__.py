"""The APIs by which conversations come in, and in whose words the answers go out."""
