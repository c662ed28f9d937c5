"""A conversation without its personal data: the same placeholder wherever a value stands."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Final, NamedTuple

from stormproof.reflex.passages import Passage, Place
from stormproof.reflex.pii.finder import merged
from stormproof.reflex.pii.finding import Finding, Kind
from stormproof.reflex.pii.json_text import JsonText, NameText, PlainText, Replacement
from stormproof.reflex.pii.placeholders import Placeholders
from stormproof.reflex.pii.scripts import joins

_SHORTEST: Final = 3
_MOST: Final = 200
"""Values that are looked for where they were not found: each takes a look at every text."""

_THOUGHTS: Final = frozenset(
    {"reasoning", "reasoning_content", "reasoning_details", "thinking_blocks"}
)
"""A model's own words: not all placeholders there are restored, and they mean what they mean."""


class Redaction(NamedTuple):
    """What is sent to a model instead.

    Attributes:
        texts: What is said otherwise, and where.
        placeholders: What stands there for what.
    """

    texts: Mapping[Place, str]
    placeholders: Placeholders


def read(passage: Passage) -> PlainText | JsonText:
    """Return a passage as what it says: arguments are JSON, and so are many results of tools."""
    if passage.place[-1] == "name":
        return NameText(passage.text)
    return JsonText(passage.text) if _is_json(passage) else PlainText(passage.text)


def said(passage: Passage) -> str:
    """Return what a passage says."""
    escapes = "\\" in passage.text and _is_json(passage)
    return JsonText(passage.text).text if escapes else passage.text


def redacted(texts: Sequence[Passage], found: Sequence[Sequence[Finding]], key: bytes) -> Redaction:
    """Put placeholders in place of values, also where one stands that was only found elsewhere.

    What gives a value away, a word in front of it perhaps, often does not stand in front of it
    when it is said again.

    Args:
        texts: Of a request.
        found: In each, by the places in what it says; at least one altogether.
        key: Of the placeholders.
    """
    readings = [
        (passage, read(passage), findings) for passage, findings in zip(texts, found, strict=True)
    ]
    values: dict[str, Kind] = {}
    for _, reading, findings in readings:
        for one in findings:
            values.setdefault(reading.text[one.start : one.end], one.kind)
    everywhere = [
        (passage, reading, _everywhere(reading.text, findings, values))
        for passage, reading, findings in readings
    ]
    rest: list[str] = []
    for passage, reading, findings in everywhere:
        # No placeholder is without an underscore.
        if "_" in reading.text and _THOUGHTS.isdisjoint(passage.place[2:3]):
            rest += _between(reading.text, findings)
    placeholders = Placeholders(values, rest, key)
    changed = {
        passage.place: reading.replaced(_replacements(reading.text, findings, placeholders))
        for passage, reading, findings in everywhere
        if findings
    }
    return Redaction(changed, placeholders)


def _is_json(passage: Passage) -> bool:
    if passage.place[-1] == "arguments":
        return True
    return passage.role in {"tool", "function"} and passage.text[:1] in {"{", "["}


def _everywhere(
    text: str, findings: Sequence[Finding], values: Mapping[str, Kind]
) -> Sequence[Finding]:
    """Return what was found in a text, and where else in it values stand."""
    known: dict[str, int] = {}
    for one in findings:
        value = text[one.start : one.end]
        known[value] = known.get(value, 0) + 1
    for value, kind in islice(values.items(), _MOST):
        if len(value) >= _SHORTEST and text.count(value) > known.get(value, 0):
            findings = merged(findings, _standing(value, kind, text))
    return findings


def _standing(value: str, kind: Kind, text: str) -> Iterator[Finding]:
    start = text.find(value)
    while start >= 0:
        end = start + len(value)
        if not (_within_word(text, start) or _within_word(text, end)):
            yield Finding(kind, start, end)
        start = text.find(value, end)


def _within_word(text: str, place: int) -> bool:
    return 0 < place < len(text) and joins(text[place - 1]) and joins(text[place])


def _between(text: str, findings: Sequence[Finding]) -> Sequence[str]:
    parts: list[str] = []
    seen = 0
    for one in findings:
        parts.append(text[seen : one.start])
        seen = one.end
    return [*parts, text[seen:]]


def _replacements(
    text: str, findings: Sequence[Finding], placeholders: Placeholders
) -> Sequence[Replacement]:
    return [
        Replacement(one.start, one.end, placeholders.of(text[one.start : one.end]))
        for one in findings
    ]
