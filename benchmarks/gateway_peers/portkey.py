"""Portkey's gateway, on Node."""

import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from engine_peers import Missing
from engine_peers.process import BUILD
from gateway_peers.gateway import CALL_SECONDS, RETRIES, Gateway, Model

VARIABLE: Final = "STORMPROOF_BENCH_PORTKEY"
SERVER: Final = "node_modules/@portkey-ai/gateway/build/start-server.js"


def server() -> Path:
    """Return its program.

    Raises:
        Missing: There is none, or nothing to run it with.
    """
    path = Path(os.environ.get(VARIABLE, BUILD / "peers/portkey" / SERVER))
    if not path.exists():
        raise Missing(f"no {path}; see {VARIABLE}")
    if not shutil.which("node"):
        raise Missing("no node")
    return path


def gateway() -> Gateway:
    path = server()

    def command(port: int, models: Sequence[Model]) -> list[str]:
        del models  # each request says where it goes
        return ["node", str(path), "--headless", f"--port={port}"]

    return Gateway("Portkey", command, headers=_headers)


def _headers(model: Model) -> dict[str, str]:
    targets = [
        {
            "provider": "openai",
            "api_key": "none",
            "custom_host": url,
            "retry": {"attempts": RETRIES},
            "request_timeout": CALL_SECONDS * 1000,
        }
        for url in model.urls
    ]
    return {"x-portkey-config": json.dumps({"strategy": {"mode": "fallback"}, "targets": targets})}
