"""What a model says again is taken off, and nothing else."""

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stormproof.providers.seam import LEAST, Seam, overlap

STORY = "Once upon a time there was a king."


def joined(delivered: str, *rest: str, least: int = LEAST) -> str:
    seam = Seam(delivered, least=least)
    return delivered + "".join([seam.push(text) for text in rest]) + seam.flush()


@pytest.mark.parametrize(
    "rest",
    [
        [" He lived", " alone."],
        ["a king. He lived", " alone."],
        ["a ", "king", ". ", "He lived alone."],
        [STORY, " He lived alone."],
        [STORY[:10], STORY[10:] + " He", " lived alone."],
    ],
)
def test_an_answer_goes_on_as_if_nothing_had_been(rest: Sequence[str]) -> None:
    """Whether the model repeats nothing, its last words, or everything."""
    assert joined(STORY, *rest) == STORY + " He lived alone."


@pytest.mark.parametrize(
    ("delivered", "rest"),
    [("the cat", " at home"), ("", "Once"), ("abc", ""), ("no", "no"), ("a time", " there was")],
)
def test_what_is_the_same_by_chance_stays(delivered: str, rest: str) -> None:
    assert joined(delivered, rest) == delivered + rest


def test_white_space_is_not_doubled() -> None:
    """Some models are never shown what an answer that goes on ends with."""
    assert joined("the quick ", " brown") == "the quick brown"
    assert joined("a list:\n\n", "\n\n- one") == "a list:\n\n- one"


def test_what_was_said_long_before_may_be_said_again() -> None:
    """A repetition is one of the end."""
    assert joined(STORY, "Once upon a time", " again.") == STORY + "Once upon a time again."


def test_what_is_new_is_not_held_back() -> None:
    seam = Seam(STORY)
    assert seam.push(" He") == " He"
    assert seam.push(" was a king.") == " was a king."


TEXT = st.text("ab", max_size=30)


@given(TEXT, TEXT, st.lists(st.integers(0, 30), max_size=5), st.integers(1, 6))
@example("ab", "abab", [1, 2], 1)
def test_it_does_not_matter_how_the_rest_is_cut(
    delivered: str, rest: str, cuts: Sequence[int], least: int
) -> None:
    places = [0, *sorted(cuts), len(rest)]
    pieces = [rest[a:b] for a, b in pairwise(places)]
    longest = overlap(delivered, rest)
    expected = delivered + rest[longest if longest >= least else 0 :]
    assert joined(delivered, *pieces, least=least) == expected


@given(TEXT, TEXT)
def test_an_overlap_is_the_longest(before: str, after: str) -> None:
    lengths = range(min(len(before), len(after)) + 1)
    assert overlap(before, after) == max(n for n in lengths if before.endswith(after[:n]))
