"""What a server's operator sees of a failure: numbers at ``/metrics``, and lines in the log."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import closing

import httpx2
import pytest
from prometheus_client import CollectorRegistry

from stormproof.engine import AsyncLLM
from stormproof.gateway import Keyring, Lifecycle, create_app, load_settings
from stormproof.signals import Metrics, log_events
from stormproof.signals.context import known
from support.scripted_engine import make_core
from support.serving import MODEL, Server, chat_body


def test_a_real_servers_metrics_show_recovery_and_errors(serve: Callable[..., Server]) -> None:
    """One registry: requests, the engine, what recovery did and the error that came of it."""
    server = serve("--request-timeout", "0.01")
    with server.client() as client:
        answer = client.post("/v1/chat/completions", json=chat_body())
        assert answer.json()["error"]["code"] == "TIMEOUT_ERROR"
        shown = client.get("/metrics").text
    for line in (
        'stormproof_deadlines_passed_total{pipeline="generate",strategy="deadline"} 1.0',
        'stormproof_errors_total{code="TIMEOUT_ERROR",component="gateway"} 1.0',
        'stormproof_http_requests_total{method="POST",route="/v1/chat/completions",status="504"}',
        "# TYPE stormproof_circuit_state gauge",
        "stormproof_engine_kv_blocks 256.0",
        "# TYPE stormproof_engine_prefix_hit_tokens_total counter",
        "# TYPE stormproof_engine_prefix_query_tokens_total counter",
    ):
        assert line in shown


@pytest.mark.parametrize(("flag", "found"), [("true", True), ("false", False)])
def test_a_real_servers_metrics_show_what_was_found_in_the_cache(
    serve: Callable[..., Server], flag: str, found: bool
) -> None:
    """Once the operator lets one request find what another asked."""
    server = serve("--prefix-cache", flag)
    with server.client() as client:
        for _ in range(2):
            client.post("/v1/chat/completions", json=chat_body("Say hi. " * 20))
    hits = server.metric("stormproof_engine_prefix_hit_tokens_total")
    assert server.metric("stormproof_engine_prefix_query_tokens_total") > 80
    assert (hits > 0) is found


@pytest.fixture
def stuck_engine() -> Iterator[AsyncLLM]:
    """An engine whose model says nothing before the test is over."""
    over = threading.Event()

    def script(_context: list[int]) -> int:
        over.wait()
        return ord("a")

    engine = AsyncLLM(make_core(script))
    yield engine
    over.set()
    engine.close()


@pytest.fixture
def heard(caplog: pytest.LogCaptureFixture) -> Iterator[list[tuple[str, dict[str, object]]]]:
    """Every message that is logged, with what was known of the request then."""
    heard: list[tuple[str, dict[str, object]]] = []

    def note(record: logging.LogRecord) -> bool:
        heard.append((record.getMessage(), dict(known())))
        return True

    caplog.set_level(logging.INFO, "stormproof")
    caplog.handler.addFilter(note)
    yield heard
    caplog.handler.removeFilter(note)


async def test_the_lines_of_a_request_carry_its_id_and_route(
    stuck_engine: AsyncLLM, heard: list[tuple[str, dict[str, object]]]
) -> None:
    """Recovery's lines too, though recovery knows of no requests."""
    lifecycle = Lifecycle(stuck_engine, drain_timeout=0)
    settings = load_settings({"request_timeout": "0.01"})
    unsubscribe = log_events()
    with closing(Metrics(CollectorRegistry())) as metrics:
        app = create_app(
            stuck_engine,
            settings,
            model_name=MODEL,
            keyring=Keyring(()),
            lifecycle=lifecycle,
            metrics=metrics,
        )
        transport = httpx2.ASGITransport(app=app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://here") as client:
            body = {"model": MODEL, "prompt": "x"}
            await client.post("/v1/completions", json=body, headers={"x-request-id": "mine"})
    unsubscribe()
    expected = {"request_id": "mine", "operation": "POST /v1/completions"}
    assert ("deadline passed", expected) in heard
    assert ("request answered", {"request_id": "mine"}) in heard
    assert dict(known()) == {}
