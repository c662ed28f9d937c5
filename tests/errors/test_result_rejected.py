"""A result that will not do is on its error, in this process alone."""

import copy
import pickle

from stormproof.errors import ResultRejected, from_wire, to_wire

SECRET = "what the model said"


def rejected() -> ResultRejected:
    error = ResultRejected(operation="ask")
    error.result = SECRET
    return error


def test_it_prints_nothing_of_the_result() -> None:
    error = rejected()
    assert SECRET not in f"{error} {error!r} {error.details} {vars(error)}"


def test_the_result_stays_in_the_process() -> None:
    error = rejected()
    unpickled: ResultRejected = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own
    assert SECRET.encode() not in pickle.dumps(error)
    assert SECRET not in str(to_wire(error, internal=True))
    for received in (unpickled, from_wire(to_wire(error))):
        assert isinstance(received, ResultRejected)
        assert received.result is None
        assert received.operation == "ask"


def test_the_result_does_not_travel_as_a_cause_either() -> None:
    error = RuntimeError()
    error.__cause__ = rejected()
    outer = ResultRejected()
    outer.__cause__ = error
    assert SECRET.encode() not in pickle.dumps(outer)


def test_a_copy_has_the_result() -> None:
    assert copy.copy(rejected()).result == SECRET
    assert copy.deepcopy(rejected()).result == SECRET
