"""The record that a retry leaves on an error it gave up on."""

import asyncio
import copy
import dataclasses
import pickle
import traceback
from collections.abc import Awaitable, Callable

import pytest

from stormproof.errors import (
    DeadlineExceeded,
    NetworkError,
    PartialOutput,
    RateLimitExceeded,
    ResultRejected,
)
from stormproof.recovery import (
    Attempt,
    Deadline,
    GiveUpReason,
    Pipeline,
    Retry,
    RetryBudget,
    attempts,
)
from stormproof.recovery.retries.attempts import records
from stormproof.testing import FakeClock, Scripted, Takes
from support.reentrancy import Scenario, at_every_point

CUT = NetworkError(reason="cut")


def given_up(*steps: object) -> Exception:
    with pytest.raises(Exception) as raised:  # noqa: PT011 - whatever the script ends with
        Pipeline(Retry(), name="ask").call(Scripted(*steps))
    return raised.value


async def call(pipeline: Pipeline, fetch: Scripted) -> object:
    return await pipeline.acall(fetch.acall)


async def stream(pipeline: Pipeline, fetch: Scripted) -> object:
    return [item async for item in pipeline.stream(fetch.stream)]


Ask = Callable[[Pipeline, Scripted], Awaitable[object]]

in_both_forms = pytest.mark.parametrize("ask", [call, stream])


def test_every_attempt_is_recorded(clock: FakeClock) -> None:
    """When, where, what was raised, and how long was waited."""
    begun = clock.now()
    error = given_up(Takes(2.0, ConnectionResetError("first")), NetworkError(reason="second"))
    first, second, last = attempts(error)
    assert first == Attempt(
        number=1,
        pipeline="ask",
        failed_at=begun + 2.0,
        error="ConnectionResetError: first",
        wait=0.1,
    )
    assert (second.number, second.wait) == (2, 0.2)
    assert (last.number, last.wait) == (3, None)
    assert last.error == "NetworkError: network error: second"


def test_a_traceback_tells_every_attempt(clock: FakeClock) -> None:
    text = "".join(traceback.format_exception(given_up(NetworkError(reason="cut"))))
    for number in (1, 2, 3):
        assert f"ask, attempt {number}: NetworkError: network error: cut" in text
    assert "gave up: attempts spent" in text


def test_the_record_travels_with_the_error(clock: FakeClock) -> None:
    error = given_up(NetworkError(reason="cut"))
    assert attempts(pickle.loads(pickle.dumps(error))) == attempts(error)  # noqa: S301 - our own
    assert attempts(copy.copy(error)) == attempts(error)


def test_the_record_is_found_on_a_cause(clock: FakeClock) -> None:
    inner = given_up(NetworkError(reason="cut"))
    outer = RuntimeError()
    outer.__cause__ = inner
    assert attempts(outer) == attempts(inner)


def test_an_error_that_nobody_retried_has_no_record() -> None:
    assert attempts(ValueError()) == ()


def test_a_circle_of_causes_ends() -> None:
    one, two = ValueError(), ValueError()
    one.__cause__, two.__cause__ = two, one
    assert attempts(one) == ()


def test_secrets_and_walls_of_text_stay_out_of_the_record(clock: FakeClock) -> None:
    secret = "sk-" + "a" * 40
    leaky = given_up(ConnectionError(f"key {secret}\n" + "x" * 100_000))
    for attempt in attempts(leaky):
        assert secret not in attempt.error
        assert len(attempt.error) < 300
        assert "\n" not in attempt.error


def test_an_error_that_cannot_print_itself_is_named_by_its_class(clock: FakeClock) -> None:
    class Shy(ConnectionError):
        def __str__(self) -> str:
            raise RuntimeError

    assert attempts(given_up(Shy()))[0].error == "Shy"


def test_an_error_that_takes_no_attributes_is_passed_on_all_the_same(clock: FakeClock) -> None:
    @dataclasses.dataclass(frozen=True)
    class Frozen(ConnectionError):
        where: str

    error = given_up(Frozen("here"))
    assert isinstance(error, Frozen)
    assert len(attempts(error)) == 3
    assert error.__notes__[-1] == "gave up: attempts spent"


def test_notes_of_others_are_kept(clock: FakeClock) -> None:
    error = NetworkError(reason="cut")
    error.add_note("seen from the moon")
    assert given_up(error).__notes__[0] == "seen from the moon"


def test_earlier_attempts_are_told_when_the_last_error_is_not_retriable(clock: FakeClock) -> None:
    error = given_up(NetworkError(reason="cut"), TypeError("bug"))
    assert [attempt.error for attempt in attempts(error)] == [
        "NetworkError: network error: cut",
        "TypeError: bug",
    ]
    assert "gave up: not retriable" in error.__notes__


