"""The engine answers every request it accepts, or says with a typed error why it could not."""

import itertools
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import torch

from stormproof.engine.answers.output import Output
from stormproof.engine.core import EngineCore
from stormproof.engine.sampling.draw import Draw, Sampled
from stormproof.engine.sampling.grammar import Grammar
from stormproof.engine.sampling.params import SamplingParams
from stormproof.engine.scheduling.batch import StepBatch
from stormproof.engine.scheduling.scheduler import Scheduler
from stormproof.engine.scheduling.sequence import FinishReason
from stormproof.engine.scheduling.urgency import Urgency
from stormproof.errors import (
    CapacityExceeded,
    ContextTooLong,
    DeadlineExceeded,
    InternalError,
    InvalidRequest,
    OutOfMemory,
    SequenceNotFound,
    StormproofError,
    TensorError,
    TokenizationError,
)
from stormproof.recovery import Priority
from support.byte_tokenizer import EOS
from support.scripted_engine import Script, ScriptedRunner, babble, make_core

GREEDY = SamplingParams(temperature=0, max_tokens=8)


def says(answer: bytes, prompt: bytes = b"?") -> Callable[[list[int]], int]:
    """Script a model that answers the prompt, then ends the text."""

    def script(context: list[int]) -> int:
        place = len(context) - len(prompt)
        return answer[place] if place < len(answer) else EOS

    return script


def drain(core: EngineCore) -> dict[int, Output]:
    """Step until nothing is left, and join the pieces of each answer."""
    answers: dict[int, Output] = {}
    while core.has_work:
        for seq_id, piece in core.step():
            answers[seq_id] = answers[seq_id].then(piece) if seq_id in answers else piece
    assert core.stats().free_blocks == core.stats().total_blocks
    return answers


def watched(monkeypatch: pytest.MonkeyPatch) -> list[StepBatch]:
    """Note all that scripted models read from now on."""
    batches: list[StepBatch] = []
    step = ScriptedRunner.step

    def noted(
        runner: ScriptedRunner, batch: StepBatch, draws: Sequence[Sequence[Draw]]
    ) -> list[list[Sampled | TensorError]]:
        batches.append(batch)
        return step(runner, batch, draws)

    monkeypatch.setattr(ScriptedRunner, "step", noted)
    return batches


def ask(core: EngineCore, prompt: bytes = b"?", params: SamplingParams = GREEDY) -> Output:
    seq_id = core.add(list(prompt), params)
    return drain(core)[seq_id]


def test_it_generates_up_to_max_tokens() -> None:
    answer = ask(make_core(says(b"Hello, world")))
    assert answer.text == "Hello, w"
    assert answer.token_ids == tuple(b"Hello, w")
    assert answer.finish_reason is FinishReason.LENGTH
    assert (answer.prompt_tokens, answer.completion_tokens) == (1, 8)


def test_the_end_of_text_token_ends_the_answer_without_being_text() -> None:
    answer = ask(make_core(says(b"Hi")))
    assert (answer.text, answer.token_ids) == ("Hi", (*b"Hi", EOS))
    assert answer.finish_reason is FinishReason.STOP


def test_the_end_of_text_token_can_be_ignored() -> None:
    params = SamplingParams(temperature=0, max_tokens=5, ignore_eos=True)
    answer = ask(make_core(says(b"Hi")), params=params)
    assert (answer.text, answer.completion_tokens) == ("Hi", 5)
    assert answer.finish_reason is FinishReason.LENGTH


def test_a_stop_text_over_several_tokens_ends_the_answer_before_it() -> None:
    params = SamplingParams(temperature=0, max_tokens=30, stop=("\nUser:", "never"))
    answer = ask(make_core(says(b"It is 4.\nUser: and 5?")), params=params)
    assert answer.text == "It is 4."
    assert answer.finish_reason is FinishReason.STOP


def test_text_that_only_looked_like_a_stop_text_is_not_lost() -> None:
    params = SamplingParams(temperature=0, max_tokens=30, stop=("\nUser:",))
    answer = ask(make_core(says(b"A\nUs\nUse")), params=params)
    assert answer.text == "A\nUs\nUse"


