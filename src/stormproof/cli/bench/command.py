"""The command: load or reach what is measured, warm it up, send the workloads, show the table."""

import asyncio
import json
import typing
from collections.abc import Sequence
from typing import Annotated, Any, Final

import typer
from rich.console import Console

from stormproof.cli.bench.workload import Workload
from stormproof.cli.failures import FAILED, failures
from stormproof.cli.loading import load_engine
from stormproof.cli.model import pulled
from stormproof.cli.server import first_model, key_headers, root_of
from stormproof.engine.settings import Device, DType

if typing.TYPE_CHECKING:
    from stormproof.cli.bench.driving import Run
    from stormproof.cli.bench.result import Result
    from stormproof.cli.bench.timeline import Target
    from stormproof.errors import StormproofError

_DEFAULT: Final = ("1x128+128", "8x128+128", "32x16-256+16-256")
_WARM_UP: Final = Workload.parse("1x16+4")
_LEAST_STEP_TOKENS: Final = 512
_UNLIMITED: Final = 1 << 40
_PATIENCE: Final = 5.0
_SMALLEST_VOCABULARY: Final = 1 << 14


def _workload(spec: str) -> Workload:
    try:
        return Workload.parse(spec)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def bench(
    workloads: Annotated[
        list[Workload] | None,
        typer.Argument(
            metavar="WORKLOAD",
            parser=_workload,
            help="REQUESTSxPROMPT+OUTPUT: how many requests at once, with how many tokens in and"
            f" out; a number of tokens may be a range. By default: {' '.join(_DEFAULT)}.",
            show_default=False,
        ),
    ] = None,
    *,
    model: Annotated[
        str | None,
        typer.Option(
            help="Model name, folder, GGUF file or Hugging Face id [default: smollm2]; with --url"
            " the name of a model there [default: the first].",
            envvar="STORMPROOF_MODEL",
            show_default=False,
        ),
    ] = None,
    url: Annotated[
        str | None,
        typer.Option(
            callback=root_of,
            help="Measure this OpenAI-compatible server instead: Stormproof, vLLM, llama-server.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Another seed makes other prompts and lengths.")] = 0,
    device: Annotated[Device, typer.Option(help="Where to compute.")] = "auto",
    dtype: Annotated[DType, typer.Option(help="Number format to compute in.")] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Measure how fast a model answers.

    Prompts are random tokens, answers are greedy and as long as asked, and nothing is found in a
    cache. Each workload is sent at once: 1x128+128 is one person who waits, 32x16-256+16-256 is a
    busy server.

    Output tok/s counts all answers of a workload from its first request to its last token; prompt
    tok/s counts until every request has its first token. Ctrl-C shows what was measured so far.

    A server's key is taken from the environment variable STORMPROOF_API_KEY.
    """
    console = Console(stderr=True)
    measured = _Bench(workloads or [Workload.parse(spec) for spec in _DEFAULT], seed, console)
    with failures(console, as_json=as_json):
        try:
            if url is None:
                measured.engine(model or "smollm2", device, dtype)
            else:
                measured.server(url, model)
        finally:
            if as_json:
                about = {"model": model, "url": url, "seed": seed}
                _print_json(measured.results, about)
            else:
                _print_table(measured.results)
        errors = measured.errors
        if errors and not measured.results:
            raise errors[0]
        if errors:
            console.print(f"{len(errors)} requests failed; the first one: {errors[0]}")
            raise typer.Exit(FAILED)


def _print_table(results: "Sequence[Result]") -> None:
    from stormproof.cli.bench.report import table  # noqa: PLC0415

    if results:
        Console().print(table(results))


def _print_json(results: "Sequence[Result]", about: dict[str, Any]) -> None:
    if results:
        typer.echo(json.dumps({**about, "results": [result.document() for result in results]}))


class _Bench:
    """Workloads to be sent, and what came of those that were.

    Args:
        workloads: What to send.
        seed: What the requests are made from.
        console: Where progress is shown.
    """

    def __init__(self, workloads: Sequence[Workload], seed: int, console: Console) -> None:
        self._workloads = workloads
        self._seed = seed
        self._console = console
        self._runs: list[Run] = []

    @property
    def results(self) -> "list[Result]":
        """What was measured so far, that of a workload on its way too."""
        return [run.result for run in self._runs if run.result]

    @property
    def errors(self) -> "list[StormproofError]":
        """Why requests failed."""
        return [error for run in self._runs for error in run.errors]

    def engine(self, model: str, device: Device, dtype: DType) -> None:
        """Measure an engine of this program."""
        from stormproof.cli.bench.engine import EngineTarget  # noqa: PLC0415
        from stormproof.engine import EngineConfig  # noqa: PLC0415

        at_once = max(workload.requests for workload in self._workloads)
        config = EngineConfig(
            model=str(pulled(model, self._console)),
            device=device,
            dtype=dtype,
            max_sequences=at_once,
            max_step_tokens=max(_LEAST_STEP_TOKENS, at_once),
            max_waiting=at_once,
            max_waiting_tokens=_UNLIMITED,
            prefix_cache=False,
        )
        llm = load_engine(config, self._console)
        try:
            asyncio.run(self._send_all(EngineTarget(llm), llm.model.vocab_size))
        finally:
            llm.close()

    def server(self, url: str, model: str | None) -> None:
        """Measure a server."""
        import httpx2  # noqa: PLC0415 - heavy: --help does without

        with httpx2.Client(base_url=url, headers=key_headers(), timeout=_PATIENCE) as client:
            name = model or first_model(client)
        asyncio.run(self._ask_server(url, name))

    async def _ask_server(self, url: str, model: str) -> None:
        import httpx2  # noqa: PLC0415

        from stormproof.cli.bench.remote import ServerTarget  # noqa: PLC0415

        # A connection for each request, and as long as it takes: the wait is what is measured.
        async with httpx2.AsyncClient(
            base_url=url,
            headers=key_headers(),
            timeout=httpx2.Timeout(None, connect=_PATIENCE),
            limits=httpx2.Limits(max_connections=None, max_keepalive_connections=0),
        ) as client:
            await self._send_all(ServerTarget(client, model), _SMALLEST_VOCABULARY)

    async def _send_all(self, target: "Target", vocab_size: int) -> None:
        from stormproof.cli.bench.driving import Run  # noqa: PLC0415
        from stormproof.cli.bench.report import bench_progress  # noqa: PLC0415

        warm_up = Run(_WARM_UP, lambda _: None)
        await warm_up.send(target, _WARM_UP.make(self._seed, vocab_size))
        if warm_up.errors:
            raise warm_up.errors[0]
        with bench_progress(self._console) as begin:
            for workload in self._workloads:
                requests = workload.make(self._seed, vocab_size)
                report = begin(workload, sum(request.max_tokens for request in requests))
                self._runs.append(Run(workload, report))
                await self._runs[-1].send(target, requests)
