"""Finds personal data and secrets; needs the extra ``stormproof[reflex]``.

RE2 looks for the signs of all forms in one pass, then for the places of those that may be there:
both in time that grows with the text's length alone, whatever the text is.
"""

from bisect import bisect
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Final

try:
    import re2
    import stdnum  # noqa: F401 - the rooms beside need it
except ModuleNotFoundError as error:
    hint = "Detector needs the extra: pip install 'stormproof[reflex]'"
    raise ModuleNotFoundError(hint, name=error.name) from error

from stormproof.reflex.matches import matches
from stormproof.reflex.pii import (
    accounts,
    addresses,
    births,
    coordinates,
    credentials,
    keys,
    mailboxes,
    named,
    phones,
    pictures,
    wallets,
)
from stormproof.reflex.pii.cards import CARD
from stormproof.reflex.pii.finding import Finding, Kind
from stormproof.reflex.pii.folding import folded
from stormproof.reflex.pii.identifiers import IDENTIFIERS, read_tables

ALL: Final = frozenset(Kind) - {Kind.PERSON, Kind.PLACE}
"""What has a form to be found by."""

_RECOGNISERS: Final = (
    *credentials.RECOGNISERS,
    keys.RECOGNISER,
    named.RECOGNISER,
    *mailboxes.RECOGNISERS,
    *addresses.RECOGNISERS,
    accounts.RECOGNISER,
    wallets.RECOGNISER,
    coordinates.RECOGNISER,
    pictures.recogniser((CARD, *IDENTIFIERS, phones.NATIONAL)),
    phones.RECOGNISER,
    births.RECOGNISER,
)
"""Of findings that overlap, the one counts whose recogniser stands first."""


class Detector:
    """Finds personal data and secrets by their forms.

    Args:
        kinds: What to look for.
    """

    def __init__(self, kinds: Collection[Kind] = ALL) -> None:
        read_tables()
        self._kinds = frozenset(kinds)
        options = re2.Options()
        options.encoding = re2.Options.Encoding.LATIN1
        options.never_capture = True
        options.log_errors = False
        signs = re2.Set.SearchSet(options)
        self._judged = []
        for one in _RECOGNISERS:
            if one.kinds & self._kinds:
                signs.Add(one.sign.encode("latin-1"))
                form = re2.compile(one.form.encode("latin-1"), options)
                self._judged.append((form, one.judge))
        signs.Compile()
        self._has_sign: Final = signs._set.Match

    def find(self, text: str) -> Sequence[Finding]:
        """Return what is in a text, in its order; no two overlap.

        Args:
            text: Of any length; the time grows in proportion to it.
        """
        seen = folded(text)
        found = _disjoint(self._candidates(seen.text))
        return [seen.in_original(finding) for finding in found] if seen.unseen else found

    def may_be_in(self, text: str) -> bool:
        """Return whether something may be found in a text, or in some lines of it by themselves.

        A sign looks no farther than to the next character, to which an end of a line is the same
        as the end of the text: so what is nowhere in texts below each other is in none of them.
        """
        if not text.isascii() or "\\" in text:
            text = folded(text).text
        return bool(self._has_sign(text.encode("latin-1", "replace")))

    def _candidates(self, text: str) -> Iterator[Finding]:
        """Yield what may be found, what is more certain first."""
        encoded = text.encode("latin-1", "replace")
        for number in sorted(self._has_sign(encoded)):
            form, judge = self._judged[number]
            for start, end in matches(form, encoded):
                for finding in judge(text, start, end):
                    if finding.kind in self._kinds:
                        yield finding


def _disjoint(found: Iterable[Finding]) -> Sequence[Finding]:
    """Return findings in the text's order, without those that overlap an earlier one."""
    kept: list[Finding] = []
    for finding in found:
        if not kept or kept[-1].end <= finding.start:
            kept.append(finding)
            continue
        place = bisect(kept, finding.start, key=_start)
        before_ends = place == 0 or kept[place - 1].end <= finding.start
        if before_ends and (place == len(kept) or finding.end <= kept[place].start):
            kept.insert(place, finding)
    return kept


def _start(finding: Finding) -> int:
    return finding.start