def test_half_a_character_is_never_emitted() -> None:
    core = make_core(says("né🦜!".encode()))
    core.add(list(b"?"), SamplingParams(temperature=0, max_tokens=30))
    pieces = [output.text for _ in range(9) for _, output in core.step()]
    assert "".join(pieces) == "né🦜!"
    assert pieces == ["n", "", "é", "", "", "", "🦜", "!", ""]


def test_a_character_cut_by_max_tokens_is_replaced() -> None:
    params = SamplingParams(temperature=0, max_tokens=3)
    assert ask(make_core(says("a🦜".encode())), params=params).text == "a\ufffd"


def noisy(context: list[int]) -> torch.Tensor:
    """Give logits that depend on every token before."""
    generator = torch.Generator().manual_seed(hash(tuple(context)))
    return torch.randn(257, generator=generator) * 3


@pytest.mark.parametrize("script", [babble, noisy])
def test_answers_are_the_same_alone_and_in_a_cache_too_small_for_all(script: Script) -> None:
    """Batched, chunked and preempted; greedy and sampled."""
    chance = random.Random(1)
    requests = [
        (
            chance.choices(range(256), k=chance.randint(1, 30)),
            SamplingParams(
                temperature=chance.choice([0, 1]),
                seed=chance.randrange(2**64),
                top_p=chance.choice([0.8, 1]),
                max_tokens=chance.randint(1, 25),
            ),
        )
        for _ in range(25)
    ]
    crowded = make_core(script, max_sequences=6, max_step_tokens=12)
    ids = [crowded.add(*request) for request in requests]
    together = drain(crowded)
    assert crowded.stats().preemptions > 0
    for seq_id, (prompt, params) in zip(ids, requests, strict=True):
        assert together[seq_id] == ask(make_core(script), bytes(prompt), params)


@pytest.mark.parametrize("script", [babble, noisy])
def test_answers_are_the_same_where_their_beginning_is_in_the_cache(script: Script) -> None:
    """Many conversations that begin alike and go on, in a cache that does not hold them all."""
    chance = random.Random(2)
    system = chance.choices(range(256), k=14)
    params = SamplingParams(seed=3, max_tokens=9, ignore_eos=True)
    core = make_core(script, num_blocks=40, max_sequences=6, max_step_tokens=24)
    talks = [system + chance.choices(range(256), k=chance.randint(0, 9)) for _ in range(12)]
    for _ in range(3):
        ids = [core.add(talk, params) for talk in talks]
        answers = drain(core)
        for seq_id, talk in zip(ids, talks, strict=True):
            assert answers[seq_id] == ask(make_core(script), bytes(talk), params)
            talk += [token for token in answers[seq_id].token_ids if token != EOS]
    stats = core.stats()
    assert stats.prefix_query_tokens / 3 < stats.prefix_hit_tokens < stats.prefix_query_tokens


@pytest.mark.parametrize(("prefix_cache", "expected"), [(True, [20, 4]), (False, [20, 20])])
def test_of_a_prompt_that_is_known_only_the_tail_is_computed(
    monkeypatch: pytest.MonkeyPatch, prefix_cache: bool, expected: list[int]
) -> None:
    batches = watched(monkeypatch)
    core = make_core(prefix_cache=prefix_cache)
    for _ in range(2):
        ask(core, bytes(20), SamplingParams(max_tokens=1))
    rows = [len(batch.token_ids) for batch in batches]
    assert rows == expected
    assert core.stats().prefix_query_tokens == 40
    assert core.stats().prefix_hit_tokens == 40 - sum(rows)


def test_a_seeded_answer_can_be_continued_from_any_of_its_tokens() -> None:
    whole = ask(make_core(noisy), b"?", SamplingParams(seed=4, max_tokens=12))
    prompt = [*b"?", *whole.token_ids[:5]]
    core = make_core(noisy)
    core.add(prompt, SamplingParams(seed=4, max_tokens=7))
    [rest] = drain(core).values()
    assert rest.token_ids == whole.token_ids[5:]


