"""What is written in one turn of the event loop goes out at once."""

import asyncio
from typing import Any, cast

from stormproof.gateway.cork import Cork


class Written:
    """A transport that remembers."""

    def __init__(self) -> None:
        self.writes: list[bytes] = []
        self.closing = False

    def write(self, data: bytes) -> None:
        self.writes.append(data)

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        self.closing = True


def corked() -> tuple[Written, Any]:
    transport = Written()
    return transport, Cork(cast("asyncio.Transport", transport), asyncio.get_running_loop())


async def test_writes_of_one_turn_are_one() -> None:
    transport, cork = corked()
    cork.write(b"head ")
    cork.write(b"body")
    assert transport.writes == []
    await asyncio.sleep(0)
    cork.write(b" more")
    await asyncio.sleep(0)
    assert transport.writes == [b"head body", b" more"]


async def test_what_is_held_is_bounded() -> None:
    """A client who does not read is noticed by what the transport cannot get rid of."""
    transport, cork = corked()
    for _ in range(100):
        cork.write(bytes(1000))
    assert [len(data) for data in transport.writes] == [66_000]
    await asyncio.sleep(0)
    assert sum(map(len, transport.writes)) == 100_000


async def test_nothing_is_lost_at_the_end_and_nothing_written_after_it() -> None:
    transport, cork = corked()
    cork.write(b"last words")
    cork.close()
    cork.write(b"unheard")
    await asyncio.sleep(0)
    assert transport.writes == [b"last words"]
    assert cork.is_closing()
