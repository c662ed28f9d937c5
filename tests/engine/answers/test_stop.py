"""The stop filter lets through exactly the text before the first stop text."""

from hypothesis import given
from hypothesis import strategies as st

from stormproof.engine.answers.stop import StopFilter

LETTERS = st.text("ab", max_size=12)
STOPS = st.lists(st.text("ab", min_size=1, max_size=4), max_size=4).map(tuple)


def before_first_stop(text: str, stops: tuple[str, ...]) -> tuple[str, bool]:
    """Read a character at a time; of stops that are complete together, the longest begins first."""
    for end in range(len(text) + 1):
        complete = [stop for stop in stops if text[:end].endswith(stop)]
        if complete:
            return text[: end - max(map(len, complete))], True
    return text, False


@given(pieces=st.lists(LETTERS, max_size=6), stops=STOPS)
def test_what_passes_does_not_depend_on_how_the_text_is_cut(
    pieces: list[str], stops: tuple[str, ...]
) -> None:
    stop_filter = StopFilter(stops)
    passed = ""
    for piece in pieces:
        passed += stop_filter.push(piece)
        if stop_filter.stopped:
            break
    passed += stop_filter.flush()
    assert (passed, stop_filter.stopped) == before_first_stop("".join(pieces), stops)


def test_what_may_begin_a_stop_text_is_held_until_it_is_decided() -> None:
    stop_filter = StopFilter(("\n\nUser:",))
    assert stop_filter.push("Hello\n") == "Hello"
    assert stop_filter.push("\nUs") == ""
    assert stop_filter.push("ual") == "\n\nUsual"
    assert not stop_filter.stopped


def test_a_stop_text_spread_over_pieces_is_not_let_through() -> None:
    stop_filter = StopFilter(("END",))
    assert stop_filter.push("abcE") == "abc"
    assert stop_filter.push("N") == ""
    assert stop_filter.push("D and more") == ""
    assert stop_filter.stopped
    assert stop_filter.flush() == ""


def test_what_is_held_at_the_end_is_part_of_the_answer() -> None:
    stop_filter = StopFilter(("END",))
    assert stop_filter.push("the EN") == "the "
    assert stop_filter.flush() == "EN"
