"""The record that a retry leaves on an error it gave up on."""

import copy
import dataclasses
import pickle
import traceback

import pytest

from stormproof.errors import NetworkError
from stormproof.recovery import Attempt, Pipeline, Retry, attempts
from stormproof.testing import FakeClock, Scripted, Takes


def given_up(*steps: object) -> Exception:
    with pytest.raises(Exception) as raised:  # noqa: PT011 - whatever the script ends with
        Pipeline(Retry(), name="ask").call(Scripted(*steps))
    return raised.value


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
