"""A program gets an answer for each of its prompts, in order."""

from collections.abc import Iterator

import pytest

from stormproof.engine.llm import LLM
from stormproof.engine.sampling import SamplingParams
from stormproof.engine.sequence import FinishReason
from stormproof.errors import ContextTooLong, InvalidRequest, TensorError
from support.scripted_engine import make_core

GREEDY = SamplingParams(temperature=0, max_tokens=6)


def echo(context: list[int]) -> int:
    """Write the first letter of the prompt for ever."""
    return context[0]


def test_answers_come_in_the_order_of_the_prompts() -> None:
    """Of which there may be many more than the queue holds."""
    core = make_core(echo, max_waiting=2, max_sequences=2)
    letters = [chr(ord("A") + place) for place in range(26)]
    answers = LLM(core).generate(letters, GREEDY)
    assert [answer.text for answer in answers] == [letter * 6 for letter in letters]
    assert core.stats().free_blocks == core.stats().total_blocks


def test_prompts_may_be_tokens() -> None:
    [answer] = LLM(make_core(echo)).generate([[66, 1, 2]], GREEDY)
    assert (answer.text, answer.prompt_tokens, answer.completion_tokens) == ("BBBBBB", 3, 6)


def test_prompts_that_fail_do_not_take_the_others_with_them() -> None:
    def script(context: list[int]) -> int:
        if len(context) == 4 and context[0] == ord("X"):
            raise TensorError(reason="device gone")
        return context[0]

    answers = LLM(make_core(script)).generate(["A", "B" * 100, "X", "", "C"], GREEDY)
    assert [type(answer.error) for answer in answers] == [
        type(None),
        ContextTooLong,
        TensorError,
        InvalidRequest,
        type(None),
    ]
    assert [answer.text for answer in answers] == ["AAAAAA", "", "XXX", "", "CCCCCC"]
    assert answers[2].finish_reason is FinishReason.ERROR


def test_a_conversation_is_answered_through_the_chat_template() -> None:
    before = len("<|im_start|>user\n")
    core = make_core(lambda context: context[before], num_blocks=64)
    answer = LLM(core).chat([{"role": "user", "content": "Hello!"}], GREEDY)
    assert answer.text == "HHHHHH"


def test_a_conversation_that_fails_raises() -> None:
    with pytest.raises(ContextTooLong):
        LLM(make_core(num_blocks=2)).chat([{"role": "user", "content": "Hello!"}])


def test_an_interruption_leaves_nothing_behind() -> None:
    def script(context: list[int]) -> int:
        if len(context) > 4:
            raise KeyboardInterrupt
        return context[0]

    core = make_core(script)
    with pytest.raises(KeyboardInterrupt):
        LLM(core).generate(["A", "B", "C"], GREEDY)
    assert not core.has_work
    assert core.stats().free_blocks == core.stats().total_blocks


def test_prompts_are_read_only_as_fast_as_they_are_answered() -> None:
    core = make_core(echo, max_waiting=3, max_sequences=1)
    ahead: list[int] = []

    def prompts() -> Iterator[str]:
        for place in range(12):
            ahead.append(place - core.stats().finished)
            yield "A"

    assert len(LLM(core).generate(prompts(), GREEDY)) == 12
    assert max(ahead) <= 5
