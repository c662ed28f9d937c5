"""A thousand tokens from a source that keeps breaking, and every one arrives, once.

Needs no server. The source breaks at random points, before its first token too, or falls silent.
Each time it is asked for what comes after the tokens that were delivered.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from random import choice, randint

from stormproof.errors import NetworkError
from stormproof.recovery import Deadline, IdleTimeout, Pipeline, Resume, Retry, subscribe

TEXT = [f"token {number}" for number in range(1000)]


@Pipeline(Deadline(60), Resume(), Retry(attempts=10, initial_delay=0.01), IdleTimeout(0.1))
async def tokens(*, delivered: Sequence[str] = ()) -> AsyncIterator[str]:
    """Yield the text from where the consumer is, as far as it goes this time."""
    rest = TEXT[len(delivered) :]
    bearable = max(randint(-20, 60), 0)  # noqa: S311 - chance, not a secret
    for token in rest[:bearable]:
        yield token
    if bearable < len(rest):
        silence = choice([0, 0, 0, 3600])  # noqa: S311 - as above; an hour is never waited for
        await asyncio.sleep(silence)
        raise NetworkError(reason="cut")


async def main() -> None:
    """Read the stream to its end, and say how often it broke on the way."""
    told: list[str] = []
    subscribe(lambda event: told.append(type(event).__name__))
    received = [token async for token in tokens()]
    print(f"{told.count('StreamResumed')} times resumed, {told.count('RetryScheduled')} retried")
    print(f"{told.count('IdleTimeoutPassed')} of the breaks were silent")
    print(f"{len(received)} tokens, {'exactly' if received == TEXT else 'NOT'} those of the text")


if __name__ == "__main__":
    asyncio.run(main())
