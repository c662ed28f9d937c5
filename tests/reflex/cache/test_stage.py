"""What was answered before is answered again, to the same tenant, and nothing else is."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stormproof.errors import NetworkError
from stormproof.providers import (
    ChatRequest,
    Chunk,
    Completion,
    EmbeddingRequest,
    Journey,
    TextRequest,
)
from stormproof.recovery import Event, subscribe
from stormproof.reflex import (
    CacheUse,
    Call,
    Caller,
    Companion,
    OnFailure,
    Outcome,
    Passed,
    Reflex,
    Step,
)
from stormproof.reflex.cache import (
    CacheFailed,
    CacheStage,
    KnownAnswers,
    Lifetimes,
    MemoryAnswers,
    SqliteAnswers,
)
from support.awaited import awaited
from support.kept_answers import SECRET, House, answer, asked


class Wall:
    """The clock on the wall."""

    def __init__(self) -> None:
        self.time = 1_800_000_000.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def wall() -> Wall:
    return Wall()


@pytest.fixture
def answers(wall: Wall) -> KnownAnswers:
    return KnownAnswers(MemoryAnswers(clock=wall), secret=SECRET, clock=wall)


@pytest.fixture
def stage(answers: KnownAnswers) -> CacheStage:
    return CacheStage(answers, guard="g")


@pytest.mark.parametrize("second", [False, True])
@pytest.mark.parametrize("first", [False, True])
async def test_the_same_request_is_answered_without_the_model(
    stage: CacheStage, first: bool, second: bool
) -> None:
    """Whole or streamed, whatever the form of the first, and labelled."""
    house, journey = House([stage]), Journey()
    assert await house.ask(asked(stream=first)) == "Hello"
    assert await house.ask(asked(stream=second), journey=journey) == "Hello"
    assert house.calls == 1
    assert (journey.rung, journey.degraded, journey.asked) == ("cache", False, [])


@pytest.mark.parametrize(
    "fields",
    [
        {"user": "u"},
        {"metadata": {"a": "b"}},
        {"stream_options": {"include_usage": True}},
        {"temperature": None},
    ],
)
async def test_what_changes_nothing_does_not_count(
    stage: CacheStage, fields: dict[str, Any]
) -> None:
    house = House([stage])
    await house.ask(asked())
    await house.ask(asked(**fields))
    assert house.calls == 1


async def test_how_a_number_is_written_does_not_count(stage: CacheStage) -> None:
    """Some clients send 0, and some 0.0."""
    house = House([stage])
    for temperature in (0, 0.0, -0.0):
        await house.ask(asked(temperature=temperature))
    await house.ask(asked(temperature=0.5))
    assert house.calls == 2


async def test_the_order_of_fields_does_not_count(stage: CacheStage) -> None:
    house = House([stage])
    await house.ask(ChatRequest({"model": "m", "messages": [{"role": "user", "content": "Hi"}]}))
    await house.ask(ChatRequest({"messages": [{"content": "Hi", "role": "user"}], "model": "m"}))
    assert house.calls == 1


@pytest.mark.parametrize(
    "other",
    [
        asked("Ho"),
        asked(temperature=0.1),
        asked(seed=1),
        asked(unheard_of=True),
        asked(model="other"),
        ChatRequest(asked().document, extended=True),
    ],
)
async def test_another_request_is_another(stage: CacheStage, other: ChatRequest) -> None:
    """Every field counts, also those that mean nothing to us."""
    house = House([stage])
    await house.ask(asked())
    await house.ask(other)
    assert house.calls == 2


async def test_nobody_is_answered_what_another_tenant_was(stage: CacheStage) -> None:
    house = House([stage])
    await house.ask(tenant="a")
    await house.ask(tenant="b")
    assert house.calls == 2


async def test_other_settings_of_the_guards_make_another_answer(answers: KnownAnswers) -> None:
    """What was answered while nothing was redacted is no answer any more."""
    for guard in ("pii=off", "pii=block"):
        house = House([CacheStage(answers, guard=guard)])
        await house.ask()
        assert house.calls == 1


@pytest.mark.parametrize("said", [answer("half", "length"), answer("", "content_filter")])
async def test_what_was_not_said_to_its_end_is_not_kept(
    stage: CacheStage, said: Completion
) -> None:
    house = House([stage], said)
    await house.ask()
    await house.ask()
    assert house.calls == 2


async def test_what_is_no_model_s_answer_is_not_kept(stage: CacheStage) -> None:
    house = House([stage])
    await house.ask(journey=Journey(degraded=True))
    await house.ask()
    assert house.calls == 2


class Finding(Companion):
    """Finds something private in the answer."""

    private = True


class Private:
    name = "pii"

    async def enter(self, call: Call) -> Outcome:
        return Passed(Finding())


@pytest.mark.parametrize("order", [1, -1])
async def test_nothing_private_is_kept_or_told(stage: CacheStage, order: int) -> None:
    """Neither what was found before the cache was asked nor what was found later."""
    stages: list[Any] = [stage, Private()][::order]
    house = House(stages)
    await asyncio.gather(house.ask(), house.ask(), house.ask(asked(stream=True)))
    await house.ask()
    assert house.calls == 4


async def test_of_an_answer_that_began_again_what_counts_is_kept(stage: CacheStage) -> None:
    """And of one that broke off and went on, all."""
    reflex = Reflex([Step(stage, OnFailure.CLOSED)])

    async def chunks() -> AsyncGenerator[Chunk, None]:
        yield Chunk(delta={"content": "void"})
        yield Chunk(delta={"content": "Hel"}, restarts=True)
        yield Chunk(delta={"content": "lo"}, finish_reason="stop")

    async with reflex.admitted(asked(stream=True), Caller("t"), Journey()) as admission:
        assert [piece async for piece in admission.stream(chunks())]
    house = House([stage])
    assert await house.ask() == "Hello"
    assert house.calls == 0


async def test_a_stream_that_its_reader_leaves_is_not_kept(stage: CacheStage) -> None:
    reflex = Reflex([Step(stage, OnFailure.CLOSED)])

    async def chunks() -> AsyncGenerator[Chunk, None]:
        yield Chunk(delta={"content": "Hel"})
        yield Chunk(delta={"content": "lo"}, finish_reason="stop")

    admission = reflex.admitted(asked(stream=True), Caller("t"), Journey())
    async with admission, aclosing(admission.stream(chunks())) as pieces:
        await anext(pieces)
    house = House([stage], answer("new"))
    assert await house.ask() == "new"


@pytest.mark.parametrize("streams", [False, True])
async def test_a_failure_is_no_answer(stage: CacheStage, streams: bool) -> None:
    house = House([stage], NetworkError(reason="reset"), answer("Hello"))
    with pytest.raises(NetworkError):
        await house.ask(asked(stream=streams))
    assert await house.ask() == "Hello"


async def test_a_caller_may_want_a_fresh_answer(stage: CacheStage) -> None:
    """Which is then everybody's."""
    house = House([stage], answer("old"), answer("new"))
    await house.ask()
    assert await house.ask(cache_use=CacheUse.REFRESH) == "new"
    assert await house.ask() == "new"


