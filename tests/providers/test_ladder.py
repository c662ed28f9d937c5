"""A model's name is answered for by the first rung that can, and by none twice."""

from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from typing import Any

import pytest

from stormproof.errors import (
    CapacityExceeded,
    CircuitOpen,
    ContextTooLong,
    DeadlineExceeded,
    InvalidRequest,
    ModelNotFound,
    OutOfBlocks,
    PartialOutput,
    ProviderError,
    RateLimitExceeded,
    StormproofError,
)
from stormproof.providers.answers import AnswerCache, CachedAnswers, FixedAnswer
from stormproof.providers.candidate import Journey
from stormproof.providers.chat import Capability, ChatRequest, Chunk, Completion, Usage
from stormproof.providers.collector import Collector
from stormproof.providers.continuation import Continuation
from stormproof.providers.ladder import Ladder
from stormproof.providers.recalling import RecallingRung
from stormproof.providers.rung import Rung
from stormproof.providers.stream_policy import StreamPolicy
from stormproof.recovery import Bulkhead, CircuitBreaker, ConsecutiveFailures, current_clock
from stormproof.testing import FakeClock

BROKEN = ProviderError(provider="acme", status_code=500)


class Model:
    """Says its script, one entry a call: a text, an error, or seconds before the next entry."""

    def __init__(self, name: str, *script: object) -> None:
        self.name = name
        self.requests: list[ChatRequest] = []
        self._script = list(script)

    @property
    def calls(self) -> int:
        return len(self.requests)

    async def complete(self, request: ChatRequest) -> Completion:
        return completion("".join([chunk.text async for chunk in self.stream(request)]))

    async def stream(self, request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        self.requests.append(request)
        entry = self._script.pop(0) if len(self._script) > 1 else self._script[0]
        yield Chunk(delta={"role": "assistant"})
        for said in entry if isinstance(entry, list) else [entry]:
            if isinstance(said, Exception):
                raise said
            if isinstance(said, float):
                await current_clock().asleep(said)
            else:
                yield said if isinstance(said, Chunk) else Chunk(delta={"content": said})
        yield Chunk(finish_reason="stop")


class Whole(Model):
    """Answers at once."""

    async def complete(self, request: ChatRequest) -> Completion:
        answer = self._script[0]
        assert isinstance(answer, Completion)
        return answer


def completion(text: str) -> Completion:
    choice = {"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    return Completion({"choices": [choice]}, Usage())


def asked(**fields: Any) -> ChatRequest:
    messages = [{"role": "user", "content": "Hi"}]
    return ChatRequest({"model": "m", "messages": messages, **fields})


@pytest.fixture(params=["whole", "stream"])
def form(request: pytest.FixtureRequest) -> str:
    """Every rule holds for answers at once and piece by piece."""
    return str(request.param)


async def ask(ladder: Ladder, form: str, journey: Journey | None = None, **fields: Any) -> str:
    journey = journey or Journey()
    if form == "whole":
        return (await ladder.complete(asked(**fields), journey)).text
    async with aclosing(ladder.stream(asked(stream=True, **fields), journey)) as chunks:
        return "".join([chunk.text async for chunk in chunks])


def ladder(*models: Model, **options: Any) -> Ladder:
    return Ladder("m", [Rung(model) for model in models], **options)


async def test_the_first_answers_while_it_can(form: str) -> None:
    first, second, journey = Model("a", "A"), Model("b", "B"), Journey()
    assert await ask(ladder(first, second), form, journey) == "A"
    assert (journey.asked, journey.rung, journey.degraded) == (["a"], "a", False)
    assert second.calls == 0


@pytest.mark.parametrize(
    "failure",
    [
        BROKEN,
        RateLimitExceeded(retry_after=3),
        DeadlineExceeded(),
        OSError(104, "reset"),
        CapacityExceeded(resource="queue", limit=1, retry_after=3),
        OutOfBlocks(needed=2, free=1),
    ],
)
async def test_the_next_answers_at_once_when_it_cannot(
    form: str, failure: Exception, clock: FakeClock
) -> None:
    """Nobody waits for one while another is free, whatever he asks for."""
    began, journey = clock.now(), Journey()
    assert await ask(ladder(Model("a", failure), Model("b", "B")), form, journey) == "B"
    assert journey.asked == ["a", "b"]
    assert clock.now() == began


async def test_what_the_client_did_wrong_is_for_the_client(form: str) -> None:
    second = Model("b", "B")
    with pytest.raises(InvalidRequest):
        await ask(ladder(Model("a", InvalidRequest(reason="no")), second), form)
    assert second.calls == 0


@pytest.mark.parametrize(
    "failure",
    [ModelNotFound(model="a"), ContextTooLong(prompt_tokens=9, max_tokens=1, limit=8)],
)
async def test_what_only_one_of_them_cannot_do_is_not_the_clients_fault(
    form: str, failure: Exception
) -> None:
    """Others have other models, and longer contexts."""
    assert await ask(ladder(Model("a", failure), Model("b", "B")), form) == "B"
    with pytest.raises(type(failure)):
        await ask(ladder(Model("a", failure)), form)


async def test_one_that_hangs_is_left(form: str, clock: FakeClock) -> None:
    """When its own time is over, and not that of all."""
    began = clock.now()
    slow = Rung(Model("a", [100.0, "A"]), deadline=5)
    assert await ask(Ladder("m", [slow, Rung(Model("b", "B"))]), form) == "B"
    assert clock.now() - began == pytest.approx(5)


async def test_everything_together_has_its_time(form: str, clock: FakeClock) -> None:
    began = clock.now()
    slow = [Rung(Model(name, [100.0, "A"]), deadline=4) for name in "abc"]
    with pytest.raises(DeadlineExceeded):
        await ask(Ladder("m", slow, deadline=10), form)
    assert clock.now() - began == pytest.approx(10)


async def test_one_that_is_down_is_left_alone(form: str) -> None:
    """Most requests of an outage never reach it."""
    down, well = Model("a", BROKEN), Model("b", "B")
    both = ladder(down, well)
    assert [await ask(both, form) for _ in range(20)] == ["B"] * 20
    assert down.calls < 10


async def test_one_whose_streams_break_off_is_left_alone(clock: FakeClock) -> None:
    """However well they begin."""
    breaking, well = Model("a", ["A", BROKEN]), Model("b", "B")
    both = ladder(breaking, well)
    assert [await ask(both, "stream") for _ in range(20)][-1] == "B"
    assert breaking.calls < 10


async def test_who_leaves_says_nothing_about_it(clock: FakeClock) -> None:
    """Neither that it is down, nor that it is well."""
    down = Model("a", [BROKEN], [BROKEN], *[["A", "A"]] * 20, [BROKEN])
    alone = ladder(down)
    for calls in range(1, 24):
        async with aclosing(alone.stream(asked(stream=True), Journey())) as chunks:
            with suppress(ProviderError):
                await anext(chunks)
        assert down.calls == calls
    with pytest.raises(CircuitOpen):
        await ask(alone, "stream")


async def test_a_lone_one_is_left_alone_too(form: str) -> None:
    """And callers learn at once, and when to come back."""
    down = Model("a", BROKEN)
    alone = ladder(down)
    failures: list[StormproofError] = []
    for _ in range(20):
        with pytest.raises(StormproofError) as caught:
            await ask(alone, form)
        failures.append(caught.value)
    assert down.calls < 10
    assert isinstance(failures[-1], CircuitOpen)
    assert failures[-1].http_status == 503
    assert (failures[-1].retry_after or 0) > 0


async def test_what_is_known_from_whole_answers_holds_for_streams() -> None:
    down, well = Model("a", BROKEN), Model("b", "B")
    both = ladder(down, well)
    for form in ["whole", "stream"] * 10:
        await ask(both, form)
    assert down.calls < 10


async def test_when_nobody_can_everybody_was_asked_once(form: str) -> None:
    models = [Model(name, BROKEN) for name in "abc"]
    with pytest.raises(ProviderError):
        await ask(ladder(*models), form)
    assert [model.calls for model in models] == [1, 1, 1]


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"tools": [{"type": "function"}]}, InvalidRequest),
        ({"max_tokens": 101}, ContextTooLong),
        ({"messages": [{"role": "user", "content": "x" * 500}]}, ContextTooLong),
        ({"response_format": {"type": "json_schema"}}, InvalidRequest),
    ],
)
async def test_one_that_could_not_serve_a_request_is_not_asked(
    form: str, fields: dict[str, Any], error: type[Exception]
) -> None:
    """Where nobody could, the client learns what is missing."""
    small = Model("a", "A")
    rung = Rung(small, capabilities=frozenset({Capability.VISION}), context=100)
    assert await ask(Ladder("m", [rung, Rung(Model("b", "B"))]), form, **fields) == "B"
    with pytest.raises(error):
        await ask(Ladder("m", [rung]), form, **fields)
    assert small.calls == 0


