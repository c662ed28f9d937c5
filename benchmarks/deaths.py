"""What clients notice when the engine's process is killed while they stream.

    python benchmarks/deaths.py [--clients 32] [--tokens 96] [--deaths 6]

A real server answers the same requests twice. The second time its engine's process is struck at
random moments: by SIGKILL, by SIGSEGV, and by SIGSTOP, which leaves it hanging until the step
deadline. Every stream has to hold what it held the first time. Needs Linux.
"""

import argparse
import asyncio
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx2

BLOWS: Final = (signal.SIGKILL, signal.SIGSEGV, signal.SIGSTOP)
STEP_DEADLINE: Final = 8.0
VLLM: Final = (
    "vLLM 0.32 (CPU), measured on the same kind of machine: after SIGKILL every stream ends with "
    "an error within 0.06 s and the server exits within 1.6 s, with status 0; 25-29 s until a new "
    "one is ready. After SIGSTOP streams get nothing and /health says 200 for as long as one looks."
)


@dataclass
class Heard:
    """What one client got."""

    text: str
    pieces: int
    longest_pause: float


@contextmanager
def serving() -> Iterator[tuple[str, int]]:
    """Run a server with the embedded model; yields its address and process."""
    command = [sys.executable, "-m", "stormproof.cli", "serve", "--port", "0"]
    command += ["--step-deadline", str(STEP_DEADLINE), "--log-level", "error"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            lines = iter(process.stderr.readline, "")
            yield (
                next(m[1] for line in lines if (m := re.search(r"on (http\S+)", line))),
                process.pid,
            )
        finally:
            process.terminate()


async def client(http: httpx2.AsyncClient, number: int, tokens: int) -> Heard:
    """Stream one answer."""
    body = {
        "model": "smollm2",
        "messages": [{"role": "user", "content": f"Tell me a story about the number {number}."}],
        "max_tokens": tokens,
        "temperature": number % 2,
        "seed": number,
        "stream": True,
        "ignore_eos": True,
    }
    texts, pauses, last = [], [0.0], 0.0
    async with http.stream("POST", "/v1/chat/completions", json=body) as response:
        async for text in _texts(response):
            now = time.perf_counter()
            pauses.append(now - last if last else 0.0)
            last = now
            texts.append(text)
    return Heard("".join(texts), len(texts), max(pauses))


async def _texts(response: httpx2.Response) -> AsyncIterator[str]:
    async for line in response.aiter_lines():
        if line.startswith("data: {"):
            chunk = json.loads(line.removeprefix("data: "))
            if "error" in chunk:
                raise RuntimeError(chunk["error"]["message"])
            yield chunk["choices"][0]["delta"].get("content") or ""


async def answers(url: str, clients: int, tokens: int) -> list[Heard]:
    """Have all clients ask at once."""
    limits = httpx2.Limits(max_connections=clients)
    async with httpx2.AsyncClient(base_url=url, timeout=600, limits=limits) as http:
        return await asyncio.gather(*(client(http, n, tokens) for n in range(clients)))


async def strike(
    storm: asyncio.Task[list[Heard]], server: int, url: str, deaths: int, pause: float
) -> list[str]:
    """Kill the engine's process again and again while clients wait; returns by which signals."""
    chance, struck = random.Random(1), []
    for blow in [BLOWS[number % len(BLOWS)] for number in range(deaths)]:
        await asyncio.sleep(chance.uniform(0.5, 1.5) * pause)
        if storm.done():
            break
        before = await metric(url, "deaths_total")
        os.kill(worker(server), blow)
        struck.append(blow.name)
        while not storm.done() and await metric(url, "deaths_total") == before:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    return struck


async def metric(url: str, name: str) -> float:
    """Read one of the engine's series, summed over its labels."""
    async with httpx2.AsyncClient() as http:
        text = (await http.get(f"{url}/metrics")).text
    found = re.findall(rf"^stormproof_engine_{name}(?:{{.*}})? (\S+)$", text, re.MULTILINE)
    return sum(map(float, found))


def worker(server: int) -> int:
    """Return the process that computes: the oldest that the server has started."""
    children = Path(f"/proc/{server}/task").glob("*/children")
    pids = sorted(int(pid) for file in children for pid in file.read_text().split())
    return next(p for p in pids if b"supervised.worker" in Path(f"/proc/{p}/cmdline").read_bytes())


async def compare(clients: int, tokens: int, deaths: int) -> None:
    """Run both rounds and print what differs."""
    with serving() as (url, server):
        await answers(url, 2, 4)  # what the first requests alone pay for
        began = time.perf_counter()
        calm = await answers(url, clients, tokens)
        seconds = time.perf_counter() - began
        storm = asyncio.create_task(answers(url, clients, tokens))
        struck = await strike(storm, server, url, deaths, seconds / (deaths + 1))
        heard = await storm
        down = await metric(url, "down_seconds_total")
    show(calm, heard, struck, down)


def show(calm: Sequence[Heard], heard: Sequence[Heard], struck: Sequence[str], down: float) -> None:
    same = sum(a.text == b.text for a, b in zip(calm, heard, strict=True))
    print("| clients | struck by | streams that held the same | longest pause | mean down time |")
    print("|---|---|---|---|---|")
    print(
        f"| {len(calm)} | {', '.join(struck)} | {same} of {len(calm)} "
        f"| {max(h.longest_pause for h in heard):.2f} s "
        f"(undisturbed {max(h.longest_pause for h in calm):.2f} s) "
        f"| {1000 * down / max(len(struck), 1):.0f} ms |"
    )
    print(VLLM)
    if same < len(calm):
        raise SystemExit("streams differ")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--tokens", type=int, default=96)
    parser.add_argument("--deaths", type=int, default=6)
    options = parser.parse_args()
    asyncio.run(compare(options.clients, options.tokens, options.deaths))


if __name__ == "__main__":
    main()
