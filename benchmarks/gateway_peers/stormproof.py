"""Ours: ``stormproof serve``, with a file that says who answers."""

import json
import sys
from collections.abc import Iterator, Sequence
from typing import Final

from engine_peers.process import BUILD
from gateway_peers.gateway import CALL_SECONDS, Gateway, Model

DEADLINE: Final = 10
"""Seconds for everything together."""

LIMITS: Final = "requests_per_minute = 1_000_000, concurrency = 1_000"
"""Never reached, and counted all the same."""


def gateway() -> Gateway:
    return Gateway("stormproof", command)


def command(
    port: int, models: Sequence[Model], name: str = "stormproof", more: str = ""
) -> list[str]:
    """Return what serves models by a file of this name, with more tables at its end."""
    path = BUILD / "bench" / f"{name}.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([*_tables(models), more]))
    serve = [sys.executable, "-m", "stormproof.cli", "serve"]
    return [*serve, f"--config={path}", f"--port={port}"]


def _tables(models: Sequence[Model]) -> Iterator[str]:
    """Yield the file's lines; each target is a provider of its own."""
    for model in models:
        names = [f"{model.name}-{place}" for place in range(len(model.urls))]
        for name, url in zip(names, model.urls, strict=True):
            yield f'[providers.{name}]\npreset = "openai-compatible"\nurl = {json.dumps(url)}\n'
        yield f"[models.{model.name}]\ndeadline = {DEADLINE}\nrungs = ["
        for name in names:
            times = f"deadline = {CALL_SECONDS}, idle = {CALL_SECONDS}"
            yield f'  {{ provider = "{name}", model = "scripted", {times}, {LIMITS} }},'
        yield '  { answer = "Nobody can answer now." },\n]\n'
