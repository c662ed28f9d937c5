"""The floor: uvicorn and aiohttp with nothing between them, and nothing done about failures."""

import json
import sys
from collections.abc import Sequence

from engine_peers.process import BENCHMARKS
from gateway_peers.gateway import Gateway, Model


def gateway() -> Gateway:
    return Gateway("passthrough", _command, recovers=False)


def _command(port: int, models: Sequence[Model]) -> list[str]:
    script = BENCHMARKS / "gateway_peers/servers/passthrough.py"
    urls = {model.name: model.urls[0] for model in models}
    return [sys.executable, str(script), str(port), json.dumps(urls)]