@pytest.mark.parametrize(
    ("retry", "steps", "waits", "reason"),
    [
        (Retry(attempts=2), [CUT], [0.1, None], GiveUpReason.ATTEMPTS_SPENT),
        (Retry(), [CUT, TypeError("bug")], [0.1, None], GiveUpReason.NOT_RETRIABLE),
        (
            Retry(),
            [CUT, RateLimitExceeded(retry_after=3600)],
            [0.1, None],
            GiveUpReason.WAIT_TOO_LONG,
        ),
        (Retry(initial_delay=0.8), [CUT], [0.8, None], GiveUpReason.DEADLINE_TOO_NEAR),
        (
            Retry(budget=RetryBudget(0, floor=0.1)),
            [CUT],
            [0.1, None],
            GiveUpReason.BUDGET_SPENT,
        ),
        (Retry(attempts=1), [CUT], [None], GiveUpReason.ATTEMPTS_SPENT),
        (
            Retry(attempts=2, retry_on_result=lambda found: not found),
            [[], []],
            [0.1, None],
            GiveUpReason.ATTEMPTS_SPENT,
        ),
    ],
    ids=lambda value: value if isinstance(value, GiveUpReason) else "",
)
def test_whyever_it_gives_up_the_record_is_whole(
    clock: FakeClock,
    retry: Retry,
    steps: list[object],
    waits: list[float | None],
    reason: GiveUpReason,
) -> None:
    begun = clock.now()
    with pytest.raises(Exception) as raised:  # noqa: PT011 - whatever the script ends with
        Pipeline(Deadline(1), retry, name="ask").call(Scripted(*steps))
    tried = attempts(raised.value)
    assert [attempt.wait for attempt in tried] == waits
    assert [attempt.number for attempt in tried] == list(range(1, len(waits) + 1))
    assert [attempt.failed_at - begun for attempt in tried] == pytest.approx(
        [0.0, *waits[:-1]], abs=1e-6
    )
    assert {(attempt.pipeline, attempt.cut) for attempt in tried} == {("ask", False)}
    assert tried[-1].error.startswith(type(raised.value).__name__)
    assert raised.value.__notes__[-1] == f"gave up: {reason.replace('_', ' ')}"
    assert raised.value.__notes__[-2] == str(tried[-1])


class TestADeadlineThatCutsARetry:
    """The attempts before the cut are on the error that the caller gets."""

    @in_both_forms
    async def test_in_an_attempt(self, clock: FakeClock, ask: Ask) -> None:
        begun = clock.now()
        fetch = Scripted(CUT, CUT, Takes(5, "late"))
        with pytest.raises(DeadlineExceeded) as raised:
            await ask(Pipeline(Deadline(1), Retry(), name="ask"), fetch)
        first, second, third = attempts(raised.value)
        assert (first.wait, second.wait) == (0.1, 0.2)
        assert not first.cut
        assert not second.cut
        assert (third.number, third.pipeline, third.wait, third.cut) == (3, "ask", None, True)
        assert third.failed_at - begun == pytest.approx(1.0)
        assert third.error == "CancelledError"
        assert raised.value.__notes__ == [
            "ask, attempt 1: NetworkError: network error: cut; waited 0.1s",
            "ask, attempt 2: NetworkError: network error: cut; waited 0.2s",
            "ask, attempt 3: CancelledError",
            "cut short in attempt 3",
        ]

    @in_both_forms
    async def test_in_a_wait(self, clock: FakeClock, ask: Ask) -> None:
        """Another deadline than the one that the wait was measured against."""

        async def outer() -> object:
            return await ask(Pipeline(Retry(initial_delay=2), name="ask"), Scripted(CUT))

        task = asyncio.create_task(outer())
        await asyncio.sleep(0)
        clock.advance(0.5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError) as raised:
            await task
        (only,) = attempts(raised.value)
        assert only.wait == pytest.approx(0.5)
        assert not only.cut
        assert raised.value.__notes__ == [
            "ask, attempt 1: NetworkError: network error: cut; waited 0.5s",
            "cut short before attempt 2",
        ]

    @in_both_forms
    async def test_in_the_first_attempt_leaves_nothing_to_tell(
        self, clock: FakeClock, ask: Ask
    ) -> None:
        with pytest.raises(DeadlineExceeded) as raised:
            await ask(Pipeline(Deadline(1), Retry()), Scripted(Takes(5)))
        assert attempts(raised.value) == ()
        assert not hasattr(raised.value, "__notes__")

    async def test_leaves_a_record_that_travels(self, clock: FakeClock) -> None:
        with pytest.raises(DeadlineExceeded) as raised:
            await call(Pipeline(Deadline(1), Retry()), Scripted(CUT, Takes(5)))
        sent = pickle.loads(pickle.dumps(raised.value))  # noqa: S301 - our own
        assert len(attempts(sent)) == 2
        assert attempts(sent) == attempts(raised.value)

    @in_both_forms
    async def test_does_not_stop_a_retry_around_it(self, clock: FakeClock, ask: Ask) -> None:
        """Whoever was cut short has not given up."""
        fetch = Scripted(CUT, Takes(5), CUT, Takes(5), ["answer"])
        pipeline = Pipeline(Retry(name="outer"), Deadline(1), Retry(name="inner"))
        assert await ask(pipeline, fetch) == ["answer"]
        assert len(fetch.calls) == 5

    async def test_gives_way_to_the_record_of_the_retry_around_it(self, clock: FakeClock) -> None:
        outer = Pipeline(Retry(attempts=2), name="outer")
        fetch = Scripted(CUT, Takes(5), CUT, Takes(5))
        inner = Pipeline(Deadline(1), Retry(), name="inner")(fetch.acall)
        with pytest.raises(DeadlineExceeded) as raised:
            await outer.acall(inner)
        assert {attempt.pipeline for attempt in attempts(raised.value)} == {"outer"}
        cause = raised.value.__cause__
        assert cause is not None
        assert {attempt.pipeline for attempt in attempts(cause)} == {"inner"}


