"""Finding the most specific entry for an exception's class.

Nothing is imported but our own table for the library that the class comes from, and that only
when an exception of the library is met.
"""

from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from typing import Any, Final, TypeAlias
from weakref import ref

from stormproof.errors.platform_errors import InternalError
from stormproof.errors.root import StormproofError

Maker: TypeAlias = Callable[[Any], StormproofError]
"""Makes our error from one foreign exception."""

Table: TypeAlias = Mapping[str, Maker]
"""Makers by root package and qualified class name: ``"httpx.ReadTimeout"``."""

_LIBRARIES: Final[Mapping[str, str]] = {
    "aiohttp": "aiohttp",
    "anthropic": "anthropic",
    "botocore": "botocore",
    "httpx": "httpx",
    "httpx2": "httpx",
    "langchain_core": "langchain",
    "langgraph": "langgraph",
    "obstore": "obstore",
    "openai": "openai",
    "pydantic": "pydantic",
    "pydantic_core": "pydantic",
    "pydantic_settings": "pydantic",
    "redis": "redis",
    "sqlalchemy": "sqlalchemy",
    "torch": "torch",
    "websockets": "websockets",
}
"""Which of our tables knows the exceptions of a root package; all others are the stdlib's."""

_found: Final[dict[int, tuple[ref[type], Maker]]] = {}
"""The makers of the classes met so far, by the identity of the class."""


def control_flow(exc: Exception) -> StormproofError:
    """Stands in a table for an exception that is no error: it passes through untranslated."""
    raise exc


def bug(exc: Any) -> StormproofError:
    """Return the error for what nobody expected: the cause says all there is to say."""
    return InternalError(reason=type(exc).__qualname__)


def maker_for(cls: type) -> Maker:
    """Return the maker of the class nearest to ``cls`` in its method resolution order.

    It is looked up once for each class and remembered as long as the class lives: by identity,
    since a metaclass may make its classes equal, or impossible to hash.
    """
    known = _found.get(id(cls))
    if known is not None and known[0]() is cls:
        return known[1]
    make = next(filter(None, (table_of(root).get(name) for root, name in _names(cls))))
    _remember(cls, make)
    return make


def _remember(cls: type, make: Maker) -> None:
    key, forget = id(cls), _found.pop
    _found[key] = ref(cls, lambda _: forget(key, None)), make


def maker_in(table: Table, cls: type) -> Maker | None:
    """Return the maker that one table alone has for ``cls``."""
    return next(filter(None, (table.get(name) for _, name in _names(cls))), None)


def table_of(root: str) -> Table:
    """Return the table that knows the exceptions of a root package."""
    module = import_module(f"stormproof.errors.translate.{_LIBRARIES.get(root, 'stdlib')}")
    table: Table = module.TABLE
    return table


def _names(cls: type) -> Iterator[tuple[str, str]]:
    for base in cls.__mro__:
        root = str(base.__module__).partition(".")[0]
        yield root, f"{root}.{base.__qualname__}"
