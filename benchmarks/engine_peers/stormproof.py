"""Ours: the engine core in one process, and ``stormproof serve``."""

import sys
from collections.abc import Iterator

from engine_peers.engine import Engine
from engine_peers.library_engine import LibraryEngine
from engine_peers.models import gguf
from engine_peers.server_engine import ServerEngine, openai_body, openai_count
from engine_peers.workload import CACHE_TOKENS


def engines() -> Iterator[Engine]:
    """Both ways to run it."""
    yield LibraryEngine("stormproof", sys.executable, "stormproof", gguf())
    yield ServerEngine(
        "stormproof serve",
        _command,
        {},
        path="/v1/completions",
        body=openai_body,
        count=openai_count,
    )


def _command(port: int) -> list[str]:
    flags = {
        "model": gguf(),
        "model-name": "bench",
        "port": port,
        "num-blocks": CACHE_TOKENS // 16,
        "prefix-cache": "false",
        "speculation": "off",
    }
    command = [sys.executable, "-m", "stormproof.cli", "serve"]
    return command + [f"--{name}={value}" for name, value in flags.items()]
