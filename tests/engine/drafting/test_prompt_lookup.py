"""How a text went on before is how it may go on again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stormproof.engine.drafting.prompt_lookup import PromptLookup
from stormproof.engine.sampling.params import SamplingParams
from stormproof.engine.scheduling.sequence import Sequence


def guess(text: str, count: int = 4) -> str:
    sequence = Sequence(0, [ord(letter) for letter in text], SamplingParams())
    [tokens] = PromptLookup().draft([(sequence, count)])
    return "".join(map(chr, tokens))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("the cat and the", " cat"),
        ("one two, one three, one", " thr"),
        ("nothing like it", ""),
        ("ab", ""),
        ("abc", ""),
        ("aaaa", "aaaa"),
        ("-+-+-+-", "+-+-"),
        ("abcXabc", "Xabc"),
    ],
)
def test_the_end_is_looked_up_where_it_occurred_last(text: str, expected: str) -> None:
    assert guess(text) == expected


def test_a_guess_is_as_long_as_was_asked_for() -> None:
    assert [guess("abcdefabc", count) for count in (1, 3, 8)] == ["d", "def", "defabcde"]


def test_sequences_are_looked_up_in_themselves_alone() -> None:
    lookup = PromptLookup()
    one = Sequence(0, [1, 2, 3, 4, 1, 2, 3], SamplingParams())
    other = Sequence(1, [1, 2, 3], SamplingParams())
    assert lookup.draft([(one, 2), (other, 2)]) == [[4, 1], []]


@given(tokens=st.lists(st.integers(0, 2), max_size=40), cuts=st.sets(st.integers(0, 40)))
def test_it_learns_as_the_sequence_grows(tokens: list[int], cuts: set[int]) -> None:
    """And does not remember a sequence that was forgotten."""
    lookup = PromptLookup()
    sequence = Sequence(0, [], SamplingParams())
    for cut in sorted(cuts):
        sequence.tokens[:] = tokens[:cut]
        fresh = PromptLookup().draft([(sequence, 5)])
        assert lookup.draft([(sequence, 5)]) == fresh
    lookup.forget(sequence)
    sequence.tokens[:] = [7, 8, 9]
    assert lookup.draft([(sequence, 5)]) == [[]]
