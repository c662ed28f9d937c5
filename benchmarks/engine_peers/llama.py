"""llama.cpp's server: with the same file, and with the format that its kernels like best."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from engine_peers import Missing
from engine_peers.engine import Engine
from engine_peers.machine import threads
from engine_peers.models import gguf
from engine_peers.process import BUILD
from engine_peers.server_engine import Event, ServerEngine
from engine_peers.workload import CACHE_TOKENS, MOST_AT_ONCE, Request

VARIABLE: Final = "STORMPROOF_BENCH_LLAMA_SERVER"


def server() -> Path:
    """Return its program.

    Raises:
        Missing: There is none.
    """
    usual = BUILD / "peers/llama/bin/llama-server"
    named = os.environ.get(VARIABLE) or shutil.which("llama-server") or usual
    if not Path(named).exists():
        raise Missing(f"no {named}; see {VARIABLE}")
    return Path(named)


def engines() -> Iterator[Engine]:
    """Both formats."""
    program = server()
    for name, model in (("Q4_1", gguf()), ("Q4_0", requantised(program, "Q4_0"))):
        command = _command(program, model)
        yield ServerEngine(
            f"llama.cpp {name}", command, {}, path="/completion", body=_body, count=_count
        )


def requantised(program: Path, to: str) -> Path:
    """Make the same model in another of its formats, the first time."""
    path = BUILD / "bench" / f"smollm2-{to}.gguf"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial")
        quantize = program.with_name("llama-quantize")
        command = [str(quantize), "--allow-requantize", str(gguf()), str(partial), to]
        subprocess.run(command, check=True, capture_output=True)
        partial.rename(path)
    return path


def _command(program: Path, model: Path) -> Callable[[int], list[str]]:
    flags = {
        "--model": model,
        "--threads": threads(),
        "--threads-batch": threads(),
        "--parallel": MOST_AT_ONCE,
        "--ctx-size": CACHE_TOKENS,
        "--host": "127.0.0.1",
    }
    listed = [str(part) for flag in flags.items() for part in flag]
    return lambda port: [str(program), *listed, "--port", str(port)]


def _body(request: Request) -> Event:
    return {
        "prompt": request.prompt,
        "n_predict": request.new_tokens,
        "temperature": 0,
        "top_k": 1,
        "samplers": ["top_k"],
        "ignore_eos": True,
        "cache_prompt": False,
        "stream": True,
    }


def _count(events: list[dict[str, Any]]) -> int:
    return int(events[-1]["tokens_predicted"])
