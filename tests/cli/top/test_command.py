"""``stormproof top`` as a process, beside real servers."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from support.serving import Server, chat_body

COMMAND = [sys.executable, "-m", "stormproof.cli", "top"]
ENVIRON = {**os.environ, "COLUMNS": "100"}


def top(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments], capture_output=True, text=True, env=ENVIRON, check=False
    )


@contextmanager
def watching(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [*COMMAND, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=ENVIRON,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def documents(process: subprocess.Popen[str]) -> Iterator[dict[str, Any]]:
    assert process.stdout is not None
    for line in process.stdout:
        yield json.loads(line)


def test_one_look_for_people_and_for_programs(server: Server) -> None:
    with server.client() as client:
        client.post("/v1/chat/completions", json=chat_body())
    shown = top("--url", server.url, "--once", "--interval", "0.1")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "ready" in shown.stdout
    assert "of 256 blocks" in shown.stdout
    document = json.loads(top("--url", server.url, "--once", "--interval", "0.1", "--json").stdout)
    assert document["alive"] is document["ready"] is True
    assert sum(document["figures"]["answers"].values()) > 0


def test_a_server_that_goes_away_and_comes_back_is_watched_on(serve: Callable[..., Server]) -> None:
    first = serve()
    port = first.url.rpartition(":")[2]
    with watching("--url", first.url, "--json", "--interval", "0.2") as process:
        looks = documents(process)
        assert next(looks)["ready"] is True
        first.process.kill()
        first.process.wait()
        gone = next(look for look in looks if "error" in look)
        assert gone["error"]["code"] in {"CONNECTION_LOST", "NETWORK_ERROR"}
        serve("--port", port)
        assert next(look for look in looks if "error" not in look)["ready"] is True
        process.send_signal(signal.SIGINT)
        assert process.wait() == 0


def test_ctrl_c_is_how_it_ends(server: Server) -> None:
    with watching("--url", server.url, "--interval", "0.1") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert any("KV cache" in line for line in process.stdout)
        process.send_signal(signal.SIGINT)
        assert process.wait() == 0
        assert process.stderr.read() == ""


def test_what_is_no_server_of_ours_is_one_clear_line() -> None:
    ended = top("--url", "http://127.0.0.1:9", "--once")
    assert ended.returncode == 1
    assert "NETWORK_ERROR" in ended.stderr
    assert "Traceback" not in ended.stderr
    ended = top("--url", "ftp://nowhere", "--once", "--json")
    assert ended.returncode == 1
    assert json.loads(ended.stderr)["error"]["code"] == "CONFIGURATION_ERROR"
