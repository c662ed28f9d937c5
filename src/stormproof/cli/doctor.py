"""``stormproof doctor``: whether the settings are right, and everybody they name is there."""

import asyncio
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from stormproof.cli.failures import FAILED, failures
from stormproof.cli.local_models import check_local
from stormproof.cli.stages import check_database, check_stages
from stormproof.errors import ClientError, ModelNotFound, StormproofError, to_wire
from stormproof.gateway.settings import DEFAULT_FILE, load_settings

if TYPE_CHECKING:
    from stormproof.providers import Finding, ModelsFile
    from stormproof.reflex.settings import ReflexTables

_DEADLINE: Final = 10.0
"""Seconds for each provider."""

_UNPRICED: Final = "it has no price: who has a budget may not ask it, or it counts for nothing"

_MARKS: Final = {True: Text("yes", "green"), False: Text("no", "bold red"), None: Text("-", "dim")}


def doctor(
    config: Annotated[
        Path, typer.Option("--config", metavar="FILE", help="The settings to check.")
    ] = DEFAULT_FILE,
    *,
    call: Annotated[
        bool, typer.Option("--call", help="Call every model, which costs a few tokens each.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Check the settings, and ask every provider that they name for the models that are needed.

    Nothing is spent on that: providers are asked for their lists of models. Every stage that
    requests have to pass is made. The exit status is 1 if anything that is needed does not work.
    """
    with failures(as_json=as_json):
        from stormproof.providers import read_models  # noqa: PLC0415 - heavy
        from stormproof.reflex.settings import read_reflex  # noqa: PLC0415

        models, stages = read_models(config), read_reflex(config)
        settings = load_settings({"config": str(config)})
        findings = [
            *asyncio.run(_hosted(models, stages, call=call, workers=settings.workers)),
            *check_local(models, settings),
            *check_database(config, models, workers=settings.workers),
        ]
        if stages is not None:
            _look_for_prices(models, findings)
    works = all(finding.error is None for finding in findings)
    if as_json:
        facts = {"works": works, "targets": [_facts(finding) for finding in findings]}
        typer.echo(json.dumps(facts, indent=2))
    else:
        _show(config, models, findings)
    if not works:
        raise typer.Exit(FAILED)


async def _hosted(
    models: "ModelsFile", stages: "ReflexTables | None", *, call: bool, workers: int
) -> "list[Finding]":
    from stormproof.providers import (  # noqa: PLC0415 - heavy
        HttpClient,
        LadderBuilder,
        Proxies,
        check_store,
        check_targets,
    )

    client = HttpClient(proxy=Proxies(os.environ).of)
    try:
        builder = LadderBuilder(models, client, os.environ)
        found = await check_targets(models, builder.hosted, deadline=_DEADLINE, call=call)
        if builder.store:
            found.append(await check_store(models, builder.store, deadline=_DEADLINE))
        return found + check_stages(stages, models, builder, workers=workers)
    finally:
        client.close()


def _look_for_prices(models: "ModelsFile", findings: "Sequence[Finding]") -> None:
    """Note whose price nobody knows."""
    from stormproof.reflex import quotes  # noqa: PLC0415 - heavy

    unpriced = {name for quote in quotes(models).values() for name in quote.unpriced}
    for finding in findings:
        if finding.target in unpriced:
            finding.note = "; ".join(filter(None, (finding.note, _UNPRICED)))


def _facts(finding: "Finding") -> dict[str, Any]:
    return {
        "target": finding.target,
        "models": finding.models,
        "key": finding.key,
        "reached": finding.reached,
        "accepted": finding.accepted,
        "known": finding.known,
        "works": finding.error is None,
        "seconds": round(finding.seconds, 3),
        "note": finding.note,
        **({} if finding.error is None else _trouble(finding.error)),
    }


def _trouble(error: StormproofError) -> dict[str, Any]:
    return {**to_wire(error), "advice": _advice(error)}


def _advice(error: StormproofError) -> str:
    """Say what to do; here the question was ours, and so is what is wrong with it."""
    if isinstance(error, ModelNotFound):
        return "Correct the rung's model, or ask the provider for it: it knows none of that name."
    if isinstance(error, ClientError):
        return "Check the provider's url and preset: it did not take a plain question."
    return error.remedy


def _show(config: Path, models: "ModelsFile", findings: "Sequence[Finding]") -> None:
    console = Console()
    count = len(models.models)
    said = f"{config.name} is fine: {count} model{'s' if count != 1 else ''}"
    console.print(Text(said, style="green"))
    if not findings:
        console.print("Nobody is asked.")
        return
    table = Table(box=None)
    for name in ("", "Who", "For", "Key", "There", "Key good", "Model", "Time"):
        table.add_column(name, overflow="fold")
    for finding in findings:
        table.add_row(*_cells(finding))
    console.print(table)
    for finding in findings:
        if more := _said(finding):
            console.print("", more, sep="\n", soft_wrap=True)


def _cells(finding: "Finding") -> Sequence[str | Text]:
    works = Text("works", "green") if finding.error is None else Text("fails", "bold red")
    return (
        works,
        finding.target,
        ", ".join(finding.models),
        finding.key or "none",
        _MARKS[finding.reached],
        _MARKS[finding.accepted],
        _MARKS[finding.known],
        f"{finding.seconds:.2f} s",
    )


def _said(finding: "Finding") -> Text | None:
    """Return what cannot be told in a cell."""
    who = (f"{finding.target}: ", "bold")
    if finding.error is not None:
        return Text.assemble(who, str(finding.error), "\n", (_advice(finding.error), "dim"))
    return Text.assemble(who, finding.note) if finding.note else None
