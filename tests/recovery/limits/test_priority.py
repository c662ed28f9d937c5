"""How important a call is, said once for all that it does."""

import asyncio
import contextvars
import threading

import pytest

from stormproof.errors import ValidationErrors
from stormproof.recovery import Priority, current_priority, prioritized


def test_without_a_word_a_call_is_normal() -> None:
    assert current_priority() is Priority.NORMAL


def test_the_inner_word_holds_inside_and_the_outer_after_it() -> None:
    with prioritized(Priority.HIGH):
        with prioritized(Priority.LOW):
            assert current_priority() is Priority.LOW
        assert current_priority() is Priority.HIGH
    assert current_priority() is Priority.NORMAL


def test_a_failure_ends_it_too() -> None:
    with pytest.raises(ZeroDivisionError), prioritized(Priority.CRITICAL):
        raise ZeroDivisionError
    assert current_priority() is Priority.NORMAL


async def test_tasks_begun_inside_have_it_and_others_do_not() -> None:
    async def mine() -> Priority:
        await asyncio.sleep(0)
        return current_priority()

    other = asyncio.create_task(mine())
    with prioritized(Priority.LOW):
        inside = asyncio.create_task(mine())
    assert [await other, await inside] == [Priority.NORMAL, Priority.LOW]


def test_a_thread_has_it_if_it_is_given_the_context() -> None:
    seen: list[Priority] = []

    def look() -> None:
        seen.append(current_priority())

    with prioritized(Priority.HIGH):
        context = contextvars.copy_context()
    thread = threading.Thread(target=context.run, args=(look,))
    thread.start()
    thread.join()
    assert seen == [Priority.HIGH]


def test_they_are_in_order() -> None:
    assert sorted(Priority) == [
        Priority.LOW,
        Priority.NORMAL,
        Priority.HIGH,
        Priority.CRITICAL,
    ]


@pytest.mark.parametrize("wrong", [1, "high", None, True])
def test_nothing_else_is_a_priority(wrong: object) -> None:
    with pytest.raises(ValidationErrors):
        prioritized(wrong).__enter__()  # type: ignore[arg-type]
