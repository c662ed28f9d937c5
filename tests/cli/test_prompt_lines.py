"""Lines of a file of prompts are read one by one, and bounded."""

from io import BytesIO

import pytest

from stormproof.cli import prompt_lines
from stormproof.cli.prompt_lines import PromptLine, read_lines
from stormproof.errors import InvalidRequest


def read(text: bytes, key: bytes = b"") -> list[PromptLine]:
    return list(read_lines(BytesIO(text), key))


def test_empty_lines_are_counted_and_not_yielded() -> None:
    lines = read(b"a\n\n  \r\nb")
    assert [(line.number, line.text) for line in lines] == [(1, b"a"), (4, b"b")]


def test_a_line_is_the_same_however_it_ends() -> None:
    """So a file whose last line had no end may grow."""
    [unended], [unix, _], [windows] = read(b"a"), read(b"a\nb"), read(b"a\r\n")
    assert unended.digest == unix.digest == windows.digest


def test_a_digest_depends_on_the_line_and_on_the_key() -> None:
    [first, second], [keyed] = read(b"a\nb\n"), read(b"a\n", b"key")
    assert len({first.digest, second.digest, keyed.digest}) == 3


def test_a_mark_of_byte_order_is_no_part_of_the_text() -> None:
    assert read(b"\xef\xbb\xbf{}\n")[0].text == b"{}"


@pytest.mark.parametrize("length", [9, 16, 17, 18, 100])
def test_a_line_that_is_too_long_is_passed_over(
    monkeypatch: pytest.MonkeyPatch, length: int
) -> None:
    """Its text is not kept, it can still be told from others, and the next one is read whole."""
    monkeypatch.setattr(prompt_lines, "MAX_LINE_BYTES", 8)
    monkeypatch.setattr(prompt_lines, "_PIECE", 8)
    long, after = read(b"x" * length + b"\nafter\n")
    [other, _] = read(b"x" * (length - 1) + b"y\nafter\n")
    assert (long.number, long.text) == (1, None)
    assert (after.number, after.text) == (2, b"after")
    assert long.digest != other.digest


def test_a_file_with_too_many_lines_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prompt_lines, "MAX_LINES", 2)
    assert len(read(b"a\nb\n")) == 2
    with pytest.raises(InvalidRequest):
        read(b"a\nb\nc\n")
