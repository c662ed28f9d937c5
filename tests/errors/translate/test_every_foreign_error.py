"""No public exception class of an installed library is forgotten.

The rule, for every public class that a library defines, found by walking its modules: it is in
our table by its own name, or ``inherited.toml`` says under which of its bases it was decided to
leave it. So an upgrade that adds a class, moves one below another base, or removes one fails here
until somebody has looked.
"""

import builtins
import importlib
import pkgutil
import tomllib
import warnings
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import TypeGuard

import pytest

from stormproof.errors.translate.lookup import table_of

INHERITED: dict[str, dict[str, list[str]]] = tomllib.loads(
    (Path(__file__).parent / "inherited.toml").read_text()
)

LIBRARIES = (
    "aiohttp",
    "anthropic",
    "botocore",
    "httpx",
    "httpx2",
    "langchain_core",
    "langgraph",
    "obstore",
    "openai",
    "pydantic",
    "pydantic_core",
    "pydantic_settings",
    "redis",
    "sqlalchemy",
    "torch",
    "websockets",
)

NOT_WALKED = {
    "torch": "hundreds of modules, many of which want a GPU",
}

NAMED_MODULES = {
    # Exported from modules that a walk does not reach.
    "anthropic": ["anthropic._exceptions"],
    "obstore": ["obstore.exceptions"],
    "openai": ["openai._exceptions"],
    "torch": [
        "torch.accelerator",
        "torch.cuda",
        "torch.distributed",
        "torch.jit",
        "torch.linalg",
        "torch.multiprocessing",
        "torch.utils.data",
    ],
}

NOT_PUBLIC = {
    "botocore.vendored": "parts of requests, kept for those who still import them",
    "pydantic.v1.errors": "raised inside of a validation only, which collects them",
    "sqlalchemy.testing": "the library's own test suite",
}


def modules_of(root: str) -> Iterator[ModuleType]:
    package = importlib.import_module(root)
    yield package
    paths = [] if root in NOT_WALKED else package.__path__
    found = pkgutil.walk_packages(paths, f"{root}.", onerror=lambda _: None)
    names = [module.name for module in found if is_public(module.name)]
    for name in names + NAMED_MODULES.get(root, []):
        with suppress(ImportError):  # it needs an extra that is not installed
            yield importlib.import_module(name)


def is_public(module: str) -> bool:
    hidden = any(part.startswith("_") or part == "pytest_plugin" for part in module.split("."))
    return not hidden and not module.startswith(tuple(NOT_PUBLIC))


def public_exceptions(root: str) -> set[type[Exception]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return {
            value
            for module in modules_of(root)
            for name, value in list(vars(module).items())
            if not name.startswith("_") and is_exception_of(root, value)
        }


def is_exception_of(root: str, value: object) -> TypeGuard[type[Exception]]:
    return (
        isinstance(value, type)
        and issubclass(value, Exception)
        and not issubclass(value, Warning)
        and value.__module__.split(".")[0] == root
        and not value.__module__.startswith(tuple(NOT_PUBLIC))
    )


def nearest_base(cls: type[Exception], root: str) -> str:
    table = table_of(root)
    mapped = (base.__qualname__ for base in cls.__mro__ if f"{root}.{base.__qualname__}" in table)
    return next(mapped, "nothing")


def left_to_bases(root: str) -> dict[str, set[str]]:
    table = table_of(root)
    left: dict[str, set[str]] = {}
    for cls in public_exceptions(root):
        if f"{root}.{cls.__qualname__}" not in table:
            left.setdefault(nearest_base(cls, root), set()).add(cls.__qualname__)
    return left


@pytest.mark.parametrize("root", LIBRARIES)
def test_every_public_exception_is_mapped_or_left_to_a_base_on_purpose(root: str) -> None:
    """What is in neither place, or below another base than was decided, is named here."""
    pytest.importorskip(root)
    decided = {base: set(names) for base, names in INHERITED.get(root, {}).items()}
    assert left_to_bases(root) == decided


@pytest.mark.parametrize("root", LIBRARIES)
def test_every_entry_of_a_table_names_a_class_that_exists(root: str) -> None:
    """An entry for a class that was renamed or removed decides about nothing."""
    pytest.importorskip(root)
    there = {f"{root}.{cls.__qualname__}" for cls in public_exceptions(root)}
    assert {name for name in table_of(root) if name.split(".")[0] == root} <= there


def test_every_builtin_exception_is_mapped_or_left_to_a_base_on_purpose() -> None:
    """So a Python that adds an exception fails here, too."""
    table = table_of("builtins")
    left: dict[str, set[str]] = {}
    for value in vars(builtins).values():
        if is_exception_of("builtins", value) and f"builtins.{value.__name__}" not in table:
            left.setdefault(nearest_base(value, "builtins"), set()).add(value.__name__)
    assert left == {base: set(names) for base, names in INHERITED["builtins"].items()}


@pytest.mark.parametrize("name", sorted(table_of("builtins")))
def test_every_entry_for_the_standard_library_names_a_class_that_exists(name: str) -> None:
    """Its modules are too many to walk, but an entry must not be misspelt."""
    for module in STANDARD_MODULES:
        importlib.import_module(module)
    there = {f"{cls.__module__.split('.')[0]}.{cls.__qualname__}" for cls in below(Exception)}
    assert name in there


STANDARD_MODULES = (
    "asyncio",
    "concurrent.futures",
    "csv",
    "gzip",
    "http.client",
    "json",
    "lzma",
    "multiprocessing",
    "pickle",
    "queue",
    "shutil",
    "socket",
    "sqlite3",
    "ssl",
    "struct",
    "subprocess",
    "tarfile",
    "tomllib",
    "urllib.error",
    "xml.etree.ElementTree",
    "xml.parsers.expat",
    "zipfile",
    "zlib",
)


def below(cls: type[Exception]) -> Iterator[type[Exception]]:
    yield cls
    for child in cls.__subclasses__():
        yield from below(child)
