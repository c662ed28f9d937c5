"""What is left of a foreign exception after a journey.

A cause whose class may not exist on the other side, or does not survive pickling, travels as its
name and text.
"""

from typing import Self

from stormproof.errors.redaction import redact


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

    @classmethod
    def of(cls, error: BaseException) -> Self:
        """Describe ``error`` and its notes, without what caused it."""
        described = cls(f"{type(error).__module__}.{type(error).__qualname__}", _printed(error))
        for note in getattr(error, "__notes__", ()):
            described.add_note(redact(str(note)))
        return described


def _printed(error: BaseException) -> str:
    try:
        return redact(str(error))
    except Exception:  # noqa: BLE001 - a stranger's __str__ may raise; its own failure must not hide it
        return "(cannot be printed)"
