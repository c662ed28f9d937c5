"""``stormproof generate``: answers to a file of prompts, which no kill loses."""

import asyncio
import json
import os
import typing
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Final

import typer
from rich.console import Console

from stormproof.cli.failures import FAILED, failures
from stormproof.cli.loading import load_engine
from stormproof.cli.model import pulled
from stormproof.engine.settings import Device, DType
from stormproof.errors import translate

if typing.TYPE_CHECKING:
    from stormproof.cli.answer_file import AnswerFile
    from stormproof.cli.answer_progress import Tally
    from stormproof.cli.prompt_lines import PromptLine
    from stormproof.engine import AsyncLLM

_PIPE: Final = "-"
_STDIN: Final = 0
_STEP_TOKENS: Final = 512
_UNLIMITED: Final = 1 << 40
"""Tokens that may wait: how many lines are on their way is bounded already."""


def generate(
    prompts: Annotated[
        str, typer.Argument(metavar="FILE", help="JSONL file of prompts; - is standard input.")
    ],
    *,
    out: Annotated[
        str,
        typer.Option(
            "--out", "-o", metavar="FILE", help="JSONL file of answers; - is standard output."
        ),
    ] = _PIPE,
    model: Annotated[
        str,
        typer.Option(
            help="Model name, folder, GGUF file or Hugging Face id.", envvar="STORMPROOF_MODEL"
        ),
    ] = "smollm2",
    temperature: Annotated[float, typer.Option(help="Randomness; 0 takes no chances.")] = 0.2,
    top_p: Annotated[
        float, typer.Option(help="Choose among tokens that have this probability together.")
    ] = 1.0,
    top_k: Annotated[
        int, typer.Option(help="Choose among so many most probable tokens; 0 is all.")
    ] = 0,
    max_tokens: Annotated[
        int | None,
        typer.Option(help="Longest answer, in tokens; by default 512, or what fits."),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Makes the answers repeatable.")] = None,
    max_sequences: Annotated[
        int, typer.Option(min=1, max=4096, help="Prompts computed at once.")
    ] = 32,
    device: Annotated[Device, typer.Option(help="Where to compute.")] = "auto",
    dtype: Annotated[DType, typer.Option(help="Number format of the weights.")] = "auto",
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a summary as JSON; --out must be a file.")
    ] = False,
) -> None:
    """Answer a file of prompts.

    Each line is an object with a `prompt`, which is continued, or `messages`, which are answered
    as in a chat; an `id`, if you like; and options of its own, such as `temperature`, `stop` or
    `max_tokens`, which beat those given here.

    Each answer is a line with `line`, `id`, `text`, `finish_reason` and `usage`, or with an
    `error`: one bad line does not stop the others. Answers are written as they finish, so not in
    the order of the prompts.

    What is in the file of answers stays there, even after kill -9: give the same command again,
    and it goes on with the lines that are missing. To have lines answered anew, delete their
    answers. The exit status is 1 if any answer is an error.
    """
    console = Console(stderr=True)
    if as_json and out == _PIPE:
        raise typer.BadParameter("the answers are on standard output", param_hint="--json")
    sampling = {"temperature": temperature, "top_p": top_p, "top_k": top_k}
    sampling |= {"max_tokens": max_tokens} if max_tokens is not None else {}
    job = _Job(
        prompts=None if prompts == _PIPE else Path(prompts),
        out=None if out == _PIPE else Path(out),
        model=model,
        sampling={**sampling, "seed": seed},
        max_sequences=max_sequences,
        device=device,
        dtype=dtype,
    )
    with failures(console, as_json=as_json):
        try:
            tally = _run(job, console)
        except OSError as error:
            raise translate(error) from error
        if as_json:
            typer.echo(json.dumps(tally.summary()))
        if tally.failed:
            raise typer.Exit(FAILED)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    """What was asked for; no path is a pipe."""

    prompts: Path | None
    out: Path | None
    model: str
    sampling: dict[str, Any]
    max_sequences: int
    device: Device
    dtype: DType

    @property
    def at_once(self) -> int:
        """Lines on their way: those that are computed, and as many ready to take their places."""
        return 2 * self.max_sequences

    @property
    def key(self) -> bytes:
        """What tells answers apart that were made by another model or with other options."""
        text = json.dumps([self.model, self.dtype, self.sampling], sort_keys=True)
        return blake2b(text.encode("utf-8", "surrogateescape"), digest_size=32).digest()


def _run(job: _Job, console: Console) -> "Tally":
    # Heavy: what only --help and a typing mistake need comes before this.
    from stormproof.cli.answer_file import open_answers  # noqa: PLC0415
    from stormproof.cli.answer_progress import Tally  # noqa: PLC0415
    from stormproof.engine import SamplingParams  # noqa: PLC0415

    # What can be wrong is found before what is slow.
    SamplingParams(**job.sampling)
    with _source(job) as source, open_answers(job.out) as file:
        total = _count(job, source, file)
        tally = Tally(before=file.answered.count, failed=file.answered.failed, total=total)
        if total != 0:
            _answer(job, source, file, console, tally)
    console.print(str(tally), highlight=False, soft_wrap=True)
    return tally


def _missing(job: _Job, source: BinaryIO, file: "AnswerFile") -> "Iterator[PromptLine]":
    from stormproof.cli.prompt_lines import read_lines  # noqa: PLC0415

    return file.answered.missing(read_lines(source, job.key))


def _count(job: _Job, source: BinaryIO, file: "AnswerFile") -> int | None:
    """Count the lines to be answered, which also checks those that are; None of a pipe."""
    if not source.seekable():
        return None
    start = source.tell()
    total = sum(1 for _ in _missing(job, source, file))
    source.seek(start)
    return total


def _answer(
    job: _Job, source: BinaryIO, file: "AnswerFile", console: Console, tally: "Tally"
) -> None:
    from stormproof.cli.answer_progress import answer_progress  # noqa: PLC0415
    from stormproof.cli.answering import answer_lines  # noqa: PLC0415

    llm = _load(job, console)
    tally.started = tally.clock()
    try:
        with answer_progress(console, tally) as report:
            asyncio.run(
                answer_lines(
                    llm,
                    _missing(job, source, file),
                    file,
                    defaults=job.sampling,
                    at_once=job.at_once,
                    report=report,
                )
            )
    except KeyboardInterrupt:
        go_on = "; the same command goes on from here" if job.out else ""
        console.print(f"Stopped: {tally}{go_on}.", highlight=False, soft_wrap=True)
        raise
    finally:
        llm.close()


@contextmanager
def _source(job: _Job) -> Iterator[BinaryIO]:
    if job.prompts is not None and job.prompts.is_file():
        with job.prompts.open("rb") as file:
            yield file
    else:
        # Never closed: a thread that is left behind may still wait in it for input.
        descriptor = _STDIN if job.prompts is None else os.open(job.prompts, os.O_RDONLY)
        yield os.fdopen(descriptor, "rb", closefd=False)


def _load(job: _Job, console: Console) -> "AsyncLLM":
    from stormproof.engine import EngineConfig  # noqa: PLC0415

    config = EngineConfig(
        model=str(pulled(job.model, console)),
        device=job.device,
        dtype=job.dtype,
        max_sequences=job.max_sequences,
        max_step_tokens=max(_STEP_TOKENS, job.max_sequences),
        max_waiting=job.at_once,
        max_waiting_tokens=_UNLIMITED,
    )
    return load_engine(config, console)
