"""Looking through a text as the stages do, for a person who wants to see what they would find."""

from collections.abc import Collection, Iterator, Sequence
from typing import Final, NamedTuple

from stormproof.reflex.injection.finding import Attack
from stormproof.reflex.injection.guard import InjectionGuard
from stormproof.reflex.pii.detector import ALL, Detector
from stormproof.reflex.pii.finding import Kind

SECRETS: Final = frozenset(
    {
        Kind.API_KEY,
        Kind.TOKEN,
        Kind.PRIVATE_KEY,
        Kind.JWT,
        Kind.CONNECTION_STRING,
        Kind.PASSWORD,
    }
)
GROUPS: Final = {
    "pii": frozenset(map(str, ALL - SECRETS)),
    "secrets": frozenset(map(str, SECRETS)),
    "injection": frozenset(map(str, Attack)),
}
"""Names for several kinds together."""

KINDS: Final = frozenset().union(*GROUPS.values())
"""What is looked for."""

_MARK: Final = "•"


class Spot(NamedTuple):
    """A place in a text where something was found; never the value.

    Attributes:
        kind: What it is.
        start: Where it begins, in characters.
        end: Where it has ended.
        about: What else is known of it: a country, a severity, a disguise.
        private: Whether nobody else should see what is there.
    """

    kind: str
    start: int
    end: int
    about: str
    private: bool


class Inspector:
    """Looks through texts.

    Args:
        kinds: What to look for, of `KINDS`.
    """

    def __init__(self, kinds: Collection[str] = KINDS) -> None:
        wanted = frozenset(kind for kind in ALL if kind in kinds)
        self._detector = Detector(wanted) if wanted else None
        self._attacks = frozenset(attack for attack in Attack if attack in kinds)
        self._guard = InjectionGuard() if self._attacks else None

    def look(self, text: str) -> Sequence[Spot]:
        """Return what was found in a text, in its order."""
        return sorted([*self._personal(text), *self._hostile(text)], key=lambda spot: spot.start)

    def _personal(self, text: str) -> Iterator[Spot]:
        for found in self._detector.find(text) if self._detector else ():
            yield Spot(found.kind, found.start, found.end, found.detail or "", private=True)

    def _hostile(self, text: str) -> Iterator[Spot]:
        for found in self._guard.find(text) if self._guard else ():
            if found.attack in self._attacks:
                about = found.severity.name.lower()
                if found.disguise:
                    about += f", {found.disguise}"
                yield Spot(found.attack, found.start, found.end, about, private=False)


def masked(text: str, spots: Sequence[Spot]) -> str:
    """Return a text, as long as it was, without what nobody else should see."""
    parts, end = [], 0
    for spot in spots:
        if spot.private and spot.end > end:
            start = max(spot.start, end)
            hidden = "".join("\n" if one == "\n" else _MARK for one in text[start : spot.end])
            parts += [text[end:start], hidden]
            end = spot.end
    return "".join([*parts, text[end:]])
