"""Answers that match a grammar, whatever the model would rather say."""

import json
from pathlib import Path

import pytest

from stormproof.engine.answers.output import Output
from stormproof.engine.core import EngineCore
from stormproof.engine.llm import LLM
from stormproof.engine.sampling.grammar import Grammar
from stormproof.engine.sampling.params import SamplingParams
from stormproof.engine.scheduling.sequence import FinishReason
from stormproof.engine.settings import EngineConfig
from stormproof.errors import InvalidRequest
from support.byte_tokenizer import EOS
from support.scripted_engine import babble, make_core

NUMBERS = Grammar.json_schema(
    {"type": "array", "items": {"type": "integer", "maximum": 999, "minimum": 0}, "maxItems": 4}
)


def structured(grammar: Grammar, seed: int = 0, temperature: float = 1.5) -> SamplingParams:
    return SamplingParams(temperature=temperature, seed=seed, max_tokens=40, grammar=grammar)


def answers(core: EngineCore, *requests: tuple[bytes, SamplingParams]) -> list[Output]:
    places = [core.add(list(prompt), params) for prompt, params in requests]
    found: dict[int, Output] = {}
    while core.has_work:
        for seq_id, piece in core.step():
            found[seq_id] = found[seq_id].then(piece) if seq_id in found else piece
    assert core.stats().free_blocks == core.stats().total_blocks
    return [found[place] for place in places]


@pytest.mark.parametrize("seed", range(10))
def test_a_model_that_babbles_answers_in_valid_json(seed: int) -> None:
    """And says that it is done, though the model has never heard of brackets."""
    [answer] = answers(make_core(), (b"?", structured(NUMBERS, seed)))
    assert answer.finish_reason is FinishReason.STOP
    assert len(json.loads(answer.text)) <= 4


def test_the_answer_ends_with_its_grammar() -> None:
    """Without another token, even one that ends the text."""
    [answer] = answers(make_core(), (b"?", structured(Grammar.regex("yes|no"))))
    assert answer.text in {"yes", "no"}
    assert bytes(answer.token_ids) == answer.text.encode()
    assert answer.finish_reason is FinishReason.STOP


def test_a_model_that_wants_to_end_too_early_may_not() -> None:
    """The end of text comes where the grammar is satisfied, and not before."""
    params = structured(Grammar.regex("ab*"), temperature=0)
    [answer] = answers(make_core(lambda _: EOS), (b"?", params))
    assert answer.text == "a"
    assert answer.token_ids == (ord("a"), EOS)
    assert answer.finish_reason is FinishReason.STOP


def test_an_answer_that_is_too_long_is_cut_like_any_other() -> None:
    """It is the beginning of one that matches, and says why it ended."""
    [answer] = answers(make_core(), (b"?", structured(Grammar.regex("x{100}"))))
    assert answer.finish_reason is FinishReason.LENGTH
    assert answer.text == "x" * 40


def test_structured_answers_are_the_same_alone_and_in_a_cache_too_small_for_all() -> None:
    """Batching, preemption and what others must match change nothing."""
    requests = [
        (b"abc" * n, structured(NUMBERS if n % 2 else Grammar.regex("[a-z]{5,20}"), seed=n))
        for n in range(1, 7)
    ]
    together = answers(make_core(), *requests)
    alone = [answers(make_core(), request)[0] for request in requests]
    assert [answer.token_ids for answer in together] == [answer.token_ids for answer in alone]


def test_a_structured_answer_goes_on_where_another_engine_left_it() -> None:
    """From any of its tokens, as if nothing had happened."""
    params = structured(NUMBERS, seed=4)
    [whole] = answers(make_core(), (b"?", params))
    for done in range(len(whole.token_ids)):
        core = make_core()
        core.add(list(b"?"), params, generated=whole.token_ids[:done])
        rest: list[int] = []
        while core.has_work:
            rest += [token for _, piece in core.step() for token in piece.token_ids]
        assert tuple(rest) == whole.token_ids[done:]


def test_a_grammar_that_cannot_be_used_is_refused_at_once() -> None:
    """And leaves nothing behind."""
    core = make_core()
    with pytest.raises(InvalidRequest, match="grammar"):
        core.add([1], structured(Grammar.regex("(((")))
    assert not core.has_work


def test_a_grammar_that_becomes_too_complex_fails_its_request_alone() -> None:
    """What is answered beside it goes on."""
    explosive = Grammar.lark("start: " + '"a"? ' * 3000)
    exploded, answer = answers(
        make_core(num_blocks=64), (b"?", structured(explosive)), (b"?", structured(NUMBERS))
    )
    assert isinstance(exploded.error, InvalidRequest)
    assert answer.finish_reason is FinishReason.STOP


def test_an_unstructured_answer_beside_structured_ones_is_free() -> None:
    """It gets what it gets alone."""
    free = SamplingParams(temperature=0, max_tokens=8)
    [alone] = answers(make_core(babble), (b"?", free))
    _, beside = answers(make_core(babble, num_blocks=64), (b"!", structured(NUMBERS)), (b"?", free))
    assert beside.token_ids == alone.token_ids


def test_the_embedded_model_answers_in_valid_json_at_high_temperature(model_path: Path) -> None:
    """A small model, fifteen tenths hot: the documents are valid all the same."""
    schema = {
        "type": "object",
        "properties": {
            "city": {"type": "string", "maxLength": 20},
            "inhabitants": {"type": "integer", "minimum": 0, "maximum": 10**8},
            "capital": {"type": "boolean"},
        },
        "required": ["city", "inhabitants", "capital"],
        "additionalProperties": False,
    }
    llm = LLM.load(EngineConfig(model=str(model_path), num_blocks=64))
    question = llm.tokenizer.chat([{"role": "user", "content": "Describe Paris as JSON."}])
    params = SamplingParams(temperature=1.5, max_tokens=60, grammar=Grammar.json_schema(schema))
    for answer in llm.generate([question] * 3, params):
        found = json.loads(answer.text)
        assert found.keys() == {"city", "inhabitants", "capital"}
        assert isinstance(found["capital"], bool)
