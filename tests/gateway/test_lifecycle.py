"""How a server starts, tells how it is, and stops: on real processes and signals."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest

from support.serving import Server, chat_body

CHAT = "/v1/chat/completions"
LONG = chat_body(max_tokens=2000, stream=True, ignore_eos=True)


def lines(response: httpx2.Response) -> Iterator[str]:
    return (line for line in response.iter_lines() if line)


def test_health_ready_and_metrics(client: httpx2.Client) -> None:
    """A server with nothing to do is alive, ready and countable."""
    assert client.get("/health").json() == {"status": "alive", "settings": "current"}
    assert client.get("/ready").json() == {"status": "ready"}
    client.get("/v2/nowhere")
    metrics = client.get("/metrics").text
    assert 'stormproof_errors_total{code="ROUTE_NOT_FOUND",component="gateway"}' in metrics
    assert 'stormproof_http_requests_total{method="GET",route="/ready",status="200"}' in metrics
    assert "/v2/nowhere" not in metrics  # what clients make up is no label


def test_a_client_that_leaves_frees_its_blocks(server: Server) -> None:
    """Streaming or not, the engine stops working for somebody who is gone."""
    started = server.metric("stormproof_engine_finished_requests_total")
    with server.client() as client:
        with client.stream("POST", CHAT, json=LONG) as response:
            next(lines(response))
        with pytest.raises(httpx2.ReadTimeout):
            client.post(CHAT, json={**LONG, "stream": False}, timeout=1)
    while server.metric("stormproof_engine_finished_requests_total") < started + 2:
        time.sleep(0.05)
    free = server.metric("stormproof_engine_kv_blocks_free")
    assert free == server.metric("stormproof_engine_kv_blocks")


def test_sigterm_lets_running_answers_finish(serve: Callable[..., Server]) -> None:
    """The stream ends whole; new work is refused meanwhile, with Retry-After; the status is 0."""
    server = serve("--drain-timeout", "60")
    with (
        server.client() as client,
        client.stream("POST", CHAT, json={**LONG, "max_tokens": 40}) as response,
    ):
        received = lines(response)
        next(received)
        server.process.send_signal(signal.SIGTERM)
        while (refusal := httpx2.get(f"{server.url}/ready")).is_success:
            pass
        refused = httpx2.post(f"{server.url}{CHAT}", json=chat_body())
        rest = list(received)
    assert refusal.status_code == refused.status_code == 503
    assert refused.json()["error"]["code"] == "SERVICE_UNAVAILABLE"
    assert refused.headers["retry-after"] == "1"
    assert rest[-1] == "data: [DONE]"
    assert server.process.wait(60) == 0


def test_what_does_not_finish_in_time_ends_with_a_typed_error(
    serve: Callable[..., Server],
) -> None:
    """No stream is left hanging: the last event says that the server went away."""
    server = serve("--drain-timeout", "0.2")
    with server.client() as client, client.stream("POST", CHAT, json=LONG) as response:
        received = lines(response)
        next(received)
        server.process.send_signal(signal.SIGTERM)
        *_, name, data = received
    assert name == "event: error"
    assert json.loads(data.removeprefix("data: "))["error"]["code"] == "SERVICE_UNAVAILABLE"
    assert server.process.wait(60) == 0


def test_a_second_signal_ends_it_at_once(serve: Callable[..., Server]) -> None:
    """Somebody who insists is obeyed."""
    server = serve("--drain-timeout", "600")
    with server.client() as client, client.stream("POST", CHAT, json=LONG) as response:
        received = lines(response)  # kept: a stream of which nobody holds the end is closed
        next(received)
        server.process.send_signal(signal.SIGTERM)
        while httpx2.get(f"{server.url}/ready").is_success:
            pass
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(60) == 0


def test_kill_leaves_nothing_that_stops_the_next_start(serve: Callable[..., Server]) -> None:
    """After ``kill -9`` the same port can be served again."""
    first = serve()
    port = first.url.rpartition(":")[2]
    first.process.kill()
    first.process.wait()
    second = serve("--port", port)
    assert httpx2.get(f"{second.url}/ready").is_success


def _fails(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "stormproof.cli", "serve", *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "COLUMNS": "200", **environ},
        timeout=120,
        check=False,
    )


def test_a_taken_port_is_said_at_once() -> None:
    """Before a model is loaded for nothing."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ended = _fails("--port", str(taken.getsockname()[1]))
    assert ended.returncode == 1
    assert "CONFIGURATION_ERROR" in ended.stderr
    assert "cannot listen on 127.0.0.1" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("given", ["flag", "environment", "file"])
def test_a_wrong_setting_is_named_with_where_it_came_from(given: str, tmp_path: Path) -> None:
    """Flag, environment or file: the message says which."""
    file = tmp_path / "stormproof.toml"
    file.write_text("[serve]\nport = 70000\n" if given == "file" else "[serve]\n")
    flags = ["--config", str(file), *(["--port", "70000"] if given == "flag" else [])]
    environ = {"STORMPROOF_PORT": "70000"} if given == "environment" else {}
    ended = _fails(*flags, **environ)
    origins = {"flag": "--port", "environment": "STORMPROOF_PORT", "file": "stormproof.toml:2"}
    assert ended.returncode == 1
    assert "port" in ended.stderr
    assert origins[given] in ended.stderr


def test_a_missing_model_says_what_to_do(tmp_path: Path) -> None:
    """No traceback, a code, a remedy."""
    ended = _fails("--port", "0", "--model", str(tmp_path / "nowhere.gguf"))
    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr


def test_the_docs_need_nobody_elses_server(client: httpx2.Client) -> None:
    """The page, its scripts and the schema all come from here."""
    page = client.get("/docs").text
    assert "cdn" not in page
    assert client.get("/docs-assets/swagger-ui-bundle.js").status_code == 200
    assert "/v1/chat/completions" in client.get("/openapi.json").json()["paths"]
