"""Items from an iterator that blocks, for a coroutine that must not."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Iterator
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")


async def read_ahead(items: Iterator[T], room: int) -> AsyncGenerator[T, None]:
    """Yield items that a thread fetches, at most ``room`` of them ahead.

    The thread may be left behind where it blocks, such as in reading a terminal, and does not
    keep the process from ending.

    Raises:
        Exception: Whatever the iterator raised.
    """
    loop = asyncio.get_running_loop()
    arrived: asyncio.Queue[T | Exception | None] = asyncio.Queue()
    places = threading.Semaphore(room)
    closed = threading.Event()

    def send(item: T | Exception | None) -> None:
        with suppress(RuntimeError):  # the loop was closed: nobody waits any more
            loop.call_soon_threadsafe(arrived.put_nowait, item)

    def fetch() -> None:
        try:
            for item in items:
                send(item)
                places.acquire()
                if closed.is_set():
                    return
            send(None)
        except Exception as error:  # noqa: BLE001 - raised again where the items are read
            send(error)

    threading.Thread(target=fetch, name="stormproof-read-ahead", daemon=True).start()
    try:
        while (item := await arrived.get()) is not None:
            if isinstance(item, Exception):
                raise item
            places.release()
            yield item
    finally:
        closed.set()
        places.release()
