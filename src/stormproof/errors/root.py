"""The one root exception."""

import re
import time
from datetime import UTC, datetime
from enum import Enum
from typing import Any, ClassVar, Final, Self, TypeVar

from stormproof.errors.fields import Fields
from stormproof.errors.foreign_cause import ForeignCause
from stormproof.errors.redaction import redact
from stormproof.errors.taxonomy import Category, Severity

_CODE: Final = re.compile(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)*")

COMMON: Final = frozenset({"retry_after", "request_id", "operation"})
"""The fields that every error has, beside its own."""


class StormproofError(Fields, Exception):
    """Everything that can fail in the house, as data.

    A leaf class declares what it *is* as class attributes and what *happened* as typed fields::

        class OutOfBlocks(ResourceError):
            \"\"\"The KV cache has too few free blocks.\"\"\"

            code = "OUT_OF_BLOCKS"
            http_status = 503
            template = "out of KV cache blocks: {needed} needed, {free} free"
            needed: int
            free: int

    Attributes:
        code: Stable identifier, SCREAMING_SNAKE; part of the public interface.
        http_status: The status of an HTTP response that carries the error.
        category: Who has to act.
        severity: How loudly it should be heard.
        retriable: Whether the same call may succeed later, or elsewhere, unchanged.
        template: The message, with the names of public fields in braces.
        remedy: What whoever meets the error should do.
        retry_after: Seconds to wait before trying again; 0 means at once, None unknown.
        request_id: The request during which it happened.
        operation: What was being done.
    """

    code: ClassVar[str] = "STORMPROOF_ERROR"
    http_status: ClassVar[int] = 500
    category: ClassVar[Category] = Category.PLATFORM
    severity: ClassVar[Severity] = Severity.ERROR
    retriable: ClassVar[bool] = False
    template: ClassVar[str] = "something failed"
    remedy: ClassVar[str] = "Look at the code and the cause."

    retry_after: float | None = None
    request_id: str | None = None
    operation: str | None = None

    def __init_subclass__(cls) -> None:
        """Hold the class to the shape of a code."""
        super().__init_subclass__()
        if not _CODE.fullmatch(cls.code):
            raise TypeError(f"{cls.__name__}.code must be SCREAMING_SNAKE, not {cls.code!r}")

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self._raised_at = time.time()

    @property
    def timestamp(self) -> datetime:
        """When the error was made, in UTC."""
        return datetime.fromtimestamp(self._raised_at, UTC)

    @property
    def message(self) -> str:
        """What happened, fit for the eyes of a client: internal fields and secrets left out."""
        return redact(self.describe())

    @property
    def details(self) -> dict[str, Any]:
        """The error's own public fields that have a value, and ``operation`` if known."""
        return self.field_values(internal=False)

    def describe(self) -> str:
        """Make the message from the public fields; override where a template cannot say it."""
        return self.template.format_map(_Readable(self))

    def field_values(self, *, internal: bool) -> dict[str, Any]:
        """Return the fields that have a value, by name.

        Args:
            internal: Whether to include the fields that must not leave the house.
        """
        values = {
            name: getattr(self, name)
            for name, field in self.fields().items()
            if (internal or not field.internal) and name not in {"retry_after", "request_id"}
        }
        return {name: value for name, value in values.items() if value is not None}

    def __str__(self) -> str:
        hidden = [
            f"{name}={getattr(self, name)!r}"
            for name, field in self.fields().items()
            if field.internal and getattr(self, name) is not None
        ]
        return self.message + (f" ({redact(', '.join(hidden))})" if hidden else "")

    def __repr__(self) -> str:
        values = self.field_values(internal=True)
        shown = ", ".join(f"{name}={value!r}" for name, value in values.items())
        return f"{type(self).__name__}({redact(shown)})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (type(self), vars(self), _portable(self.__cause__))

    def __copy__(self) -> Self:
        return _restore(type(self), vars(self), self.__cause__)

    def __deepcopy__(self, _memo: dict[int, Any]) -> Self:
        # Fields are immutable values, and an exception is an event: its cause is shared.
        return self.__copy__()


E = TypeVar("E", bound=StormproofError)


class _Readable(dict[str, str]):
    """The attributes of an error as text, for its template."""

    def __init__(self, error: StormproofError) -> None:
        super().__init__()
        self._error = error

    def __missing__(self, name: str) -> Any:
        value = getattr(self._error, name)
        if isinstance(value, tuple):
            return ", ".join(map(str, value))
        return value.value if isinstance(value, Enum) else value


def _portable(cause: BaseException | None) -> BaseException | None:
    if cause is None or isinstance(cause, (StormproofError, ForeignCause)):
        return cause
    return ForeignCause.of(cause, keep=StormproofError)


def _restore(cls: type[E], state: dict[str, Any], cause: BaseException | None) -> E:
    error = cls.__new__(cls)
    vars(error).update(state)
    for note in vars(error).pop("__notes__", ()):
        error.add_note(note)
    if cause is not None:
        error.__cause__ = cause
    return error
