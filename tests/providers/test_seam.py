"""What a model says again is taken off, and nothing else."""

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stormproof.providers.seam import Seam, overlap

STORY = "Once upon a time there was a king."


def joined(delivered: str, *rest: str, asked: str = "", whole: bool = False) -> str:
    seam = Seam(delivered, asked=asked, whole=whole)
    return delivered + "".join([seam.push(text) for text in rest]) + seam.flush()


@pytest.mark.parametrize(
    "rest",
    [
        [" He lived", " alone."],
        ["was a king. He lived", " alone."],
        ["was ", "a ", "king", ". ", "He lived alone."],
        [STORY, " He lived alone."],
        [STORY[:10], STORY[10:] + " He", " lived alone."],
        ["Once upon a time\nthere", "  was a king. He lived alone."],
        ["\n", STORY, " He lived alone."],
        ["…was a king. He lived alone."],
        ["... ", "there was a king. He lived alone."],
    ],
)
def test_an_answer_goes_on_as_if_nothing_had_been(rest: Sequence[str]) -> None:
    """Whether the model repeats nothing, its last words, or everything; dots before it or not."""
    assert joined(STORY, *rest) == STORY + " He lived alone."


@pytest.mark.parametrize(
    ("delivered", "rest"),
    [
        ("the cat", " at home"),
        ("", "Once"),
        ("", " .. Once"),
        ("abc", ""),
        ("no", "no"),
        ("a time", " there was"),
        ("it was very", " very good"),
        ("Wait", "... what?"),
        ("He lived alone", "."),
        ("| a |\n|---|---|---|", "---|---|---|\n| 1 |"),
        ("0, 0, 0, 0, 0, 0, 0, ", "0, 0, 0, 0, 0, 1"),
    ],
)
def test_what_is_the_same_by_chance_stays(delivered: str, rest: str) -> None:
    """So does what goes on as it went before."""
    assert joined(delivered, rest) == delivered + rest


def test_what_was_asked_for_is_taken_off_once() -> None:
    """However short it is, and however often the text says it."""
    assert joined("no", "no", ", never", asked="no") == "no, never"
    assert joined("0, 0, 0, 0,", "0, 0,", " 0, 1", asked="0, 0,") == "0, 0, 0, 0, 0, 1"
    assert joined(STORY, "a king.\n\n", "He", asked="a king.") == STORY + "\n\nHe"
    assert joined("... no", "... no, never", asked="... no") == "... no, never"


def test_of_what_was_asked_for_the_beginning_may_be_all() -> None:
    """Where the answer may have no more tokens."""
    assert joined(STORY, " there was", asked="there was a king.") == STORY


def test_where_all_would_be_said_again_the_end_may_be() -> None:
    """A model that goes on by itself says again what its text wants, or begins anew."""
    table = "for x in xs:\n    check(x, y)\n"
    assert joined(table, "    check(x, y)\n", whole=True) == table + "    check(x, y)\n"
    assert joined(STORY, STORY, " He", whole=True) == STORY + " He"


def test_white_space_is_not_doubled() -> None:
    """Some models are never shown what an answer that goes on ends with."""
    assert joined("the quick ", " brown") == "the quick brown"
    assert joined("a list:\n\n", "\n\n- one") == "a list:\n\n- one"
    assert joined("was a king ", "was a king of", asked="was a king") == "was a king of"
    assert joined("if x:\n    ", "    return") == "if x:\n        return"


def test_what_was_said_long_before_may_be_said_again() -> None:
    """A repetition is one of the end."""
    assert joined(STORY, "Once upon a time", " again.") == STORY + "Once upon a time again."


def test_what_is_new_is_not_held_back() -> None:
    seam = Seam(STORY)
    assert seam.push(" He") == " He"
    assert seam.push(" was a king.") == " was a king."


def test_what_can_be_no_repetition_any_more_is_not_held_back() -> None:
    """Too little of the text is left for one."""
    assert Seam(STORY).push(" king") == " king"


TEXT = st.text("ab .\n", max_size=30)


@given(TEXT, TEXT, st.lists(st.integers(0, 30), max_size=5), TEXT, st.booleans())
@example("abbaab", "abbaabb", [1, 2], "", False)
def test_it_does_not_matter_how_the_rest_is_cut(
    delivered: str, rest: str, cuts: Sequence[int], asked: str, whole: bool
) -> None:
    places = [0, *sorted(cuts), len(rest)]
    pieces = [rest[a:b] for a, b in pairwise(places)]
    at_once = joined(delivered, rest, asked=asked, whole=whole)
    assert joined(delivered, *pieces, asked=asked, whole=whole) == at_once
    assert rest.endswith(at_once.removeprefix(delivered))


@given(TEXT, TEXT)
def test_an_overlap_is_the_longest(before: str, after: str) -> None:
    lengths = range(min(len(before), len(after)) + 1)
    assert overlap(before, after) == max(n for n in lengths if before.endswith(after[:n]))
