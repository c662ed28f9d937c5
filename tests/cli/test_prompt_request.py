"""What a line of a file of prompts may say, and what it may not."""

import json
from typing import Any

import pytest

from stormproof.cli.prompt_request import PromptRequest
from stormproof.engine import SamplingParams
from stormproof.errors import StormproofError, ValidationErrors
from support.byte_tokenizer import byte_tokenizer


def params(line: dict[str, Any], room: int = 100, **defaults: Any) -> SamplingParams:
    return PromptRequest.parse(json.dumps({"prompt": "x", **line}).encode()).params(
        defaults, room=room
    )


def test_a_prompt_is_continued_and_messages_are_answered() -> None:
    tokenizer = byte_tokenizer()
    prompt = PromptRequest.parse(b'{"prompt": "hi"}')
    messages = PromptRequest.parse(
        b'{"messages": [{"role": "developer", "content": [{"type": "text", "text": "hi"}]}]}'
    )
    assert prompt.tokens(tokenizer) == list(b"hi")
    assert messages.tokens(tokenizer) == tokenizer.chat([{"role": "system", "content": "hi"}])


def test_a_line_beats_the_defaults_and_null_does_not() -> None:
    made = params({"temperature": 0, "seed": None}, temperature=1.0, seed=7)
    assert (made.temperature, made.seed) == (0, 7)


def test_every_option_reaches_the_sampler() -> None:
    options: dict[str, Any] = {
        "temperature": 0.5,
        "top_p": 0.5,
        "top_k": 5,
        "min_p": 0.5,
        "presence_penalty": 0.5,
        "frequency_penalty": 0.5,
        "logit_bias": {"5": 0.5},
        "seed": 5,
        "stop": ["a", "b"],
        "max_tokens": 5,
        "ignore_eos": True,
    }
    wanted = SamplingParams(**{**options, "logit_bias": {5: 0.5}, "stop": ("a", "b")})
    assert params(options) == wanted
    assert params({"stop": "ab"}).stop == ("ab",)


def test_an_answer_whose_length_nobody_chose_is_as_long_as_fits() -> None:
    assert params({}, room=10).max_tokens == 10
    assert params({}, room=10_000).max_tokens == 512
    assert params({}, room=-5).max_tokens == 1
    assert params({}, room=10, max_tokens=20).max_tokens == 20


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"prompt": "\\ud800"}',
        b"{}",
        b'{"prompt": "a", "messages": [{"role": "user", "content": "a"}]}',
        b'{"prompt": 1}',
        b'{"prompt": "a", "nonsense": 1}',
        b'{"prompt": "a", "id": true}',
        b'{"prompt": "a", "id": 1' + b"0" * 30 + b"}",
        b'{"prompt": "a", "temperature": NaN}',
        b'{"prompt": "a", "temperature": "1"}',
        b'{"messages": []}',
        b'{"messages": [{"role": "tool", "content": "a"}]}',
        b'{"prompt": "a", "logit_bias": {"-1": 0}}',
    ],
)
def test_a_line_that_is_wrong_is_refused(text: bytes) -> None:
    with pytest.raises(ValidationErrors) as caught:
        PromptRequest.parse(text)
    assert caught.value.errors


@pytest.mark.parametrize(
    "options",
    [
        {"temperature": -1},
        {"max_tokens": 0},
        {"top_k": 1 << 40},
        {"stop": ["a"] * 100},
        {"stop": ""},
        {"logit_bias": {"1": 1000}},
        {"seed": 1 << 70},
    ],
)
def test_a_value_out_of_range_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(StormproofError):
        params(options)
