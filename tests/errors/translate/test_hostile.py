"""Whatever a foreign exception looks like, translating it works and the result can travel."""

import json
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stormproof.errors import (
    InternalError,
    OutOfBlocks,
    StormproofError,
    from_wire,
    to_wire,
    translate,
)
from stormproof.errors.translate.lookup import control_flow, table_of

LIBRARIES = (
    "builtins",
    "aiohttp",
    "anthropic",
    "botocore",
    "httpx",
    "langchain_core",
    "langgraph",
    "obstore",
    "openai",
    "pydantic",
    "redis",
    "sqlalchemy",
    "torch",
    "websockets",
)

ENTRIES = sorted(
    {
        name
        for root in LIBRARIES
        for name, make in table_of(root).items()
        if make is not control_flow
    }
)

ATTRIBUTES = (
    "body",
    "code",
    "errno",
    "errors",
    "filename",
    "headers",
    "lineno",
    "max_size",
    "orig",
    "rcvd",
    "request",
    "request_id",
    "response",
    "status",
    "status_code",
    "timeout",
)


class Raises:
    """Refuses to be looked at in any way."""

    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError(name)

    def __str__(self) -> str:
        raise RuntimeError("str")

    __repr__ = __str__


def impostor(name: str, attributes: dict[str, Any]) -> Exception:
    """Make an exception whose class says it is this one, with any attributes at all."""
    root, _, qualname = name.partition(".")
    bases = (OSError,) if root == "builtins" else (Exception,)
    cls = type(qualname, bases, {"__module__": root, **attributes})
    exc: Exception = cls("sk-aaaaaaaaaaaaaaaa " + "x" * 10_000)
    return exc


def travels(error: StormproofError) -> bool:
    """Whether it survives the wire, both forms, and pickling, as what it is."""
    wired = json.loads(json.dumps(to_wire(error, internal=True)))
    public = json.loads(json.dumps(to_wire(error)))
    copies = [from_wire(wired), from_wire(public), pickle.loads(pickle.dumps(error))]  # noqa: S301
    return all(type(copy) is type(error) and copy.code == error.code for copy in copies)


odd = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(100, 600)
    | st.floats()
    | st.text(max_size=50)
    | st.binary(max_size=20)
    | st.just("y" * 100_000)
    | st.builds(Raises)
    | st.builds(object)
)
nested = st.recursive(
    odd,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "Error",
                    "Code",
                    "ResponseMetadata",
                    "HTTPStatusCode",
                    "error",
                    "message",
                    "type",
                    "code",
                    "param",
                    "headers",
                    "status_code",
                    "retry-after",
                    "x-ratelimit-reset",
                ]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=10,
)


@given(st.sampled_from(ENTRIES), st.dictionaries(st.sampled_from(ATTRIBUTES), nested))
def test_no_attribute_of_any_exception_breaks_translation(
    name: str, attributes: dict[str, Any]
) -> None:
    """Of every entry of every table, with values of types that no documentation names."""
    exc = impostor(name, attributes)
    error = translate(exc)
    assert error.__cause__ is exc
    assert travels(error)
    assert "sk-aaaa" not in str(error)
    assert len(error.message) < 5_000


@pytest.mark.parametrize("name", ENTRIES)
def test_an_exception_that_refuses_to_be_looked_at_is_translated(name: str) -> None:
    """Every attribute raises, and so does printing it."""

    def refuse(self: object, *_: object) -> Any:
        raise RuntimeError("no")

    root, _, qualname = name.partition(".")
    hostile: dict[str, Any] = {attribute: property(refuse) for attribute in ATTRIBUTES}
    cls = type(qualname, (Exception,), {"__module__": root, "__str__": refuse, **hostile})
    error = translate(cls())
    assert isinstance(error, StormproofError)
    assert travels(error)


def test_a_liar_about_its_class_is_what_it_is() -> None:
    """``__class__`` is only a claim."""

    class Liar(Exception):
        __class__ = OutOfBlocks  # type: ignore[assignment]

    error = translate(Liar())
    assert type(error) is InternalError
    assert to_wire(error)


def test_causes_in_a_circle_end() -> None:
    """An exception may be its own cause at any distance."""
    first, second = ConnectionError("a"), ConnectionError("b")
    first.__cause__, second.__cause__ = second, first
    assert travels(translate(first))


def test_a_deep_and_wide_group_is_bounded() -> None:
    """Members beyond the first hundred are not looked at."""
    group: Exception = ExceptionGroup("wide", [ValueError(str(n)) for n in range(1000)])
    for _ in range(100):
        group = ExceptionGroup("deep", [group])
    error = translate(group)
    assert len(error.__notes__) == 99
    assert travels(error)
