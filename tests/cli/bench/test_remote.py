"""Measuring a server from outside, whichever it is."""

import json
from collections.abc import AsyncIterator

import httpx2
import pytest

from stormproof.cli.bench.remote import ServerTarget
from stormproof.cli.bench.timeline import Timeline
from stormproof.cli.bench.workload import Request
from stormproof.cli.server import read_json
from stormproof.errors import CapacityExceeded, ProtocolError, StormproofError, to_wire


def text(words: str) -> dict[str, object]:
    return {"choices": [{"index": 0, "text": words}], "usage": None}


COUNTED: dict[str, object] = {"choices": [], "usage": {"completion_tokens": 5}}
FULL = CapacityExceeded(resource="queue", limit=1)


async def ask(
    *events: dict[str, object] | str, status: int = 200, field: str = "data: "
) -> Timeline:
    async def body() -> AsyncIterator[bytes]:
        for event in events:
            line = event if isinstance(event, str) else json.dumps(event)
            yield f"{field}{line}\n\n".encode() if status == 200 else line.encode()

    def respond(request: httpx2.Request) -> httpx2.Response:
        asked = json.loads(request.content)
        assert asked["prompt"] == [7, 8]
        assert (asked["max_tokens"], asked["ignore_eos"], asked["model"]) == (5, True, "m")
        return httpx2.Response(status, content=body())

    transport = httpx2.MockTransport(respond)
    async with httpx2.AsyncClient(transport=transport, base_url="http://there") as client:
        return await ServerTarget(client, "m").answer(Request([7, 8], 5))


async def test_tokens_are_timed_as_they_come_and_counted_by_the_server() -> None:
    timeline = await ask(text("a"), text(""), text("b"), COUNTED, "[DONE]")
    assert len(timeline.arrivals) == 2
    assert (timeline.prompt_tokens, timeline.output_tokens) == (2, 5)
    assert timeline.started <= timeline.arrivals[0] <= timeline.arrivals[1]


async def test_servers_need_not_put_a_space_after_the_colon() -> None:
    assert len((await ask(text("a"), COUNTED, "[DONE]", field="data:")).arrivals) == 1


async def test_where_the_server_does_not_count_each_event_is_a_token() -> None:
    assert (await ask(text("a"), text("b"), "[DONE]")).output_tokens == 2


@pytest.mark.parametrize(
    ("events", "status", "kind"),
    [
        ((to_wire(FULL),), 503, CapacityExceeded),
        (("<html>",), 502, ProtocolError),
        ((text("a"), to_wire(FULL)), 200, CapacityExceeded),
        (("{",), 200, ProtocolError),
        (({"choices": 3},), 200, ProtocolError),
        (({"choices": [{"index": 0}]},), 200, ProtocolError),
        (("[DONE]",), 200, ProtocolError),
    ],
)
async def test_what_is_no_answer_is_a_typed_error(
    events: tuple[dict[str, object] | str, ...], status: int, kind: type[StormproofError]
) -> None:
    with pytest.raises(kind):
        await ask(*events, status=status)


@pytest.mark.parametrize("body", ["<html>", '{"error": "Unauthorized"}', '{"detail": "Not Found"}'])
async def test_a_refusal_in_another_shape_is_told_by_its_status(body: str) -> None:
    """Whoever gave a wrong key or a wrong path sees so."""
    with pytest.raises(ProtocolError, match="status 401"):
        await ask(body, status=401)
    with pytest.raises(ProtocolError, match="status 401"):
        read_json(httpx2.Response(401, text=body))
