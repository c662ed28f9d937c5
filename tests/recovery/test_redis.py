"""State shared through a real Redis: exact over processes, and missed by nobody when it is gone."""

import asyncio
import gc
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from signal import SIGCONT, SIGKILL, SIGSTOP
from typing import Any
from uuid import uuid4

import pytest
from redis import Redis

from stormproof.errors import (
    CircuitOpen,
    InvalidRequest,
    NetworkError,
    PartialOutput,
    RateLimitExceeded,
    StormproofError,
    ValidationErrors,
)
from stormproof.recovery import (
    CallWaited,
    CircuitBreaker,
    CircuitClosed,
    CircuitFollowed,
    CircuitHalfOpened,
    CircuitOpened,
    CircuitState,
    ConsecutiveFailures,
    Deadline,
    Event,
    FailureRate,
    LastCalls,
    Pipeline,
    Quota,
    RateLimit,
    Retry,
    RetryBudget,
    SlowCallRate,
    StoreLost,
    StoreRegained,
)
from stormproof.recovery.limits.bucket import Rate
from stormproof.recovery.redis import RedisStore
from stormproof.recovery.sharing.operations import TakePermits
from stormproof.testing import FakeClock, Scripted
from support.redis_server import RedisServer

CUT = NetworkError(reason="cut")


class TimedStore(RedisStore):
    """Scripts take the time from the clock of the test and not from the server."""

    def _time(self) -> float:
        return 1_000_000 + self.clock.now()

    clock: FakeClock


@pytest.fixture
def prefix() -> str:
    return uuid4().hex


@pytest.fixture
def store(redis: RedisServer, prefix: str) -> Iterator[RedisStore]:
    store = RedisStore(redis.url, prefix=prefix, timeout=5.0)
    yield store
    store.close()


@pytest.fixture
def other(redis: RedisServer, prefix: str) -> Iterator[RedisStore]:
    """What another process has: it shares nothing with ``store`` but Redis."""
    store = RedisStore(redis.url, prefix=prefix, timeout=5.0)
    yield store
    store.close()


@pytest.fixture
def timed(redis: RedisServer, prefix: str, clock: FakeClock) -> Iterator[TimedStore]:
    store = TimedStore(redis.url, prefix=prefix, timeout=5.0)
    store.clock = clock
    yield store
    store.close()


@pytest.fixture
def mortal(redis: RedisServer) -> Iterator[RedisServer]:
    """A server of one's own, to be killed."""
    server = RedisServer()
    server.start()
    yield server
    server.close()


@contextmanager
def out_of_reach(store: RedisStore) -> Iterator[None]:
    def gone(operation: object) -> None:
        raise ConnectionError("gone")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "execute", gone)
        yield


def breaker(store: RedisStore, **options: object) -> CircuitBreaker:
    settings = {"opens_on": ConsecutiveFailures(1)} | options
    return CircuitBreaker("dependency", store=store, **settings)  # type: ignore[arg-type]


def fail(breaker: CircuitBreaker) -> None:
    with pytest.raises(NetworkError):
        Pipeline(breaker).call(Scripted(CUT))


def succeed(breaker: CircuitBreaker) -> None:
    assert Pipeline(breaker).call(Scripted("answer")) == "answer"


def rejected(breaker: CircuitBreaker) -> CircuitOpen:
    with pytest.raises(CircuitOpen) as raised:
        Pipeline(breaker).call(Scripted("answer"))
    return raised.value


