"""The line of stages: a call's way through it and back."""

import asyncio
from collections.abc import AsyncGenerator, Iterable, Sequence

import pytest

from stormproof.errors import InvalidInput, ProviderError, ServiceUnavailable
from stormproof.providers import ChatRequest, Chunk, Completion, Journey, Usage
from stormproof.recovery import Event, subscribe
from stormproof.reflex import (
    Answered,
    CacheUse,
    Call,
    Caller,
    Changed,
    Companion,
    Ending,
    OnFailure,
    Outcome,
    Passed,
    Reflex,
    Rejected,
    StageFailed,
    StageOutcome,
    StagesEnded,
    Step,
)

ASKED = ChatRequest({"model": "m", "messages": [{"role": "user", "content": "hello"}]})
USAGE = Usage(3, 4)


def answer(text: str) -> Completion:
    message = {"role": "assistant", "content": text}
    return Completion({"choices": [{"message": message, "finish_reason": "stop"}]}, USAGE)


class Suffix(Companion):
    """Puts a letter behind every text, and one behind the last."""

    def __init__(self, letter: str, *, private: bool = False) -> None:
        self._letter = letter
        self.private = private
        self.endings: list[Ending] = []

    def headers(self) -> dict[bytes, bytes]:
        return {b"x-%b" % self._letter.encode(): b"1"}

    def whole(self, answer_: Completion) -> Completion:
        return answer(answer_.text + self._letter)

    def piece(self, chunk: Chunk) -> Iterable[Chunk]:
        return [Chunk(delta={"content": chunk.text + self._letter})]

    def rest(self) -> Iterable[Chunk]:
        return [Chunk(delta={"content": f"end{self._letter}"})]

    async def settle(self, ending: Ending) -> None:
        self.endings.append(ending)


class Saying:
    """Makes of every call the same; remembers what it saw."""

    def __init__(self, name: str, outcome: Outcome | Exception) -> None:
        self.name = name
        self._outcome = outcome
        self.calls: list[Call] = []

    async def enter(self, call: Call) -> Outcome:
        self.calls.append(call)
        if isinstance(self._outcome, Exception):
            raise self._outcome
        return self._outcome


def line(*stages: Saying, on_failure: OnFailure = OnFailure.CLOSED) -> Reflex:
    return Reflex([Step(stage, on_failure) for stage in stages])


async def chunks(texts: Sequence[str]) -> AsyncGenerator[Chunk, None]:
    for text in texts:
        yield Chunk(delta={"content": text})
    yield Chunk(usage=USAGE)


async def test_a_changed_request_is_what_later_stages_and_the_model_see() -> None:
    """Nobody behind the stage hears of what was there before."""
    other = ASKED.changed(temperature=0.5)
    last = Saying("last", Passed())
    async with line(Saying("first", Changed(other)), last).admitted(
        ASKED, Caller("t"), Journey()
    ) as admission:
        assert admission.request is other
    assert last.calls == [Call(other, Caller("t"))]


async def test_an_answer_passes_the_companions_in_the_reverse_order() -> None:
    """The stage nearest to the model sees the model's own words."""
    reflex = line(Saying("a", Passed(Suffix("a"))), Saying("b", Passed(Suffix("b"))))
    async with reflex.admitted(ASKED, Caller(), Journey()) as admission:
        assert admission.whole(answer("x")).text == "xba"


async def test_a_stream_passes_them_so_too_and_what_they_held_back() -> None:
    """What one still has to say at the end goes through the others."""
    reflex = line(Saying("a", Passed(Suffix("a"))), Saying("b", Passed(Suffix("b"))))
    async with reflex.admitted(ASKED, Caller(), Journey()) as admission:
        said = [chunk.text async for chunk in admission.stream(chunks(["x", "y"]))]
    assert said == ["xba", "yba", "ba", "endba", "enda"]


