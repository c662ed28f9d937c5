"""From lines of prompts to lines of answers, many at once."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final

from stormproof.cli.answer_file import AnswerFile
from stormproof.cli.answer_line import AnswerLine
from stormproof.cli.prompt_lines import MAX_LINE_BYTES, PromptLine
from stormproof.cli.prompt_request import PromptRequest
from stormproof.cli.read_ahead import read_ahead
from stormproof.engine import AsyncLLM, Output, SamplingParams
from stormproof.errors import PayloadTooLarge, ServiceUnavailable, StormproofError, translate

_AHEAD: Final = 16
"""Lines that are read and tokenized before there is room for them."""

Report = Callable[[Sequence[AnswerLine]], None]
"""Told the answers that were just written."""


@dataclass(frozen=True, slots=True)
class _Prompt:
    """A line that the engine can be asked."""

    line: PromptLine
    name: str | int
    tokens: Sequence[int]
    params: SamplingParams


async def answer_lines(
    llm: AsyncLLM,
    lines: Iterable[PromptLine],
    file: AnswerFile,
    *,
    defaults: Mapping[str, Any],
    at_once: int,
    report: Report,
) -> None:
    """Answer lines, and append each answer as soon as it is whole.

    A line that cannot be answered gets its error for an answer; the others go on.

    Args:
        llm: What answers; its queue has room for ``at_once`` requests.
        lines: What to answer; read as fast as answers are written.
        file: Where answers go.
        defaults: Options of `SamplingParams` for lines that do not say.
        at_once: Lines that are on their way at any time.
        report: Told what was written.

    Raises:
        ServiceUnavailable: The engine ended.
        StormproofError: The input or the output failed.
        OSError: The same.
    """
    run = _Run(llm, file, report)
    slots = asyncio.Semaphore(at_once)

    async def answer(prompt: _Prompt | AnswerLine) -> None:
        await run.answer(prompt)
        slots.release()

    prompts = read_ahead(_prepared(llm, lines, defaults), _AHEAD)
    try:
        async with aclosing(prompts), asyncio.TaskGroup() as tasks:
            async for prompt in prompts:
                await slots.acquire()
                tasks.create_task(answer(prompt))
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None


class _Run:
    """Answers on their way from the engine to the file."""

    def __init__(self, llm: AsyncLLM, file: AnswerFile, report: Report) -> None:
        self._llm = llm
        self._file = file
        self._report = report
        self._finished: list[AnswerLine] = []
        self._writing = asyncio.Lock()

    async def answer(self, prompt: _Prompt | AnswerLine) -> None:
        """Return once the answer is on the disk."""
        answer = prompt if isinstance(prompt, AnswerLine) else await self._generate(prompt)
        self._finished.append(answer)
        async with self._writing:
            # Whoever comes first writes for all who wait: one flush of the disk for many answers.
            if self._finished:
                answers, self._finished = self._finished, []
                await asyncio.to_thread(self._file.append, answers)
                self._report(answers)

    async def _generate(self, prompt: _Prompt) -> AnswerLine:
        output = Output(prompt_tokens=0, completion_tokens=0)
        try:
            async with aclosing(self._llm.stream(prompt.tokens, prompt.params)) as pieces:
                async for piece in pieces:
                    output = output.then(piece)
        except ServiceUnavailable:
            raise  # the engine's trouble, and no answer to this line
        except StormproofError as error:
            return AnswerLine.of_error(prompt.line, prompt.name, error)
        return AnswerLine.of_output(prompt.line, prompt.name, output)


def _prepared(
    llm: AsyncLLM, lines: Iterable[PromptLine], defaults: Mapping[str, Any]
) -> Iterator[_Prompt | AnswerLine]:
    for line in lines:
        yield _prepare(llm, line, defaults)


def _prepare(llm: AsyncLLM, line: PromptLine, defaults: Mapping[str, Any]) -> _Prompt | AnswerLine:
    """Tokenize a line; one that cannot be is answered by its error."""
    name: str | int = line.number
    if line.text is None:
        return AnswerLine.of_error(line, name, PayloadTooLarge(limit=MAX_LINE_BYTES))
    try:
        request = PromptRequest.parse(line.text)
        name = line.number if request.id is None else request.id
        tokens = request.tokens(llm.tokenizer)
        room = llm.max_sequence_tokens - len(tokens)
        return _Prompt(line, name, tokens, request.params(defaults, room=room))
    except Exception as error:  # noqa: BLE001 - one line must not take others with it
        return AnswerLine.of_error(line, name, translate(error))