async def test_a_caller_may_want_nothing_to_be_kept(stage: CacheStage) -> None:
    house = House([stage], answer("1"), answer("2"), answer("3"))
    assert await house.ask(cache_use=CacheUse.NONE) == "1"
    assert await house.ask() == "2"
    assert await house.ask(cache_use=CacheUse.NONE) == "3"
    assert await house.ask() == "2"


@pytest.mark.parametrize(("temperature", "calls"), [(0.0, 1), (0.5, 2), (None, 2)])
async def test_settings_may_leave_free_answers_to_the_model(
    answers: KnownAnswers, temperature: float | None, calls: int
) -> None:
    """Who wants a new poem each time says so by a high temperature, or by none."""
    house = House([CacheStage(answers, guard="g", max_temperature=0.2)])
    for _ in range(2):
        await house.ask(asked(temperature=temperature))
    assert house.calls == calls


@pytest.mark.parametrize(
    ("said", "seconds"), [(answer("Hello"), 3600), (answer("", "tool_calls"), 300)]
)
async def test_an_answer_grows_old_and_is_remembered(
    stage: CacheStage, wall: Wall, said: Completion, seconds: float
) -> None:
    """By its kind; then it is no answer, but goes along for when no model has one."""
    house = House([stage], said)
    await house.ask()
    wall.time += seconds - 1
    await house.ask()
    assert house.calls == 1
    wall.time += 1
    journey = Journey()
    await house.ask(journey=journey, cache_use=CacheUse.FULL)
    assert house.calls == 2
    assert journey.remembered == said


async def test_nothing_is_remembered_for_longer_than_was_said(
    stage: CacheStage, wall: Wall
) -> None:
    house, journey = House([stage]), Journey()
    await house.ask()
    wall.time += 3600 + 86_400
    await house.ask(journey=journey)
    assert journey.remembered is None


async def test_an_answer_from_the_future_is_none(stage: CacheStage, wall: Wall) -> None:
    """When the clock on the wall is set back, what was kept does not live for ever."""
    house = House([stage])
    await house.ask()
    wall.time -= 1
    await house.ask()
    assert house.calls == 2


async def test_continuations_of_texts_are_kept_too(answers: KnownAnswers, wall: Wall) -> None:
    stage = CacheStage(answers, guard="g")
    request = TextRequest({"model": "m", "prompt": "Once"})
    assert answers.lifetimes.of(request, answer(" upon")) == Lifetimes().completion
    call = Call(request, Caller())
    assert isinstance(await awaited(stage.enter(call)), Passed)