async def test_a_stream_that_breaks_after_an_item_tells_the_attempts_before_it(
    clock: FakeClock,
) -> None:
    fetch = Scripted(CUT, ["a", ConnectionResetError("late")])
    items = Pipeline(Retry(), name="ask").stream(fetch.stream)
    with pytest.raises(PartialOutput) as raised:
        [item async for item in items]
    assert [attempt.error for attempt in attempts(raised.value)] == [
        "NetworkError: network error: cut",
        "ConnectionResetError: late",
    ]
    assert raised.value.__notes__[-1] == "not retried: items had been delivered"


def test_attempts_of_an_outer_retry_come_before_those_of_the_inner_one_that_gave_up(
    clock: FakeClock,
) -> None:
    """The inner one passes a KeyError on; when it gives up itself, nobody's attempts are lost."""
    inner = Pipeline(Retry(attempts=2), name="inner")(Scripted(KeyError("k"), CUT))
    outer = Pipeline(Retry(retry_on=KeyError), name="outer")
    with pytest.raises(NetworkError) as raised:
        outer.call(inner)
    told = [(attempt.pipeline, attempt.number) for attempt in attempts(raised.value)]
    assert told == [("outer", 1), ("inner", 1), ("inner", 2)]
    assert raised.value.__notes__ == [*map(str, attempts(raised.value)), "gave up: attempts spent"]


def test_a_rejected_result_is_in_no_record(clock: FakeClock) -> None:
    answer = "what the model said"
    with pytest.raises(ResultRejected) as raised:
        Pipeline(Retry(retry_on_result=bool)).call(Scripted(answer))
    assert answer not in "".join(traceback.format_exception(raised.value))


async def test_a_cut_tells_what_all_retries_had_tried(clock: FakeClock) -> None:
    fetch = Scripted(KeyError("a"), CUT, Takes(60, "late"))
    inner = Pipeline(Retry(), name="inner")
    outer = Pipeline(Deadline(30), Retry(retry_on=KeyError), name="outer")
    with pytest.raises(DeadlineExceeded) as raised:
        await outer.acall(call, inner, fetch)
    told = [(one.pipeline, one.number, one.cut) for one in attempts(raised.value)]
    assert told == [("outer", 1, False), ("inner", 1, False), ("inner", 2, True)]


async def test_a_broken_stream_tells_what_all_retries_had_tried(clock: FakeClock) -> None:
    fetch = Scripted(KeyError("a"), CUT, ["item", CUT])
    inner = Pipeline(Retry(), name="inner")
    outer = Pipeline(Retry(retry_on=KeyError), name="outer")
    with pytest.raises(PartialOutput) as raised:
        [item async for item in outer.stream(lambda: inner.stream(fetch.stream))]
    told = [(one.pipeline, one.number) for one in attempts(raised.value)]
    assert told == [("outer", 1), ("inner", 1), ("inner", 2)]


def test_a_finalizer_may_give_up_while_a_retry_does() -> None:
    def prepare() -> Scenario:
        written = records.written
        return Scenario(records.next, records.next, lambda: check(written))

    def check(written: int) -> None:
        assert records.written == written + 2

    at_every_point(prepare)
