"""What an error says about what to do next.

Our own errors carry it as data; a foreign exception is translated first; a group says what its
worst member says.
"""

from collections.abc import Callable
from typing import Final, NamedTuple, Protocol, TypeAlias

from stormproof.errors import ClientError, PartialOutput, StormproofError, is_bug, translate

ErrorFilter: TypeAlias = type[Exception] | tuple[type[Exception], ...] | Callable[[Exception], bool]
"""Selects errors: by class, by several classes, or by a predicate.

A ``PartialOutput`` is selected by its own class and by that of its cause.
"""


def matcher(errors: ErrorFilter) -> Callable[[Exception], bool]:
    """Return the predicate that ``errors`` stands for."""
    if isinstance(errors, (type, tuple)):
        classes = errors
        return lambda error: isinstance(error, classes) or isinstance(origin(error), classes)
    return errors


def is_filter(value: object) -> bool:
    """Whether ``value`` can select errors: a class, a tuple of classes, or a predicate."""
    if not isinstance(value, (type, tuple)):
        return is_predicate(value)
    classes = value if isinstance(value, tuple) else (value,)
    return bool(classes) and all(
        isinstance(one, type) and issubclass(one, Exception) for one in classes
    )


def is_predicate(value: object) -> bool:
    """Whether ``value`` can be asked at once; what a coroutine function returns is always true."""
    from inspect import iscoroutinefunction  # noqa: PLC0415 - heavy

    return callable(value) and not iscoroutinefunction(value)


class Verdict(Protocol):
    """What an error says about another attempt; every error of ours is one."""

    @property
    def retriable(self) -> bool:
        """Whether the same call may succeed later."""

    @property
    def retry_after(self) -> float | None:
        """Seconds to wait before, None if unknown."""


class _Worst(NamedTuple):
    retriable: bool
    retry_after: float | None


_BUG: Final = _Worst(retriable=False, retry_after=None)


def verdict(error: Exception) -> Verdict | None:
    """Return what ``error`` says about another attempt, None if it is control flow.

    A group may be retried if every member may, after the longest of their waits.
    """
    if isinstance(error, StormproofError):
        return error
    if isinstance(error, ExceptionGroup):
        members = [one for one in map(verdict, error.exceptions) if one is not None]
        if not members:
            return None
        waits = [one.retry_after for one in members if one.retry_after is not None]
        return _Worst(all(one.retriable for one in members), max(waits, default=None))
    return _BUG if is_bug(error) else _ours(error)


def blames_callee(error: Exception) -> bool:
    """Whether a call failed, and not for what the caller asked: any but a client error."""
    error = origin(error)
    if isinstance(error, ExceptionGroup):
        return any(map(blames_callee, error.exceptions))
    if is_bug(error):
        return True
    ours = _ours(error)
    return ours is not None and not isinstance(ours, ClientError)


def failure_filter(errors: ErrorFilter | None) -> Callable[[Exception], bool]:
    """Return the predicate for ``errors``, by default ``blames_callee``.

    Control flow that travels as an exception (a ``StopIteration``, an interrupt of a graph) is
    never a failure, whatever the filter says.
    """
    if errors is None:
        return blames_callee
    selects = matcher(errors)
    return lambda error: selects(error) and verdict(error) is not None


def retry_filter(errors: ErrorFilter | None) -> Callable[[Exception], bool]:
    """Return the predicate for ``errors``, by default what an error says: ``retriable``.

    Control flow is never an error, whatever the filter says.
    """
    if errors is None:
        return _may_pass
    selects = matcher(errors)
    return lambda error: verdict(error) is not None and selects(error)


def origin(error: Exception) -> Exception:
    """Return what broke the stream that a ``PartialOutput`` tells of; any other error itself."""
    cause = error.__cause__
    return cause if isinstance(error, PartialOutput) and isinstance(cause, Exception) else error


def _may_pass(error: Exception) -> bool:
    said = verdict(error)
    return said is not None and said.retriable


def _ours(error: Exception) -> StormproofError | None:
    """Return the error of ours that says what ``error`` says, None if it is control flow."""
    if isinstance(error, StormproofError):
        return error
    try:
        return translate(error)
    except Exception as control_flow:
        if control_flow is not error:
            raise
        return None