async def test_limits_of_ours_make_room_for_others(form: str) -> None:
    """As many at once as a rung may have; who comes besides is answered by the next."""
    busy = Rung(Model("a", [1.0, "A"]), limits=[Bulkhead("a", limit=1)])
    both = Ladder("m", [busy, Rung(Model("b", "B"))])
    async with aclosing(both.stream(asked(stream=True), Journey())) as chunks:
        await anext(chunks)
        assert await ask(both, form) == "B"


async def test_whom_a_limit_of_ours_kept_from_being_called_was_not_asked(form: str) -> None:
    busy, journey = Rung(Model("a", "A"), limits=[Bulkhead("a", limit=1)]), Journey()
    both = Ladder("m", [busy, Rung(Model("b", "B"))])
    async with aclosing(both.stream(asked(stream=True), Journey())) as chunks:
        await anext(chunks)
        await ask(both, form, journey)
    assert (journey.asked, journey.rung) == (["b"], "b")


async def test_a_last_resort_says_what_it_is(form: str) -> None:
    resort, journey = Rung(Model("sorry", "Sorry"), degraded=True), Journey()
    assert await ask(Ladder("m", [Rung(Model("a", BROKEN)), resort]), form, journey) == "Sorry"
    assert (journey.rung, journey.degraded) == ("sorry", True)