async def test_a_rejection_is_raised_and_what_was_taken_before_is_settled() -> None:
    """A later stage's refusal gives back what an earlier one has reserved."""
    companion, refusal = Suffix("a"), InvalidInput(reason="hostile")
    reflex = line(Saying("a", Passed(companion)), Saying("b", Rejected(refusal)))
    with pytest.raises(InvalidInput) as caught:
        async with reflex.admitted(ASKED, Caller(), Journey()):
            pytest.fail("it was rejected")
    assert caught.value is refusal
    [ending] = companion.endings
    assert ending.error is refusal
    assert ending.usage is None


async def test_an_answer_of_a_stage_ends_the_line() -> None:
    """Nobody behind it is asked, and no tokens are counted."""
    companion, behind = Suffix("a"), Saying("c", Passed())
    reflex = line(Saying("a", Passed(companion)), Saying("b", Answered(answer("kept"))), behind)
    journey = Journey()
    async with reflex.admitted(ASKED, Caller(), journey) as admission:
        assert admission.answer
        assert journey.rung == "b"
        assert admission.whole(admission.answer).text == "kepta"
    assert not behind.calls
    assert companion.endings[0].usage is None


@pytest.mark.parametrize("streams", [False, True])
async def test_at_the_end_a_companion_hears_the_tokens_that_a_model_counted(
    streams: bool,
) -> None:
    """Whole or streamed."""
    companion, journey = Suffix("a"), Journey(rung="openai/gpt")
    async with line(Saying("a", Passed(companion))).admitted(ASKED, Caller(), journey) as admission:
        if streams:
            assert [chunk async for chunk in admission.stream(chunks(["x"]))]
        else:
            admission.whole(answer("x"))
    assert companion.endings == [Ending(journey, USAGE, None, private=False)]


async def test_what_one_stage_found_later_ones_and_all_companions_know() -> None:
    """So nothing of it is kept."""
    first, behind = Suffix("a"), Saying("c", Passed())
    reflex = line(
        Saying("a", Passed(first)), Saying("b", Passed(Suffix("b", private=True))), behind
    )
    async with reflex.admitted(ASKED, Caller(), Journey()):
        pass
    assert behind.calls[0].private
    assert first.endings[0].private


async def test_a_stage_that_fails_closed_turns_the_call_away() -> None:
    """With an error that says which, and keeps the cause to itself."""
    failing = Saying("pii", RuntimeError("secret 4711"))
    with pytest.raises(ServiceUnavailable, match="'pii'") as caught:
        async with line(failing).admitted(ASKED, Caller(), Journey()):
            pytest.fail("it was let in")
    assert "4711" not in str(caught.value)


async def test_a_call_that_cannot_be_looked_at_for_what_it_is_hears_so() -> None:
    """Where it does not pass: sent again, it would fare no better."""
    reflex = line(Saying("pii", InvalidInput(reason="too long")))
    with pytest.raises(InvalidInput, match="too long"):
        async with reflex.admitted(ASKED, Caller(), Journey()):
            pytest.fail("it was let in")


async def test_a_stage_that_fails_open_is_passed_and_named() -> None:
    """The caller can see without what he was answered."""
    reflex = line(Saying("injection", RuntimeError("boom")), on_failure=OnFailure.OPEN)
    async with reflex.admitted(ASKED, Caller(), Journey()) as admission:
        assert admission.headers() == {b"x-stormproof-skipped": b"injection"}


async def test_every_look_and_every_failure_is_told() -> None:
    """In one event a request, with the model as its pipeline; a failure in one of its own, too."""
    heard: list[Event] = []
    end = subscribe(heard.append)
    try:
        reflex = line(
            Saying("a", Passed()), Saying("b", RuntimeError("boom")), on_failure=OnFailure.OPEN
        )
        async with reflex.admitted(ASKED, Caller(), Journey()):
            pass
    finally:
        end()
    failed, ended = heard
    assert isinstance(failed, StageFailed)
    assert (failed.strategy, failed.open) == ("b", True)
    assert isinstance(ended, StagesEnded)
    assert ended.pipeline == "m"
    looks = [(look.stage, look.outcome) for look in ended.looks]
    assert looks == [("a", StageOutcome.PASSED), ("b", StageOutcome.SKIPPED)]


