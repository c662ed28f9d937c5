"""A worker that cannot start."""

if __name__ == "__main__":
    raise SystemExit(3)
