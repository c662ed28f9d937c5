"""A clock that stands still until somebody waits for it."""

import asyncio
import contextvars
import sys
import threading
import time

import pytest

from stormproof.recovery.clock import current_clock
from stormproof.testing import FakeClock


def test_sleeping_takes_no_time_and_moves_the_clock_on() -> None:
    with FakeClock() as clock:
        begun = clock.now()
        current_clock().sleep(3600)
        assert clock.now() - begun == pytest.approx(3600)
        assert clock.slept == [3600]


def test_it_is_in_force_inside_its_block_alone() -> None:
    real = current_clock()
    with FakeClock() as outer:
        with FakeClock() as inner:
            assert current_clock() is inner
        assert current_clock() is outer
    assert current_clock() is real


def test_another_context_keeps_its_own_clock() -> None:
    elsewhere = contextvars.copy_context()
    with FakeClock() as clock:
        assert elsewhere.run(current_clock) is not clock


def test_it_starts_at_the_real_time() -> None:
    before = time.monotonic()
    assert before <= FakeClock().now() <= time.monotonic()


def test_its_chance_is_the_same_every_time() -> None:
    first, second = FakeClock(), FakeClock()
    assert [first.random() for _ in range(5)] == [second.random() for _ in range(5)]
    assert FakeClock(random=lambda: 0.25).random() == 0.25


async def test_when_all_tasks_wait_it_jumps_to_the_first_that_need_not() -> None:
    with FakeClock() as clock:
        begun = clock.now()
        woken: list[tuple[str, float]] = []

        async def sleeper(name: str, *waits: float) -> None:
            for wait in waits:
                await clock.asleep(wait)
                woken.append((name, round(clock.now() - begun, 3)))

        await asyncio.gather(sleeper("a", 10, 10), sleeper("b", 15), sleeper("c", 1))
        assert woken == [("c", 1), ("a", 10), ("b", 15), ("a", 20)]


async def test_while_a_task_can_run_it_stands_still() -> None:
    with FakeClock() as clock:
        begun = clock.now()

        async def busy() -> float:
            for _ in range(50):
                await asyncio.sleep(0)
            return clock.now() - begun

        sleeping = asyncio.create_task(clock.asleep(60))
        assert await busy() == 0
        await sleeping
        assert clock.now() - begun == pytest.approx(60)


async def test_by_hand_it_moves_only_by_hand() -> None:
    with FakeClock(jumps=False) as clock:
        sleeping = asyncio.create_task(clock.asleep(60))
        for _ in range(10):
            await asyncio.sleep(0)
        clock.advance(59)
        await asyncio.sleep(0)
        assert not sleeping.done()
        clock.advance(1)
        await sleeping


async def test_what_is_due_happens_in_order_and_at_its_time() -> None:
    with FakeClock(jumps=False) as clock:
        begun, loop = clock.now(), asyncio.get_running_loop()
        seen: list[float] = []
        for delay in (3, 1, 2):
            clock.call_later(loop, delay, lambda: seen.append(round(clock.now() - begun)))
        clock.call_later(loop, 1.5, lambda: seen.append(99)).cancel()
        clock.advance(10)
        assert seen == [1, 2, 3]


async def test_a_cancelled_sleeper_does_not_hold_the_clock() -> None:
    with FakeClock() as clock:
        begun = clock.now()
        task = asyncio.create_task(clock.asleep(1000))
        await asyncio.sleep(0)
        task.cancel()
        await clock.asleep(1)
        assert clock.now() - begun == pytest.approx(1)


async def test_a_thread_that_sleeps_wakes_the_tasks_of_a_loop() -> None:
    with FakeClock(jumps=False) as clock:
        sleeping = asyncio.create_task(clock.asleep(5))
        await asyncio.sleep(0)
        threading.Thread(target=clock.sleep, args=(5,)).start()
        await sleeping


def test_it_outlives_a_loop() -> None:
    with FakeClock(jumps=False) as clock:

        async def leave_a_timer() -> None:
            clock.call_later(asyncio.get_running_loop(), 1, lambda: None)

        asyncio.run(leave_a_timer())
        clock.advance(2)


async def test_two_clocks_on_one_loop_do_not_wait_for_each_other() -> None:
    with FakeClock() as first, FakeClock() as second:
        await asyncio.gather(first.asleep(5), second.asleep(3), first.asleep(1))
        assert sorted(first.slept) == [1, 5]
        assert second.slept == [3]


def test_a_loop_that_cannot_be_watched_is_refused_at_once() -> None:
    """And not in a callback of the loop, which would log it and wait for ever."""

    class Opaque(asyncio.SelectorEventLoop):
        def __getattribute__(self, name: str) -> object:
            caller = sys._getframe(1).f_globals["__name__"]
            if name == "_ready" and not caller.startswith("asyncio"):
                raise AttributeError(name)
            return super().__getattribute__(name)

    with (
        FakeClock() as clock,
        asyncio.Runner(loop_factory=Opaque) as runner,
        pytest.raises(RuntimeError, match="jumps=False"),
    ):
        runner.run(clock.asleep(1))


async def test_it_forgets_what_was_called_off() -> None:
    """So that a test of ten thousand calls with deadlines does not look through all of them."""
    loop = asyncio.get_running_loop()
    with FakeClock() as clock:
        for _ in range(100):
            clock.call_later(loop, 60, print).cancel()
        await clock.asleep(100)
        assert not clock._timers