async def test_a_companion_that_does_one_thing_is_asked_for_that() -> None:
    """Whatever else it leaves alone, and whoever stands beside it."""
    settled: list[Ending] = []

    class Signing(Companion):
        def headers(self) -> dict[bytes, bytes]:
            return {b"x-signed": b"1"}

    class Shouting(Companion):
        def whole(self, answer_: Completion) -> Completion:
            return answer(answer_.text.upper())

    class Writing(Companion):
        async def settle(self, ending: Ending) -> None:
            settled.append(ending)

    class Loud(Shouting):
        pass

    companions = (Companion(), Signing(), Writing(), Loud())
    reflex = line(*(Saying(str(at), Passed(one)) for at, one in enumerate(companions)))
    async with reflex.admitted(ASKED, Caller(), Journey()) as admission:
        assert admission.headers() == {b"x-signed": b"1"}
        assert admission.whole(answer("x")).text == "X"
    [ending] = settled
    assert ending.usage == USAGE


async def test_one_companion_that_cannot_settle_keeps_no_other_from_it() -> None:
    """Nor does the caller hear of it."""

    class Broken(Companion):
        async def settle(self, ending: Ending) -> None:
            raise RuntimeError("disk full")

    companion = Suffix("a")
    reflex = line(Saying("a", Passed(companion)), Saying("b", Passed(Broken())))
    async with reflex.admitted(ASKED, Caller(), Journey()):
        pass
    assert companion.endings


async def test_a_call_that_is_given_up_while_it_is_settled_is_settled_with_all() -> None:
    """What others have taken for it is given back."""

    class Interrupted(Companion):
        async def settle(self, ending: Ending) -> None:
            raise asyncio.CancelledError

    companion = Suffix("a")
    reflex = line(Saying("a", Passed(companion)), Saying("b", Passed(Interrupted())))
    with pytest.raises(asyncio.CancelledError):
        async with reflex.admitted(ASKED, Caller(), Journey()):
            pass
    assert companion.endings


async def test_a_refusal_has_the_headers_of_stages_before() -> None:
    """Its own are those of its error."""
    refused = Rejected(InvalidInput(reason="too much"))
    admission = line(Saying("a", Passed(Suffix("a"))), Saying("b", refused)).admitted(
        ASKED, Caller(), Journey()
    )
    with pytest.raises(InvalidInput):
        await admission.__aenter__()
    assert admission.headers() == {b"x-a": b"1"}


class Failing(Suffix):
    """Cannot look at answers, and says why."""

    def whole(self, answer_: Completion) -> Completion:
        raise RuntimeError("secret 4711")

    def piece(self, chunk: Chunk) -> Iterable[Chunk]:
        raise RuntimeError("secret 4711")


async def test_an_answer_that_could_not_be_looked_at_does_not_get_out() -> None:
    """Nor does what the stage says of it, whole or in pieces."""
    reflex = line(Saying("pii", Passed(Failing("a"))))
    async with reflex.admitted(ASKED, Caller(), Journey()) as admission:
        with pytest.raises(ServiceUnavailable, match="'pii'") as whole:
            admission.whole(answer("x"))
        with pytest.raises(ServiceUnavailable) as streamed:
            await anext(admission.stream(chunks(["x"])))
    assert "4711" not in f"{whole.value} {streamed.value}"


class Holding(Companion):
    """Holds texts back until the end."""

    def __init__(self) -> None:
        self._held = ""

    def piece(self, chunk: Chunk) -> Iterable[Chunk]:
        self._held = chunk.text if chunk.restarts else self._held + chunk.text
        return ()

    def rest(self) -> Iterable[Chunk]:
        return [Chunk(delta={"content": self._held})]


async def test_where_a_stream_begins_again_is_told_also_if_nothing_else_is() -> None:
    """A client has to forget what came before."""

    async def broken() -> AsyncGenerator[Chunk, None]:
        yield Chunk(delta={"content": "Hel"})
        yield Chunk(delta={"content": "Hallo"}, restarts=True)

    async with line(Saying("a", Passed(Holding()))).admitted(
        ASKED, Caller(), Journey()
    ) as admission:
        said = [(piece.text, piece.restarts) async for piece in admission.stream(broken())]
    assert said == [("", True), ("Hallo", False)]


