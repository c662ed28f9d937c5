"""The record that a retry leaves on the error with which a call ends.

It tells people what was tried. Where the retry gave up it also tells retries further out that this
work has been retried already: three layers of three attempts make three calls, not 27.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from threading import RLock
from typing import Any, Final, TypeAlias, TypeVar

from stormproof.errors import redact
from stormproof.recovery.clock import current_clock

E = TypeVar("E", bound=Exception)

_RECORD: Final = "_stormproof_attempts"
_MOST_RELATED: Final = 32
_LONGEST_TEXT: Final = 200


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One attempt that failed.

    Attributes:
        number: 1 for the first call.
        pipeline: Where it was made.
        failed_at: When it failed, in seconds on the monotonic clock; only differences mean
            anything.
        error: The class and message of what it raised, on one line, secrets blanked out.
        wait: Seconds that were waited after it; None after the last.
        cut: Whether it was cancelled before it ended, as when a deadline passed.
    """

    number: int
    pipeline: str
    failed_at: float
    error: str
    wait: float | None
    cut: bool = False

    def __str__(self) -> str:
        waited = f"; waited {self.wait:.3g}s" if self.wait else ""
        return f"{self.pipeline}, attempt {self.number}: {self.error}{waited}"


Tries: TypeAlias = list[tuple[float, BaseException, float | None]]
"""The failed attempts of a call that is not over: when, what was raised, the wait after it."""


@dataclass(frozen=True)
class _Record:
    """What is written on an error; unless ``final`` a retry further out may try again."""

    attempts: tuple[Attempt, ...]
    ending: str
    serial: int
    final: bool

    @property
    def notes(self) -> tuple[str, ...]:
        return (*map(str, self.attempts), self.ending)


class _Records:
    """Counts the records of this process, to tell one from an older one."""

    __slots__ = ("_lock", "written")

    def __init__(self) -> None:
        self._lock = RLock()  # reentrant: a finalizer may run a guarded call at any point
        self.written = 0

    def next(self) -> int:
        with self._lock:
            self.written += 1
            return self.written


records: Final = _Records()


def attempts(error: BaseException) -> tuple[Attempt, ...]:
    """Return what a retry tried before the call ended with ``error`` or with what caused it.

    Empty if nothing was retried. The record pickles and copies with the error.
    """
    record = next(_found(error), None)
    return record.attempts if record else ()


def given_up(error: BaseException, since: int) -> bool:
    """Whether a retry further in gave up on ``error`` after ``since`` records were written.

    An error object may be raised again in another call, from a failed future or by a test double;
    a record from before says nothing about this call.
    """
    return any(record.final for record in _newer(error, since))


def give_up(error: Exception, tries: Tries, pipeline: str, reason: str) -> None:
    """Write on ``error`` what was tried, so that nobody tries again."""
    ending = f"gave up: {reason}"
    _write(error, _Record(_told(tries, pipeline), ending, records.next(), final=True))


def go_before(error: Exception, since: int, tries: Tries, pipeline: str) -> None:
    """Put what was tried before the attempts of the retry further in that gave up on ``error``."""
    if tries:
        inner = next(record for record in _newer(error, since) if record.final)
        _write(error, _behind(tries, pipeline, inner))


def cut_short(error: BaseException, since: int, tries: Tries, pipeline: str) -> None:
    """Write on a cancellation what was tried, where it comes in a later attempt or before one.

    It may come out as a passed deadline. Nobody has given up: a retry around that may try again.
    """
    if not tries or _told_further_in(error, since, tries, pipeline):
        return
    number = len(tries) + 1
    failed_at, before, wait = tries[-1]
    now = current_clock().now()
    if wait and now - failed_at < wait:
        tries[-1] = failed_at, before, now - failed_at
        ending = f"cut short before attempt {number}"
    else:
        tries.append((now, error, None))
        ending = f"cut short in attempt {number}"
    _write(error, _Record(_told(tries, pipeline), ending, records.next(), final=False))


def broken_off(error: Exception, since: int, tries: Tries, pipeline: str) -> None:
    """Write what was tried on the error that broke a stream after items of it were delivered."""
    if not tries or _told_further_in(error, since, tries, pipeline):
        return
    tries.append((current_clock().now(), error, None))
    ending = "not retried: items had been delivered"
    _write(error, _Record(_told(tries, pipeline), ending, records.next(), final=False))


def _told_further_in(error: BaseException, since: int, tries: Tries, pipeline: str) -> bool:
    """Put what was tried before what a retry further in has told of this call, if it has."""
    inner = next(_newer(error, since), None)
    if inner is not None:
        _write(error, _behind(tries, pipeline, inner))
    return inner is not None


def _behind(tries: Tries, pipeline: str, inner: _Record) -> _Record:
    return replace(inner, attempts=(*_told(tries, pipeline), *inner.attempts))


def hand_on(error: BaseException, to: E) -> E:
    """Return ``to``, which takes the place of ``error``, with the record that is on that."""
    record = vars(error).get(_RECORD)
    if record is not None:
        _write(to, record)
    return to


def _write(error: BaseException, record: _Record) -> None:
    """Write a record on ``error``, for programs and, as notes, for people."""
    # Through its dictionary: an exception may refuse new attributes, as a frozen dataclass does.
    state = vars(error)
    state["__notes__"] = [*_other_notes(state), *record.notes]
    state[_RECORD] = record


def _told(tries: Tries, pipeline: str) -> tuple[Attempt, ...]:
    return tuple(
        Attempt(
            number=number,
            pipeline=pipeline,
            failed_at=failed_at,
            error=describe(error),
            wait=wait,
            cut=not isinstance(error, Exception),
        )
        for number, (failed_at, error, wait) in enumerate(tries, start=1)
    )


def describe(error: BaseException) -> str:
    """Return the class and message of ``error`` on one bounded line, secrets blanked out."""
    try:
        text = " ".join(str(error)[: 4 * _LONGEST_TEXT].split())
    except Exception:  # noqa: BLE001 - somebody else's __str__ must not hide the error itself
        text = ""
    shown = redact(text)[:_LONGEST_TEXT]
    return f"{type(error).__name__}: {shown}" if shown else type(error).__name__


def _newer(error: BaseException, since: int) -> Iterator[_Record]:
    return (record for record in _found(error) if record.serial > since)


def _found(error: BaseException) -> Iterator[_Record]:
    """Find the records on an error, on its chain of causes, and on the members of groups."""
    waiting = deque([error])
    for _ in range(_MOST_RELATED):
        if not waiting:
            return
        one = waiting.popleft()
        record: _Record | None = vars(one).get(_RECORD)
        if record is not None:
            yield record
        if one.__cause__ is not None:
            waiting.append(one.__cause__)
        if isinstance(one, BaseExceptionGroup):
            waiting.extend(one.exceptions)


def _other_notes(state: dict[str, Any]) -> list[str]:
    """Return the notes but for those of an older record: an error used twice does not grow."""
    record: _Record | None = state.get(_RECORD)
    ours = record.notes if record else ()
    return [note for note in state.get("__notes__", ()) if note not in ours]