async def test_embeddings_pass(stage: CacheStage) -> None:
    """They are vectors, and no answers."""
    call = Call(EmbeddingRequest({"model": "m", "input": "Hi"}), Caller())
    assert await awaited(stage.enter(call)) == Passed()


class Broken:
    """A store that cannot be reached."""

    def __init__(self) -> None:
        self.calls = 0

    async def find(self, key: bytes) -> bytes | None:
        self.calls += 1
        raise ConnectionError

    async def keep(self, key: bytes, value: bytes, seconds: float) -> None:
        self.calls += 1
        raise ConnectionError

    async def aclose(self) -> None:
        return None


async def test_no_call_fails_for_a_store(clock: Any) -> None:
    """It is told, and the store left alone for a while."""
    heard: list[Event] = []
    store = Broken()
    house = House([CacheStage(KnownAnswers(store, secret=SECRET), guard="g")])
    end = subscribe(heard.append)
    try:
        for _ in range(20):
            assert await house.ask() == "Hello"
        assert store.calls == 1
        clock.advance(1.1)
        await house.ask()
    finally:
        end()
    assert store.calls == 2
    failures = [event for event in heard if isinstance(event, CacheFailed)]
    assert [failure.error.operation for failure in failures] == ["look-up", "look-up"]


async def test_what_somebody_else_wrote_is_no_answer(tmp_path: Path) -> None:
    """Nor what was damaged, nor what was kept under another key."""
    store = SqliteAnswers(tmp_path / "answers")
    known = KnownAnswers(store, secret=SECRET)
    await awaited(known.keep(b"a", answer("Hello"), 60))
    value = await store.find(b"a")
    assert value
    for key, forged in ((b"b", value), (b"c", value[:-1] + b" "), (b"d", b"{}"), (b"e", b"")):
        await store.keep(key, forged, 60)
        assert await awaited(known.find(key)) is None
    assert await awaited(known.find(b"a"))
    assert await awaited(KnownAnswers(store, secret=SECRET + b"?").find(b"a")) is None
    await store.aclose()


class Elsewhere:
    """A store like memory, and yet to be guarded."""

    def __init__(self, wall: Wall) -> None:
        self._kept = MemoryAnswers(clock=wall)

    async def find(self, key: bytes) -> bytes | None:
        return self._kept.find(key)

    async def keep(self, key: bytes, value: bytes, seconds: float) -> None:
        self._kept.keep(key, value, seconds)

    async def aclose(self) -> None:
        return None


@given(
    st.lists(
        st.tuples(st.sampled_from([b"a", b"b", b"c"]), st.text(), st.sampled_from([0.5, 1.0, 60.0]))
    )
)
async def test_a_guarded_store_has_what_memory_has(steps: list[tuple[bytes, str, float]]) -> None:
    """The way without the guard, and the one with it, lead to the same answers."""
    wall = Wall()
    ways = [
        KnownAnswers(store, secret=SECRET, lifetimes=Lifetimes(stale=10.0), clock=wall)
        for store in (MemoryAnswers(clock=wall), Elsewhere(wall))
    ]
    for key, text, seconds in steps:
        for known in ways:
            await awaited(known.keep(key, answer(text), seconds))
        wall.time += 30.0
        for one in (b"a", b"b", b"c"):
            found, again = [await awaited(known.find(one)) for known in ways]
            assert found == again
            assert found is None or ways[0].fresh(found) is ways[1].fresh(found)


async def test_an_answer_beyond_measure_is_not_kept(stage: CacheStage) -> None:
    house = House([stage], answer("x" * (1 << 20)))
    await house.ask()
    await house.ask()
    assert house.calls == 2


async def test_an_answer_that_was_given_cannot_be_changed_by_who_got_it(
    answers: KnownAnswers,
) -> None:
    await awaited(answers.keep(b"k", answer("Hello"), 60))
    first = await awaited(answers.find(b"k"))
    assert first
    first.answer.document["choices"].clear()
    again = await awaited(answers.find(b"k"))
    assert again
    assert again.answer == answer("Hello")


async def test_keys_tell_nothing(answers: KnownAnswers) -> None:
    """Who knows the question, and not the secret, does not know the key."""
    call = Call(asked(), Caller("t"))
    key = answers.fingerprint.of(call, "g")
    other = KnownAnswers(MemoryAnswers(), secret=SECRET + b"!").fingerprint.of(call, "g")
    assert len(key) == len(other) == 32
    assert key != other


def test_a_short_secret_is_refused() -> None:
    with pytest.raises(Exception, match="secret"):
        KnownAnswers(MemoryAnswers(), secret=b"short")
