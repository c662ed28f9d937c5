"""A program gets an answer for each of its prompts, in order."""

import itertools
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
import torch

from stormproof.engine.batch_progress import BatchProgress
from stormproof.engine.embedding.embedder import Embedder
from stormproof.engine.llm import LLM
from stormproof.engine.sampling.params import SamplingParams
from stormproof.engine.scheduling.sequence import FinishReason
from stormproof.engine.settings import EngineConfig
from stormproof.errors import (
    ConfigurationError,
    ContextTooLong,
    InvalidRequest,
    TensorError,
    ValidationErrors,
)
from support.bert_folder import write_bert
from support.byte_tokenizer import VOCAB
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


@pytest.mark.parametrize("line", range(0, 900, 23))
def test_an_interruption_at_any_line_of_the_engine_does_no_harm(line: int) -> None:
    """Whatever was half done is not used again."""
    lines = itertools.count()

    def trace(frame: FrameType, event: str, _: object) -> Any:
        if "stormproof/engine" not in frame.f_code.co_filename:
            return None
        if event == "line" and next(lines) == line:
            raise KeyboardInterrupt
        return trace

    core = make_core(echo, speculation="auto", max_sequences=2)
    llm = LLM(core)
    tracing = sys.gettrace()
    sys.settrace(trace)
    try:
        with pytest.raises(KeyboardInterrupt):
            llm.generate([[65] * 9, [66], [67] * 5], GREEDY)
    finally:
        sys.settrace(tracing)
    assert not core.has_work
    assert [answer.text for answer in llm.generate(["A", "B", "C"], GREEDY)] == [
        letter * 6 for letter in "ABC"
    ]
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


def test_many_conversations_are_answered_together() -> None:
    """One that cannot be answered does not take the others with it."""
    before = len("<|im_start|>user\n")
    core = make_core(lambda context: context[before], num_blocks=64)
    said = [[{"role": "user", "content": text}] for text in ("Hello!", "x" * 999, "Bye!")]
    answers = LLM(core).chat(said, GREEDY)
    assert [answer.text for answer in answers] == ["HHHHHH", "", "BBBBBB"]
    assert isinstance(answers[1].error, ContextTooLong)


def test_a_prompt_gets_as_many_answers_as_are_wanted() -> None:
    """Those with a seed differ, and the first is the one that the prompt gets alone."""
    llm = LLM(make_core(lambda _: torch.zeros(VOCAB), num_blocks=64))
    params = SamplingParams(max_tokens=8, seed=2**64 - 1)
    answers = llm.generate(["A", "B"], params, n=3)
    assert len({answer.token_ids for answer in answers}) == 3
    assert answers == llm.generate(["A"], params, n=3) + llm.generate(["B"], params, n=3)
    assert answers[:1] == llm.generate(["A"], params)


def test_several_answers_read_their_prompt_once() -> None:
    core = make_core(num_blocks=64)
    LLM(core).generate(["x" * 39], GREEDY, n=4)
    stats = core.stats()
    assert stats.prefix_query_tokens - stats.prefix_hit_tokens == 39 + 3 * 3


def test_a_prompt_that_fails_has_as_many_errors() -> None:
    told: list[BatchProgress] = []
    llm = LLM(make_core(echo))
    answers = llm.generate(["A", "\ud800", "x" * 99], GREEDY, n=2, progress=told.append)
    assert [answer.text for answer in answers] == ["AAAAAA", "AAAAAA", "", "", "", ""]
    assert all(answer.error for answer in answers[2:])
    assert (told[-1].answered, told[-1].total) == (6, 6)


def test_a_conversation_gets_as_many_answers_as_are_wanted() -> None:
    before = len("<|im_start|>user\n")
    llm = LLM(make_core(lambda context: context[before], num_blocks=64))
    one = [{"role": "user", "content": "Hello!"}]
    other = [{"role": "user", "content": "Bye!"}]
    assert [answer.text for answer in llm.chat(one, GREEDY, n=1)] == ["HHHHHH"]
    answers = llm.chat([one, other], GREEDY, n=2)
    assert [answer.text[:1] for answer in answers] == ["H", "H", "B", "B"]


@pytest.mark.parametrize("n", [0, -1])
def test_no_answers_cannot_be_asked_for(n: int) -> None:
    llm = LLM(make_core())
    with pytest.raises(ValidationErrors):
        llm.generate(["A"], n=n)
    with pytest.raises(ValidationErrors):
        llm.chat([{"role": "user", "content": "Hello!"}], n=n)


def test_whoever_waits_is_told_how_far_it_is() -> None:
    told: list[BatchProgress] = []
    LLM(make_core(echo, max_sequences=2)).generate(
        ["AA", "B", "C" * 999], GREEDY, progress=told.append
    )
    assert told[-1] == BatchProgress(answered=3, total=3, prompt_tokens=3, output_tokens=12)
    assert [progress.output_tokens for progress in told] == sorted(
        progress.output_tokens for progress in told
    )
    assert len({progress.answered for progress in told}) > 1


def test_of_prompts_that_cannot_be_counted_no_total_is_told() -> None:
    told: list[BatchProgress] = []
    LLM(make_core(echo)).generate(iter(["A", "B"]), GREEDY, progress=told.append)
    assert (told[-1].answered, told[-1].total) == (2, None)


def test_a_bar_is_shown_where_one_is_wanted(capsys: pytest.CaptureFixture[str]) -> None:
    """On standard error, with the rates; standard output is the program's."""
    llm = LLM(make_core(echo))
    llm.generate(["A"], GREEDY)
    assert capsys.readouterr() == ("", "")
    llm.generate(["A", "B"], GREEDY, progress=True)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "2/2" in shown.err
    assert "tokens/s in" in shown.err


class TestEmbedding:
    """Texts become vectors by a model of its own."""

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        write_bert(tmp_path)
        return tmp_path

    def test_vectors_are_those_of_the_embedding_model(self, folder: Path, model_path: Path) -> None:
        """Which is loaded with the other one."""
        config = EngineConfig(model=str(model_path), embedding_model=str(folder), num_blocks=16)
        llm = LLM.load(config)
        expected = Embedder.load(folder).embed(["rain", "storm"])
        found = llm.embed(["rain", "storm"])
        assert [one.vector.tolist() for one in found] == [one.vector.tolist() for one in expected]
        assert llm.generate(["Rain"], GREEDY)[0].text

    def test_long_texts_are_cut_where_that_is_asked_for(self, folder: Path) -> None:
        llm = LLM(make_core(echo), Embedder.load(folder))
        with pytest.raises(ContextTooLong):
            llm.embed(["rain " * 99])
        assert len(llm.embed(["rain " * 99], truncate=True)) == 1

    def test_it_is_told_how_far_it_is(self, folder: Path) -> None:
        seen: list[BatchProgress] = []
        LLM(make_core(echo), Embedder.load(folder)).embed(["rain"] * 3, progress=seen.append)
        assert [(one.answered, one.total) for one in seen] == [(3, 3)]

    def test_without_such_a_model_it_says_what_to_do(self) -> None:
        with pytest.raises(ConfigurationError) as caught:
            LLM(make_core(echo)).embed(["rain"])
        assert caught.value.setting == "embedding_model"
