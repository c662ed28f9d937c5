"""A scripted provider beside a test that waits for what it asks."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from stormproof.testing.provider import ScriptedProvider


@contextmanager
def background_provider() -> Iterator[ScriptedProvider]:
    """Run one on an event loop of its own, on a thread."""
    loop, provider = asyncio.new_event_loop(), ScriptedProvider()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    asyncio.run_coroutine_threadsafe(provider.__aenter__(), loop).result()
    try:
        yield provider
    finally:
        asyncio.run_coroutine_threadsafe(provider.__aexit__(None, None, None), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
