"""Text that comes token by token is the text of all tokens, and never shows half a character."""

from collections.abc import Iterator

from hypothesis import assume, given
from hypothesis import strategies as st

from stormproof.engine.tokens.detokenizer import Detokenizer
from stormproof.engine.tokens.tokenizer import Tokenizer

VOCABULARY = 49_152


def pieces(tokenizer: Tokenizer, token_ids: list[int]) -> Iterator[str]:
    detokenizer = Detokenizer(tokenizer)
    yield from map(detokenizer.push, token_ids)
    yield detokenizer.flush()


@given(token_ids=st.lists(st.integers(-1, VOCABULARY + 10)))
def test_the_pieces_are_the_whole(tokenizer: Tokenizer, token_ids: list[int]) -> None:
    assert "".join(pieces(tokenizer, token_ids)) == tokenizer.decode(token_ids)


@given(text=st.text())
def test_bytes_cut_anywhere_are_put_together(tokenizer: Tokenizer, text: str) -> None:
    """Tokens of single bytes, the hardest case: what is shown is always a beginning of the text."""
    byte_tokens = {tokenizer.token_bytes(i): i for i in range(VOCABULARY)}
    cut = [bytes([byte]) for byte in text.encode()]
    assume(all(byte in byte_tokens for byte in cut))  # this vocabulary lacks a few
    token_ids = [byte_tokens[byte] for byte in cut]
    shown = ""
    for piece in pieces(tokenizer, token_ids):
        shown += piece
        assert text.startswith(shown)
    assert shown == text


def test_a_character_in_several_tokens_comes_whole(tokenizer: Tokenizer) -> None:
    token_ids = tokenizer.encode("🦕", special=False)
    assert len(token_ids) > 1
    assert list(pieces(tokenizer, token_ids)) == [""] * (len(token_ids) - 1) + ["🦕", ""]


def test_a_character_that_is_never_finished_is_a_replacement_at_the_end(
    tokenizer: Tokenizer,
) -> None:
    first = tokenizer.encode("🦕", special=False)[0]
    assert list(pieces(tokenizer, [first])) == ["", "\ufffd"]
