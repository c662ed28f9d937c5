"""What the tests of dialects share."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from stormproof.testing.provider import ScriptedProvider
from support.scripted_rungs import ScriptedRungs


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


@pytest.fixture
async def gateway(stack: AsyncExitStack) -> ScriptedRungs:
    return ScriptedRungs(await stack.enter_async_context(ScriptedProvider()), stack)