async def test_until_a_stream_says_something_another_may_answer() -> None:
    """That its role is the assistant's says nothing."""
    assert await ask(ladder(Model("a", [BROKEN]), Model("b", "B")), "stream") == "B"


async def test_a_stream_that_breaks_off_says_so() -> None:
    """Where nobody is to go on with it."""
    both = ladder(Model("a", ["A", BROKEN]), Model("b", "B"), policy=StreamPolicy.FAIL)
    async with aclosing(both.stream(asked(stream=True), Journey())) as chunks:
        assert (await anext(chunks)).text == ""
        assert (await anext(chunks)).text == "A"
        with pytest.raises(PartialOutput):
            await anext(chunks)


async def test_a_request_may_want_it_otherwise() -> None:
    both = ladder(Model("a", ["A", BROKEN]), Model("b", "B"), policy=StreamPolicy.FAIL)
    async with aclosing(
        both.stream(asked(stream=True), Journey(), policy=StreamPolicy.RESUME)
    ) as chunks:
        assert "".join([chunk.text async for chunk in chunks]) == "AB"


async def test_a_stream_that_stalls_breaks_off(clock: FakeClock) -> None:
    began = clock.now()
    stalling = Rung(Model("a", ["A", 100.0, "A"]), idle=3)
    assert await ask(Ladder("m", [stalling, Rung(Model("b", "B"))]), "stream") == "AB"
    assert clock.now() - began == pytest.approx(3)


@pytest.mark.parametrize("after", [BROKEN, 100.0])
async def test_what_breaks_behind_the_end_breaks_nothing(after: object, clock: FakeClock) -> None:
    """The answer is whole; nobody is asked for more of it."""
    end = Chunk(finish_reason="stop")
    first, other = Rung(Model("a", ["A", end, after]), idle=3), Model("b", "B")
    both = Ladder("m", [first, Rung(other)])
    async with aclosing(both.stream(asked(stream=True), Journey())) as chunks:
        heard = [chunk async for chunk in chunks]
    assert "".join(chunk.text for chunk in heard) == "A"
    assert [chunk.finish_reason for chunk in heard if chunk.finish_reason] == ["stop"]
    assert other.calls == 0


CUT = ["Hello", " wo", BROKEN]


def cut_and(model: Model, **options: Any) -> Ladder:
    """A ladder whose first rung breaks off once and is gone then."""
    return Ladder("m", [Rung(Model("a", CUT, BROKEN)), Rung(model, **options)])


