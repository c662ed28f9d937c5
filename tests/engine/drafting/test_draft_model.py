"""A model that guesses for another changes no answer, whatever befalls the process of both."""

import asyncio
import os
import signal
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

import httpx2
import pytest
import tokenizers
from tokenizers import decoders, models, pre_tokenizers
from transformers import LlamaConfig

from stormproof.engine import LLM, AsyncLLM, EngineConfig, Output, SamplingParams
from stormproof.errors import ConfigurationError, ModelLoadError
from support.processes import workers
from support.serving import Server, chat_body
from support.small_models import SMALL, write_model

PROMPTS = ["The storm passed over", "One, two, three,", "Once upon a time"]
ACCEPTED = "stormproof_engine_accepted_tokens_total"


def config(model: Path, **settings: Any) -> EngineConfig:
    return EngineConfig(model=str(model), device="cpu", threads=1, num_blocks=64, **settings)


def params(number: int) -> SamplingParams:
    return SamplingParams(temperature=number % 2, seed=number, max_tokens=48, ignore_eos=True)


async def answered(llm: AsyncLLM, number: int, victims: list[int]) -> Output:
    """Answer a prompt, and kill a process in the middle, once it has guessed."""
    answer = Output(prompt_tokens=0, completion_tokens=0)
    prompt = llm.tokenizer.prompt(PROMPTS[number])
    async with aclosing(llm.stream(prompt, params(number))) as pieces:
        async for piece in pieces:
            answer = answer.then(piece)
            if victims and llm.stats().accepted_tokens:
                os.kill(victims.pop(), signal.SIGKILL)
    return answer


async def test_answers_in_a_process_that_is_killed_are_those_without(model_path: Path) -> None:
    plain = LLM.load(config(model_path, speculation="off"))
    expected = [plain.generate([text], params(n))[0] for n, text in enumerate(PROMPTS)]
    llm = await asyncio.to_thread(AsyncLLM.load, config(model_path, draft_model=str(model_path)))
    with llm:
        victims = workers()
        while victims:  # whether it guesses is up to how long steps take
            answers = [await answered(llm, n, victims) for n in range(len(PROMPTS))]
            assert [one.token_ids for one in answers] == [one.token_ids for one in expected]


def test_a_server_guesses_with_the_model_that_it_is_told(
    server: Server, serve: Callable[..., Server], model_path: Path
) -> None:
    guessing = serve("--draft-model", str(model_path))
    body = chat_body("Count to twenty.", max_tokens=40)

    def answer(one: Server) -> Any:
        url = f"{one.url}/v1/chat/completions"
        return httpx2.post(url, json=body, timeout=120).json()["choices"]

    while not guessing.metric(ACCEPTED):
        assert answer(guessing) == answer(server)


def test_a_model_with_another_vocabulary_is_refused(model_path: Path, tmp_path: Path) -> None:
    write_model(tmp_path, LlamaConfig(**SMALL))
    backend = tokenizers.Tokenizer(models.BPE(vocab={"a": 0, "b": 1}, merges=[]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    backend.save(str(tmp_path / "tokenizer.json"))
    with pytest.raises(ConfigurationError, match="vocabulary is not that of the model") as caught:
        AsyncLLM.load(config(model_path, draft_model=str(tmp_path)))
    assert caught.value.setting == "draft_model"


def test_a_model_that_is_not_there_is_named(model_path: Path) -> None:
    with pytest.raises(ModelLoadError) as caught:
        AsyncLLM.load(config(model_path, draft_model="nowhere.gguf"))
    assert caught.value.model == "nowhere.gguf"
