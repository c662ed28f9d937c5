"""The seam: whatever other software raises comes out as an error of ours."""

from collections.abc import Iterator
from copy import copy
from itertools import islice
from typing import Final

from stormproof.errors.platform_errors import InternalError
from stormproof.errors.root import StormproofError
from stormproof.errors.translate.lookup import bug, control_flow, maker_for
from stormproof.errors.translate.reading import read

_MOST_MEMBERS: Final = 100
"""Members of an exception group that are looked at."""

_TOLD_OTHERWISE: Final = (StormproofError, ExceptionGroup)
"""Classes whose exceptions are no business of the tables."""


def translate(exc: BaseException) -> StormproofError:
    """Return the error of ours that says what a foreign exception says.

    The class is looked up along the exception's method resolution order in the tables beside
    this module, one for each foreign library, so the most specific entry wins; what is in none
    is an ``InternalError``. A group is translated by its worst member (severest, then not
    retriable), and the others become notes. The exception stays whole as ``__cause__``.

    Args:
        exc: Anything that was raised. An error of ours is returned as it is.

    Raises:
        BaseException: ``exc`` itself, when it is no error: cancellation, exit, and control flow
            that travels as an exception (``StopIteration``, langgraph's interrupts …).
    """
    error = _translation(exc)
    if error is None:
        raise exc
    return error


def is_bug(exc: BaseException) -> bool:
    """Whether no table knows the class of ``exc``: for all that anybody can tell, it is a bug.

    ``translate`` would make an ``InternalError`` of it; this tells so and makes nothing.
    """
    cls = type(exc)
    if not issubclass(cls, Exception) or issubclass(cls, _TOLD_OTHERWISE):
        return False
    try:
        return maker_for(cls) is bug
    except Exception:  # noqa: BLE001 - a class may refuse to say what it is
        return True


def _translation(exc: BaseException) -> StormproofError | None:
    # type() and not isinstance(): an object may lie about its __class__, or raise when asked.
    cls = type(exc)
    if issubclass(cls, StormproofError):
        return exc  # type: ignore[return-value]  # mypy follows isinstance only
    if not issubclass(cls, Exception):
        return None
    error = _worst(exc) if issubclass(cls, ExceptionGroup) else _look_up(exc)
    if error is not None:
        error.__cause__ = exc
    return error


def _look_up(exc: BaseException) -> StormproofError | None:
    try:
        make = maker_for(type(exc))
        return None if make is control_flow else make(exc)
    except Exception as failure:  # noqa: BLE001 - makers read objects that anybody may have made
        error = InternalError(reason=type(exc).__qualname__)
        error.add_note(f"it could not be translated: {type(failure).__qualname__}")
        return error


def _worst(group: BaseException) -> StormproofError | None:
    members = islice(_leaves(group), _MOST_MEMBERS)
    errors = [error for error in map(_translation, members) if error is not None]
    if not errors:
        return None
    worst = max(errors, key=lambda error: (error.severity, not error.retriable))
    told = copy(worst)  # it may be an error of ours that somebody else still holds
    for other in errors:
        if other is not worst:
            told.add_note(f"also in the group: {other.code}: {other.message}")
    return told


def _leaves(group: BaseException) -> Iterator[BaseException]:
    waiting = [group]
    while waiting:
        exc = waiting.pop()
        if issubclass(type(exc), BaseExceptionGroup):
            waiting.extend(reversed(read(exc, "exceptions") or ()))
        else:
            yield exc