class TestResuming:
    """A stream that breaks off goes on from what was delivered."""

    @pytest.mark.parametrize("rest", [["rld"], ["Hello wo", "rld"], ["\nHello", " world"]])
    async def test_the_client_gets_one_answer(self, rest: list[str]) -> None:
        """Nothing twice, whatever the second model repeats."""
        journey = Journey()
        assert await ask(cut_and(Model("b", rest)), "stream", journey) == "Hello world"
        assert (journey.asked, journey.rung) == (["a", "b"], "b")

    async def test_a_model_that_can_is_given_the_beginning(self) -> None:
        other = Model("b", ["rld"])
        await ask(cut_and(other, continues=Continuation.PREFILL), "stream")
        [request] = other.requests
        assert [message.role for message in request.messages] == ["user", "assistant"]
        assert request.messages[-1].content == "Hello wo"

    async def test_others_are_told_what_happened(self) -> None:
        other = Model("b", ["rld"])
        await ask(cut_and(other), "stream")
        [request] = other.requests
        assert [message.role for message in request.messages] == ["user", "assistant", "user"]

    async def test_who_has_only_whole_answers_is_not_asked_for_a_rest(self) -> None:
        other = Model("b", ["rld"])
        with pytest.raises(PartialOutput):
            await ask(cut_and(other, continues=Continuation.NEVER), "stream")
        assert other.calls == 0

    async def test_several_answers_at_once_are_not_gone_on_with(self) -> None:
        with pytest.raises(PartialOutput):
            await ask(cut_and(Model("b", ["rld"])), "stream", n=2)

    @pytest.mark.parametrize(
        ("way", "left"), [(Continuation.PREFILL, 8), (Continuation.INSTRUCTION, 10)]
    )
    async def test_the_rest_has_what_is_left_of_the_tokens(
        self, way: Continuation, left: int
    ) -> None:
        """And what it takes to say the last words again, where that is asked for."""
        other = Model("b", ["rld"])
        await ask(cut_and(other, continues=way), "stream", max_tokens=10)
        assert other.requests[0].max_tokens == left

    async def test_how_long_it_may_be_is_for_its_model_to_say(self) -> None:
        """Where that is not certain: a piece may be one token, or many."""
        first = Model("a", ["x" * 100, BROKEN])
        end = Chunk(finish_reason="length")
        other = Model("b", [end])
        rungs = [Rung(first), Rung(other, continues=Continuation.PREFILL)]
        request = asked(stream=True, max_tokens=20)
        async with aclosing(Ladder("m", rungs).stream(request, Journey())) as chunks:
            heard = [chunk async for chunk in chunks]
        assert other.requests[0].max_tokens == 1
        ends = [chunk.finish_reason for chunk in heard if chunk.finish_reason]
        assert ends[0] == "length"

    async def test_an_answer_that_was_as_long_as_it_may_be_is_at_its_end(self) -> None:
        other = Model("b", ["rld"])
        both = cut_and(other)
        request = asked(stream=True, max_completion_tokens=2)
        async with aclosing(both.stream(request, Journey())) as chunks:
            heard = [chunk async for chunk in chunks]
        assert "".join(chunk.text for chunk in heard) == "Hello wo"
        assert heard[-1].finish_reason == "length"
        assert other.calls == 0

    async def test_tokens_are_counted_over_all_parts(self) -> None:
        usage = Chunk(usage=Usage(prompt_tokens=12, completion_tokens=1))
        both = cut_and(Model("b", ["rld", usage]), continues=Continuation.PREFILL)
        async with aclosing(both.stream(asked(stream=True), Journey())) as chunks:
            heard = [chunk async for chunk in chunks]
        [total] = [chunk.usage for chunk in heard if chunk.usage]
        assert (total.prompt_tokens, total.completion_tokens) == (10, 3)

    async def test_it_is_the_assistant_who_speaks_once(self) -> None:
        both = cut_and(Model("b", ["rld"]))
        async with aclosing(both.stream(asked(stream=True), Journey())) as chunks:
            roles = [chunk.delta.get("role") async for chunk in chunks]
        assert [role for role in roles if role] == ["assistant"]

    async def test_calls_are_bounded_however_often_it_breaks(self) -> None:
        """Each is paid for, prompt and all: whoever says a word a call is not worth them."""
        one = Model("a", *[[f"w{n} ", BROKEN] for n in range(100)])
        patient = CircuitBreaker("a", opens_on=ConsecutiveFailures(1000))
        alone = Ladder("m", [Rung(one, breaker=patient)])
        with pytest.raises(PartialOutput):
            await ask(alone, "stream")
        assert one.calls == 4

    async def test_every_break_is_mended(self) -> None:
        one = Model("a", ["One ", BROKEN], ["two ", BROKEN], ["three."])
        assert await ask(ladder(one), "stream") == "One two three."


