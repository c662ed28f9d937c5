"""What the consumer of a stream has, and what it is told when that is all it gets.

Before the first item a failure is as it was raised: nothing is lost by trying again. After it the
failure is a ``PartialOutput``, whose cause is what broke the stream.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from stormproof.errors import PartialOutput, PartialOutputFinal
from stormproof.recovery.classification import origin, verdict
from stormproof.recovery.retries.attempts import hand_on
from stormproof.recovery.strategy import Call


@dataclass(frozen=True, kw_only=True)
class Reset:
    """Comes in place of an item: what was delivered is void, the stream begins again.

    Attributes:
        delivered: How many items are void: the last so many. All there were, unless something
            around the restart, such as a ``Resume``, had items from before it.
        error: What broke the stream.
    """

    delivered: int
    error: Exception

    def take_back(self, count: int) -> int:
        """Return how many of ``count`` items are left."""
        return max(count - self.delivered, 0)


def deliver(call: Call, pipeline: str, keeps: int) -> Call:
    """Make the outermost driver of a guarded stream.

    Args:
        call: Returns the stream, with everything that guards it.
        pipeline: The name that the error bears.
        keeps: How many items are kept for it: the first ones, so that it has a beginning to go
            on from, and not an end of unknown place.

    Raises:
        PartialOutput: At the consumer, when the stream breaks and there are items that it has.
    """

    async def guarded(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, None]:
        count = 0
        kept: list[Any] = []
        yielding = False
        try:
            async with aclosing(call(*args, **kwargs)) as items:
                async for item in items:
                    if type(item) is Reset:
                        count = item.take_back(count)
                        del kept[count:]
                    else:
                        if count < keeps:
                            kept.append(item)
                        count += 1
                    yielding = True
                    yield item
                    yielding = False
        except Exception as error:
            # What a consumer throws in, or closing for it brings up, broke no stream.
            if yielding or not count or verdict(error) is None:
                raise
            raise hand_on(error, _partial(error, count, kept, pipeline)) from origin(error)

    return guarded


def _partial(error: Exception, count: int, kept: list[Any], pipeline: str) -> PartialOutput:
    said = verdict(error)
    passing = said is not None and said.retriable
    broken = (PartialOutput if passing else PartialOutputFinal)(
        count=count, operation=pipeline, retry_after=said.retry_after if said else None
    )
    broken.delivered = tuple(kept)
    return broken
