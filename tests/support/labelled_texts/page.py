"""A text that is being written, and where what stands in it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from stormproof.reflex.pii.finding import Kind


@dataclass(frozen=True, slots=True)
class Item:
    """Something to plant.

    Attributes:
        kind: What it is; None if it is nothing personal and no secret.
        shape: Which of its kind it is: ``de tax id``, ``github``.
        name: What people call it.
        text: How it is written.
        secret: The part of the text that may not be read; all of it, if None.
    """

    kind: Kind | None
    shape: str
    name: str
    text: str
    secret: str | None = None


class Label(NamedTuple):
    """Where something stands in a text; characters count."""

    kind: Kind
    shape: str
    start: int
    end: int


class LabelledText(NamedTuple):
    """A text, and everything in it that should be found.

    Attributes:
        text: The text.
        labels: In their order.
        form: What kind of text it is: ``letter``, ``json``.
    """

    text: str
    labels: tuple[Label, ...]
    form: str


class Page:
    """A text that is being written.

    Args:
        escaped: How what is planted has to be written here.
    """

    def __init__(self, escaped: Callable[[str], str] = str) -> None:
        self._escaped = escaped
        self._parts: list[str] = []
        self._length = 0
        self._labels: list[Label] = []

    def write(self, text: str) -> None:
        """Go on with a text that nothing is to be found in."""
        self._parts.append(text)
        self._length += len(text)

    def plant(self, item: Item) -> None:
        """Go on with an item."""
        before, secret, after = item.text.partition(item.secret or item.text)
        self.write(self._escaped(before))
        start = self._length
        self.write(self._escaped(secret))
        if item.kind:
            self._labels.append(Label(item.kind, item.shape, start, self._length))
        self.write(self._escaped(after))

    def put(self, template: str, item: Item) -> None:
        """Go on with a template's text, and the item where it has its mark ``{}``."""
        before, _, after = template.partition("{}")
        self.write(before)
        self.plant(item)
        self.write(after)

    def finished(self, form: str) -> LabelledText:
        """Return what was written."""
        return LabelledText("".join(self._parts), tuple(self._labels), form)
