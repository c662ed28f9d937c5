"""A mailbox hands pieces of an answer from the engine's thread to one coroutine."""

import asyncio
from typing import Any

import pytest

from stormproof.engine.answers.output import Output
from stormproof.engine.mailbox import Mailbox, deliver
from stormproof.errors import TensorError


def piece(text: str) -> Output:
    return Output(text=text, token_ids=(1,), prompt_tokens=1, completion_tokens=len(text))


async def test_pieces_that_nobody_fetched_are_joined() -> None:
    mailbox = Mailbox()
    mailbox.put(piece("a"))
    mailbox.put(piece("b"))
    joined = await mailbox.get()
    assert (joined.text, joined.token_ids) == ("ab", (1, 1))
    mailbox.put(piece("c"))
    assert (await mailbox.get()).text == "c"


async def test_an_error_comes_after_the_pieces_before_it_and_stays() -> None:
    mailbox = Mailbox()
    mailbox.put(piece("a"))
    error = TensorError(reason="device gone")
    mailbox.put(error)
    assert (await mailbox.get()).text == "a"
    for _ in range(2):
        with pytest.raises(TensorError) as caught:
            await mailbox.get()
        assert caught.value is error


async def test_a_waiting_reader_is_woken_from_another_thread() -> None:
    mailbox = Mailbox()
    reader = asyncio.create_task(mailbox.get())
    await asyncio.to_thread(deliver, [(mailbox, piece("a"))])
    assert (await reader).text == "a"


async def test_an_event_loop_is_woken_once_for_many_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = asyncio.get_running_loop()
    wakes: list[object] = []
    call_soon_threadsafe = loop.call_soon_threadsafe

    def wake(*args: Any) -> object:
        wakes.append(args)
        return call_soon_threadsafe(*args)

    monkeypatch.setattr(loop, "call_soon_threadsafe", wake)
    mailboxes = [Mailbox() for _ in range(5)]
    deliver([(mailbox, piece("a")) for mailbox in mailboxes])
    assert [(await mailbox.get()).text for mailbox in mailboxes] == ["a"] * 5
    assert len(wakes) == 1


async def test_pieces_for_a_loop_that_is_closed_do_not_hold_up_the_others() -> None:
    async def make() -> Mailbox:
        return Mailbox()

    orphan = await asyncio.to_thread(asyncio.run, make())
    mailbox = Mailbox()
    deliver([(orphan, piece("a")), (mailbox, piece("b"))])
    assert (await mailbox.get()).text == "b"
