"""The one root exception."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from enum import Enum
from typing import Any, ClassVar, Final, Self, TypeVar

from stormproof.errors.causes import causes, link
from stormproof.errors.fields import Fields
from stormproof.errors.foreign_cause import ForeignCause
from stormproof.errors.jsonable import enum_text
from stormproof.errors.redaction import redact
from stormproof.errors.taxonomy import Category, Severity

_CODE: Final = re.compile(r"(?=.{1,64}\Z)[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*")

COMMON: Final = frozenset({"retry_after", "request_id", "operation"})
"""The fields that every error has, beside its own."""


def is_code(text: str) -> bool:
    """Tell whether ``text`` has the form of a code: SCREAMING_SNAKE, at most 64 characters."""
    return _CODE.fullmatch(text) is not None


class StormproofError(Fields, Exception):
    """Everything that can fail in the house, as data.

    A leaf class declares what it *is* as class attributes and what *happened* as typed fields:

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
        """Hold the class to the shape of a code, and its fields to names of their own."""
        super().__init_subclass__()
        if not is_code(cls.code):
            raise TypeError(f"{cls.__name__}.code must be SCREAMING_SNAKE, not {cls.code!r}")
        for name in cls.fields():
            if name not in COMMON and hasattr(StormproofError, name):
                raise TypeError(f"{cls.__name__}.{name} would hide what every error has")

    @property
    def timestamp(self) -> datetime:
        """When the error was made, in UTC."""
        return datetime.fromtimestamp(vars(self)["_raised_at"], UTC)

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
        told = vars(self).get("_told", {})  # by a newer version, of a class unknown to this one
        return {name: value for name, value in (values | told).items() if value is not None}

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
        behind = [_portable(cause) for cause in causes(self)]
        return _restore_chain, (type(self), vars(self), behind)

    def __copy__(self) -> Self:
        copied = _restore(type(self), vars(self))
        copied.__cause__ = self.__cause__
        return copied

    def __deepcopy__(self, _memo: dict[int, Any]) -> Self:
        # Fields are immutable values, and an exception is an event: its cause is shared.
        return self.__copy__()


E = TypeVar("E", bound=StormproofError)

_State = dict[str, Any]
_Portable = ForeignCause | tuple[type[StormproofError], _State]


class _Readable(dict[str, str]):
    """The attributes of an error as text, for its template."""

    def __init__(self, error: StormproofError) -> None:
        super().__init__()
        self._error = error

    def __missing__(self, name: str) -> Any:
        value = getattr(self._error, name)
        if isinstance(value, tuple):
            return ", ".join(map(str, value))
        return enum_text(value) if isinstance(value, Enum) else value


def _portable(cause: BaseException) -> _Portable:
    if isinstance(cause, StormproofError):
        return type(cause), vars(cause)
    return cause if isinstance(cause, ForeignCause) else ForeignCause.of(cause)


def _restore(cls: type[E], state: _State) -> E:
    error = cls.__new__(cls)
    vars(error).update(state)
    for note in vars(error).pop("__notes__", ()):
        error.add_note(note)
    return error


def _restore_chain(cls: type[E], state: _State, behind: Iterable[_Portable]) -> E:
    error = _restore(cls, state)
    link(error, (_restore(*cause) if isinstance(cause, tuple) else cause for cause in behind))
    return error
