"""Something else to answer with when a call has failed."""

import pytest

from stormproof.errors import InvalidRequest, NetworkError, ServiceUnavailable, ValidationErrors
from stormproof.recovery import Event, Fallback, FallbackUsed, Pipeline, Retry
from stormproof.testing import FakeClock, Scripted

CUT = NetworkError(reason="cut")


@pytest.mark.parametrize("value", ["sorry", None], ids=repr)
def test_a_value_answers(value: str | None) -> None:
    assert Pipeline(Fallback(value=value)).call(Scripted(CUT)) == value


async def test_a_value_answers_for_a_coroutine() -> None:
    assert await Pipeline(Fallback(value="sorry")).acall(Scripted(CUT).acall) == "sorry"


def test_a_function_answers_with_the_same_arguments() -> None:
    backup = Scripted("from the replica")
    assert Pipeline(Fallback(backup)).call(Scripted(CUT), 1, two=2) == "from the replica"
    assert backup.calls == [((1,), {"two": 2})]


async def test_a_coroutine_function_answers_for_a_coroutine() -> None:
    backup = Scripted("from the replica")
    assert await Pipeline(Fallback(backup.acall)).acall(Scripted(CUT).acall) == "from the replica"


async def test_a_sync_function_answers_for_a_coroutine() -> None:
    assert await Pipeline(Fallback(Scripted("cached"))).acall(Scripted(CUT).acall) == "cached"


def test_another_pipeline_answers(clock: FakeClock) -> None:
    backup = Pipeline(Retry())(Scripted(CUT, "from the replica, in the end"))
    assert Pipeline(Fallback(backup)).call(Scripted(CUT)) == "from the replica, in the end"


def test_a_ladder_is_climbed_down_step_by_step() -> None:
    """Primary, replica, cache, default: the seeds' ladder, read from the inside out."""
    replica, cache = Scripted(CUT), Scripted(CUT)
    ladder = Pipeline(Fallback(value="default"), Fallback(cache), Fallback(replica))
    assert ladder.call(Scripted(CUT)) == "default"
    assert len(replica.calls) == len(cache.calls) == 1


def test_a_success_is_left_alone() -> None:
    backup = Scripted("never")
    assert Pipeline(Fallback(backup)).call(Scripted("answer")) == "answer"
    assert backup.calls == []


def test_a_client_error_is_for_the_client() -> None:
    """Another service would refuse the same request, or worse, accept it."""
    with pytest.raises(InvalidRequest):
        Pipeline(Fallback(value="sorry")).call(Scripted(InvalidRequest(reason="x")))


@pytest.mark.parametrize("error", [KeyboardInterrupt(), StopIteration(), GeneratorExit()], ids=repr)
def test_control_flow_is_no_failure(error: BaseException) -> None:
    with pytest.raises(type(error)):
        Pipeline(Fallback(value="sorry", on=Exception)).call(Scripted(error))


def test_which_errors_to_answer_for_can_be_said() -> None:
    guarded = Pipeline(Fallback(value="sorry", on=(KeyError, ValueError)))
    assert guarded.call(Scripted(KeyError())) == "sorry"
    with pytest.raises(NetworkError):
        guarded.call(Scripted(CUT))


def test_a_fallback_that_fails_keeps_the_first_error_in_sight() -> None:
    down = ServiceUnavailable(reason="the replica is down too")
    with pytest.raises(ServiceUnavailable) as raised:
        Pipeline(Fallback(Scripted(down))).call(Scripted(CUT))
    assert raised.value.__context__ is CUT


async def test_a_fallback_of_a_coroutine_that_fails_keeps_the_first_error_in_sight() -> None:
    down = ServiceUnavailable(reason="the replica is down too")
    with pytest.raises(ServiceUnavailable) as raised:
        await Pipeline(Fallback(Scripted(down).acall)).acall(Scripted(CUT).acall)
    assert raised.value.__context__ is CUT


def test_using_it_is_an_event(heard: list[Event]) -> None:
    Pipeline(Fallback(value=1, name="default"), name="ask").call(Scripted(CUT))
    assert heard == [FallbackUsed(pipeline="ask", strategy="default", error=CUT)]


def test_a_value_does_not_show_in_print() -> None:
    """An answer may hold what nobody else should read."""
    assert str(Fallback(value="my secret")) == "Fallback to value"


def test_it_takes_a_function_or_a_value() -> None:
    with pytest.raises(ValidationErrors):
        Fallback()
    with pytest.raises(ValidationErrors):
        Fallback(Scripted("x"), value="y")
    with pytest.raises(ValidationErrors):
        Fallback("not a function")  # type: ignore[arg-type]
