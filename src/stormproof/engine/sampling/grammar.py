"""What a structured answer must look like."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final, Self

from stormproof.errors import FieldProblem, ValidationErrors

MAX_GRAMMAR_LENGTH: Final = 65_536

COMPACT_JSON: Final = MappingProxyType(
    {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}
)
"""How JSON is laid out: as models write it unasked. Free space could go on for ever."""


class GrammarKind(StrEnum):
    """In which language a grammar is written."""

    JSON_SCHEMA = "json_schema"
    REGEX = "regex"
    LARK = "lark"


@dataclass(frozen=True, slots=True)
class Grammar:
    """What an answer must match as a whole.

    Attributes:
        kind: The language.
        text: A JSON schema, a regular expression in the syntax of Rust's ``regex`` without
            anchors, or a grammar in llguidance's variant of Lark.

    Raises:
        ValidationErrors: The text is empty or too long.
    """

    kind: GrammarKind
    text: str

    def __post_init__(self) -> None:
        if not 1 <= len(self.text) <= MAX_GRAMMAR_LENGTH:
            message = f"must have 1 to {MAX_GRAMMAR_LENGTH} characters"
            problem = FieldProblem(field="grammar", message=message, type="out_of_range")
            raise ValidationErrors(errors=[problem])

    @classmethod
    def json_schema(cls, schema: Mapping[str, Any]) -> Self:
        """Return the grammar of the JSON documents that a schema describes."""
        return cls(GrammarKind.JSON_SCHEMA, json.dumps(schema, ensure_ascii=False))

    @classmethod
    def json_object(cls) -> Self:
        """Return the grammar of any JSON object."""
        return cls.json_schema({"type": "object"})

    @classmethod
    def regex(cls, pattern: str) -> Self:
        """Return the grammar of the texts that a regular expression matches as a whole."""
        return cls(GrammarKind.REGEX, pattern)

    @classmethod
    def lark(cls, rules: str) -> Self:
        """Return a grammar whose rules are written in Lark, beginning at ``start``."""
        return cls(GrammarKind.LARK, rules)