class TestRestarting:
    """A stream that breaks off begins again, and says so."""

    async def heard(self, ladder: Ladder, journey: Journey) -> list[Chunk]:
        request = asked(stream=True)
        async with aclosing(ladder.stream(request, journey, policy=StreamPolicy.RESTART)) as chunks:
            return [chunk async for chunk in chunks]

    async def test_the_answer_is_that_of_one_model(self) -> None:
        """What came before its first piece is void, and so is what that was counted."""
        usage = Chunk(usage=Usage(7, 3))
        first = Model("a", ["Hello", usage, " wo", BROKEN])
        journey = Journey()
        heard = await self.heard(ladder(first, Model("b", ["Good", "bye"])), journey)
        assert [chunk.text for chunk in heard if chunk.restarts] == [""]
        collector = Collector()
        for chunk in heard:
            collector.add(chunk)
        answer = collector.completion()
        assert answer
        assert (answer.text, answer.usage) == ("Goodbye", Usage())
        assert (journey.asked, journey.rung) == (["a", "b"], "b")

    async def test_others_are_asked_before_it_is_again(self) -> None:
        first, other = Model("a", CUT, ["A"]), Model("b", CUT)
        heard = await self.heard(ladder(first, other), Journey())
        assert "".join(chunk.text for chunk in heard) == "Hello woHello woA"
        assert sum(chunk.restarts for chunk in heard) == 2

    async def test_it_ends_with_an_error_at_last(self) -> None:
        """Nobody is asked again and again."""
        models = Model("a", CUT), Model("b", CUT)
        with pytest.raises(PartialOutput):
            await self.heard(ladder(*models), Journey())
        assert [model.calls for model in models] == [2, 1]

    async def test_what_was_answered_before_is_an_answer(self) -> None:
        """Any rung may give one, since it is whole."""
        sorry = Rung(FixedAnswer("Sorry."), degraded=True, continues=Continuation.NEVER)
        journey = Journey()
        heard = await self.heard(Ladder("m", [Rung(Model("a", CUT, BROKEN)), sorry]), journey)
        assert heard[-2].text == "Sorry."
        assert journey.degraded


def call(arguments: str, **fields: Any) -> Chunk:
    function = {"name": "f", "arguments": arguments}
    return Chunk(delta={"tool_calls": [{"index": 0, "id": "c", "function": function}], **fields})


