"""How long clients wait for tokens, measured where their answers pass."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest
from prometheus_client import CollectorRegistry

from stormproof.engine import FinishReason, Output
from stormproof.errors import TensorError
from stormproof.gateway.token_times import TokenTimes


class Clock:
    """A clock that stands where it is put."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Observed:
    """Watches answers whose pieces come when they are told to."""

    def __init__(self) -> None:
        self._clock = Clock()
        self._times = TokenTimes(self._clock)
        self._registry = CollectorRegistry()
        self._registry.register(self._times)

    async def watch(
        self, *pieces: tuple[float, Output | Exception], leaves: bool = False
    ) -> list[tuple[int, Output]]:
        seen = []
        async with aclosing(self._times.watch(3, self._play(pieces))) as watched:
            async for pair in watched:
                seen.append(pair)
                if leaves:
                    break
        return seen

    async def _play(
        self, pieces: tuple[tuple[float, Output | Exception], ...]
    ) -> AsyncGenerator[Output, None]:
        for wait, piece in pieces:
            self._clock.now += wait
            if isinstance(piece, Exception):
                raise piece
            yield piece

    def value(self, name: str, **labels: str) -> float | None:
        return self._registry.get_sample_value(f"stormproof_engine_{name}", labels)


def piece(tokens: int, reason: FinishReason | None = None) -> Output:
    return Output(text="a", finish_reason=reason, prompt_tokens=1, completion_tokens=tokens)


async def test_the_first_token_and_those_after_it_are_timed_apart() -> None:
    observed = Observed()
    last = piece(3, FinishReason.LENGTH)
    seen = await observed.watch((0.3, piece(1)), (0.01, piece(2)), (0.02, last))
    assert seen == [(3, piece(1)), (3, piece(2)), (3, last)]
    assert observed.value("time_to_first_token_seconds_count") == 1
    assert observed.value("time_to_first_token_seconds_sum") == pytest.approx(0.3)
    assert observed.value("time_to_first_token_seconds_bucket", le="0.2") == 0
    assert observed.value("time_to_first_token_seconds_bucket", le="0.4") == 1
    assert observed.value("inter_token_latency_seconds_count") == 2
    assert observed.value("inter_token_latency_seconds_sum") == pytest.approx(0.03)


async def test_tokens_that_come_together_share_the_wait() -> None:
    """As those do that were verified at once, or joined while the client was slow."""
    observed = Observed()
    await observed.watch((0.1, piece(1)), (0.06, piece(4)), (0.5, piece(4, FinishReason.STOP)))
    assert observed.value("inter_token_latency_seconds_count") == 3
    assert observed.value("inter_token_latency_seconds_sum") == pytest.approx(0.06)


async def test_how_answers_end_is_counted() -> None:
    observed = Observed()
    await observed.watch((0.1, piece(1, FinishReason.STOP)))
    await observed.watch((0.1, piece(1, FinishReason.LENGTH)))
    await observed.watch((0.1, piece(1)), (0.1, piece(2)), leaves=True)
    with pytest.raises(TensorError):
        await observed.watch((0.1, piece(1)), (0.1, TensorError(reason="device gone")))
    for reason in FinishReason:
        assert observed.value("answers_total", reason=reason) == 1
