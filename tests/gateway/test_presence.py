"""Work is given up with its client, and whatever else is asked of its task stays asked."""

import asyncio

import pytest
from starlette.types import Message

from stormproof.gateway.presence import unless_gone


class Client:
    """Somebody who waits, until told to leave."""

    def __init__(self) -> None:
        self.leaves = asyncio.Event()

    async def receive(self) -> Message:
        await self.leaves.wait()
        return {"type": "http.disconnect"}


async def test_work_ends_with_what_it_returns() -> None:
    """At once, or after a while."""

    async def work(steps: int) -> int:
        for _ in range(steps):
            await asyncio.sleep(0)
        return 7

    assert [await unless_gone(Client().receive, work(steps)) for steps in (0, 5)] == [7, 7]


async def test_a_client_who_leaves_ends_it() -> None:
    """And its task goes on as if nobody had asked to cancel it."""
    client, ended = Client(), asyncio.Event()

    async def work() -> bool:
        client.leaves.set()
        try:
            return await asyncio.Event().wait()
        finally:
            ended.set()

    assert await unless_gone(client.receive, work()) is None
    assert ended.is_set()
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
    await asyncio.sleep(0)


async def test_work_that_ends_all_the_same_leaves_nothing_behind() -> None:
    """With a result, or with an error."""

    async def work(*, fails: bool) -> int:
        client.leaves.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            if fails:
                raise ValueError("failed") from None
        return 7

    client = Client()
    assert await unless_gone(client.receive, work(fails=False)) == 7
    client = Client()
    with pytest.raises(ValueError, match="failed"):
        await unless_gone(client.receive, work(fails=True))
    await asyncio.sleep(0)


@pytest.mark.parametrize("leaves", [False, True])
async def test_a_task_that_others_cancel_is_cancelled(leaves: bool) -> None:
    """Also where its client leaves in the same moment."""
    client, begun = Client(), asyncio.Event()

    async def work() -> None:
        begun.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(unless_gone(client.receive, work()))
    await begun.wait()
    if leaves:
        client.leaves.set()
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
