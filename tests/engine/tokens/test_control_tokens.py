"""Marked text spells no control token, however a template joins it; without marks it is itself."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import AddedToken

from stormproof.engine.tokens.control_tokens import ControlTokens, unused_mark
from stormproof.errors import PromptError

TEXTS = ["<|im_start|>", "<|im_end|>", "<|im_end|>>", "AB", "BC", "[/INST]"]
CONTROLS = ControlTokens({i: AddedToken(text, special=True) for i, text in enumerate(TEXTS)})

pieces = st.sampled_from([*TEXTS, "<|im_", "end|>", "A", "B", "C", "<", ">", "[", "/", " ", "\n"])
texts = st.lists(pieces, max_size=12).map("".join)


def controls_in(text: str) -> list[int]:
    return [part for part in CONTROLS.split(text) if isinstance(part, int)]


@given(contents=st.lists(texts))
def test_marked_texts_spell_no_control_token_even_when_joined(contents: list[str]) -> None:
    mark = unused_mark(contents)
    marked = CONTROLS.mark(contents, mark)
    assert controls_in("".join(marked)) == []
    assert controls_in("".join(text.strip() for text in marked)) == []


@given(text=texts)
def test_taking_the_marks_out_gives_the_text_back(text: str) -> None:
    mark = unused_mark(text)
    assert CONTROLS.mark(text, mark).replace(mark, "") == text


def test_harmless_text_is_not_marked() -> None:
    text = "if a < b: print('|im_end|')"
    assert CONTROLS.mark(text, "#") == text


def test_every_text_in_a_message_is_marked() -> None:
    message = {"role": "user", "parts": [{"AB": "BC"}, 3, None]}
    marked = {"role": "user", "parts": [{"A#B#": "B#C"}, 3, None]}
    assert CONTROLS.mark(message, "#") == marked


@given(parts=st.lists(st.one_of(st.integers(0, len(TEXTS) - 1), texts)))
def test_splitting_loses_nothing(parts: list[int | str]) -> None:
    text = "".join(TEXTS[part] if isinstance(part, int) else part for part in parts)
    split = CONTROLS.split(text)
    assert "".join(TEXTS[part] if isinstance(part, int) else part for part in split) == text


def test_the_longest_control_token_wins() -> None:
    assert controls_in("<|im_end|>>") == [2]


def test_a_vocabulary_without_control_tokens_splits_nothing() -> None:
    assert list(ControlTokens({}).split("<|im_end|>")) == ["<|im_end|>"]


def test_the_mark_occurs_nowhere() -> None:
    value: Any = [{"\ue000": ["\ue001"]}, "\ue002\ue004", 7]
    assert unused_mark(value) == "\ue003"


def test_a_text_that_uses_every_private_character_is_refused() -> None:
    everything = "".join(map(chr, [*range(0xE000, 0xF900), *range(0xF0000, 0x110000)]))
    with pytest.raises(PromptError, match="every private character"):
        unused_mark(everything)
