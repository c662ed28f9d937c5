"""What a type checker must know of the errors. It is checked, not run.

Every ``type: ignore`` stands for a mistake that must be found: an unneeded one is an error itself.
"""

from collections.abc import Sequence
from typing import Any, assert_type

from stormproof.errors import (
    Category,
    CircuitOpen,
    ClientError,
    DeadlineExceeded,
    Internal,
    OutOfBlocks,
    Severity,
    StormproofError,
    ValidationErrors,
    from_wire,
    known_errors,
    to_wire,
)


class TableTaken(ClientError):
    """A leaf as applications write them."""

    code = "TABLE_TAKEN"
    http_status = 409
    template = "table {number} is taken"

    number: int
    guests: Sequence[str] = ()
    waiter: Internal[str | None] = None


# Fields are keyword arguments with types, required unless they have a default.
OutOfBlocks(needed=3, free=1)
OutOfBlocks(needed=3, free=1, retry_after=0.5, request_id="r", operation="admit")
OutOfBlocks(needed=3)  # type: ignore[call-arg]
OutOfBlocks(3, 1)  # type: ignore[call-arg, arg-type]
OutOfBlocks(needed="three", free=1)  # type: ignore[arg-type]
OutOfBlocks(needed=3, free=1, blocks=4)  # type: ignore[call-arg]
CircuitOpen(circuit="x", retry_after="soon")  # type: ignore[arg-type]
ValidationErrors(errors=[{"field": "a", "message": "b", "type": "c"}])
ValidationErrors(errors=[{"field": "a", "message": "b"}])  # type: ignore[typeddict-item]

TableTaken(number=1, guests=["a"], waiter="b", retry_after=1)
TableTaken(guests=["a"])  # type: ignore[call-arg]
TableTaken(number=1, waiter=2)  # type: ignore[arg-type]
TableTaken(number=1, code="OTHER")  # type: ignore[call-arg]


def fields_have_the_types_they_were_declared_with(error: TableTaken) -> None:
    assert_type(error.number, int)
    assert_type(error.guests, Sequence[str])
    assert_type(error.waiter, str | None)
    assert_type(error.retry_after, float | None)


def what_a_class_is_can_be_read_from_class_and_instance(error: StormproofError) -> None:
    assert_type(OutOfBlocks.http_status, int)
    assert_type(error.code, str)
    assert_type(error.category, Category)
    assert_type(error.severity, Severity)
    assert_type(error.retriable, bool)
    assert_type(error.details, dict[str, Any])


def a_deadline_is_a_timeout() -> TimeoutError:
    return DeadlineExceeded(operation="search", timeout=1.5)


def the_wire_is_typed(document: object) -> None:
    assert_type(to_wire(from_wire(document)), dict[str, Any])
    assert_type(known_errors(), dict[str, type[StormproofError]])
