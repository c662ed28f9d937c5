"""Threads for sync calls that their callers may leave before they end."""

import gc
import subprocess
import sys
import textwrap
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from threading import Barrier, Event, Thread
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stormproof import recovery
from stormproof.errors import CapacityExceeded, NetworkError, ValidationErrors
from stormproof.recovery import CallRejected, ThreadFreed, ThreadPinned, WorkerThreads, subscribe
from stormproof.recovery.threads import ThreadCall

LONG = 30.0  # seconds: only a test that fails waits so long


def run(threads: WorkerThreads, call: Callable[[], Any]) -> Any:
    begun = start(threads, call)
    assert begun.ended.wait(LONG)
    return begun.result()


def start(threads: WorkerThreads, call: Callable[[], Any]) -> ThreadCall:
    return threads.start(call, Event(), "ask")


@contextmanager
def hung(threads: WorkerThreads, count: int = 1) -> Iterator[list[ThreadCall]]:
    """So many calls that hang inside the block, and have ended after it."""
    release, together = Event(), Barrier(count + 1)

    def hang() -> None:
        together.wait(LONG)
        assert release.wait(LONG)

    calls = [start(threads, hang) for _ in range(count)]
    together.wait(LONG)
    try:
        yield calls
    finally:
        release.set()
        for call in calls:
            assert call.ended.wait(LONG)


def test_a_call_returns_and_raises_as_if_on_the_callers_thread() -> None:
    threads = WorkerThreads(1)
    assert run(threads, lambda: 42) == 42
    error = NetworkError(reason="cut")

    def fail() -> None:
        raise error

    with pytest.raises(NetworkError) as raised:
        run(threads, fail)
    assert raised.value is error


def test_what_is_no_error_reaches_the_caller_too() -> None:
    def leave() -> None:
        raise SystemExit(3)

    threads = WorkerThreads(1)
    with pytest.raises(SystemExit):
        run(threads, leave)
    assert run(threads, lambda: "still there") == "still there"


def test_a_call_runs_in_a_copy_of_its_callers_context() -> None:
    request: ContextVar[str] = ContextVar("request", default="none")

    def call() -> str:
        before = request.get()
        request.set("changed")
        return before

    threads = WorkerThreads(1)
    token = request.set("mine")
    assert run(threads, call) == "mine"
    assert request.get() == "mine"
    request.reset(token)
    assert run(threads, request.get) == "none"


def test_a_thread_is_used_again() -> None:
    threads = WorkerThreads(8)
    assert len({run(threads, threading.get_ident) for _ in range(20)}) == 1
    assert threads.running == 0


def test_threads_are_bounded_and_nothing_waits_for_one(heard: list[recovery.Event]) -> None:
    threads = WorkerThreads(3, name="drivers")
    with hung(threads, 3):
        assert threads.running == 3
        with pytest.raises(CapacityExceeded) as raised:
            start(threads, lambda: None)
        assert (raised.value.resource, raised.value.limit) == ("drivers", 3)
    assert heard == [CallRejected(pipeline="ask", strategy="drivers", retry_after=None)]
    assert threads.running == 0
    assert run(threads, lambda: "free") == "free"


def test_a_call_left_behind_pins_its_thread_until_it_ends(heard: list[recovery.Event]) -> None:
    threads = WorkerThreads(2, name="drivers")
    with hung(threads) as [call]:
        threads.leave(call)
        threads.leave(call)  # once is enough
        assert (threads.running, threads.pinned) == (1, 1)
        assert call.left
    assert (threads.running, threads.pinned) == (0, 0)
    assert heard == [
        ThreadPinned(pipeline="ask", strategy="drivers", pinned=1, limit=2),
        ThreadFreed(pipeline="ask", strategy="drivers", pinned=0, limit=2),
    ]


def test_a_call_that_has_ended_pins_nothing(heard: list[recovery.Event]) -> None:
    threads = WorkerThreads(1)
    call = start(threads, lambda: 1)
    assert call.ended.wait(LONG)
    threads.leave(call)
    assert not call.left
    assert (threads.pinned, heard) == (0, [])


