"""The seam itself: what comes back, what passes through, what stays inside."""

import asyncio
import concurrent.futures
import subprocess
import sys

import pytest

from stormproof.errors import (
    Conflict,
    DeadlineExceeded,
    DiskFull,
    InternalError,
    NetworkError,
    OutOfBlocks,
    OutOfMemory,
    to_wire,
    translate,
)


def test_an_error_of_ours_is_returned_as_it_is() -> None:
    """Nothing is wrapped twice."""
    error = OutOfBlocks(needed=3, free=1)
    assert translate(error) is error


@pytest.mark.parametrize(
    "signal",
    [
        asyncio.CancelledError(),
        KeyboardInterrupt(),
        SystemExit(2),
        GeneratorExit(),
        BaseExceptionGroup("both", [KeyboardInterrupt(), ValueError()]),
        StopIteration(1),
        StopAsyncIteration(),
        concurrent.futures.CancelledError(),
    ],
    ids=lambda signal: type(signal).__name__,
)
def test_what_is_no_error_is_raised_again(signal: BaseException) -> None:
    """Cancellation, exit and control flow pass through untranslated."""
    with pytest.raises(BaseException) as raised:  # noqa: PT011 - identity is what counts
        translate(signal)
    assert raised.value is signal


@pytest.mark.parametrize("bug", [TypeError, KeyError, AssertionError, RecursionError, Exception])
def test_a_bug_says_nothing_in_public(bug: type[Exception]) -> None:
    """Its text may be anything, so only the cause has it."""
    exc = bug("/srv/internal/path with sk-aaaaaaaaaaaaaaaa")
    error = translate(exc)

    assert type(error) is InternalError
    assert error.__cause__ is exc
    assert error.message == "an internal error occurred"
    assert "internal/path" not in str(to_wire(error))


def test_a_class_of_nobody_we_know_is_an_internal_error() -> None:
    """Also when it derives from OSError only to be caught with it."""

    class Strange(OSError):
        pass

    assert type(translate(Strange("no errno here"))) is InternalError


def test_the_most_specific_entry_wins() -> None:
    """An application's subclass is what its nearest known base is."""

    class Slow(ConnectionError, TimeoutError):
        pass

    class Full(OSError):
        pass

    assert type(translate(Slow())) is DeadlineExceeded
    assert type(translate(Full(28, "no space"))) is DiskFull


def test_the_traceback_and_the_notes_stay_on_the_cause() -> None:
    """What a debugger wants is all there."""
    with pytest.raises(ValueError, match="inner") as raised:
        int("inner")
    raised.value.add_note("while doing this")
    traceback = raised.value.__traceback__

    assert translate(raised.value).__cause__ is raised.value
    assert raised.value.__notes__ == ["while doing this"]
    assert raised.value.__traceback__ is traceback


def test_a_group_is_its_worst_member_and_tells_of_the_others() -> None:
    """Severest first, then not retriable; however deep it lies."""
    nested = ExceptionGroup("inner", [TimeoutError(), OSError(28, "no space")])
    group = ExceptionGroup("outer", [ConnectionRefusedError(), nested])
    error = translate(group)

    assert type(error) is DiskFull
    assert error.__cause__ is group
    assert [note.split(":")[1].strip() for note in error.__notes__] == [
        NetworkError.code,
        DeadlineExceeded.code,
    ]


def test_of_equally_severe_members_the_one_that_cannot_be_retried_decides() -> None:
    """Retrying the others would run into it again."""
    error = translate(ExceptionGroup("", [DiskFull(), InternalError(), MemoryError()]))
    assert type(error) is InternalError


def test_a_member_of_ours_is_copied_not_changed() -> None:
    """Somebody else may hold it still."""
    member = Conflict(reason="first come")
    error = translate(ExceptionGroup("", [member]))

    assert type(error) is Conflict
    assert error is not member
    assert member.__cause__ is None


def test_control_flow_inside_a_group_gives_way_to_errors_and_passes_alone() -> None:
    """A group of signals is a signal."""
    mixed = ExceptionGroup("", [StopIteration(), MemoryError()])
    assert type(translate(mixed)) is OutOfMemory
    signals = ExceptionGroup("", [StopIteration()])
    with pytest.raises(ExceptionGroup) as raised:
        translate(signals)
    assert raised.value is signals


def test_no_foreign_library_and_no_table_is_imported_before_it_is_needed() -> None:
    """The floor stays quick to import, and translating a ValueError imports one table."""
    program = """
import sys
from stormproof.errors import translate
assert "stormproof.errors.translate.stdlib" not in sys.modules
translate(ValueError())
tables = {"aiohttp", "botocore", "httpx", "openai", "sqlalchemy", "torch"}
assert not tables & set(sys.modules)
assert not {f"stormproof.errors.translate.{name}" for name in tables} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", program], check=True)
