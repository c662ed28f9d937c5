"""What finds personal data, and is measured beside ours."""
