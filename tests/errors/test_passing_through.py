"""An error of ours stays what it is, whoever catches it on the way."""

import pytest

from stormproof.errors import InternalError, StormproofError, TaskNotFound, to_wire, translate


def find(task_id: str) -> str:
    try:
        raise TaskNotFound(task_id=task_id)
    except Exception as caught:  # noqa: BLE001 - what handlers do that this is about
        raise translate(caught) from caught.__cause__


def test_a_not_found_inside_a_handler_that_catches_everything_is_not_swallowed() -> None:
    """It leaves as the 404 it was raised as, not as a 500."""
    with pytest.raises(TaskNotFound) as raised:
        find("7")

    assert to_wire(raised.value)["error"]["status"] == 404


def test_translation_keeps_the_very_instance(error_class: type[StormproofError]) -> None:
    """Nothing of ours is wrapped, whichever class it is."""
    error = error_class.__new__(error_class)

    assert translate(error) is error


def test_what_is_a_bug_leaves_with_nothing_but_its_request_id() -> None:
    """The text of an unexpected exception may hold anything, so a client sees none of it."""
    error = translate(RuntimeError("/srv/secret/path broke"))
    error.request_id = "req_1"

    assert type(error) is InternalError
    body = to_wire(error)["error"]
    assert body["message"] == "an internal error occurred"
    assert body["details"] == {}
    assert body["request_id"] == "req_1"
