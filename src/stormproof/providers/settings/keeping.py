"""What is known of the world, kept while the settings around it change."""

from collections.abc import Callable, Hashable
from typing import Any, TypeVar
from weakref import WeakValueDictionary

T = TypeVar("T")


class Kept:
    """Things with a state, one for each description, as long as anybody uses them."""

    def __init__(self) -> None:
        self._things: WeakValueDictionary[tuple[Hashable, ...], Any] = WeakValueDictionary()

    def one(self, make: Callable[[], T], *described: Hashable) -> T:
        """Return the thing of this description; make it if there is none.

        Args:
            make: Makes it; always of the same kind for the same description.
            described: What it is, and all that it is made of.
        """
        thing: T | None = self._things.get(described)
        if thing is None:
            self._things[described] = thing = make()
        return thing
