"""What a model says by itself is looked through, as the text comes in."""

from collections import Counter
from collections.abc import Sequence
from typing import Final

from stormproof.errors import PiiDetected
from stormproof.reflex.pii.filters import Filter
from stormproof.reflex.pii.finder import Finder, merged
from stormproof.reflex.pii.finding import Finding, Kind
from stormproof.reflex.pii.json_text import JsonText, Replacement
from stormproof.reflex.pii.placeholders import WRITTEN
from stormproof.reflex.pii.policy import PiiAction, PiiPolicy

_HELD: Final = 128
"""Characters that are held back, so that something is seen when it begins, and when it ends."""

_SLOW_STEP: Final = 256
"""Characters that have to come before who takes long looks again."""

_LONGEST: Final = 16_384
"""Characters of something that is waited for to its end, such as a private key: what is longer
goes out in part."""


class Judgement:
    """What is found in an answer, and what is done about that.

    Args:
        detector: Finds it.
        policy: Says what is done.
        names: Finds names too, in milliseconds; None if they may be said.

    Attributes:
        slow: Whether that is so.
        counts: How much of each kind there was.
    """

    def __init__(self, detector: Finder, policy: PiiPolicy, names: Finder | None = None) -> None:
        self._detector = detector
        self._policy = policy
        self._names = names
        self.slow: Final = names is not None
        self.counts: Final = Counter[Kind]()

    def find(self, text: str) -> Sequence[Finding]:
        """Return what is in a text; what a placeholder stands for, the caller has said himself."""
        found = self._detector.find(text)
        if self._names:
            found = merged(found, self._names.find(text))
        return [one for one in found if not _stands_for_another(text[one.start : one.end])]

    def screen(self, *, json: bool) -> Filter:
        """Return what looks a text through; in JSON a value can only be replaced in the whole."""
        if self._policy.only_reports:
            return Reporting(self)
        return WholeScreen(self) if json else SlidingScreen(self)

    @property
    def changes_texts(self) -> bool:
        """Whether something may not go out as it was said."""
        return not self._policy.only_reports

    def stand_in(self, finding: Finding) -> str | None:
        """Count a finding, and return what is to stand in its place; None if it may stay.

        Raises:
            PiiDetected: The answer may not go out.
        """
        self.counts[finding.kind] += 1
        action = self._policy.of(finding.kind)
        if action is PiiAction.BLOCK:
            raise PiiDetected(pattern=f"{finding.kind} in the answer")
        return f"[{finding.kind.upper()}]" if action is PiiAction.REDACT else None


def _stands_for_another(value: str) -> bool:
    """Return whether a value is no more than a placeholder, and what belongs to it."""
    return len(WRITTEN.sub("", value)) * 2 < len(value)


class Reporting:
    """Counts what was said, and holds nothing back."""

    def __init__(self, judgement: Judgement) -> None:
        self._judgement = judgement
        self._said: list[str] = []

    def push(self, text: str) -> str:
        """Take a piece, and return it."""
        self._said.append(text)
        return text

    def rest(self) -> str:
        """Count what there was; nothing is left."""
        for finding in self._judgement.find("".join(self._said)):
            self._judgement.stand_in(finding)
        return ""


class WholeScreen:
    """Looks through JSON once all of it is there."""

    def __init__(self, judgement: Judgement) -> None:
        self._judgement = judgement
        self._said: list[str] = []

    def push(self, text: str) -> str:
        """Take a piece; nothing is sure yet."""
        self._said.append(text)
        return ""

    def rest(self) -> str:
        """Return all of it."""
        document = JsonText("".join(self._said))
        found = [
            (one, self._judgement.stand_in(one)) for one in self._judgement.find(document.text)
        ]
        return document.replaced(
            [Replacement(one.start, one.end, text) for one, text in found if text is not None]
        )


class SlidingScreen:
    """Holds the last of a text back, where something may only have begun."""

    def __init__(self, judgement: Judgement) -> None:
        self._judgement = judgement
        self._before = ""
        self._held = ""
        self._step = _SLOW_STEP if judgement.slow else 0
        self._due = self._step

    def push(self, text: str) -> str:
        """Take a piece, and return what is sure by now."""
        self._held += text
        if len(self._held) < self._due or len(self._held) <= _HELD:
            return ""
        said = self._screened(len(self._held) - _HELD)
        # So that the time grows with the length alone.
        self._due = len(self._held) + max(len(self._held) // 4, self._step)
        return said

    def rest(self) -> str:
        """Return what is left when no piece comes any more."""
        return self._screened(len(self._held))

    def _screened(self, end: int) -> str:
        """Return what is held up to a place, or up to where something begins that stands across."""
        known, seen = self._before + self._held, len(self._before)
        end += seen
        parts: list[str] = []
        for one in self._found(known, seen):
            waited = one.end > end and len(known) - one.start <= _LONGEST
            if waited or one.start >= end:
                end = min(end, max(one.start, seen))
                break
            begins = max(one.start, seen)
            text = self._judgement.stand_in(one)
            parts += [known[seen:begins], known[begins : one.end] if text is None else text]
            seen = one.end
        end = max(end, seen)
        parts.append(known[seen:end])
        self._before, self._held = known[max(end - _HELD, 0) : end], known[end:]
        return "".join(parts)

    def _found(self, known: str, seen: int) -> Sequence[Finding]:
        """Return what is not said yet, or not wholly."""
        return [one for one in self._judgement.find(known) if one.end > seen]
