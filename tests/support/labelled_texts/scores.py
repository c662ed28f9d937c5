"""How much of what is labelled is found, and how much of what is found is labelled."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from stormproof.reflex.pii.finding import Finding, Kind
from support.labelled_texts.page import Label, LabelledText

VALIDATED: Final = frozenset(
    {
        Kind.EMAIL,
        Kind.PHONE,
        Kind.CARD,
        Kind.IBAN,
        Kind.NATIONAL_ID,
        Kind.TAX_NUMBER,
        Kind.IP_ADDRESS,
        Kind.MAC_ADDRESS,
        Kind.CRYPTO_WALLET,
        Kind.API_KEY,
        Kind.TOKEN,
        Kind.PRIVATE_KEY,
        Kind.JWT,
        Kind.CONNECTION_STRING,
    }
)
"""Kinds whose form, or whose check digits, tell them from everything else."""

_ALIKE: Final = (
    {Kind.NATIONAL_ID, Kind.TAX_NUMBER},
    {
        Kind.API_KEY,
        Kind.TOKEN,
        Kind.PRIVATE_KEY,
        Kind.JWT,
        Kind.CONNECTION_STRING,
        Kind.PASSWORD,
    },
)
"""Kinds that one thing may be of at once: many states' identity numbers are their tax numbers."""


@dataclass(slots=True)
class Scores:
    """What a detector did with texts.

    Attributes:
        planted: How much there was to find, by kind.
        found: How much of that was found, all of its characters.
        claimed: How much was said to be something, by the kind that it was said to be.
        right: How much of that is so.
        missed: What was not found: the text's number and the label.
        wrong: What is not so: the text's number and the finding.
    """

    planted: Counter[Kind] = field(default_factory=Counter)
    found: Counter[Kind] = field(default_factory=Counter)
    claimed: Counter[Kind] = field(default_factory=Counter)
    right: Counter[Kind] = field(default_factory=Counter)
    missed: list[tuple[int, Label]] = field(default_factory=list)
    wrong: list[tuple[int, Finding]] = field(default_factory=list)

    def recall(self, kinds: Iterable[Kind]) -> float | None:
        """Return which share of what was planted of these kinds was found."""
        return _share(self.found, self.planted, kinds)

    def precision(self, kinds: Iterable[Kind]) -> float | None:
        """Return which share of what was found of these kinds was planted."""
        return _share(self.right, self.claimed, kinds)


def scores(texts: Sequence[LabelledText], findings: Sequence[Sequence[Finding]]) -> Scores:
    """Compare what is labelled in texts with what was found in each."""
    result = Scores()
    for number, (text, found) in enumerate(zip(texts, findings, strict=True)):
        for label in text.labels:
            result.planted[label.kind] += 1
            if any(_covers(finding, label) for finding in found):
                result.found[label.kind] += 1
            else:
                result.missed.append((number, label))
        for finding in found:
            result.claimed[finding.kind] += 1
            if any(_meets(finding, label) for label in text.labels):
                result.right[finding.kind] += 1
            else:
                result.wrong.append((number, finding))
    return result


def _covers(finding: Finding, label: Label) -> bool:
    inside = finding.start <= label.start and label.end <= finding.end
    return inside and _alike(finding.kind, label.kind)


def _meets(finding: Finding, label: Label) -> bool:
    meeting = finding.start < label.end and label.start < finding.end
    return meeting and _alike(finding.kind, label.kind)


def _alike(one: Kind, other: Kind) -> bool:
    return one is other or any(one in group and other in group for group in _ALIKE)


def _share(part: Counter[Kind], whole: Counter[Kind], kinds: Iterable[Kind]) -> float | None:
    listed = list(kinds)
    total = sum(whole[kind] for kind in listed)
    return sum(part[kind] for kind in listed) / total if total else None