class TestCircuit:
    def test_failures_of_both_open_it_for_both(self, store: RedisStore, other: RedisStore) -> None:
        ours, theirs = (breaker(it, opens_on=ConsecutiveFailures(2)) for it in (store, other))
        fail(ours)
        fail(theirs)
        assert rejected(ours).retry_after == pytest.approx(60, abs=5)
        assert ours.state is theirs.state is CircuitState.OPEN

    def test_another_name_or_prefix_is_another_circuit(
        self, store: RedisStore, redis: RedisServer
    ) -> None:
        fail(breaker(store))
        succeed(CircuitBreaker("other", store=store))
        succeed(breaker(RedisStore(redis.url, prefix="other")))

    @pytest.mark.parametrize(
        "rule",
        [
            FailureRate(0.5, window=30, minimum_calls=4),
            FailureRate(0.5, window=LastCalls(4), minimum_calls=4),
            [SlowCallRate(1), FailureRate(0.5, window=LastCalls(4), minimum_calls=4)],
        ],
    )
    def test_a_rate_counts_the_calls_of_all(
        self, timed: TimedStore, clock: FakeClock, rule: object
    ) -> None:
        ours, theirs = breaker(timed, opens_on=rule), breaker(timed, opens_on=rule)
        succeed(ours)
        fail(theirs)
        succeed(ours)
        fail(theirs)
        rejected(ours)

    def test_slow_calls_open_it(self, timed: TimedStore, clock: FakeClock) -> None:
        slow = breaker(timed, opens_on=SlowCallRate(1, minimum_calls=2))
        for _ in range(2):
            Pipeline(slow).call(lambda: clock.advance(2))
        rejected(slow)

    def test_the_probes_are_those_of_all(self, timed: TimedStore, clock: FakeClock) -> None:
        ours, theirs = breaker(timed, probes=3), breaker(timed, probes=3)
        fail(ours)
        clock.advance(60)
        calls: list[int] = []

        def probe(depth: int) -> None:
            """Everybody probes while everybody else does."""
            calls.append(depth)
            for each in (ours, theirs):
                with pytest.raises((CircuitOpen, NetworkError)):
                    Pipeline(each).call(probe, depth + 1)
            raise CUT

        with pytest.raises(NetworkError):
            Pipeline(theirs).call(probe, 0)
        assert calls == [0, 1, 2]

    def test_a_late_result_of_an_old_period_is_ignored(
        self, timed: TimedStore, clock: FakeClock
    ) -> None:
        shared = breaker(timed)

        def slow() -> None:
            fail(shared)
            clock.advance(60)
            succeed(shared)  # a new closed period
            raise CUT

        with pytest.raises(NetworkError):
            Pipeline(shared).call(slow)
        succeed(shared)

    def test_a_pass_from_before_everything_was_forgotten_is_ignored(
        self, store: RedisStore, redis: RedisServer
    ) -> None:
        shared = breaker(store)

        def slow() -> None:
            with redis.client() as client:
                client.flushdb()
            succeed(shared)
            raise CUT

        with pytest.raises(NetworkError):
            Pipeline(shared).call(slow)
        succeed(shared)

    def test_isolation_and_its_end_are_shared(self, store: RedisStore, other: RedisStore) -> None:
        ours, theirs = breaker(store), breaker(other)
        ours.isolate()
        assert rejected(theirs).retry_after is None
        theirs.close()
        succeed(ours)

    def test_an_isolation_while_the_store_is_gone_holds_when_it_is_back(
        self, timed: TimedStore, clock: FakeClock, heard: list[Event]
    ) -> None:
        shared = breaker(timed)
        with out_of_reach(timed):
            shared.isolate()
            assert rejected(shared).retry_after is None
        clock.advance(1)
        for each in (shared, breaker(timed)):
            assert rejected(each).retry_after is None
        assert sum(isinstance(event, CircuitOpened) for event in heard) == 1

    def test_so_does_its_end(self, timed: TimedStore, clock: FakeClock) -> None:
        shared = breaker(timed)
        shared.isolate()
        with out_of_reach(timed):
            shared.close()
            fail(shared)  # its own circuit counts: it opens
            rejected(shared)
        clock.advance(1)
        for each in (shared, breaker(timed)):
            succeed(each)

    def test_what_is_done_later_replaces_what_the_store_has_not_heard(
        self, timed: TimedStore, clock: FakeClock
    ) -> None:
        shared = breaker(timed)
        with out_of_reach(timed):
            shared.isolate()
        clock.advance(1)
        shared.close()
        succeed(shared)

    def test_who_brings_a_transition_about_publishes_it(
        self, timed: TimedStore, clock: FakeClock, heard: list[Event]
    ) -> None:
        ours, theirs = breaker(timed), breaker(timed)
        fail(ours)
        clock.advance(60)
        succeed(theirs)
        succeed(ours)
        moves = (CircuitOpened, CircuitHalfOpened, CircuitClosed, CircuitFollowed)
        assert [type(event) for event in heard] == list(moves)

    def test_a_clock_set_back_an_hour_delays_nothing(
        self, timed: TimedStore, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        shared = breaker(timed)
        fail(shared)
        clock.advance(30)
        monkeypatch.setattr(timed, "_time", lambda: 1_000_000 - 3600 + clock.now())
        assert rejected(shared).retry_after == pytest.approx(60)  # the jump hid half a break
        clock.advance(60)
        succeed(shared)

    def test_a_clock_set_forth_an_hour_only_ends_breaks(
        self, timed: TimedStore, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        shared = breaker(timed, probes=1)
        fail(shared)
        monkeypatch.setattr(timed, "_time", lambda: 1_000_000 + 3600 + clock.now())
        fail(shared)
        assert rejected(shared).retry_after == pytest.approx(60)


async def test_of_100_tasks_exactly_the_probes_call(timed: TimedStore, clock: FakeClock) -> None:
    shared = breaker(timed, probes=3)
    fail(shared)
    clock.advance(60)
    release = asyncio.Event()
    calls: list[int] = []

    async def probe() -> None:
        calls.append(1)
        await release.wait()

    pipeline = Pipeline(shared)
    tasks = [asyncio.create_task(pipeline.acall(probe)) for _ in range(100)]
    done = 0
    while done < 97:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED, timeout=1)
        done = sum(task.done() for task in tasks)
    release.set()
    ends = await asyncio.gather(*tasks, return_exceptions=True)
    assert len(calls) == 3
    assert sum(isinstance(end, CircuitOpen) for end in ends) == 97
    await timed.aclose()


async def test_a_cancelled_probe_gives_its_slot_back(timed: TimedStore, clock: FakeClock) -> None:
    shared = breaker(timed)
    fail(shared)
    clock.advance(60)
    inside = asyncio.Event()

    async def probe() -> None:
        inside.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(Pipeline(shared).acall(probe))
    await inside.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await told(timed)
    succeed(shared)
    await timed.aclose()


async def test_a_call_cancelled_on_its_way_in_leaves_no_probe_behind(
    timed: TimedStore, clock: FakeClock
) -> None:
    """Wherever the cancellation hits, another call can probe."""
    for steps in range(12):
        shared = CircuitBreaker(f"{steps}", opens_on=ConsecutiveFailures(1), store=timed)
        fail(shared)
        clock.advance(60)
        task = asyncio.create_task(Pipeline(shared).acall(asyncio.Event().wait))
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await told(timed)
        succeed(shared)
    await timed.aclose()


class TestCloseToTheDeadline:
    """A slot that a probe does not give back keeps the circuit from recovering for its lease."""

    def test_a_probe_that_ends_is_counted(self, timed: TimedStore, clock: FakeClock) -> None:
        shared = breaker(timed)
        for late in (lambda: clock.advance(9), lambda: clock.advance(20)):
            fail(shared)
            clock.advance(60)
            Pipeline(Deadline(10), shared).call(late)
            assert shared.state is CircuitState.CLOSED

    def test_an_error_that_does_not_count_gives_the_slot_back(
        self, timed: TimedStore, clock: FakeClock
    ) -> None:
        shared = breaker(timed)

        def late() -> None:
            clock.advance(9)
            raise InvalidRequest(reason="unfit")

        fail(shared)
        clock.advance(60)
        with pytest.raises(InvalidRequest):
            Pipeline(Deadline(10), shared).call(late)
        succeed(shared)

    async def test_a_coroutine_does_not_wait_for_the_count(self, timed: TimedStore) -> None:
        shared = breaker(timed)

        async def late() -> str:
            clock.advance(9)
            return "answer"

        with FakeClock(jumps=False) as clock:
            timed.clock = clock
            fail(shared)
            clock.advance(60)
            assert await Pipeline(Deadline(10), shared).acall(late) == "answer"
            await told(timed)
        assert shared.state is CircuitState.CLOSED
        await timed.aclose()


async def told(store: RedisStore) -> None:
    """Return when the store has been told everything."""
    while store._tasks:
        await asyncio.wait(set(store._tasks))


async def test_a_stream_counts_when_it_ends(timed: TimedStore, clock: FakeClock) -> None:
    shared = breaker(timed)
    items = Pipeline(shared).stream(Scripted(["a", CUT]).stream)
    assert await anext(items) == "a"
    succeed(shared)
    with pytest.raises(PartialOutput):
        await anext(items)
    rejected(shared)
    left = Pipeline(shared).stream(Scripted(["a", "b"]).stream)
    clock.advance(60)
    assert await anext(left) == "a"
    await left.aclose()  # a probe that says nothing
    await told(timed)
    succeed(shared)
    await timed.aclose()


class TestBudget:
    def test_both_earn_and_both_spend(self, timed: TimedStore, clock: FakeClock) -> None:
        ours, theirs = (RetryBudget(0.5, floor=0, name="dependency", store=timed) for _ in range(2))
        for _ in range(4):
            ours.deposit()
        assert [theirs.withdraw(), ours.withdraw(), theirs.withdraw()] == [True, True, False]
        assert theirs.balance == pytest.approx(0)

    async def test_so_they_do_in_an_event_loop(self, timed: TimedStore, clock: FakeClock) -> None:
        ours, theirs = (RetryBudget(0.5, floor=0, name="dependency", store=timed) for _ in range(2))
        for _ in range(4):
            ours.deposit()
        await told(timed)
        assert await theirs.awithdraw()
        assert await ours.awithdraw()
        assert not await theirs.awithdraw()
        await timed.aclose()

    @pytest.mark.parametrize("form", ["acall", "stream"])
    async def test_200_failing_callers_have_the_retries_of_one_budget(
        self, timed: TimedStore, clock: FakeClock, form: str
    ) -> None:
        """Although all of them fail at once, in two processes."""
        budgets = [RetryBudget(floor=2, name="dependency", store=timed) for _ in range(2)]
        fetch = Scripted(CUT) if form == "acall" else Scripted([CUT])

        async def call(budget: RetryBudget) -> None:
            pipeline = Pipeline(Retry(initial_delay=0, budget=budget))
            if form == "acall":
                await pipeline.acall(fetch.acall)
            else:
                await anext(pipeline.stream(fetch.stream))

        await asyncio.gather(*map(call, budgets * 100), return_exceptions=True)
        assert len(fetch.calls) == 220
        await timed.aclose()

    async def test_leave_that_cannot_wait_goes_by_what_was_last_heard(
        self, timed: TimedStore, clock: FakeClock
    ) -> None:
        ours, theirs = (RetryBudget(1, floor=0, name="dependency", store=timed) for _ in range(2))
        theirs.deposit()
        await told(timed)
        assert not ours.withdraw()
        assert theirs.withdraw()
        await told(timed)
        assert not await ours.awithdraw()
        await timed.aclose()


class TestOutage:
    def test_a_kill_and_a_return_fail_no_call(
        self, mortal: RedisServer, clock: FakeClock, heard: list[Event]
    ) -> None:
        store = RedisStore(mortal.url)
        shared = breaker(store, opens_on=ConsecutiveFailures(2))
        succeed(shared)
        mortal.signal(SIGKILL)
        for _ in range(100):
            succeed(shared)
        fail(shared)
        fail(shared)
        rejected(shared)  # by this process alone
        mortal.start()
        clock.advance(1)
        succeed(shared)  # the server knows of nothing
        kinds = [type(event) for event in heard if isinstance(event, StoreLost | StoreRegained)]
        assert kinds == [StoreLost, StoreRegained]
        assert shared.state is CircuitState.CLOSED
        store.close()

    async def test_nor_in_an_event_loop(
        self, mortal: RedisServer, clock: FakeClock, heard: list[Event]
    ) -> None:
        store = RedisStore(mortal.url)
        pipeline = Pipeline(breaker(store), Retry())
        answers = Scripted("answer")
        await pipeline.acall(answers.acall)
        mortal.signal(SIGKILL)
        await asyncio.gather(*(pipeline.acall(answers.acall) for _ in range(100)))
        mortal.start()
        clock.advance(1)
        await asyncio.gather(*(pipeline.acall(answers.acall) for _ in range(100)))
        kinds = [type(event) for event in heard]
        assert kinds == [StoreLost, StoreRegained]
        await store.aclose()

    def test_a_return_between_two_calls_goes_unnoticed(
        self, mortal: RedisServer, heard: list[Event]
    ) -> None:
        """The connections are broken and the scripts forgotten."""
        store = RedisStore(mortal.url)
        succeed(breaker(store))
        mortal.signal(SIGKILL)
        mortal.start()
        succeed(breaker(store))
        assert not heard
        store.close()

    async def test_a_server_that_hangs_costs_one_call_its_timeout(
        self, mortal: RedisServer, heard: list[Event]
    ) -> None:
        store = RedisStore(mortal.url, retry_after=1000)
        pipeline = Pipeline(breaker(store))
        await pipeline.acall(Scripted("answer").acall)
        mortal.signal(SIGSTOP)
        for _ in range(100):
            await pipeline.acall(Scripted("answer").acall)
            succeed(breaker(store))
        mortal.signal(SIGCONT)
        assert [type(event) for event in heard] == [StoreLost]
        await store.aclose()
        store.close()

    def test_an_open_circuit_stays_open_when_the_store_is_lost(
        self, mortal: RedisServer, clock: FakeClock
    ) -> None:
        """Also for a process that only heard of it."""
        store = RedisStore(mortal.url)
        ours, theirs = breaker(store), breaker(store)
        fail(ours)
        rejected(theirs)
        mortal.signal(SIGKILL)
        assert rejected(theirs).retry_after == pytest.approx(60, abs=5)
        clock.advance(60)
        succeed(theirs)
        store.close()

    def test_an_isolation_outlives_the_store(self, mortal: RedisServer) -> None:
        store = RedisStore(mortal.url)
        shared = breaker(store)
        shared.isolate()
        mortal.signal(SIGKILL)
        rejected(shared)
        store.close()

    @pytest.mark.parametrize(
        "command",
        [
            ("CONFIG", "SET", "maxmemory", "1"),
            ("REPLICAOF", "localhost", "1"),
            ("CONFIG", "SET", "requirepass", "secret"),
        ],
        ids=["out of memory", "read only", "no password"],
    )
    def test_a_server_that_refuses_is_out_of_reach(
        self, mortal: RedisServer, heard: list[Event], command: tuple[str, ...]
    ) -> None:
        with mortal.client() as client:
            client.execute_command(*command)
        store = RedisStore(mortal.url)
        for _ in range(10):
            succeed(breaker(store))
        (lost,) = heard
        assert isinstance(lost, StoreLost)
        assert isinstance(lost.error, StormproofError)
        store.close()

    @pytest.mark.parametrize(
        "garbage",
        [
            lambda client, key: client.rpush(key, "a list"),
            lambda client, key: client.set(key, "no state"),
            lambda client, key: client.set(key, b"\xc0"),
            lambda client, key: client.set(key, b"\x93\x01\x02\x03"),
        ],
        ids=["another type", "text", "nothing", "a list inside"],
    )
    def test_garbage_in_a_key_is_nothing(
        self,
        store: RedisStore,
        redis: RedisServer,
        prefix: str,
        heard: list[Event],
        garbage: Callable[[Redis, str], None],
    ) -> None:
        with redis.client() as client:
            garbage(client, f"{prefix}:1:circuit:dependency")
            garbage(client, f"{prefix}:1:budget:dependency")
        succeed(breaker(store))
        fail(breaker(store))
        rejected(breaker(store))
        assert RetryBudget(name="dependency", store=store).withdraw()
        assert not any(isinstance(event, StoreLost) for event in heard)


class TestKeys:
    def test_every_key_expires(self, store: RedisStore, redis: RedisServer, prefix: str) -> None:
        succeed(breaker(store))
        CircuitBreaker("isolated", store=store).isolate()
        RetryBudget(name="dependency", store=store).deposit()
        with redis.client() as client:
            keys = list(client.scan_iter(f"{prefix}:*"))
            assert len(keys) == 3
            assert all(0 < client.ttl(key) <= 30 * 86400 for key in keys)

    @pytest.mark.parametrize("rule", [ConsecutiveFailures(2), FailureRate(window=LastCalls(20))])
    def test_calls_are_counted_however_long_ago_within_reason(
        self, store: RedisStore, redis: RedisServer, prefix: str, rule: object
    ) -> None:
        """Else what is called every five minutes could fail forever."""
        succeed(breaker(store, opens_on=rule, open_for=1, probe_lease=1))
        with redis.client() as client:
            (key,) = client.scan_iter(f"{prefix}:*")
            assert client.ttl(key) > 3600

    @pytest.mark.parametrize("name", ["a:b {c} \n\0 é", "x" * 100_000, "\ud800"], ids=ascii)
    def test_a_name_is_no_more_than_a_name(
        self, store: RedisStore, redis: RedisServer, prefix: str, name: str
    ) -> None:
        fail(CircuitBreaker(name, opens_on=ConsecutiveFailures(1), store=store))
        succeed(CircuitBreaker(name + "y", store=store))
        with redis.client() as client:
            keys = list(client.scan_iter(f"{prefix}:*"))
            assert len(keys) == 2
            for key in keys:
                assert len(key) < 400
                assert key.isascii()
                assert key.isprintable()


def test_the_password_is_nowhere(heard: list[Event], clock: FakeClock) -> None:
    store = RedisStore("redis://user:hunter2@127.0.0.1:1/0?password=hunter2")
    shared = breaker(store)
    succeed(shared)
    (lost,) = heard
    assert isinstance(lost, StoreLost)
    cause: BaseException | None = lost.error
    seen = f"{store} {store!r} {shared!r} {Pipeline(shared)!r} {lost!r}"
    while cause is not None:
        seen += f"{cause} {cause!r}"
        cause = cause.__cause__ or cause.__context__
    assert "hunter2" not in seen


@pytest.mark.parametrize(
    "url",
    [
        *("", "localhost:6379", "http://localhost", None),
        *("redis://:hunter2/5@localhost:6379", "redis://localhost?hunter2=5&socket_timeout=x"),
    ],
)
def test_what_is_not_the_url_of_a_server_is_refused(url: str) -> None:
    """A password that was not quoted is a port to a parser, which says so aloud."""
    with pytest.raises(ValidationErrors, match="url") as raised:
        RedisStore(url)
    assert "hunter2" not in f"{raised.value}{raised.value.__context__}"


def test_event_loops_that_come_and_go_at_once_do_not_meet(
    store: RedisStore, heard: list[Event]
) -> None:
    """While one looks for those that have ended, others begin and are cleared away."""
    connections: dict[Any, Any] = vars(store)["_connections"]

    class Ended:
        def is_closed(self) -> bool:
            del connections[self]
            connections[Begun()] = None
            return True

    class Begun:
        def is_closed(self) -> bool:
            return False

    connections[Ended()] = connections[Ended()] = None
    asyncio.run(Pipeline(breaker(store)).acall(Scripted("answer").acall))
    assert heard == []


def test_every_event_loop_has_connections_of_its_own_and_leaves_none(store: RedisStore) -> None:
    pipeline = Pipeline(breaker(store))

    async def calls() -> None:
        await asyncio.gather(*(pipeline.acall(Scripted("answer").acall) for _ in range(10)))
        assert len(store._connections) >= 1

    threads = [threading.Thread(target=lambda: asyncio.run(calls())) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    asyncio.run(calls())
    assert not store._connections
    gc.collect()  # an unclosed connection would say so, and a warning is an error


async def test_a_store_is_closed_when_it_has_been_told_everything(
    timed: TimedStore, clock: FakeClock, heard: list[Event]
) -> None:
    shared = breaker(timed)
    fail(shared)
    clock.advance(60)
    items = Pipeline(shared).stream(Scripted(["a", "b"]).stream)
    assert await anext(items) == "a"
    await items.aclose()  # a probe that says nothing
    await timed.aclose()
    succeed(shared)
    assert not any(isinstance(event, StoreLost) for event in heard)


async def test_a_closed_store_opens_again(store: RedisStore) -> None:
    pipeline = Pipeline(breaker(store))
    for _ in range(2):
        await pipeline.acall(Scripted("answer").acall)
        await store.aclose()
        pipeline.call(Scripted("answer"))
        store.close()


class TestLimit:
    def test_permits_are_those_of_all(self, timed: TimedStore, clock: FakeClock) -> None:
        ours, theirs = (
            Pipeline(RateLimit("dependency", 3, 60, max_wait=0, store=timed)) for _ in range(2)
        )
        answers = Scripted("answer")
        for pipeline in (ours, theirs, ours):
            pipeline.call(answers)
        with pytest.raises(RateLimitExceeded) as raised:
            theirs.call(answers)
        assert raised.value.retry_after == pytest.approx(20)
        clock.advance(20)
        theirs.call(answers)
        with pytest.raises(RateLimitExceeded):
            ours.call(answers)

    async def test_all_stand_in_one_line(
        self, timed: TimedStore, clock: FakeClock, heard: list[Event]
    ) -> None:
        """Each waits for a turn of its own, whichever process it is in."""
        limits = [RateLimit("dependency", 1, 1, max_wait=100, store=timed) for _ in range(2)]
        await asyncio.gather(
            *(Pipeline(limit).acall(Scripted("answer").acall) for limit in limits * 5)
        )
        waits = [event.wait for event in heard if isinstance(event, CallWaited)]
        assert sorted(waits) == pytest.approx(list(range(1, 10)))
        assert [limit.waiting for limit in limits] == [0, 0]
        await timed.aclose()

    def test_a_wait_beyond_the_deadline_takes_nothing(
        self, timed: TimedStore, clock: FakeClock
    ) -> None:
        limit = RateLimit("dependency", 1, 10, store=timed, max_wait=60)
        answers = Scripted("answer")
        Pipeline(limit).call(answers)
        for _ in range(5):
            with pytest.raises(RateLimitExceeded):
                Pipeline(Deadline(6), limit).call(answers)
        began = clock.now()
        Pipeline(limit).call(answers)
        assert clock.now() - began == pytest.approx(10)

    @pytest.mark.parametrize("steps", [*range(1, 10), 1000])
    async def test_a_call_cancelled_on_its_way_gives_back_what_it_took(
        self, timed: TimedStore, steps: int
    ) -> None:
        """Wherever the cancellation hits: before it asked, while it does, while it waits."""
        limit = RateLimit("dependency", 1, 10, max_wait=60, store=timed)
        with FakeClock(jumps=False) as timed.clock:
            await Pipeline(limit).acall(Scripted("answer").acall)
            task = asyncio.create_task(Pipeline(limit).acall(Scripted("answer").acall))
            while steps and not limit.waiting:
                await asyncio.sleep(0)
                steps -= 1
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await told(timed)
            take = TakePermits("dependency", (Rate(10, 10),), (1,), 0, (0,))
            taken = await timed.aask(take)
            assert taken is not None
            assert taken.wait == pytest.approx(10)
            await timed.aclose()

    def test_requests_and_tokens_are_taken_together_and_settled(
        self, timed: TimedStore, clock: FakeClock
    ) -> None:
        ours, theirs = (
            Pipeline(
                Quota(
                    "dependency",
                    requests=10,
                    tokens=100,
                    estimate=lambda _: 60,
                    usage=lambda used: used,
                    max_wait=0,
                    store=timed,
                )
            )
            for _ in range(2)
        )
        ours.call(lambda used: used, 40)  # takes 60, gives 20 back
        theirs.call(lambda used: used, 90)  # takes 60, charges 30: 30 too many
        with pytest.raises(RateLimitExceeded) as raised:
            ours.call(lambda used: used, 1)
        assert raised.value.retry_after == pytest.approx((30 + 60) * 60 / 100)

    def test_what_a_server_says_holds_for_all(self, timed: TimedStore, clock: FakeClock) -> None:
        ours, theirs = (
            RateLimit("dependency", 100, 100, max_wait=0, store=timed) for _ in range(2)
        )
        ours.observe({"x-ratelimit-remaining-requests": "1"})
        Pipeline(theirs).call(Scripted("answer"))
        with pytest.raises(RateLimitExceeded):
            Pipeline(theirs).call(Scripted("answer"))

    def test_without_the_store_each_keeps_the_limit_for_itself(
        self, mortal: RedisServer, clock: FakeClock
    ) -> None:
        store = RedisStore(mortal.url)
        limit = Pipeline(RateLimit("dependency", 2, 60, max_wait=0, store=store))
        mortal.signal(SIGKILL)
        for _ in range(2):
            limit.call(Scripted("answer"))
        with pytest.raises(RateLimitExceeded):
            limit.call(Scripted("answer"))
        store.close()


PROCESS = """
import sys, threading
from stormproof.errors import *
from stormproof.recovery import *
from stormproof.recovery.limits.bucket import Rate
from stormproof.recovery.sharing.operations import TakePermits
from stormproof.recovery.redis import RedisStore

store = RedisStore(sys.argv[1], prefix=sys.argv[2], timeout=5, retry_after=0.01)
breaker = CircuitBreaker("dependency", opens_on=ConsecutiveFailures(1), open_for=0.001,
                         probes=3, probe_lease=float(sys.argv[3]), store=store)
lasting = CircuitBreaker("lasting", opens_on=ConsecutiveFailures(1), store=store)
limit = RateLimit("dependency", 50, period=10_000, max_wait=0, store=store)
quota = Quota("dependency", requests=1000, tokens=100, estimate=lambda: 3, period=10_000,
              max_wait=0, store=store)
budget = RetryBudget(0, floor=0.02, window=1000, name="dependency", store=store)
release = threading.Event()

def fail():
    raise NetworkError(reason="cut")

def hang():
    print("inside", flush=True)
    release.wait()

def crowd(size):
    "Returns how many of so many threads are let in before the first one leaves."
    inside, decided = [], threading.Semaphore(0)
    def probe():
        inside.append(1)
        decided.release()
        release.wait()
    def run():
        try:
            Pipeline(breaker).call(probe)
        except CircuitOpen:
            decided.release()
    for _ in range(size):
        threading.Thread(target=run, daemon=True).start()
    for _ in range(size):
        decided.acquire()
    return len(inside)

def let_in(strategy, times):
    count = 0
    for _ in range(times):
        try:
            Pipeline(strategy).call(lambda: None)
            count += 1
        except RateLimitExceeded:
            pass
    return count

for line in sys.stdin:
    try:
        print(eval(line), flush=True)
    except Exception as error:
        print(type(error).__name__, flush=True)
"""


class Process:
    """Another Python process, which says what the expressions it is sent come to."""

    def __init__(self, redis: RedisServer, prefix: str, probe_lease: float) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", PROCESS, redis.url, prefix, str(probe_lease)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def send(self, expression: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{expression}\n")
        self._process.stdin.flush()

    def says(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def does(self, expression: str) -> str:
        self.send(expression)
        return self.says()

    def kill(self) -> None:
        self._process.kill()
        self._process.communicate()


@pytest.fixture
def start(prefix: str) -> Iterator[Callable[..., Process]]:
    processes: list[Process] = []

    def start(redis: RedisServer, probe_lease: float = 1000) -> Process:
        processes.append(Process(redis, prefix, probe_lease))
        return processes[-1]

    yield start
    for process in processes:
        process.kill()


class TestProcesses:
    def test_two_make_together_the_probes_of_one(
        self, start: Callable[..., Process], redis: RedisServer
    ) -> None:
        both = [start(redis) for _ in range(2)]
        assert both[0].does("Pipeline(breaker).call(fail)") == "NetworkError"
        for one in both:
            one.send("crowd(20)")
        assert sum(int(one.says()) for one in both) == 3

    @pytest.mark.parametrize(
        ("work", "allowed"), [("let_in(limit, 100)", 50), ("let_in(quota, 100)", 33)]
    )
    def test_two_have_together_the_permits_of_one(
        self, start: Callable[..., Process], redis: RedisServer, work: str, allowed: int
    ) -> None:
        both = [start(redis) for _ in range(2)]
        for one in both:
            one.send(work)
        assert sum(int(one.says()) for one in both) == allowed

    def test_two_spend_one_budget(self, start: Callable[..., Process], redis: RedisServer) -> None:
        both = [start(redis) for _ in range(2)]
        for one in both:
            one.send("sum(budget.withdraw() for _ in range(50))")
        assert sum(int(one.says()) for one in both) == 20

    def test_the_slots_of_a_killed_process_are_free_when_its_lease_is_over(
        self, start: Callable[..., Process], redis: RedisServer
    ) -> None:
        probing, other = start(redis, 0.5), start(redis, 0.5)
        assert other.does("Pipeline(breaker).call(fail)") == "NetworkError"
        assert probing.does("crowd(3)") == "3"
        probing.kill()
        while (answer := other.does("Pipeline(breaker).call(lambda: 'answer')")) != "answer":
            assert answer == "CircuitOpen"
        assert other.does("breaker.state.value") == "closed"

    def test_two_go_on_while_redis_is_killed_and_share_again_when_it_is_back(
        self, start: Callable[..., Process], mortal: RedisServer
    ) -> None:
        both = one, other = start(mortal), start(mortal)
        call = "[Pipeline(lasting, limit).call(lambda: 'answer') for _ in range(10)][0]"
        for _ in range(2):
            assert [process.does(call) for process in both] == ["answer"] * 2
            mortal.signal(SIGKILL)
            assert [process.does(call) for process in both] == ["answer"] * 2
            assert [process.does("store.reachable") for process in both] == ["False"] * 2
            mortal.start()
            for process in both:
                while process.does("store.reachable") != "True":
                    assert process.does("Pipeline(lasting).call(lambda: 'answer')") == "answer"
        assert one.does("Pipeline(lasting).call(fail)") == "NetworkError"
        assert other.does(call) == "CircuitOpen"
