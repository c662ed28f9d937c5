"""Finds prompt injection by its form."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice
from operator import attrgetter
from typing import Final, NamedTuple

from stormproof.reflex.injection import disguises
from stormproof.reflex.injection.disguises import Span, Undisguised
from stormproof.reflex.injection.expressions import Expressions
from stormproof.reflex.injection.finding import Disguise, Injection, InjectionSeverity
from stormproof.reflex.injection.folding import Counting, fold
from stormproof.reflex.injection.signatures import Signature, marks, phrases
from stormproof.reflex.injection.surroundings import Surroundings


class _Worn(NamedTuple):
    """A disguise that can be seen.

    Attributes:
        disguise: Which one.
        expression: How it is noticed.
        undo: Takes it off.
    """

    disguise: Disguise
    expression: str
    undo: Callable[[str, Iterable[Span]], Undisguised]


_IN_WORDS: Final = (
    _Worn(Disguise.ROT13, disguises.ROT13, disguises.rotated),
    _Worn(Disguise.REVERSED, disguises.REVERSED, disguises.turned),
)
_IN_SIGNS: Final = (
    _Worn(Disguise.MARKED_UP, disguises.MARKED_UP, disguises.unmarked),
    _Worn(Disguise.SPELLED, disguises.SPELLED, disguises.joined),
)
_IN_CODES: Final = _Worn(Disguise.ENCODED, disguises.ENCODED, disguises.decoded)

_DEPTH: Final = 2
"""Disguises that are taken off one after another."""

_MOST: Final = 50
"""Places of one signature that are told apart: a text with more of them does not quote."""


_APART: Final = "\n.\n"
"""Between texts: no phrase and no code goes on behind it."""


class _Place(NamedTuple):
    """Where a signature was found."""

    signature: Signature
    start: int
    end: int
    disguise: Disguise | None = None


class InjectionGuard:
    """Finds texts that would have a model obey them; needs the extra ``stormproof[reflex]``.

    What looks alike is read alike, invisible characters are passed over, and what is encoded,
    turned, rotated or spelled out is read too. It knows the forms of attacks, not their meaning:
    whoever finds new words passes it.
    """

    def __init__(self) -> None:
        # Groups as they were measured: one pass for each, and few combinations within it.
        orders = [*phrases("overrides"), *phrases("other_languages")]
        wishes = [*phrases("extraction"), *phrases("behaviour")]
        words: list[Sequence[Signature | _Worn]]
        words = [[*orders, *wishes, *_IN_WORDS], [*marks(), *_IN_SIGNS]]
        letters = [[one for one in group if one.squeezed] for group in (orders, wishes)]
        self._worded: Final = [*chain(*words)]
        self._words: Final = Expressions(*([one.expression for one in group] for group in words))
        self._codes: Final = Expressions([_IN_CODES.expression])
        self._squeezed: Final = [*chain(*letters)]
        self._letters: Final = Expressions(*([one.squeezed for one in group] for group in letters))

    def find(self, text: str, *, from_tool: bool = False) -> Sequence[Injection]:
        """Return the attempts in a text, in its order; of those that overlap, the most severe.

        Args:
            text: Of any length; the time grows in proportion to it.
            from_tool: Whether a tool gave it: there, what people usually write is suspicious.
        """
        places = list(self._places(text, _DEPTH))
        if not places:
            return ()
        around = Surroundings(text) if len(places) < _MOST else None
        judged = (_judged(place, around, from_tool=from_tool) for place in places)
        return _disjoint(one for one in judged if one)

    def may_be_in(self, texts: Iterable[str]) -> bool:
        """Return whether an attempt may be in one of several texts, sooner than by finding it."""
        return any(True for _ in self._places(_APART.join(texts), _DEPTH))

    def _places(self, text: str, depth: int) -> Iterable[_Place]:
        """Return where signatures are in a text, as it is and with disguises off, up to a depth."""
        plain = fold(text)
        if plain is text:
            return self._in_folded(text, depth)
        found = _back(self._in_folded(plain, depth), Counting(text, fold).back)
        if depth and (visible := disguises.revealed(text)):
            hidden = self._places(visible.text, depth - 1)
            return chain(found, _back(hidden, visible.back, Disguise.INVISIBLE))
        return found

    def _in_folded(
        self, text: str, depth: int, was_decoded: Callable[[Span], object] | None = None
    ) -> Iterable[_Place]:
        """Return where they are in a folded text, of which some parts may have been decoded."""
        present = self._words.present(text)
        # What is decoded is replaced run by run: it is looked for in no other pass.
        runs = list(self._codes.spans(0, text)) if depth else []
        if was_decoded:  # others stand for nothing, as they did before
            runs = [run for run in runs if was_decoded((run[0] - 1, run[1] + 1))]
        if not (present or runs):
            return ()
        return self._among(present, runs, text, depth)

    def _among(
        self, present: Sequence[int], runs: Sequence[Span], text: str, depth: int
    ) -> Iterator[_Place]:
        """Yield where they are in a folded text, of what is in it and what may be encoded there."""
        for number in present:
            found, spans = self._worded[number], self._words.spans(number, text)
            if isinstance(found, Signature):
                yield from (_Place(found, *span) for span in islice(spans, _MOST))
            elif depth:
                yield from self._behind(found, text, spans, depth)
        if runs:
            yield from self._behind(_IN_CODES, text, runs, depth)

    def _behind(
        self, worn: _Worn, text: str, spans: Iterable[Span], depth: int
    ) -> Iterator[_Place]:
        """Yield where signatures are in a folded text with a disguise off."""
        undone = worn.undo(text, spans)
        hidden: Iterable[_Place]
        if worn.disguise is Disguise.SPELLED:
            hidden = self._in_letters(undone.text)
        elif undone.text == text:
            return
        elif undone.folded:
            decoded = undone.back if worn is _IN_CODES else None
            hidden = self._in_folded(undone.text, depth - 1, decoded)
        else:
            hidden = self._places(undone.text, depth - 1)
        yield from _back(hidden, undone.back, worn.disguise)

    def _in_letters(self, text: str) -> Iterator[_Place]:
        for number in self._letters.present(text):
            spans = islice(self._letters.spans(number, text), _MOST)
            yield from (_Place(self._squeezed[number], *span) for span in spans)


def _back(
    places: Iterable[_Place],
    back: Callable[[Span], Span | None],
    disguise: Disguise | None = None,
) -> Iterator[_Place]:
    """Yield places in the text that another was made of, of those that were in a disguise."""
    for place in places:
        if span := back((place.start, place.end)):
            yield _Place(place.signature, *span, disguise or place.disguise)


def _judged(place: _Place, around: Surroundings | None, *, from_tool: bool) -> Injection | None:
    """Return what was found, as severe as it is in such a text; None if it is usual there."""
    signature, start, end, disguise = place
    severity = signature.from_tools if from_tool else signature.from_people
    if severity is None:
        return None
    degree = severity + bool(disguise) - (around.leniency(start, end) if around else 0)
    bounded = InjectionSeverity(min(max(degree, InjectionSeverity.LOW), InjectionSeverity.CRITICAL))
    return Injection(signature.attack, bounded, start, end, disguise)


def _disjoint(found: Iterable[Injection]) -> Sequence[Injection]:
    """Return findings in their order, of those that overlap the most severe."""
    kept: list[Injection] = []
    for one in sorted(found, key=attrgetter("start")):
        if not kept or one.start >= kept[-1].end:
            kept.append(one)
        elif one.severity > kept[-1].severity:
            kept[-1] = one
    return kept