@pytest.mark.parametrize("script", [babble, noisy, says("né🦜! and\nUser: on".encode())])
@pytest.mark.parametrize("delivered", range(12))
def test_an_answer_goes_on_where_another_engine_left_it(script: Script, delivered: int) -> None:
    """Text in the middle of a character or of what may be a stop text included."""
    params = SamplingParams(
        seed=4, max_tokens=24, stop=("\nUser:",), frequency_penalty=0.5, ignore_eos=True
    )
    core = make_core(script)
    core.add(list(b"?"), params)
    pieces = [piece for _ in range(24) for _, piece in core.step()]
    if delivered >= len(pieces):
        return
    tokens = [token for piece in pieces[:delivered] for token in piece.token_ids]
    again = make_core(script)
    again.add(list(b"?"), params, generated=tokens)
    assert [piece for _ in range(24) for _, piece in again.step()] == pieces[delivered:]


def test_an_answer_that_was_complete_cannot_go_on() -> None:
    core = make_core()
    with pytest.raises(InvalidRequest) as caught:
        core.add([1], GREEDY, generated=[97] * 8)
    assert caught.value.param == "generated"
    with pytest.raises(InvalidRequest):
        core.add([1], GREEDY, generated=[257])
    assert not core.has_work


def test_what_another_engine_accepted_is_not_refused_for_a_full_queue() -> None:
    core = make_core(max_waiting=1)
    core.add([1], GREEDY)
    core.add([1], GREEDY, admitted=True)
    with pytest.raises(CapacityExceeded):
        core.add([1], GREEDY)
    assert len(drain(core)) == 2


def test_a_full_queue_compiles_no_grammar() -> None:
    """That may take long, and would hold up everybody else."""
    core = make_core(max_waiting=1)
    core.add([1], GREEDY)
    with pytest.raises(CapacityExceeded):
        core.add([1], replace(GREEDY, grammar=Grammar.regex("(((")))


