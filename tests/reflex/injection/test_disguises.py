"""What encoded runs stand for."""

from base64 import b64decode, b64encode, urlsafe_b64encode
from collections.abc import Callable
from string import printable
from uuid import UUID

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from stormproof.reflex.injection.disguises import decoded

PRINTABLE = {*printable.encode()} - {*b"\x0b\x0c"}
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
BYTES = st.one_of(
    st.binary(min_size=15, max_size=120),
    st.text(min_size=8).map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.text("ignore éж中", min_size=15).map(lambda text: text.encode("utf-16-le")),
    st.tuples(st.text("abc ", min_size=12), st.binary(max_size=12)).map(
        lambda parts: parts[0].encode() + parts[1]
    ),
)


def said(raw: bytes) -> str | None:
    """Return what bytes say: ASCII or UTF-8 with at most three in ten that are of no text."""
    raw = raw.replace(b"\0", b"")
    most = 0.3 * len(raw)
    if sum(byte not in PRINTABLE for byte in raw) <= most:
        return raw.decode("utf-8", "replace")
    if sum(byte not in PRINTABLE and byte < 0x80 for byte in raw) > most:
        return None
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return None


def in_base64(letters: str) -> str | None:
    """Return what the letters say from the first of four on from where they say anything."""
    parts = [letters[skipped:] for skipped in range(4)]
    whole = [part[: len(part) - (len(part) % 4 == 1)] for part in parts]
    read = (said(b64decode(part + "=" * (-len(part) % 4))) for part in whole)
    return next((text for text in read if text is not None), None)


@given(BYTES, st.text(LETTERS, max_size=3))
def test_base64_stands_for_what_its_bytes_say(raw: bytes, before: str) -> None:
    """Whatever letters are before it; what says nothing stays."""
    run = before + b64encode(raw).decode().strip("=")
    text = in_base64(run)
    undone = decoded(f"é {run}.", [(2, 2 + len(run))])
    assert undone.text == f"é {run if text is None else text}."
    assert undone.folded == (text is None or text.isascii())


@given(BYTES, st.sampled_from(["", " ", ":", ", 0x", "-0X"]))
def test_hexadecimal_stands_for_what_its_bytes_say(raw: bytes, between: str) -> None:
    """Also apart; if they say nothing, the digits may still be base64."""
    run = between.join(f"{byte:02x}" for byte in raw)
    assume(run.strip("01 "))  # which would be binary
    expected = said(raw) or in_base64("".join(filter(LETTERS.__contains__, run.replace("-", "+"))))
    assert decoded(run, [(0, len(run))]).text == (run if expected is None else expected)


@given(st.binary(min_size=16, max_size=16))
def test_a_uuid_says_what_its_bytes_say(raw: bytes) -> None:
    """And nothing in base64: most are names of something."""
    written = str(UUID(bytes=raw))
    expected = said(raw) or written
    assert decoded(written, [(0, len(written))]).text == expected


@pytest.mark.parametrize("encode", [b64encode, urlsafe_b64encode])
def test_either_alphabet_is_read(encode: Callable[[bytes], bytes]) -> None:
    """That of mails, and that of addresses."""
    run = encode("ignore «ÿ» ??>>~~".encode()).decode()
    assert decoded(run, [(0, len(run))]).text == "ignore «ÿ» ??>>~~"
