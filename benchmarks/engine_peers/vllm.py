"""vLLM on a CPU, in bfloat16: its engine in one process, and its server."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from engine_peers import Missing
from engine_peers.engine import Engine
from engine_peers.library_engine import LibraryEngine
from engine_peers.models import hugging_face
from engine_peers.process import BUILD
from engine_peers.server_engine import ServerEngine, openai_body, openai_count
from engine_peers.workload import MOST_AT_ONCE

VARIABLE: Final = "STORMPROOF_BENCH_VLLM_PYTHON"
ENVIRONMENT: Final = {
    "VLLM_CPU_KVCACHE_SPACE": "1",  # GiB; it takes whole ones
    "VLLM_NO_USAGE_STATS": "1",
    "HF_HUB_OFFLINE": "1",
}


def python() -> str:
    """Return the interpreter that has it.

    Raises:
        Missing: There is none.
    """
    path = Path(os.environ.get(VARIABLE, BUILD / "peers/vllm/bin/python"))
    if not path.exists():
        raise Missing(f"no {path}; see {VARIABLE}")
    return str(path)


def engines() -> Iterator[Engine]:
    """Both ways to run it."""
    yield LibraryEngine("vLLM", python(), "vllm", hugging_face(), ENVIRONMENT)
    yield ServerEngine(
        "vLLM serve",
        _command,
        ENVIRONMENT,
        path="/v1/completions",
        body=openai_body,
        count=openai_count,
    )


def _command(port: int) -> list[str]:
    flags = {
        "model": hugging_face(),
        "served-model-name": "bench",
        "dtype": "bfloat16",
        "port": port,
        "host": "127.0.0.1",
        "max-model-len": 1024,
        "max-num-seqs": MOST_AT_ONCE,
    }
    switches = ["--no-enable-prefix-caching", "--disable-log-stats"]
    command = [python(), "-m", "vllm.entrypoints.openai.api_server", *switches]
    return command + [f"--{name}={value}" for name, value in flags.items()]