def test_what_comes_of_a_call_left_behind_is_dropped_in_silence(
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Its error is printed nowhere, and neither it nor its result is kept."""

    class Result:
        pass

    kept: list[weakref.ref[Any]] = []
    release = Event()

    def late(make: Callable[[], Any]) -> Any:
        outcome = make()
        kept.append(weakref.ref(outcome))
        assert release.wait(LONG)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    threads = WorkerThreads(2)
    outcomes: tuple[Callable[[], Any], ...] = (Result, partial(NetworkError, reason="cut"))
    calls = [start(threads, partial(late, make)) for make in outcomes]
    for call in calls:
        threads.leave(call)
    release.set()
    for call in calls:
        assert call.ended.wait(LONG)
    del call, calls
    gc.collect()
    assert [ref() for ref in kept] == [None, None]
    assert capfd.readouterr() == ("", "")


def test_an_idle_thread_keeps_nothing_of_its_last_call_alive() -> None:
    class Argument:
        pass

    def use(argument: Argument) -> str:
        return type(argument).__name__

    threads = WorkerThreads(1)
    argument = Argument()
    kept = weakref.ref(argument)
    assert run(threads, partial(use, argument)) == "Argument"
    del argument
    assert run(threads, lambda: "next") == "next"  # by then it has let go of the one before
    gc.collect()
    assert kept() is None


def test_an_idle_thread_ends_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stormproof.recovery.threads._IDLE", 0.0)
    threads = WorkerThreads(4)
    used = [run(threads, threading.current_thread) for _ in range(20)]
    for thread in used:
        thread.join(LONG)
        assert not thread.is_alive()
    assert threads.running == 0
    assert run(threads, lambda: "a new one") == "a new one"


def test_no_call_is_lost_between_threads_that_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads end the moment they are idle, just when calls come in from many others."""
    monkeypatch.setattr("stormproof.recovery.threads._IDLE", 0.0)
    threads = WorkerThreads(8)
    results: list[int] = []

    def client(number: int) -> None:
        results.extend(run(threads, partial(int, value)) for value in range(number, 1200, 8))

    clients = [Thread(target=client, args=(number,)) for number in range(8)]
    for one in clients:
        one.start()
    for one in clients:
        one.join(LONG)
    assert sorted(results) == list(range(1200))
    assert (threads.running, threads.pinned) == (0, 0)


@given(st.lists(st.tuples(st.sampled_from(["start", "end", "leave"]), st.integers(0, 9))))
def test_the_counts_are_those_of_a_plain_model(history: list[tuple[str, int]]) -> None:
    threads = WorkerThreads(3)
    running: dict[ThreadCall, Event] = {}
    left: set[ThreadCall] = set()
    for act, which in history:
        if act == "start" and len(running) == 3:
            with pytest.raises(CapacityExceeded):
                start(threads, lambda: None)
        elif act == "start":
            release = Event()
            running[start(threads, partial(release.wait, LONG))] = release
        elif running:
            call = list(running)[which % len(running)]
            if act == "leave":
                threads.leave(call)
                left.add(call)
            else:
                running.pop(call).set()
                assert call.ended.wait(LONG)
        assert threads.running == len(running)
        assert threads.pinned == len(left & running.keys())
    for release in running.values():
        release.set()


def test_a_system_without_threads_is_out_of_capacity(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_thread: Thread) -> None:
        raise RuntimeError("can't start new thread")

    threads = WorkerThreads(2)
    with monkeypatch.context() as patch:
        patch.setattr(Thread, "start", refuse)
        with pytest.raises(CapacityExceeded):
            start(threads, lambda: None)
    assert threads.running == 0
    assert run(threads, lambda: "later") == "later"


def test_a_listener_sees_the_count_as_it_is() -> None:
    threads = WorkerThreads(1)
    seen: list[int] = []
    unsubscribe = subscribe(lambda _: seen.append(threads.pinned))
    with hung(threads) as [call]:
        threads.leave(call)
    unsubscribe()
    assert seen == [1, 0]


@pytest.mark.parametrize("limit", [0, -1, 1001, 1.5, True, "8"], ids=repr)
def test_a_limit_is_a_count(limit: int) -> None:
    with pytest.raises(ValidationErrors):
        WorkerThreads(limit)


def test_they_print_as_what_they_are() -> None:
    threads = WorkerThreads(8, name="drivers")
    assert repr(threads) == "WorkerThreads(8, name='drivers')"
    assert str(threads) == "8 threads"
    assert threads.limit == 8


def test_a_hung_call_does_not_keep_the_interpreter_from_exiting() -> None:
    script = """
        from threading import Event
        from stormproof.errors import DeadlineExceeded
        from stormproof.recovery import Deadline, Pipeline, WorkerThreads

        try:
            Pipeline(Deadline(0.05, threads=WorkerThreads(2))).call(Event().wait)
        except DeadlineExceeded as error:
            print(error)
    """
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(script)],
        capture_output=True,
        text=True,
        timeout=LONG,
        check=True,
    )
    assert ended.stdout == "pipeline timed out after 0.05s\n"
    assert ended.stderr == ""


@pytest.mark.skipif(sys.platform == "win32", reason="no fork")
def test_a_forked_process_has_threads_of_its_own() -> None:
    """The idle threads that the parent had are not there in the child."""
    script = """
        import os
        from threading import Event
        from stormproof.recovery import WorkerThreads

        threads = WorkerThreads(1)

        def run():
            call = threads.start(lambda: "answer", Event(), "ask")
            return call.ended.wait(30) and call.result()

        assert run() == "answer"
        child = os.fork()
        if child == 0:
            os._exit(0 if run() == "answer" else 1)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    """
    ended = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        capture_output=True,
        text=True,
        timeout=2 * LONG,
        check=True,
    )
    assert ended.stdout == "0\n"
