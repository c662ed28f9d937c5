"""A function that does, call by call, what a script says."""

import pytest

from stormproof.testing import FakeClock, Scripted, Takes


def test_steps_are_done_in_order_and_the_last_repeats() -> None:
    script = Scripted(ValueError("x"), "a", "b")
    with pytest.raises(ValueError, match="x"):
        script(1, two=2)
    assert [script(), script(), script()] == ["a", "b", "b"]
    assert script.calls == [((1,), {"two": 2}), ((), {}), ((), {}), ((), {})]


async def test_a_coroutine_and_a_stream_follow_a_script_too() -> None:
    assert await Scripted("a").acall() == "a"
    assert [item async for item in Scripted(["a", "b"]).stream()] == ["a", "b"]
    items = Scripted(["a", KeyError()]).stream()
    assert await anext(items) == "a"
    with pytest.raises(KeyError):
        await anext(items)


async def test_a_step_can_take_time() -> None:
    with FakeClock() as clock:
        script = Scripted(Takes(2, "late"), Takes(3, ValueError("later")))
        assert script() == "late"
        with pytest.raises(ValueError, match="later"):
            await script.acall()
        assert clock.slept == [2, 3]


def test_an_error_raised_again_does_not_grow() -> None:
    error = KeyError()
    script = Scripted(error)

    def depth() -> int:
        frames = 0
        with pytest.raises(KeyError):
            script()
        trace = error.__traceback__
        while trace:
            frames, trace = frames + 1, trace.tb_next
        return frames

    assert len({depth() for _ in range(5)}) == 1


def test_an_empty_script_is_refused() -> None:
    with pytest.raises(TypeError):
        Scripted()
