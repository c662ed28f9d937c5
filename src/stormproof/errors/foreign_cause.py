"""What is left of a foreign exception after a journey.

A cause whose class may not exist on the other side, or does not survive pickling, travels as its
name and text. The chain behind it travels too.
"""

from typing import Any, Final, Self

from stormproof.errors.redaction import redact

LONGEST_CHAIN: Final = 16
"""How many causes of causes travel; the rest is cut."""


class ForeignCause(Exception):
    """Stands for an exception of another process.

    Attributes:
        name: The qualified name of the class it was.
        text: What it printed, secrets blanked out.
    """

    def __init__(self, name: str, text: str) -> None:
        super().__init__(name, text)
        self.name = name
        self.text = text

    def __str__(self) -> str:
        return f"{self.name}: {self.text}"

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (self.name, self.text, self.__cause__, getattr(self, "__notes__", ()))

    @classmethod
    def of(cls, error: BaseException, *, keep: type[BaseException], depth: int = 1) -> Self:
        """Describe ``error`` and its causes.

        Args:
            error: Any exception.
            keep: Causes of this class stay as they are: they know how to travel.
            depth: How many causes lie in front of this one.
        """
        described = cls(f"{type(error).__module__}.{type(error).__qualname__}", redact(str(error)))
        for note in getattr(error, "__notes__", ()):
            described.add_note(redact(str(note)))
        cause = error.__cause__
        if isinstance(cause, (keep, ForeignCause)):
            described.__cause__ = cause
        elif cause is not None and depth < LONGEST_CHAIN:
            described.__cause__ = cls.of(cause, keep=keep, depth=depth + 1)
        return described


def _restore(
    name: str, text: str, cause: BaseException | None, notes: tuple[str, ...]
) -> ForeignCause:
    restored = ForeignCause(name, text)
    restored.__cause__ = cause
    for note in notes:
        restored.add_note(note)
    return restored
