"""What a stream needs beyond what a call does."""
