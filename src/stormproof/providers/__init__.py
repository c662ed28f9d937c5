"""Everyone who can answer: hosted APIs, the local engine, the ladder over them."""

__all__: list[str] = []
