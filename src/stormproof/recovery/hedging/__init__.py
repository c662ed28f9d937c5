"""Making a slow call once more beside itself."""
