"""What is found out once, and only if somebody asks."""

from collections.abc import Callable
from typing import Any, Final, Generic, TypeVar, overload

T = TypeVar("T")


class Once(Generic[T]):
    """An attribute that is found out when it is first asked for.

    What is found lies where the object has its other attributes: who asks again calls nothing.
    ``functools.cached_property`` of Python 3.11 does the same under a lock, which all objects of a
    class share.

    Args:
        find: Finds it out of the object.
    """

    def __init__(self, find: Callable[[Any], T]) -> None:
        self.__doc__ = find.__doc__
        self._find: Final = find

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, asked: None, owner: type) -> "Once[T]": ...

    @overload
    def __get__(self, asked: object, owner: type) -> T: ...

    def __get__(self, asked: object | None, owner: type) -> "T | Once[T]":
        if asked is None:
            return self
        found = asked.__dict__[self._name] = self._find(asked)
        return found
