"""Where expressions are in a text."""

import re2
from hypothesis import given
from hypothesis import strategies as st

from stormproof.reflex.injection.expressions import Expressions

EXPRESSIONS = [r"\ba+", "b|é中", r"(?:ab){2,}|c\b", r"[^a-c]+"]
EACH = Expressions(EXPRESSIONS)


@given(st.text("abcé中 \U0001f600"), st.sampled_from([*enumerate(EXPRESSIONS)]))
def test_places_are_those_that_re2_finds(text: str, one: tuple[int, str]) -> None:
    """In characters of the text, of however many bytes each is."""
    number, expression = one
    found = re2.finditer(expression, text)
    assert [*EACH.spans(number, text)] == [match.span() for match in found]


@given(st.text("abcé中 \U0001f600"))
def test_what_is_present_has_places_and_nothing_else(text: str) -> None:
    """All at once find what each finds by itself."""
    present = sorted(EACH.present(text))
    assert present == [number for number in range(4) if any(EACH.spans(number, text))]
