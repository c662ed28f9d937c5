"""What a broken stream had delivered stays in the process; how much that was, travels."""

import copy
import json
import pickle
from collections.abc import Callable

import pytest

from stormproof.errors import (
    NetworkError,
    PartialOutput,
    PartialOutputFinal,
    StormproofError,
    from_wire,
    to_problem,
    to_wire,
)

ITEMS = ("what the model", "said in confidence")


def broken(cls: type[PartialOutput] = PartialOutput) -> PartialOutput:
    error = cls(count=2, operation="ask", retry_after=1.5)
    error.delivered = ITEMS
    error.__cause__ = NetworkError(reason="cut")
    return error


@pytest.mark.parametrize("kind", [PartialOutput, PartialOutputFinal])
def test_it_says_how_much_had_come_and_never_what(kind: type[PartialOutput]) -> None:
    error = broken(kind)
    assert error.delivered == ITEMS
    assert error.message == "the stream broke after item 2"
    assert error.details == {"count": 2, "operation": "ask"}
    forms = [str(error), repr(error), json.dumps(to_problem(error))]
    forms += [json.dumps(to_wire(error, internal=internal)) for internal in (False, True)]
    assert not any("confidence" in form for form in forms)


def test_whether_it_may_pass_is_its_class_so_that_clients_learn_it_too() -> None:
    assert PartialOutput.retriable
    assert not PartialOutputFinal.retriable
    received = from_wire(to_wire(broken(PartialOutputFinal)))
    assert isinstance(received, PartialOutputFinal)
    assert (received.count, received.retry_after) == (2, 1.5)


def test_a_copy_has_the_items_too() -> None:
    error = broken()
    for duplicate in (copy.copy(error), copy.deepcopy(error)):
        assert duplicate.delivered == ITEMS


@pytest.mark.parametrize(
    "journey",
    [
        lambda error: pickle.loads(pickle.dumps(error)),  # noqa: S301 - our own
        lambda error: from_wire(to_wire(error, internal=True)),
    ],
)
def test_an_error_from_another_process_has_none(
    journey: Callable[[StormproofError], StormproofError],
) -> None:
    """Nor has one that was the cause of another."""
    direct = journey(broken())
    outer = NetworkError(reason="cut")
    outer.__cause__ = broken()
    for received in (direct, journey(outer).__cause__):
        assert isinstance(received, PartialOutput)
        assert (received.count, received.delivered) == (2, ())


def test_items_that_do_not_pickle_are_no_obstacle() -> None:
    error = PartialOutput(count=1)
    error.delivered = (lambda: None,)
    assert pickle.loads(pickle.dumps(error)).count == 1  # noqa: S301
