"""One strategy for each key."""

import gc
import threading
import weakref
from collections.abc import Callable, Hashable
from typing import Any

import pytest

from stormproof.errors import CircuitOpen, ConfigurationError, NetworkError, ValidationErrors
from stormproof.recovery import (
    Bulkhead,
    CircuitBreaker,
    CircuitState,
    ConsecutiveFailures,
    PerKey,
    Pipeline,
    RateLimit,
    Retry,
)
from stormproof.testing import FakeClock, Scripted

CUT = NetworkError(reason="cut")
FORMS = ("call", "acall", "stream")


def model_of(*_: object, model: str, **__: object) -> str:
    return model


def breaker(model: str) -> CircuitBreaker:
    return CircuitBreaker(f"openai/{model}", opens_on=ConsecutiveFailures(1))


def breakers(**options: Any) -> PerKey[str, CircuitBreaker]:
    return PerKey(model_of, breaker, **options)


async def end_of(pipeline: Pipeline, form: str, step: object, *args: Any, **kwargs: Any) -> object:
    """Make one call of that form, and return its answer or its error."""
    try:
        if form == "call":
            return pipeline.call(Scripted(step), *args, **kwargs)
        if form == "acall":
            return await pipeline.acall(Scripted(step).acall, *args, **kwargs)
        return await anext(pipeline.stream(Scripted([step]).stream, *args, **kwargs))
    except (CircuitOpen, ConfigurationError, NetworkError, KeyError) as error:
        return error


@pytest.mark.parametrize("form", FORMS)
async def test_one_key_failing_is_nothing_to_another(form: str) -> None:
    pipeline = Pipeline(breakers())
    assert await end_of(pipeline, form, CUT, model="a") is CUT
    assert isinstance(await end_of(pipeline, form, "answer", model="a"), CircuitOpen)
    assert await end_of(pipeline, form, "answer", model="b") == "answer"


@pytest.mark.parametrize("form", FORMS)
async def test_the_key_is_made_from_the_arguments_of_the_guarded_call(form: str) -> None:
    """Not from the function that ``call`` and its kin are given beside them."""
    seen: list[object] = []

    def key_of(*args: object, **kwargs: object) -> str:
        seen.append((args, kwargs))
        return "key"

    await end_of(Pipeline(PerKey(key_of, breaker)), form, "answer", 1, b=2)
    assert seen == [((1,), {"b": 2})]


async def test_decorated_functions_of_all_kinds_share_the_strategies_of_their_keys() -> None:
    shared = breakers()
    pipeline = Pipeline(shared)

    @pipeline
    def fail(*, model: str) -> None:
        raise CUT

    @pipeline
    async def answer(*, model: str) -> str:
        return model

    with pytest.raises(NetworkError):
        fail(model="a")
    with pytest.raises(CircuitOpen):
        await answer(model="a")
    assert await answer(model="b") == "b"
    assert isinstance(await end_of(Pipeline(shared), "stream", "x", model="a"), CircuitOpen)
    states = {key: one.state for key, one in shared.strategies.items()}
    assert states == {"a": CircuitState.OPEN, "b": CircuitState.CLOSED}


def test_a_strategy_is_made_once_and_its_guard_compiled_once_for_each_function() -> None:
    made: list[str] = []
    compiled: list[object] = []

    class Counted(RateLimit):
        def guard_call(self, call: Callable[..., Any], site: Any) -> Callable[..., Any]:
            compiled.append(call)
            return super().guard_call(call, site)

    def make(model: str) -> RateLimit:
        made.append(model)
        return Counted(model, permits=1000)

    per_key = PerKey(model_of, make)
    one, two = (Pipeline(per_key)(Scripted("answer")) for _ in "12")
    for _ in range(3):
        for fn in (one, two):
            for model in "ab":
                fn(model=model)
    assert made == ["a", "b"]
    assert len(compiled) == 4


def test_limits_and_bulkheads_are_kept_apart_too(clock: FakeClock) -> None:
    limits = PerKey(model_of, lambda model: RateLimit(model, permits=1, period=10, max_wait=0))
    places = PerKey(model_of, lambda model: Bulkhead(model, limit=1))

    @Pipeline(limits, places)
    def ask(*, model: str, then: str | None = None) -> str:
        return ask(model=then) if then else model

    assert ask(model="a", then="b") == "b"


def test_a_strategy_around_it_sees_what_it_says(clock: FakeClock) -> None:
    fetch = Scripted(CUT, "answer")
    per_key = PerKey(model_of, CircuitBreaker)
    assert Pipeline(Retry(), per_key).call(fetch, model="a") == "answer"


def test_a_key_not_used_for_long_is_forgotten_by_every_function() -> None:
    shared = breakers(most=2)
    one, two = (Pipeline(shared)(Scripted(CUT, "answer")) for _ in "12")
    with pytest.raises(NetworkError):
        one(model="a")
    with pytest.raises(NetworkError):
        two(model="b")
    with pytest.raises(CircuitOpen):
        two(model="b")
    two(model="c")
    assert set(shared.strategies) == {"b", "c"}
    assert one(model="a") == "answer"