async def test_stages_hear_what_the_caller_wants_of_kept_answers() -> None:
    """As a header of his request says."""
    stage = Saying("a", Passed())
    wanted = CacheUse.asked_for("max-age=0, No-Cache")
    async with line(stage).admitted(ASKED, Caller(), Journey(), cache_use=wanted):
        pass
    assert stage.calls[0].cache_use is CacheUse.REFRESH


@pytest.mark.parametrize(
    ("header", "use"),
    [
        (None, CacheUse.FULL),
        ("max-age=0", CacheUse.FULL),
        ("no-cache, no-store", CacheUse.NONE),
        ("," * 2000 + "no-store", CacheUse.FULL),
    ],
)
def test_a_header_says_what_a_caller_wants_of_kept_answers(
    header: str | None, use: CacheUse
) -> None:
    """The stricter wish holds; what is too long to be one is none."""
    assert CacheUse.asked_for(header) is use


async def test_what_a_stage_remembers_goes_along() -> None:
    """For a rung that gives it when no model answers."""
    journey = Journey()
    before = answer("before")
    async with line(Saying("cache", Passed(remembered=before))).admitted(ASKED, Caller(), journey):
        assert journey.remembered is before


@pytest.mark.parametrize("streams", [False, True])
async def test_companions_hear_whether_a_model_was_asked(streams: bool) -> None:
    """What a stage answered took no tokens."""
    companion = Suffix("a")
    stages = line(Saying("a", Passed(companion)), Saying("b", Answered(answer("kept"))))
    async with stages.admitted(ASKED, Caller(), Journey()) as admission:
        if streams:
            assert [piece async for piece in admission.stream(chunks(["kept"]))]
        else:
            assert admission.answer
            admission.whole(admission.answer)
    [ending] = companion.endings
    assert not ending.asked
    assert ending.usage is None


async def test_every_companion_hears_that_an_answer_begins_again() -> None:
    """Also behind one that holds back what it is told first."""

    class Late(Companion):
        def piece(self, chunk: Chunk) -> Iterable[Chunk]:
            return [] if chunk.restarts else [chunk]

    class Watching(Companion):
        def __init__(self) -> None:
            self.restarts: list[bool] = []

        def piece(self, chunk: Chunk) -> Iterable[Chunk]:
            self.restarts.append(chunk.restarts)
            return [chunk]

    async def again() -> AsyncGenerator[Chunk, None]:
        yield Chunk(delta={"content": "a"})
        yield Chunk(delta={"content": "b"}, restarts=True)

    watching = Watching()
    stages = line(Saying("watching", Passed(watching)), Saying("late", Passed(Late())))
    async with stages.admitted(ASKED, Caller(), Journey()) as admission:
        assert [piece.restarts async for piece in admission.stream(again())] == [False, True]
    assert watching.restarts == [False, True]


@pytest.mark.parametrize("private", [True, False])
async def test_what_a_provider_says_of_a_private_call_is_not_told(private: bool) -> None:
    """It may quote the call, in its words or its cause; what kind of failure it is stays."""
    reflex = line(Saying("a", Passed(Suffix("a", private=private))))
    refusal = ProviderError(provider="p", status_code=500, error_message="I dislike 4711")
    with pytest.raises(ProviderError) as caught:
        async with reflex.admitted(ASKED, Caller(), Journey()):
            raise refusal from RuntimeError("4711")
    assert ("4711" in str(caught.value)) is not private
    assert (caught.value.__cause__ is None) is private
    assert (caught.value.provider, caught.value.status_code) == ("p", 500)


async def test_headers_that_cannot_be_told_leave_the_answer_as_it_is() -> None:
    """And the headers of other stages."""

    class Silent(Companion):
        def headers(self) -> dict[bytes, bytes]:
            raise RuntimeError("secret 4711")

    reflex = line(Saying("a", Passed(Silent())), Saying("b", Passed(Suffix("b"))))
    async with reflex.admitted(ASKED, Caller(), Journey()) as admission:
        assert admission.headers() == {b"x-b": b"1"}
