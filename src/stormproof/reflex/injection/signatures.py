"""How attacks read: the notation of the tables, and what it stands for."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from stormproof.reflex.injection.finding import Attack, InjectionSeverity
from stormproof.reflex.injection.folding import LOOSE, fold
from stormproof.reflex.injection.tables import table

_GAP: Final = r"(?:(?:\\[nrt]|[\x00-\x20\"-\-/:<->@\[-`{-\x7f])+|\.)"
"""What stands between words: anything but letters, digits and the end of a sentence; also the
escapes that stand for white space in JSON."""

_WORD: Final = r"[^\x00-&(-/:-@\[-`{-\x7f]+"
_SOME_WORDS: Final = f"(?:{_GAP}{_WORD}){{0,6}}{_GAP}"
_NAMED: Final = re.compile(r"<(\w+)>")
_BEGIN: Final = r"(?:\b|\\[nrt])"


class Signature(NamedTuple):
    """How one kind of attack reads.

    Attributes:
        attack: What it is after.
        from_people: Its severity in what people write; None if they write so without ill intent.
        from_tools: Its severity in the results of tools.
        expression: For folded texts, in RE2's syntax.
        squeezed: For texts that are squeezed as well; empty if it is not looked for there.
    """

    attack: Attack
    from_people: InjectionSeverity | None
    from_tools: InjectionSeverity
    expression: str
    squeezed: str = ""


def phrases(name: str) -> Sequence[Signature]:
    """Return what consists of words, from one of the tables of phrases."""
    language = table(name)
    words = language.get("words") or table("words")
    return [
        _phrase(fold(_spelled_out(pattern, words)), *_judgement(group))
        for group in language["phrases"]
        for pattern in group["patterns"]
    ]


def marks() -> Sequence[Signature]:
    """Return what consists of signs."""
    return [
        Signature(*_judgement(group), fold(pattern))
        for group in table("marks")["marks"]
        for pattern in group["patterns"]
    ]


def _judgement(
    group: Mapping[str, Any],
) -> tuple[Attack, InjectionSeverity | None, InjectionSeverity]:
    from_people = group.get("severity")
    return (
        Attack(group["attack"]),
        InjectionSeverity[from_people.upper()] if from_people else None,
        InjectionSeverity[group["in_tools"].upper()],
    )


def _phrase(
    phrase: str,
    attack: Attack,
    from_people: InjectionSeverity | None,
    from_tools: InjectionSeverity,
) -> Signature:
    grave = from_people is not None and from_people >= InjectionSeverity.HIGH
    squeezed = _squeezed(phrase) if grave else ""  # others would be found across innocent words
    return Signature(attack, from_people, from_tools, _worded(phrase), squeezed)


def _spelled_out(pattern: str, words: Mapping[str, str]) -> str:
    """Return a pattern with words in the places of their names."""
    while name := _NAMED.search(pattern):
        pattern = pattern.replace(name[0], words[name[1]])
    return pattern.replace("(", "(?:")


def _worded(phrase: str) -> str:
    """Return the expression for a phrase as it is written, word by word."""
    expression = phrase.replace(" ... ", _SOME_WORDS).replace(" ", _GAP)
    return _BEGIN + expression if phrase.isascii() else expression


def _squeezed(phrase: str) -> str:
    """Return the expression for a phrase without what stands between its letters."""
    joined = phrase.replace(" ... ", ".{0,24}").replace(r"\w+", r"\w{1,16}")
    joined = joined.replace(r"\b", "").replace(" ", "(?:)")
    return re.sub(r"(\\.)|[a-z]", lambda one: one[1] or one[0].translate(LOOSE), joined)
