"""The root exception: message, details, copies and the shape of a class."""

import asyncio
import pickle
from datetime import UTC, datetime
from enum import Enum, auto

import pytest

from stormproof.errors import (
    CircuitOpen,
    ClientError,
    DeadlineExceeded,
    DiskFull,
    InternalError,
    InvalidStateTransition,
    InvalidValue,
    ModelNotFound,
    PlatformError,
    RateLimitExceeded,
    ServiceUnavailable,
    StormproofError,
    TaskNotFound,
    ValidationErrors,
)


class Phase(Enum):
    """States of a machine, their values without meaning."""

    WAITING = auto()
    RUNNING = auto()


def test_the_message_is_made_from_the_fields() -> None:
    assert CircuitOpen(circuit="openai").message == "circuit 'openai' is open"
    assert RateLimitExceeded(limit=5, window=60, provider="openai").message == (
        "openai rate limit exceeded: 5 requests per 60s"
    )


def test_internal_fields_show_in_logs_and_not_in_the_message() -> None:
    """``str()`` is for us, ``message`` for clients."""
    error = DiskFull(operation="save a chunk", path="/srv/chunks")

    assert error.message == "no space left to save a chunk"
    assert str(error) == "no space left to save a chunk (path='/srv/chunks')"
    assert error.details == {"operation": "save a chunk"}


def test_a_value_that_was_refused_stays_inside() -> None:
    """It may be a secret that somebody put under the wrong key."""
    error = InvalidValue(reason="must be a number", value="hunter2", field="port")

    assert error.message == "port: bad value: must be a number"
    assert "value" not in error.details


def test_braces_in_a_field_are_text() -> None:
    """Only the template of the class is a template."""
    assert ModelNotFound(model="{limit}").message == "no model '{limit}'"


def test_all_problems_are_named() -> None:
    error = ValidationErrors(
        errors=[
            {"field": "a", "message": "is missing", "type": "missing"},
            {"field": "b.0", "message": "must be positive", "type": "greater_than"},
            {"field": "", "message": "must have a or c", "type": "value_error"},
        ]
    )

    assert error.message == (
        "validation failed with 3 errors: a: is missing; b.0: must be positive; must have a or c"
    )


def test_a_state_machine_says_its_states_by_name() -> None:
    """Enums are carried as they are; where ``auto()`` made the value, the name is shown."""
    error = InvalidStateTransition(from_state=Phase.RUNNING, to_state=Phase.WAITING)

    assert error.from_state is Phase.RUNNING
    assert error.message == "invalid state transition: RUNNING -> WAITING"
    assert error.details == {"from_state": Phase.RUNNING, "to_state": Phase.WAITING}


def test_it_knows_when_it_happened() -> None:
    before = datetime.now(UTC)
    happened = InternalError().timestamp
    after = datetime.now(UTC)

    assert before.replace(microsecond=0) <= happened <= after
    assert happened.tzinfo is UTC


async def test_a_deadline_error_is_a_builtin_timeout_error() -> None:
    """Code that waits for ``TimeoutError`` or asyncio's catches ours as well."""
    for caught in (TimeoutError, asyncio.TimeoutError, OSError, PlatformError):
        with pytest.raises(caught, match=r"search timed out after 2\.5s"):
            raise DeadlineExceeded(operation="search", timeout=2.5)


def test_an_open_circuit_is_caught_as_an_unavailable_service() -> None:
    with pytest.raises(ServiceUnavailable):
        raise CircuitOpen(circuit="db", retry_after=1.0)


def test_circular_causes_can_be_pickled() -> None:
    """An error that is its own cause's cause is walked once."""
    first, second = TaskNotFound(task_id="1"), TaskNotFound(task_id="2")
    first.__cause__, second.__cause__ = second, first

    back = pickle.loads(pickle.dumps(first))  # noqa: S301

    assert back.__cause__.task_id == "2"
    assert back.__cause__.__cause__ is None


def test_an_endless_chain_of_causes_is_cut_when_pickled() -> None:
    """However deep a failure is nested, its pickle stays small."""
    error: BaseException = ValueError()
    for depth in range(5000):
        nearer = InternalError(reason=str(depth)) if depth % 2 else ValueError(depth)
        nearer.__cause__ = error
        error = nearer

    assert len(pickle.dumps(error)) < 10_000


@pytest.mark.parametrize(
    "code", ["lower", "WITH-DASH", "_LEAD", "TRAIL_", "TWO__LINES", "", "A" * 65]
)
def test_a_code_is_screaming_snake(code: str) -> None:
    """Codes are part of the interface; a class with another form of code cannot be made."""
    with pytest.raises(TypeError, match="must be SCREAMING_SNAKE"):
        type("Odd", (ClientError,), {"code": code})


@pytest.mark.parametrize("name", ["message", "details", "timestamp", "code", "fields", "args"])
def test_a_field_may_not_hide_what_every_error_has(name: str) -> None:
    with pytest.raises(TypeError, match=rf"Odd\.{name} would hide"):
        type("Odd", (ClientError,), {"code": "ODD", "__annotations__": {name: str}})


def test_common_fields_may_get_a_default_of_their_own() -> None:
    """A class may say what its operation is when nobody else does."""
    assert DiskFull().operation == "write"
    assert StormproofError().operation is None
