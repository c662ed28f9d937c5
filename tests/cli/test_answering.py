"""Lines are answered many at once, each exactly once, whatever happens to some of them."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from stormproof.cli import prompt_lines
from stormproof.cli.answer_file import AnswerFile, open_answers
from stormproof.cli.answer_line import AnswerLine
from stormproof.cli.answering import answer_lines
from stormproof.cli.prompt_lines import PromptLine, read_lines
from stormproof.engine import AsyncLLM
from stormproof.errors import ServiceUnavailable
from support.byte_tokenizer import EOS
from support.scripted_engine import Script, babble, make_core

Start = Callable[..., AsyncLLM]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start engines, and stop them in the end."""
    started: list[AsyncLLM] = []

    def start(script: Script = babble, **settings: Any) -> AsyncLLM:
        core = make_core(script, max_waiting=1000, max_waiting_tokens=1 << 40, **settings)
        started.append(AsyncLLM(core))
        return started[-1]

    yield start
    for llm in started:
        llm.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "answers.jsonl"


async def run(
    llm: AsyncLLM,
    text: bytes,
    path: Path,
    *,
    at_once: int = 8,
    report: Callable[[Sequence[AnswerLine]], None] = lambda _: None,
) -> None:
    with open_answers(path) as file:
        lines = file.answered.missing(read_lines(BytesIO(text), b""))
        defaults = {"max_tokens": 5, "temperature": 0}
        await answer_lines(llm, lines, file, defaults=defaults, at_once=at_once, report=report)


def written(path: Path) -> dict[int, Any]:
    """The answers by line; there must be one for each."""
    documents = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    by_line = {document["line"]: document for document in documents}
    assert len(by_line) == len(documents)
    return by_line


def prompts(count: int) -> bytes:
    return b"".join(b'{"prompt": "p%d", "id": "i%d"}\n' % (i, i) for i in range(1, count + 1))


async def test_every_line_is_answered_once(start: Start, path: Path) -> None:
    counted: list[int] = []
    await run(start(), prompts(100), path, report=lambda lines: counted.append(len(lines)))
    answers = written(path)
    assert {number: answer["id"] for number, answer in answers.items()} == {
        i: f"i{i}" for i in range(1, 101)
    }
    assert all(len(answer["text"]) == 5 for answer in answers.values())
    assert sum(counted) == 100


async def test_lines_are_answered_together(start: Start, path: Path) -> None:
    """Here each answer ends once all have begun: alone they would end by their length."""
    seen: set[int] = set()

    def script(context: list[int]) -> int:
        seen.add(context[0])
        return EOS if len(seen) == 8 else ord("a")

    llm = start(script, max_sequences=8, num_blocks=20_000)
    lines = [b'{"prompt": "%d", "max_tokens": 5000}\n' % number for number in range(8)]
    await run(llm, b"".join(lines), path)
    assert {answer["finish_reason"] for answer in written(path).values()} == {"stop"}


async def test_no_more_is_read_than_there_is_room_for(start: Start, path: Path) -> None:
    """A file of any length takes the same memory: reading waits for writing."""
    ahead: list[int] = []
    read = done = 0

    def lines() -> Iterator[PromptLine]:
        nonlocal read
        for line in read_lines(BytesIO(prompts(300)), b""):
            read += 1
            ahead.append(read - done)
            yield line

    def report(answers: Sequence[AnswerLine]) -> None:
        nonlocal done
        done += len(answers)

    with open_answers(path) as file:
        await answer_lines(
            start(), lines(), file, defaults={"max_tokens": 2}, at_once=4, report=report
        )
    assert len(written(path)) == 300
    assert max(ahead) < 40


async def test_a_line_that_cannot_be_answered_does_not_stop_the_others(
    start: Start, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def script(context: list[int]) -> int:
        if context[0] == ord("!"):
            raise ValueError("poison")
        return babble(context)

    monkeypatch.setattr(prompt_lines, "MAX_LINE_BYTES", 200)
    lines = [
        b'{"prompt": "fine"}',
        b"{bad",
        b'{"prompt": "a", "nonsense": 1}',
        b'{"prompt": "a", "id": 7, "max_tokens": 9999}',
        b'{"prompt": "a", "id": "cold", "temperature": -1}',
        b'{"prompt": ""}',
        b'{"prompt": "!", "id": "poison"}',
        b'{"prompt": "' + b"a" * 200 + b'"}',
        b'{"prompt": "fine as well"}',
    ]
    await run(start(script), b"\n".join(lines), path)
    answers = written(path)
    codes = {n: answer["error"]["code"] for n, answer in answers.items() if "error" in answer}
    assert codes == {
        2: "VALIDATION_ERRORS",
        3: "VALIDATION_ERRORS",
        4: "CONTEXT_TOO_LONG",
        5: "VALIDATION_ERRORS",
        6: "INVALID_REQUEST",
        7: "INTERNAL_ERROR",
        8: "PAYLOAD_TOO_LARGE",
    }
    assert len(answers) == 9
    assert [answers[n]["id"] for n in (2, 4, 5, 7)] == [2, 7, "cold", "poison"]
    assert "poison" not in json.dumps(answers[7]["error"])


async def test_a_tokenizer_that_fails_on_one_line_fails_it_alone(
    start: Start, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    llm = start()
    encode = llm.tokenizer.prompt

    def fail_once(text: str) -> list[int]:
        if text == "p2":
            raise ValueError("secret")
        return encode(text)

    monkeypatch.setattr(llm.tokenizer, "prompt", fail_once)
    await run(llm, prompts(3), path)
    answers = written(path)
    assert [n for n, answer in sorted(answers.items()) if "error" in answer] == [2]
    assert "secret" not in json.dumps(answers[2]["error"])


async def test_an_engine_that_ends_is_no_answer(start: Start, path: Path) -> None:
    """The lines that it left are missing, and the next run answers them."""
    llm = start()

    def report(_: Sequence[AnswerLine]) -> None:
        llm.close()

    with pytest.raises(ServiceUnavailable):
        await run(llm, prompts(50), path, report=report)
    assert 0 < len(written(path)) < 50
    await run(start(), prompts(50), path)
    answers = written(path)
    assert len(answers) == 50
    assert not any("error" in answer for answer in answers.values())


async def test_a_full_disk_ends_the_run_and_loses_nothing(
    start: Start, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    append, calls = AnswerFile.append, 0

    def fail_later(file: AnswerFile, answers: Sequence[AnswerLine]) -> None:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise OSError(28, "No space left on device")
        append(file, answers)

    monkeypatch.setattr(AnswerFile, "append", fail_later)
    with pytest.raises(OSError, match="No space"):
        await run(start(), prompts(60), path)
    monkeypatch.undo()
    assert 0 < len(written(path)) < 60
    await run(start(), prompts(60), path)
    assert len(written(path)) == 60


async def test_a_run_that_is_cancelled_goes_on_later(start: Start, path: Path) -> None:
    """Cancelled at its first answer, while others are on their way and while reading waits."""
    first = asyncio.Event()
    stuck = threading.Event()
    with open_answers(path) as file:

        def lines() -> Iterator[PromptLine]:
            yield from read_lines(BytesIO(prompts(3)), b"")
            stuck.wait()

        running = asyncio.create_task(
            answer_lines(
                start(), lines(), file, defaults={}, at_once=4, report=lambda _: first.set()
            )
        )
        await first.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        stuck.set()
    before = written(path)
    await run(start(), prompts(20), path)
    after = written(path)
    assert len(after) == 20
    assert after.items() >= before.items()
