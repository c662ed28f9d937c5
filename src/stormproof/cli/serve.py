"""``stormproof serve``: a model behind an OpenAI-compatible address."""

import asyncio
import inspect
import json
import os
import signal
import socket
import sys
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any, NamedTuple

import typer
from pydantic.fields import FieldInfo
from rich.console import Console

from stormproof.cli.failures import failures
from stormproof.cli.loading import load_engine
from stormproof.cli.model import pulled
from stormproof.errors import ConfigurationError
from stormproof.gateway.settings import DEFAULT_FILE, ENV_PREFIX, Settings, load_settings

if typing.TYPE_CHECKING:
    from stormproof.engine import AsyncEmbedder, AsyncLLM
    from stormproof.providers import HttpClient, ModelsFile
    from stormproof.reflex.sql import Books


def serve(**flags: str | None) -> None:
    """Serve a model over HTTP as OpenAI's API does, until SIGTERM.

    Every option can also be set in the environment (`STORMPROOF_PORT=9000`) or in the `[serve]`
    table of `stormproof.toml` (`port = 9000`); a flag beats the environment, which beats the file.
    """
    if sys.platform != "win32":
        # Until it listens: what is to be read again has not been read.
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    console = Console(stderr=True)
    with failures(console):
        load = partial(load_settings, flags)
        settings = load()
        if settings.workers > 1:
            _supervise(settings, load, flags, console)
        else:
            answer(settings, load, console)


class Seat(NamedTuple):
    """The place of one worker among several.

    Attributes:
        number: Which one.
        port: Where all of them answer.
        folder: Where they tell each other what they count.
    """

    number: int
    port: int
    folder: Path


def answer(
    settings: Settings, load: Callable[[], Settings], console: Console, seat: Seat | None = None
) -> None:
    """Answer until SIGTERM.

    Args:
        settings: What to run with.
        load: Returns the same as they are now.
        console: Told that it listens, and where.
        seat: The place of this process, if it is one of several.
    """
    _log(settings, console)
    with _books(settings) as books:
        _answer(settings, load, console, seat, books)


def _answer(
    settings: Settings,
    load: Callable[[], Settings],
    console: Console,
    seat: Seat | None,
    books: "Books | None",
) -> None:
    # Heavy: what only --help and a typing mistake need comes before this.
    from prometheus_client import CollectorRegistry  # noqa: PLC0415

    from stormproof.gateway import (  # noqa: PLC0415
        Lifecycle,
        Reloader,
        ServedModels,
        WorkerSeries,
        create_app,
        listen,
        load_keys,
        run,
    )
    from stormproof.providers import LocalEmbeddings  # noqa: PLC0415
    from stormproof.reflex.stage_metrics import StageMetrics  # noqa: PLC0415
    from stormproof.signals import Metrics  # noqa: PLC0415

    # What can be wrong is found before what is slow.
    keyring = load_keys(settings, books.keys if books else None)
    port = seat.port if seat else settings.port
    listener = listen(settings.host, port, shared=seat is not None)
    served = ServedModels(settings, load, _client(), os.environ, books)
    embedding = settings.embedding_model
    wanted = {*served.models.embedders, *filter(None, [embedding])}
    embedders = _load_embedders(wanted, settings, console)
    engine = _load(settings, console) if _needs_engine(settings, served.models) else None
    lifecycle = Lifecycle(
        engine, drain_timeout=settings.drain_timeout, embedders=embedders.values()
    )
    name = settings.served_name
    names = [name] * bool(engine) + [*served.models.models, *served.models.embeddings]
    metrics = Metrics(CollectorRegistry())
    StageMetrics(metrics.registry)
    most = settings.max_prompt_chars
    local = {name: LocalEmbeddings(one, max_chars=most) for name, one in embedders.items()}
    series = (
        WorkerSeries(metrics.registry, seat.folder, number=seat.number, count=settings.workers)
        if seat
        else None
    )
    app = create_app(
        engine,
        settings,
        model_name=name,
        keyring=keyring,
        lifecycle=lifecycle,
        metrics=metrics,
        embedders={Path(embedding).name: embedders[embedding]} if embedding else {},
        make_ladders=served.begin,
        embedding_ladders=served.host(local),
        scrape=series.scrape if series else None,
        entrance=served.entrance,
    )
    reloader = Reloader(served, lifecycle, metrics.registry)
    if seat:  # whoever started it reads a line, and tells the rest
        tell = partial(print, flush=True)
        run(app, lifecycle, listener, reloader=reloader, series=series, listening=tell)
        return
    _announce(console, listener, names)
    run(app, lifecycle, listener, reloader=reloader)
    console.print("Stopped.")


