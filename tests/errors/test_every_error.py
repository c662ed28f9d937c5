"""What holds for every error, whichever it is: it can be made, shown, copied and sent."""

import copy
import json
import pickle
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from stormproof.errors import (
    ForeignCause,
    ModelNotFound,
    StorageError,
    StormproofError,
    from_wire,
    http_headers,
    to_problem,
    to_wire,
)

SECRET = "sk-a1b2c3d4e5f6g7h8"


def raised(error: StormproofError) -> StormproofError:
    """Raise and catch ``error`` with notes and four causes behind it: ours and foreign."""
    error.add_note("while a test ran")
    error.add_note("for the second time")
    foreign = json.JSONDecodeError("no value", "{", 1)
    foreign.add_note("in a foreign library")
    nearest = StorageError(operation="read a test", path="/srv/inside", retry_after=0)
    nearest.__cause__ = foreign
    foreign.__cause__ = ModelNotFound(model="none")
    foreign.__cause__.__cause__ = KeyError("deepest")
    try:
        raise error from nearest
    except StormproofError as caught:
        return caught


def sent(error: StormproofError) -> StormproofError:
    return from_wire(json.loads(json.dumps(to_wire(error, internal=True), allow_nan=False)))


def chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def identity(error: BaseException) -> tuple[Any, ...]:
    """Everything by which an error and the chain behind it are known."""
    return tuple(_identity(link) for link in chain(error))


def _identity(error: BaseException) -> tuple[Any, ...]:
    notes = tuple(getattr(error, "__notes__", ()))
    if not isinstance(error, StormproofError):
        foreign = error if isinstance(error, ForeignCause) else ForeignCause.of(error)
        return foreign.name, foreign.text, notes
    return (
        type(error),
        error.field_values(internal=True),
        (error.retry_after, error.request_id, error.operation, error.timestamp),
        (error.code, error.http_status, error.category, error.severity, error.retriable),
        str(error),
        notes,
    )


def test_it_prints_what_happened(error: StormproofError) -> None:
    """The text and the code's view of an error are never empty and hold no open braces."""
    assert error.message
    assert "{" not in error.message
    assert str(error).startswith(error.message)
    assert repr(error).startswith(f"{type(error).__name__}(")


def test_it_can_be_made_from_its_required_fields_alone(bare_error: StormproofError) -> None:
    """Fields with a default may be left out, and the message reads well without them."""
    assert "None" not in bare_error.message
    assert identity(sent(bare_error)) == identity(bare_error)


def test_it_survives_pickling(error: StormproofError) -> None:
    """Type, fields, notes and causes come out of a pickle; foreign causes as their description."""
    whole = raised(error)

    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        assert identity(pickle.loads(pickle.dumps(whole, protocol))) == identity(whole)  # noqa: S301


def test_it_survives_a_journey_to_another_process_and_back(
    every_error: list[StormproofError],
) -> None:
    """A program that shares nothing with this one reads the errors, prints them, sends them on."""
    program = (
        "import pickle, sys; errors = pickle.load(sys.stdin.buffer);"
        "sys.stdout.buffer.write(pickle.dumps([(error, str(error)) for error in errors]))"
    )
    errors = [raised(error) for error in every_error]

    answer = subprocess.run(
        [sys.executable, "-c", program], input=pickle.dumps(errors), capture_output=True, check=True
    )

    returned = pickle.loads(answer.stdout)  # noqa: S301
    assert [text for _, text in returned] == [str(error) for error in errors]
    assert [identity(error) for error, _ in returned] == [identity(error) for error in errors]


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy])
def test_it_survives_copying(error: StormproofError, duplicate: Any) -> None:
    """A copy is equal and apart: a note added to one is not on the other."""
    whole = raised(error)
    before = identity(whole)

    copied = duplicate(whole)
    assert copied is not whole
    assert identity(copied) == before

    copied.add_note("of the copy")
    assert identity(whole) == before


def test_it_survives_the_wire(error: StormproofError) -> None:
    """Between our own processes nothing is lost: the class that was raised is caught."""
    whole = raised(error)

    assert identity(sent(whole)) == identity(whole)
    assert identity(sent(sent(whole))) == identity(whole)


def test_clients_get_the_class_back(error: StormproofError) -> None:
    """The public form brings back the class with every public field, and no internal one."""
    caught = from_wire(json.loads(json.dumps(to_wire(error))))

    assert type(caught) is type(error)
    assert caught.details == error.details
    assert caught.message == error.message


def test_clients_are_sent_nothing_internal(error: StormproofError) -> None:
    """No internal field, cause or note is in what a client can see."""
    whole = raised(error)

    for shown in (to_wire(whole), to_problem(whole), http_headers(whole)):
        text = json.dumps(shown)
        assert "inside" not in text
        assert "while a test ran" not in text
        assert "deepest" not in text


def test_secrets_leave_in_no_form(error: StormproofError) -> None:
    """A key that got into a text field, a note or a cause is blanked wherever it is shown."""
    for name, value in error.field_values(internal=True).items():
        if isinstance(value, str):
            setattr(error, name, f"refused: api_key={SECRET}")
    error.add_note(f"tried {SECRET}")
    error.__cause__ = ValueError(f"https://me:{SECRET}@host")

    forms = (to_wire(error), to_wire(error, internal=True), to_problem(error))
    assert SECRET not in json.dumps([*forms, str(error), repr(error)])


def test_no_wait_at_all_is_kept(error: StormproofError) -> None:
    """``retry_after=0`` means at once; it is not lost for being false."""
    error.retry_after = 0

    assert to_wire(error)["error"]["retry_after"] == 0
    assert to_problem(error)["retry_after"] == 0
    assert http_headers(error)["retry-after"] == "0"
    assert sent(error).retry_after == 0
    assert pickle.loads(pickle.dumps(error)).retry_after == 0  # noqa: S301


def test_it_is_a_valid_openai_error(error: StormproofError) -> None:
    """The four fields that OpenAI clients read are there, with the types they expect."""
    body = to_wire(error)["error"]

    assert isinstance(body["message"], str)
    assert isinstance(body["type"], str)
    assert body["param"] is None or isinstance(body["param"], str)
    assert body["code"] == error.code
