"""An embedding model is asked where it can be reached, and by none twice."""

import pytest

from stormproof.errors import (
    CircuitOpen,
    DeadlineExceeded,
    InvalidRequest,
    ProviderError,
    RateLimitExceeded,
    StormproofError,
)
from stormproof.providers.candidate import Candidate, Journey
from stormproof.providers.chat import Usage
from stormproof.providers.embeddings.ladder import EmbeddingLadder
from stormproof.providers.embeddings.request import EmbeddingRequest, Embeddings
from stormproof.recovery import current_clock
from stormproof.testing import FakeClock

BROKEN = ProviderError(provider="acme", status_code=500)
REQUEST = EmbeddingRequest({"model": "m", "input": "rain"})


class Host:
    """Gives a vector, fails, or takes its time."""

    def __init__(self, name: str, does: Exception | float) -> None:
        self.name = name
        self.calls = 0
        self._does = does

    async def embed(self, _: EmbeddingRequest) -> Embeddings:
        self.calls += 1
        if isinstance(self._does, Exception):
            raise self._does
        await current_clock().asleep(self._does)
        return Embeddings([[1.0]], Usage(1))


def ladder(*hosts: Host, deadline: float = 600.0) -> EmbeddingLadder:
    rungs = [Candidate(host.name, host.embed) for host in hosts]
    return EmbeddingLadder("m", rungs, deadline=deadline)


@pytest.mark.parametrize("failure", [BROKEN, RateLimitExceeded(retry_after=9), OSError(104, "x")])
async def test_the_next_embeds_at_once_when_the_first_cannot(
    failure: Exception, clock: FakeClock
) -> None:
    began, journey = clock.now(), Journey()
    await ladder(Host("a", failure), Host("b", 0.0)).embed(REQUEST, journey)
    assert (journey.asked, journey.rung, journey.degraded) == (["a", "b"], "b", False)
    assert clock.now() == began


async def test_one_that_hangs_is_left(clock: FakeClock) -> None:
    """When its own time is over, and not that of all."""
    began, journey = clock.now(), Journey()
    slow, quick = Host("a", 100.0), Host("b", 0.0)
    rungs = [Candidate("a", slow.embed, deadline=5), Candidate("b", quick.embed)]
    await EmbeddingLadder("m", rungs).embed(REQUEST, journey)
    assert journey.rung == "b"
    assert clock.now() - began == pytest.approx(5)


async def test_everything_together_has_its_time(clock: FakeClock) -> None:
    began = clock.now()
    with pytest.raises(DeadlineExceeded):
        await ladder(Host("a", 100.0), Host("b", 100.0), deadline=5).embed(REQUEST, Journey())
    assert clock.now() - began == pytest.approx(5)


async def test_what_the_client_did_wrong_is_for_the_client() -> None:
    second = Host("b", 0.0)
    with pytest.raises(InvalidRequest):
        await ladder(Host("a", InvalidRequest(reason="no")), second).embed(REQUEST, Journey())
    assert second.calls == 0


async def test_one_that_is_down_is_left_alone() -> None:
    """Also where there is nobody else: callers learn at once when to come back."""
    down = Host("a", BROKEN)
    alone = ladder(down)
    failures: list[StormproofError] = []
    for _ in range(10):
        with pytest.raises(StormproofError) as caught:
            await alone.embed(REQUEST, Journey())
        failures.append(caught.value)
    assert down.calls == 3
    assert isinstance(failures[-1], CircuitOpen)
    assert (failures[-1].retry_after or 0) > 0
    assert [one.name for one in alone.health()] == ["a"]
