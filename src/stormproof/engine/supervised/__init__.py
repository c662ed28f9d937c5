"""The engine in a process of its own, which is replaced when it dies and goes on where it was."""
