"""Finds personal data and secrets; needs the extra ``stormproof[reflex]``.

RE2 looks for every form in one pass, then for each that is there once more, now for its places: both
in time that grows with the text's length alone, whatever the text is.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Final

try:
    import re2
    import stdnum  # noqa: F401 - the rooms beside need it
except ModuleNotFoundError as error:
    hint = "Detector needs the extra: pip install 'stormproof[reflex]'"
    raise ModuleNotFoundError(hint, name=error.name) from error

from stormproof.reflex.pii import accounts, addresses
from stormproof.reflex.pii.finding import Finding, Kind

ALL: Final = frozenset(Kind) - {Kind.PERSON, Kind.PLACE}
"""What has a form to be found by."""

_RECOGNISERS: Final = (*addresses.RECOGNISERS, *accounts.RECOGNISERS)


class Detector:
    """Finds personal data and secrets by their forms.

    Args:
        kinds: What to look for.
    """

    def __init__(self, kinds: Collection[Kind] = ALL) -> None:
        self._kinds = frozenset(kinds)
        options = re2.Options()
        options.encoding = re2.Options.Encoding.LATIN1
        options.log_errors = False
        chosen = [one for one in _RECOGNISERS if one.kinds & self._kinds]
        self._forms = re2.Set.SearchSet(options)
        self._judged = []
        for one in chosen:
            expression = one.expression.encode("latin-1")
            self._forms.Add(expression)
            self._judged.append((re2.compile(expression, options), one.judge))
        self._forms.Compile()

    def find(self, text: str) -> Sequence[Finding]:
        """Return what is in a text, in its order; no two overlap.

        Args:
            text: Of any length; the time grows in proportion to it.
        """
        encoded = text.encode("latin-1", "replace")
        found = [
            finding
            for form in self._forms.Match(encoded) or ()
            for place in self._judged[form][0].finditer(encoded)
            for finding in self._judged[form][1](text, *place.span())
            if finding.kind in self._kinds
        ]
        return found if len(found) < 2 else _disjoint(found)


def _disjoint(found: Iterable[Finding]) -> Sequence[Finding]:
    """Return findings in their order, of those that overlap the longest."""
    kept: list[Finding] = []
    for finding in sorted(found, key=lambda one: (one.start, -one.end)):
        if not kept or finding.start >= kept[-1].end:
            kept.append(finding)
        elif finding.end - finding.start > kept[-1].end - kept[-1].start:
            kept[-1] = finding
    return kept
