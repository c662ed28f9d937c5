"""Looking at whatever answers at an address."""

from collections.abc import Callable

import httpx2
import pytest

from stormproof.cli.top.look import Look, Watch
from stormproof.errors import NetworkError, ProtocolError, ServiceUnavailable, to_wire

STEPS = "stormproof_engine_steps_total 5\n"
OK = httpx2.Response(200, json={})
BUSY = httpx2.Response(503, json=to_wire(ServiceUnavailable(reason="draining")))


def look(metrics: str, *, health: httpx2.Response = OK, ready: httpx2.Response = OK) -> Look:
    probes = {"/health": health, "/ready": ready}

    def respond(request: httpx2.Request) -> httpx2.Response:
        return probes.get(request.url.path) or httpx2.Response(200, text=metrics)

    return watch(respond).look()


def watch(respond: Callable[[httpx2.Request], httpx2.Response]) -> Watch:
    transport = httpx2.MockTransport(respond)
    return Watch(httpx2.Client(transport=transport, base_url="http://there"), clock=lambda: 0.0)


def test_a_server_says_why_it_is_not_ready() -> None:
    assert look(STEPS).state == "ready"
    seen = look(STEPS, ready=BUSY)
    assert (seen.alive, seen.ready) == (True, False)
    assert "draining" in seen.state


def test_a_dead_engine_comes_before_one_that_is_busy() -> None:
    for health in (httpx2.Response(500, text="<html>"), httpx2.Response(500, json={"a": 1})):
        seen = look(STEPS, health=health, ready=BUSY)
        assert (seen.alive, seen.state) == (False, "/health was answered with 500")


@pytest.mark.parametrize(
    "metrics",
    [
        "",
        "other_steps_total 5\n",
        STEPS
        + 'stormproof_engine_time_to_first_token_seconds_bucket{le="x"} 1\n'
        + 'stormproof_engine_time_to_first_token_seconds_bucket{le="+Inf"} 1\n',
        "# " + "x" * (9 << 20),
    ],
)
def test_what_is_no_server_of_ours_is_a_typed_error(metrics: str) -> None:
    with pytest.raises(ProtocolError):
        look(metrics)


def test_numbers_that_count_nothing_are_not_shown() -> None:
    figures = look(
        f"{STEPS}stormproof_engine_kv_blocks NaN\nstormproof_engine_preemptions_total +Inf\n"
    )
    assert (figures.figures.kv_blocks, figures.figures.preemptions) == (0, 0)


def test_a_server_that_cannot_be_reached_is_a_typed_error() -> None:
    def fail(_request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("refused")

    with pytest.raises(NetworkError):
        watch(fail).look()