def test_a_call_that_is_out_finishes_under_the_strategy_that_let_it_in() -> None:
    shared = PerKey(model_of, lambda model: Bulkhead(model, limit=1), most=1)
    pipeline = Pipeline(shared)

    def meanwhile(*, model: str) -> tuple[Bulkhead, int, Bulkhead, int]:
        before = shared.strategies[model]
        pipeline.call(Scripted("answer"), model="other")
        pipeline.call(Scripted("answer"), model=model)
        after = shared.strategies[model]
        return before, before.running, after, after.running

    before, running, after, others = pipeline.call(meanwhile, model="a")
    assert before is not after
    assert (running, others) == (1, 0)
    assert before.running == 0


def test_memory_is_bounded_whatever_keys_come() -> None:
    alive: weakref.WeakSet[CircuitBreaker] = weakref.WeakSet()

    def make(model: str) -> CircuitBreaker:
        alive.add(one := CircuitBreaker(model))
        return one

    shared = PerKey(model_of, make, most=10)
    ask = Pipeline(shared)(Scripted("answer"))
    for number in range(500):
        ask(model=str(number))
    gc.collect()
    assert len(shared.strategies) == 10
    assert len(alive) <= 2 * 10


@pytest.mark.parametrize("form", FORMS)
async def test_a_key_that_cannot_be_hashed_is_named_and_nothing_is_called(form: str) -> None:
    per_key: PerKey[Any, Any] = PerKey(lambda *_, **__: ["secret"], breaker)
    error = await end_of(Pipeline(per_key), form, NetworkError(reason="called"))
    assert isinstance(error, ConfigurationError)
    assert error.setting == "key"
    assert "list" in str(error)
    assert "secret" not in str(error)


@pytest.mark.parametrize("form", FORMS)
async def test_what_makes_no_strategy_is_named(form: str) -> None:
    per_key: PerKey[Any, Any] = PerKey(model_of, lambda _: "no strategy")
    error = await end_of(Pipeline(per_key), form, CUT, model="a")
    assert isinstance(error, ConfigurationError)
    assert error.setting == "make"
    assert per_key.strategies == {}


@pytest.mark.parametrize("form", FORMS)
async def test_what_the_function_of_keys_raises_reaches_the_caller(form: str) -> None:
    per_key = PerKey(lambda *_, **kwargs: kwargs["model"], breaker)
    assert isinstance(await end_of(Pipeline(per_key), form, CUT), KeyError)


def test_a_type_error_of_make_is_not_taken_for_one_of_the_key() -> None:
    def make(model: str) -> CircuitBreaker:
        raise TypeError(model)

    with pytest.raises(TypeError, match="a"):
        Pipeline(PerKey(model_of, make)).call(Scripted("answer"), model="a")


def test_no_lock_is_held_during_a_call_or_while_a_strategy_is_made() -> None:
    """Ten threads meet in ``make`` and again in the call, or the barrier breaks."""
    barrier = threading.Barrier(10)
    used: list[CircuitBreaker] = []

    def make(model: Hashable) -> CircuitBreaker:
        barrier.wait(timeout=30)
        return CircuitBreaker(str(model))

    def call(*, model: str) -> None:
        barrier.wait(timeout=30)
        used.append(shared.strategies[model])

    shared = PerKey(model_of, make)
    guarded = Pipeline(shared)(call)
    threads = [threading.Thread(target=guarded, kwargs={"model": "a"}) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not barrier.broken
    assert used == [shared.strategies["a"]] * 10


def test_a_call_of_a_known_key_waits_for_no_lock() -> None:
    """It answers while the lock of the table is held, here by the thread of the test."""
    shared = breakers()
    guarded = Pipeline(shared)(Scripted("answer"))
    guarded(model="a")
    with shared._table._lock:
        thread = threading.Thread(target=guarded, kwargs={"model": "a"}, daemon=True)
        thread.start()
        thread.join(timeout=30)
        assert not thread.is_alive()


def test_all_wrong_options_are_named_together() -> None:
    with pytest.raises(ValidationErrors) as raised:
        PerKey(key="model", make=None, most=0)  # type: ignore[arg-type]
    assert [problem["field"] for problem in raised.value.errors] == ["key", "make", "most"]


def test_a_key_has_to_be_there_at_once() -> None:
    """What a coroutine function returns can be hashed, and would be a new key in every call."""

    async def key_of(model: str) -> str:
        return model

    with pytest.raises(ValidationErrors) as raised:
        PerKey(key_of, lambda _key: CircuitBreaker("model"))  # type: ignore[type-var]
    assert [problem["field"] for problem in raised.value.errors] == ["key"]


def test_it_is_one_phrase_in_a_pipeline() -> None:
    assert repr(Pipeline(breakers())) == "pipeline: PerKey up to 1000"