def test_what_may_bring_the_engine_down_is_read_in_steps_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two of five requests are under suspicion, one of them for part of its answer."""
    steps = watched(monkeypatch)
    core = make_core(max_sequences=5, max_step_tokens=8, num_blocks=40)
    prompts = [[number] * 10 for number in range(5)]
    until = [0, 10, 0, 13, 0]
    ids = [
        core.add(prompt, GREEDY, alone_until=alone_until)
        for prompt, alone_until in zip(prompts, until, strict=True)
    ]
    answers = drain(core)
    alone = [one for one in steps if len(one.query_lengths) == 1]
    assert sum({1, 3} & set(one.token_ids) != set() for one in steps) >= 4
    assert all(one in alone for one in steps if {1, 3} & set(one.token_ids))
    assert {11, 12, 13} <= {one.context_lengths[0] for one in alone}
    assert max(len(one.query_lengths) for one in steps) > 2
    for prompt, seq_id in zip(prompts, ids, strict=True):
        assert answers[seq_id] == ask(make_core(), bytes(prompt))


def test_what_comes_before_the_suspected_place_is_read_apart_from_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    steps = watched(monkeypatch)
    core = make_core(max_sequences=4, max_step_tokens=8)
    seq_id = core.add(range(12), GREEDY, alone_from=11, alone_until=12)
    answers = drain(core)
    assert [list(one.token_ids) for one in steps[:3]] == [[*range(8)], [8, 9, 10], [11]]
    assert answers[seq_id] == ask(make_core(), bytes(range(12)))


def test_a_request_without_a_seed_gets_one_of_its_own() -> None:
    params = SamplingParams(max_tokens=20)
    seeds = itertools.count(5)
    core = make_core(noisy, entropy=lambda _: next(seeds))
    first, second = ask(core, params=params), ask(core, params=params)
    seeded = SamplingParams(max_tokens=20, seed=5)
    assert first == ask(make_core(noisy), params=seeded) != second


def test_log_probabilities_come_with_their_tokens() -> None:
    answer = ask(make_core(), params=SamplingParams(temperature=0, max_tokens=3, logprobs=2))
    assert tuple(one.token_id for one in answer.logprobs) == answer.token_ids
    assert all(one.top[0] == (one.token_id, one.logprob) for one in answer.logprobs)


def test_an_aborted_request_frees_its_blocks_and_says_no_more() -> None:
    core = make_core()
    aborted, other = core.add([1] * 20, GREEDY), core.add([2], GREEDY)
    core.step()
    held = core.stats().total_blocks - core.stats().free_blocks
    core.abort(aborted)
    assert core.stats().total_blocks - core.stats().free_blocks == held - 5
    assert drain(core).keys() == {other}


def test_an_answer_ends_at_its_deadline_with_what_there_is() -> None:
    now = 0.0
    core = make_core(clock=lambda: now)
    late, other = core.add([1], GREEDY, urgency=Urgency(deadline=5)), core.add([2], GREEDY)
    pieces = core.step()
    now = 5.0
    pieces += core.step()
    assert core.stats().running == 1
    last = dict(pieces)[late]
    assert isinstance(last.error, DeadlineExceeded)
    assert (last.completion_tokens, last.finish_reason) == (1, FinishReason.ERROR)
    assert drain(core)[other].completion_tokens == 8


def test_a_crowd_after_a_quiet_time_is_answered_in_time() -> None:
    """Requests that came one by one left one by one; of a crowd, eight leave at once."""
    clock = partial(next, itertools.count(step=1.5))
    core = make_core(max_sequences=8, num_blocks=64, clock=clock)
    params = SamplingParams(max_tokens=2)
    for _ in range(100):
        ask(core, params=params)
    urgency = Urgency(deadline=clock() + 40)
    for _ in range(32):
        core.add([1], params, urgency=urgency)
    assert {answer.error for answer in drain(core).values()} == {None}


def test_the_more_important_of_two_that_wait_is_answered_first() -> None:
    core = make_core(max_sequences=1)
    usual, important = core.add([1], GREEDY), core.add([2], GREEDY, urgency=Urgency(Priority.HIGH))
    assert list(drain(core)) == [important, usual]


def test_a_request_that_ended_or_never_was_cannot_be_aborted() -> None:
    core = make_core()
    seq_id = core.add([1], GREEDY)
    drain(core)
    for gone in (seq_id, 99):
        with pytest.raises(SequenceNotFound):
            core.abort(gone)


@pytest.mark.parametrize("prompt", [[], [-1], [257], [0, 1000], [1 << 99], [0.5] * 9, [None]])
def test_a_prompt_that_is_none_is_refused(prompt: list[Any]) -> None:
    with pytest.raises(InvalidRequest) as caught:
        make_core().add(prompt, GREEDY)
    assert caught.value.param == "prompt"


def test_a_bias_for_a_token_that_does_not_exist_is_refused() -> None:
    with pytest.raises(InvalidRequest) as caught:
        make_core().add([1], SamplingParams(max_tokens=1, logit_bias={257: 1}))
    assert caught.value.param == "logit_bias"


def test_a_request_larger_than_the_cache_is_refused_at_once() -> None:
    core = make_core(num_blocks=4)
    assert core.limits.sequence_tokens == 16
    with pytest.raises(ContextTooLong):
        core.add([1] * 9, GREEDY)
    assert not core.has_work


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        (OutOfMemory(device="cuda"), OutOfMemory),
        (TensorError(reason="device gone"), TensorError),
        (ZeroDivisionError("secret"), InternalError),
    ],
)
@pytest.mark.parametrize("poisoned", [0, 3, 6])
def test_a_request_that_breaks_the_step_fails_alone(
    failure: Exception, expected: type[StormproofError], poisoned: int
) -> None:
    def script(context: list[int]) -> int:
        if context[0] == poisoned and len(context) == 4:
            raise failure
        return ord("a") + context[0]

    core = make_core(script)
    ids = [core.add([number], GREEDY) for number in range(7)]
    answers = drain(core)
    assert isinstance(answers[ids[poisoned]].error, expected)
    assert answers[ids[poisoned]].finish_reason is FinishReason.ERROR
    assert answers[ids[poisoned]].completion_tokens == 3
    healthy = [number for number in range(7) if number != poisoned]
    assert [answers[ids[n]].text for n in healthy] == [chr(ord("a") + n) * 8 for n in healthy]


def test_a_device_that_is_gone_fails_everybody_but_not_the_engine() -> None:
    broken = True

    def script(context: list[int]) -> int:
        if broken:
            raise TensorError(reason="device gone")
        return ord("a")

    core = make_core(script)
    for _ in range(5):
        core.add([1], GREEDY)
    assert {type(answer.error) for answer in drain(core).values()} == {TensorError}
    broken = False
    assert ask(core).text == "aaaaaaaa"


def test_logits_that_are_no_numbers_fail_their_request_alone() -> None:
    def script(context: list[int]) -> torch.Tensor:
        return torch.full((257,), torch.nan if context[0] == 1 else 0.0)

    core = make_core(script)
    poisoned, healthy = core.add([1], GREEDY), core.add([2], GREEDY)
    answers = drain(core)
    assert isinstance(answers[poisoned].error, TensorError)
    assert answers[healthy].finish_reason is FinishReason.LENGTH


def test_what_a_failed_request_left_in_the_cache_is_computed_again() -> None:
    """Numbers that are none may have been there for long: a chunk without scores does not tell."""
    broken = True

    def script(context: list[int]) -> torch.Tensor:
        return torch.full((257,), torch.nan) if broken else torch.zeros(257)

    core = make_core(script, max_sequences=1, max_step_tokens=8)
    assert isinstance(ask(core, bytes(20)).error, TensorError)
    broken = False
    assert ask(core, bytes(20)).error is None
    assert core.stats().prefix_hit_tokens == 0


def test_a_token_that_has_no_text_fails_its_request_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def token_bytes(token: int) -> bytes:
        if token == 66:
            raise TokenizationError(reason="no such token")
        return bytes([token])

    core = make_core(lambda context: context[0])
    monkeypatch.setattr(core.tokenizer, "token_bytes", token_bytes)
    bad, good = core.add([66], GREEDY), core.add([65], GREEDY)
    answers = drain(core)
    assert isinstance(answers[bad].error, TokenizationError)
    assert answers[good].text == "A" * 8


def test_a_bug_in_a_step_ends_its_requests_but_not_the_engine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    core = make_core(says(b"fine"))
    with monkeypatch.context() as patch:
        patch.setattr(Scheduler, "schedule", lambda _: 1 / 0)
        seq_id = core.add([1], GREEDY)
        assert isinstance(drain(core)[seq_id].error, InternalError)
    assert ask(core).text == "fine"


def test_a_full_queue_says_how_long_the_requests_in_it_take() -> None:
    """Each request takes two steps, of 1.5 s each, and there are three before the refused one."""
    seconds = itertools.count(step=1.5)
    core = make_core(max_sequences=1, max_waiting=3, clock=lambda: next(seconds))
    params = SamplingParams(max_tokens=2)
    for _ in range(100):
        ask(core, params=params)
    for _ in range(3):
        core.add([1], params)
    with pytest.raises(CapacityExceeded) as caught:
        core.add([1], params)
    assert caught.value.retry_after == pytest.approx(9, rel=0.05)


def test_it_counts_what_it_does() -> None:
    core = make_core(max_sequences=2)
    for _ in range(3):
        core.add([1, 2], GREEDY)
    core.step()
    stats = core.stats()
    assert (stats.running, stats.waiting, stats.steps) == (2, 1, 1)
    assert (stats.free_blocks, stats.total_blocks) == (14, 16)
    drain(core)
    stats = core.stats()
    assert (stats.running, stats.waiting, stats.finished, stats.preemptions) == (0, 0, 3, 0)
    assert (stats.prompt_tokens, stats.generated_tokens) == (6, 24)