def _supervise(
    settings: Settings,
    load: Callable[[], Settings],
    flags: Mapping[str, str | None],
    console: Console,
) -> None:
    """Have several processes answer, until SIGTERM."""
    from stormproof.gateway import ServedModels, Workers, load_keys, reserve  # noqa: PLC0415

    _log(settings, console)
    # What each of them would find wrong is found once, before they start.
    load_keys(settings)
    with _books(settings) as books:
        models = ServedModels(settings, load, _client(), os.environ, books).models
    if settings.embedding_model or models.embedders or _needs_engine(settings, models):
        reason = "must be 1 where this machine computes: a model is in one process"
        raise ConfigurationError(setting="workers", reason=reason)
    given = json.dumps({name: value for name, value in flags.items() if value is not None})
    with (
        reserve(settings.host, settings.port) as address,
        TemporaryDirectory(prefix="stormproof-") as folder,
    ):
        workers = Workers(
            "stormproof.cli.serve_worker",
            (str(address.getsockname()[1]), folder, given),
            count=settings.workers,
            drain_timeout=settings.drain_timeout,
            listening=lambda: _announce(console, address, [*models.models, *models.embeddings]),
        )
        asyncio.run(workers.run())
    console.print("Stopped.")


@contextmanager
def _books(settings: Settings) -> Iterator["Books | None"]:
    """Yield keys and usage, if there is a database: without one, its library is not needed."""
    from stormproof.reflex.settings import read_database  # noqa: PLC0415

    database = read_database(settings.config or DEFAULT_FILE, os.environ)
    if database.url is None:
        yield None
        return
    from stormproof.reflex.sql import Books  # noqa: PLC0415

    with Books(database.url, database.journals) as books:
        yield books


def _client() -> "HttpClient":
    from stormproof.providers import HttpClient, Proxies  # noqa: PLC0415

    return HttpClient(proxy=Proxies(os.environ).of)


def _log(settings: Settings, console: Console) -> None:
    from stormproof.signals import configure_logging, log_events  # noqa: PLC0415

    configure_logging(settings.log_level, console=console.is_terminal)
    log_events()


def _announce(console: Console, listener: socket.socket, names: Sequence[str]) -> None:
    host, port = listener.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    console.print(
        f"[bold green]Listening[/] on http://{shown}:{port} · model [bold]{', '.join(names)}[/]"
        f" · docs http://{shown}:{port}/docs",
        soft_wrap=True,
    )


def _needs_engine(settings: Settings, models: "ModelsFile") -> bool:
    """Say whether the engine has to run: somebody asked for it, or there is nobody else."""
    named = "model" in settings.model_fields_set
    return named or models.computes or not (models.models or models.embeddings)


def _load(settings: Settings, console: Console) -> "AsyncLLM":
    from stormproof.engine import EngineConfig  # noqa: PLC0415

    model = pulled(settings.model, console)
    draft_model = pulled(settings.draft_model, console) if settings.draft_model else None
    config = EngineConfig(
        model=str(model),
        adapter=settings.adapter,
        device=settings.device,
        dtype=settings.dtype,
        tensor_parallel=settings.tensor_parallel,
        threads=settings.threads,
        block_size=settings.block_size,
        num_blocks=settings.num_blocks,
        cache_bytes=settings.cache_bytes,
        max_sequences=settings.max_sequences,
        max_step_tokens=settings.max_step_tokens,
        max_waiting=settings.max_waiting,
        max_waiting_tokens=settings.max_waiting_tokens,
        prefix_cache=settings.prefix_cache,
        speculation=settings.speculation,
        draft_model=str(draft_model) if draft_model else None,
        step_deadline=settings.step_deadline,
    )
    return load_engine(config, console)


def _load_embedders(
    wanted: Set[str], settings: Settings, console: Console
) -> dict[str, "AsyncEmbedder"]:
    from stormproof.engine import AsyncEmbedder, Embedder  # noqa: PLC0415
    from stormproof.engine.pytorch.hardware import usable_cores  # noqa: PLC0415

    if not wanted:
        return {}
    # Threads of numpy's library spin while they wait for each other. Beside an engine that uses the
    # same cores they take twice the time of one; steps side by side wait for nobody.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    return {
        name: AsyncEmbedder(
            Embedder.load(pulled(name, console)),
            max_waiting_tokens=settings.max_waiting_tokens,
            threads=settings.threads or usable_cores(),
        )
        for name in wanted
    }


def _option(name: str, field: FieldInfo) -> inspect.Parameter:
    """Make the flag of a setting; its value is checked where the environment's and file's are."""
    default = field.get_default()
    shown = "" if default in (None, ()) else f" [default: {default}]"
    option = typer.Option(
        f"--{name.replace('_', '-')}",
        help=f"{field.description} ({ENV_PREFIX}{name.upper()}){shown}",
        metavar=_metavar(field),
        show_default=False,
    )
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[str | None, option]
    )


def _metavar(field: FieldInfo) -> str:
    annotation: Any = field.annotation
    if typing.get_origin(annotation) is typing.Literal:
        return "|".join(typing.get_args(annotation))
    kinds = {bool: "BOOLEAN", int: "INTEGER", float: "NUMBER", Path: "FILE"}
    named = [kinds[kind] for kind in (annotation, *typing.get_args(annotation)) if kind in kinds]
    return named[0] if named else "TEXT"


serve.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
    [_option(name, field) for name, field in Settings.model_fields.items()]
)
