"""Work is given up with its client, and whatever else is asked of its task stays asked."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest
from starlette.types import Message, Scope

from stormproof.gateway.presence import GONE, unless_gone

T = TypeVar("T")


class Client:
    """Somebody who waits, until told to leave; of whom any server, or our own, tells."""

    def __init__(self, *, ours: bool) -> None:
        self._leaves = asyncio.get_running_loop().create_future()
        self._scope: Scope = {"state": {GONE: self._leaves} if ours else {}}

    def leave(self) -> None:
        self._leaves.set_result(None)

    async def _receive(self) -> Message:
        await asyncio.shield(self._leaves)
        return {"type": "http.disconnect"}

    async def waits_for(self, work: Awaitable[T]) -> T | None:
        return await unless_gone(self._scope, self._receive, work)


@pytest.fixture(params=[True, False], ids=["our server", "another server"])
async def make(request: pytest.FixtureRequest) -> Callable[[], Client]:
    return lambda: Client(ours=request.param)


async def test_work_ends_with_what_it_returns(make: Callable[[], Client]) -> None:
    """At once, or after a while."""

    async def work(steps: int) -> int:
        for _ in range(steps):
            await asyncio.sleep(0)
        return 7

    assert [await make().waits_for(work(steps)) for steps in (0, 5)] == [7, 7]


async def test_a_client_who_leaves_ends_it(make: Callable[[], Client]) -> None:
    """And its task goes on as if nobody had asked to cancel it."""
    client, ended = make(), asyncio.Event()

    async def work() -> bool:
        client.leave()
        try:
            return await asyncio.Event().wait()
        finally:
            ended.set()

    assert await client.waits_for(work()) is None
    assert ended.is_set()
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
    await asyncio.sleep(0)


async def test_work_that_ends_all_the_same_leaves_nothing_behind(
    make: Callable[[], Client],
) -> None:
    """With a result, or with an error."""

    async def work(*, fails: bool) -> int:
        client.leave()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            if fails:
                raise ValueError("failed") from None
        return 7

    client = make()
    assert await client.waits_for(work(fails=False)) == 7
    client = make()
    with pytest.raises(ValueError, match="failed"):
        await client.waits_for(work(fails=True))
    await asyncio.sleep(0)


async def test_who_leaves_when_the_work_is_done_ends_nothing(make: Callable[[], Client]) -> None:
    """The task has other things to do by then; nor does who leaves in the very moment."""
    client = make()

    async def work() -> int:
        client.leave()
        return 7

    assert await client.waits_for(work()) == 7
    client = make()
    assert await client.waits_for(asyncio.sleep(0, 7)) == 7
    client.leave()
    for _ in range(3):
        await asyncio.sleep(0)


async def test_whoever_has_left_before_ends_it(make: Callable[[], Client]) -> None:
    client = make()
    client.leave()
    assert await client.waits_for(asyncio.Event().wait()) is None


@pytest.mark.parametrize("leaves", [False, True])
async def test_a_task_that_others_cancel_is_cancelled(
    make: Callable[[], Client], leaves: bool
) -> None:
    """Also where its client leaves in the same moment."""
    client, begun = make(), asyncio.Event()

    async def work() -> None:
        begun.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(client.waits_for(work()))
    await begun.wait()
    if leaves:
        client.leave()
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
