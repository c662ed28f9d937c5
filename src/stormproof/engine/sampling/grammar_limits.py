"""Which grammars would take too long to compile.

The compiler measures its work and gives up, but looks at the measure only between steps, of which
some grammars need but one.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, NoReturn

from stormproof.errors import InvalidRequest

MAX_REASON: Final = 300
MAX_MULTIPLE: Final = 10_000
"""The automaton of ``multipleOf: n`` has n states, and nothing below bounds the time they take."""
MAX_COMBINED: Final = 8
"""A step of the automaton for n patterns that all must match may take time and memory like 2^n."""

_HAS_PATTERNS: Final = frozenset(
    {"pattern", "properties", "patternProperties", "additionalProperties", "items", "prefixItems"}
)
_LARK: Final = re.compile(r'"(?:\\.|[^"\\\n])*"|(?:#|//)[^\n]*|/(?:\\.|[^/\\])+/|&')
"""A text, a comment, a pattern, or an operator that has two patterns match at once."""


def check_schema(text: str) -> None:
    """Refuse a JSON schema that is none, or would take too long.

    Raises:
        InvalidRequest: It is.
    """
    _check([_parsed(text)])


def check_lark(rules: str) -> None:
    """Refuse a grammar in Lark that would take too long.

    Raises:
        InvalidRequest: It is such a one.
    """
    _check(list(_embedded_schemas(rules)))
    if _LARK.findall(rules).count("&") >= MAX_COMBINED:
        raise refused(f"up to {MAX_COMBINED} patterns may be combined")


def refused(reason: str) -> InvalidRequest:
    """Return the refusal of a grammar; the reason may quote it, and is cut."""
    return InvalidRequest(reason=f"grammar: {reason[:MAX_REASON]}", param="grammar")


def _embedded_schemas(rules: str) -> Iterator[Any]:
    """Yield the JSON schemas in a Lark grammar."""
    for found in re.finditer(r"%json\s*", rules):
        yield _parsed(rules[found.end() :], partly=True)


def _parsed(text: str, *, partly: bool = False) -> Any:
    try:
        return _DECODER.raw_decode(text)[0] if partly else _DECODER.decode(text)
    except RecursionError:
        raise refused("the JSON schema is nested too deeply") from None
    except (ValueError, ArithmeticError) as error:  # the latter of exponents beyond all decimals
        raise refused("the JSON schema is not JSON") from error


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key occurs twice")
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_DECODER: Final = json.JSONDecoder(
    parse_float=Decimal, parse_constant=_no_constant, object_pairs_hook=_without_duplicates
)


def _check(documents: Sequence[Any]) -> None:
    if not all(isinstance(document, dict) for document in documents):
        raise refused("a JSON schema is an object")
    parts = [part for document in documents for part in _schemas(document)]
    states = sum(_states(part["multipleOf"]) for part in parts if "multipleOf" in part)
    if states > MAX_MULTIPLE:
        raise refused(f"the digits of all multipleOf may make up to {MAX_MULTIPLE} together")
    patterns = {str(part["pattern"]) for part in parts if "pattern" in part}
    if len(patterns) > MAX_COMBINED and any(map(_combines, parts)):
        raise refused(f"a schema that combines others may have up to {MAX_COMBINED} patterns")


def _schemas(value: Any) -> Iterator[Mapping[str, Any]]:
    """Yield whatever may be a schema in a document."""
    if isinstance(value, dict):
        yield value
        value = value.values()
    elif not isinstance(value, list):
        return
    for item in value:
        yield from _schemas(item)


def _combines(schema: Mapping[str, Any]) -> bool:
    """Say whether a text may have to match more than one schema's patterns at once."""
    every = schema.get("allOf")
    parts = len(every) if isinstance(every, list) else 0
    parts += sum(key in schema for key in ("anyOf", "oneOf", "$ref"))
    return parts + (not _HAS_PATTERNS.isdisjoint(schema)) > 1


def _states(multiple: Any) -> int:
    """Return how many remainders a number leaves, once it is written without a point."""
    if isinstance(multiple, bool) or not isinstance(multiple, int | Decimal):
        return 0  # the compiler refuses it
    number = Decimal(multiple).copy_abs()  # abs() rounds, and may overflow
    if not Decimal("1e-9") < number <= MAX_MULTIPLE:
        return MAX_MULTIPLE + 1
    while number != int(number):
        number *= 10
    return int(number)
