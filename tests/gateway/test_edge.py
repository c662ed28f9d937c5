"""What the edge knows of who asks."""

from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry
from starlette.types import Message, Receive, Scope, Send

from stormproof.gateway import Keyring, Lifecycle
from stormproof.gateway.addresses import Addresses
from stormproof.gateway.edge import Edge
from stormproof.gateway.http_series import HttpSeries
from stormproof.reflex import Caller
from stormproof.signals import Metrics

if TYPE_CHECKING:
    from collections.abc import Sequence

Header = tuple[bytes, bytes]


async def caller(path: str, *headers: Header) -> Caller | None:
    """Ask for a path from 10.0.0.1; return who asks, as what is behind the edge sees it."""
    seen: list[Any] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["state"].get("caller"))

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(_: Message) -> None:
        pass

    metrics = Metrics(CollectorRegistry())
    edge = Edge(
        app,
        keyring=Keyring(["k"]),
        lifecycle=Lifecycle(None, drain_timeout=0),
        metrics=HttpSeries(),
        signals=metrics,
        max_body_bytes=10,
        addresses=Addresses([ip_network("10.0.0.0/8")]),
    )
    listed: Sequence[Header] = [(b"authorization", b"Bearer k"), *headers]
    scope = {"type": "http", "method": "POST", "path": path, "headers": listed}
    await edge({**scope, "client": ("10.0.0.1", 1)}, receive, send)
    metrics.close()
    [found] = seen
    return found  # type: ignore[no-any-return]


async def test_key_user_and_address_are_known_before_the_body() -> None:
    """The user may have any name that can be printed."""
    headers = (b"x-stormproof-user", "Zoë\t".encode()), (b"x-forwarded-for", b"1.1.1.1")
    found = await caller("/v1/chat/completions", *headers)
    assert found == Caller("", "settings-1", "Zoë", "1.1.1.1")


async def test_who_says_nothing_of_a_user_has_none() -> None:
    """The request may still name one."""
    assert await caller("/v1/models") == Caller("", "settings-1", None, "10.0.0.1")
    assert await caller("/v1/models", (b"x-stormproof-user", b"")) == Caller(
        "", "settings-1", None, "10.0.0.1"
    )


async def test_probes_have_no_caller() -> None:
    """Nobody needs a key for them."""
    assert await caller("/health") is None