class TestToolCalls:
    """A call is seen whole or not at all."""

    async def calls(self, both: Ladder) -> list[str]:
        async with aclosing(both.stream(asked(stream=True), Journey())) as chunks:
            heard = [chunk async for chunk in chunks]
        assert heard[-1].finish_reason
        calls = [chunk.delta["tool_calls"][0] for chunk in heard if "tool_calls" in chunk.delta]
        return [part["function"]["arguments"] for part in calls]

    async def test_its_parts_come_together(self) -> None:
        one = Model("a", [call('{"a"'), call(": 1}")])
        assert await self.calls(ladder(one)) == ['{"a"', ": 1}"]

    @pytest.mark.parametrize("policy", StreamPolicy)
    async def test_one_that_is_cut_begins_again_elsewhere(self, policy: StreamPolicy) -> None:
        """Nobody has seen anything of it, so nothing has to be mended."""
        one, other = Model("a", [call('{"a"'), BROKEN]), Model("b", [call("{}")])
        assert await self.calls(ladder(one, other, policy=policy)) == ["{}"]

    async def test_where_nobody_begins_it_again_nothing_was_delivered(self) -> None:
        """So the error is what broke it, and not that a part is all there is."""
        with pytest.raises(ProviderError):
            await self.calls(ladder(Model("a", [call('{"a"'), BROKEN])))

    async def test_so_does_one_behind_a_text(self) -> None:
        one = Model("a", ["Let me see.", call('{"a"'), BROKEN], BROKEN)
        other = Model("b", [call("{}")])
        assert await self.calls(ladder(one, other)) == ["{}"]
        assert other.requests[0].messages[1].content == "Let me see."

    async def test_one_that_is_not_json_is_no_call(self) -> None:
        one, other = Model("a", [call('{"a')]), Model("b", [call("{}")])
        assert await self.calls(ladder(one, other)) == ["{}"]

    async def test_nor_is_it_in_an_answer_that_comes_at_once(self) -> None:
        other = completion("B")
        call = {"function": {"name": "f", "arguments": '{"a'}}
        broken = completion("")
        broken.choices[0]["message"]["tool_calls"] = [call]
        both = ladder(Whole("a", broken), Whole("b", other))
        assert await both.complete(asked(), Journey()) == other

    async def test_one_that_takes_long_is_waited_for_while_it_comes(self, clock: FakeClock) -> None:
        """Nobody sees its parts, but they are there."""
        parts = [part for n in range(20) for part in (call('{"a":' if not n else "1"), 2.0)]
        slow = Rung(Model("a", [*parts, call("}")]), deadline=5, idle=3)
        assert "".join(await self.calls(Ladder("m", [slow]))) == '{"a":' + "1" * 19 + "}"

    async def test_one_without_arguments_is_fine(self) -> None:
        assert await self.calls(ladder(Model("a", [call("")]))) == [""]


class TestAnswersGivenBefore:
    """When nobody can answer, what was answered to the same request can."""

    def ladder(self, *script: object) -> Ladder:
        cache = AnswerCache()
        again = CachedAnswers(cache)
        rungs = [
            Rung(Model("a", *script)),
            RecallingRung(again),
            Rung(FixedAnswer("Sorry."), degraded=True, continues=Continuation.NEVER),
        ]
        return Ladder("m", rungs, cache=cache)

    @pytest.mark.parametrize("second", ["whole", "stream"])
    async def test_a_model_answers_first(self, form: str, second: str) -> None:
        """In whatever form the answer was given and is wanted."""
        ladder, journey = self.ladder("A", BROKEN), Journey()
        assert await ask(ladder, form, temperature=0) == "A"
        assert await ask(ladder, second, journey, temperature=0) == "A"
        assert (journey.rung, journey.degraded) == ("cached", True)

    async def test_what_was_never_answered_gets_the_last_resort(self, form: str) -> None:
        """Which is not taken for an answer later."""
        ladder, journey = self.ladder(BROKEN), Journey()
        for _ in range(2):
            assert await ask(ladder, form, journey) == "Sorry."
            assert (journey.rung, journey.degraded) == ("default", True)

    async def test_an_answer_that_two_gave_is_kept_whole(self) -> None:
        ladder, journey = self.ladder(["A", BROKEN], ["B"], BROKEN), Journey()
        assert await ask(ladder, "stream") == "AB"
        assert await ask(ladder, "whole", journey) == "AB"
        assert (journey.rung, journey.degraded) == ("cached", True)

    async def test_of_one_that_began_again_what_counts_is_kept(self) -> None:
        ladder, request = self.ladder(["A", BROKEN], ["B"], BROKEN), asked(stream=True)
        restarted = ladder.stream(request, Journey(), policy=StreamPolicy.RESTART)
        async with aclosing(restarted) as chunks:
            assert "".join([chunk.text async for chunk in chunks]) == "AB"
        assert await ask(ladder, "whole") == "B"

    async def test_what_nobody_waited_for_is_not_kept(self) -> None:
        ladder = self.ladder(["A", "A"], BROKEN)
        async with aclosing(ladder.stream(asked(stream=True), Journey())) as chunks:
            await anext(chunks)
        assert await ask(ladder, "whole") == "Sorry."

    async def test_half_an_answer_is_not_kept(self) -> None:
        ladder, journey = self.ladder(["A", BROKEN], BROKEN), Journey()
        with pytest.raises(PartialOutput):
            await ask(ladder, "stream")
        assert await ask(ladder, "stream", journey) == "Sorry."
