"""What a token costs on its way from the engine to a client's socket.

A server of ours, whose engine computes nothing, sends 32 streams a token every few milliseconds,
and a client in another process reads them. The figure is processor time of the server's main
thread per token, requests and all; writing to 32 sockets and nothing else takes about 10 µs of it.
"""

import json
import selectors
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

STREAMS = 32
TOKENS = 150
PACE = 0.03
REPEATS = 3
WORDS = [" the", " storm", " passes", ",", " and", " a", ' "quiet"', "\n", " sea", " é"]


class PacedCore:
    """Stands where the engine's core stands; every request gets a token in every step."""

    def __init__(self) -> None:
        from stormproof.engine import EngineStats  # noqa: PLC0415

        self.tokenizer = SimpleNamespace(
            prompt=lambda *_: [1], chat=lambda *_: [1], token_bytes=lambda _: b"x"
        )
        self.model = None
        self.limits = SimpleNamespace(sequence_tokens=100_000, check=lambda *_: None)
        self._stats = EngineStats()
        self._left: dict[int, list[int]] = {}
        self._next = 0.0
        self._count = 0

    @property
    def has_work(self) -> bool:
        return bool(self._left)

    def stats(self) -> Any:
        return self._stats

    def add(self, _prompt: Any, params: Any, **_more: Any) -> int:
        self._count += 1
        number = self._count
        self._left[number] = [0, params.max_tokens]
        return number

    def abort(self, number: int) -> None:
        self._left.pop(number, None)

    def step(self) -> list[tuple[int, Any]]:
        from stormproof.engine import FinishReason, Output  # noqa: PLC0415

        if len(self._left) < STREAMS:
            time.sleep(0.01)
            if not any(done for done, _ in self._left.values()):
                return []
        self._next = max(self._next + PACE, time.monotonic())
        time.sleep(max(0.0, self._next - time.monotonic()))
        outputs = []
        for number, state in list(self._left.items()):
            state[0] += 1
            done, wanted = state
            reason = FinishReason.LENGTH if done == wanted else None
            output = Output(
                text=WORDS[done % len(WORDS)],
                token_ids=(done % 10,),
                finish_reason=reason,
                prompt_tokens=1,
                completion_tokens=done,
            )
            outputs.append((number, output))
            if reason:
                del self._left[number]
        return outputs


def serve() -> None:
    """Run the server on a free port, which it prints."""
    from prometheus_client import CollectorRegistry  # noqa: PLC0415

    from stormproof.engine import AsyncLLM  # noqa: PLC0415
    from stormproof.engine.engine_thread import EngineThread  # noqa: PLC0415
    from stormproof.gateway import (  # noqa: PLC0415
        Keyring,
        Lifecycle,
        create_app,
        listen,
        load_settings,
        run,
    )
    from stormproof.signals import Metrics  # noqa: PLC0415

    engine = AsyncLLM(EngineThread(PacedCore()))  # type: ignore[arg-type]
    lifecycle = Lifecycle(engine, drain_timeout=0)
    app = create_app(
        engine,
        load_settings({}),
        model_name="paced",
        keyring=Keyring(()),
        lifecycle=lifecycle,
        metrics=Metrics(CollectorRegistry()),
    )
    listener = listen("127.0.0.1", 0)
    print(listener.getsockname()[1], flush=True)
    run(app, lifecycle, listener)


def cpu_seconds(pid: int) -> float:
    """Processor time of a process's main thread, where the event loop runs."""
    return int(Path(f"/proc/{pid}/task/{pid}/schedstat").read_text().split()[0]) / 1e9


def read_streams(port: int, path: str, body: dict[str, Any]) -> int:
    """Ask for all streams at once and read them to their end; return how many bytes came."""
    payload = json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
    head += f"content-length: {len(payload)}\r\nconnection: close\r\n\r\n"
    received = 0
    with selectors.DefaultSelector() as selector:
        for _ in range(STREAMS):
            connection = socket.create_connection(("127.0.0.1", port))
            connection.sendall(head.encode() + payload)
            selector.register(connection, selectors.EVENT_READ)
        while selector.get_map():
            for key, _ in selector.select():
                connection = key.fileobj  # type: ignore[assignment]
                if data := connection.recv(1 << 16):
                    received += len(data)
                else:
                    selector.unregister(connection)
                    connection.close()
    return received


def measure(name: str, path: str, body: dict[str, Any], pid: int, port: int) -> None:
    figures = []
    read_streams(port, path, {**body, "max_tokens": 2})
    for _ in range(REPEATS):
        before, started = cpu_seconds(pid), time.perf_counter()
        received = read_streams(port, path, body)
        wall = time.perf_counter() - started
        figures.append((cpu_seconds(pid) - before) / (STREAMS * TOKENS) * 1e6)
    figures.sort()
    rate = STREAMS * TOKENS / wall
    print(
        f"| {name} | {figures[len(figures) // 2]:.1f} | {figures[0]:.1f} to {figures[-1]:.1f} |"
        f" {received / STREAMS / TOKENS:.0f} | {rate:,.0f} |",
        flush=True,
    )


def main() -> None:
    options = {"model": "paced", "max_tokens": TOKENS, "stream": True}
    chat = {**options, "messages": [{"role": "user", "content": "x"}]}
    cases: list[tuple[str, str, dict[str, Any]]] = [
        ("chat", "/v1/chat/completions", chat),
        ("completions", "/v1/completions", {**options, "prompt": "x"}),
    ]
    command = [sys.executable, __file__, "serve"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        port = int(server.stdout.readline())
        print("| stream | µs per token | range | bytes per token | tokens/s |")
        print("|---|---:|---:|---:|---:|")
        for name, path, body in cases:
            measure(name, path, body, server.pid, port)
        server.terminate()


if __name__ == "__main__":
    serve() if sys.argv[1:] == ["serve"] else main()
