"""Server-sent events are put together as browsers do it, however the bytes are cut."""

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stormproof.errors import ProtocolError
from stormproof.providers.sse import EventDecoder, ServerEvent


def decoded(*pieces: bytes) -> list[tuple[str, bytes]]:
    decoder = EventDecoder()
    return [event for piece in pieces for event in decoder.feed(piece)]


@pytest.mark.parametrize(
    ("sent", "events"),
    [
        (b"data: a\n\n", [("message", b"a")]),
        (b"data:a\n\ndata:  b\n\n", [("message", b"a"), ("message", b" b")]),
        (b"data: a\ndata: b\n\n", [("message", b"a\nb")]),
        (b"data\n\n", [("message", b"")]),
        (b"event: error\ndata: x\n\ndata: y\n\n", [("error", b"x"), ("message", b"y")]),
        (b"event: lost\n\ndata: y\n\n", [("message", b"y")]),
        (b": comment\n\nid: 7\nretry: 5\ndata: a\n\n", [("message", b"a")]),
        (b"data: a\r\n\r\ndata: b\r\rdata: c\n\n", [("message", x) for x in (b"a", b"b", b"c")]),
        (b"\xef\xbb\xbfdata: a\n\n", [("message", b"a")]),
        (b"data: no end\n", []),
        (b"data: no end", []),
        (b"\n\n\n", []),
        (b"nonsense\n\n", []),
    ],
)
def test_events_are_read(sent: bytes, events: list[tuple[str, bytes]]) -> None:
    """Any line ending, several lines of data, comments, fields that mean nothing here."""
    assert decoded(sent) == events


LINES = st.sampled_from(
    [b"data: a", b"data:b", b"event: e", b": c", b"", b"\xef\xbb\xbf", b"d\xc3"]
)
ENDS = st.sampled_from([b"\n", b"\r\n", b"\r"])


@given(st.lists(st.tuples(LINES, ENDS), max_size=30), st.lists(st.integers(0, 300), max_size=30))
@example([(b"data: a", b"\r\n"), (b"", b"\r\n")], [8])
@example([(b"data: a", b"\r\n"), (b"", b"\n")], [8, 9])
def test_it_does_not_matter_how_bytes_are_cut(
    lines: Sequence[tuple[bytes, bytes]], cuts: Sequence[int]
) -> None:
    # What follows the last carriage return decides what that was.
    sent = b"".join(line + end for line, end in lines) + b":"
    places = [0, *sorted(cut for cut in cuts if cut < len(sent)), len(sent)]
    assert decoded(*(sent[a:b] for a, b in pairwise(places))) == decoded(sent)


@pytest.mark.parametrize("piece", [b"data: " + bytes(1 << 20) + b"\n", b"x" * (1 << 20)])
def test_an_event_without_end_is_refused(piece: bytes) -> None:
    with pytest.raises(ProtocolError):
        decoded(*[piece] * 17)


def test_an_event_says_what_it_is() -> None:
    assert decoded(b"data: {}\n\n") == [ServerEvent(kind="message", data=b"{}")]


def test_an_event_is_there_as_soon_as_its_last_byte_is() -> None:
    """A carriage return ends a line by itself; a line feed behind it is no other end."""
    decoder = EventDecoder()
    assert decoder.feed(b"data: a\r") == decoder.feed(b"\n") == []
    assert decoder.feed(b"\r") == [ServerEvent("message", b"a")]
    assert decoder.feed(b"\ndata: b\n\n") == [ServerEvent("message", b"b")]
