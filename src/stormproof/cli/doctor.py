"""``stormproof doctor``: whether the settings are right, and everybody they name answers."""

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
from stormproof.errors import ClientError, ModelNotFound, StormproofError, to_wire
from stormproof.gateway.settings import DEFAULT_FILE, load_settings

if TYPE_CHECKING:
    from stormproof.providers import Finding, ModelsFile

_DEADLINE: Final = 10.0
"""Seconds for each call."""


def doctor(
    config: Annotated[
        Path, typer.Option("--config", metavar="FILE", help="The settings to check.")
    ] = DEFAULT_FILE,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Check the settings, and call every model of every provider that they name.

    Each call asks for a few tokens. The exit status is 1 if anything that a model needs does not
    work.
    """
    with failures(as_json=as_json):
        from stormproof.providers import read_models  # noqa: PLC0415 - heavy

        models = read_models(config)
        load_settings({"config": str(config)})
        findings = asyncio.run(_findings(models))
    works = all(finding.error is None for finding in findings)
    if as_json:
        facts = {"works": works, "targets": [_facts(finding) for finding in findings]}
        typer.echo(json.dumps(facts, indent=2))
    else:
        _show(config, models, findings)
    if not works:
        raise typer.Exit(FAILED)


async def _findings(models: "ModelsFile") -> "list[Finding]":
    from stormproof.providers import (  # noqa: PLC0415 - heavy
        HttpClient,
        LadderBuilder,
        check_targets,
    )

    client = HttpClient()
    try:
        builder = LadderBuilder(models, client, os.environ)
        return await check_targets(models, builder, deadline=_DEADLINE)
    finally:
        client.close()


def _facts(finding: "Finding") -> dict[str, Any]:
    return {
        "target": finding.target,
        "models": finding.models,
        "works": finding.error is None,
        "seconds": round(finding.seconds, 3),
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
        console.print("No provider is asked.")
        return
    table = Table("", "Who", "For", "Time", box=None)
    table.add_column("What", overflow="fold")
    for finding in findings:
        table.add_row(*_cells(finding))
    console.print(table)


def _cells(finding: "Finding") -> Sequence[str | Text]:
    error, names = finding.error, ", ".join(finding.models)
    time = f"{finding.seconds:.2f} s"
    if error is None:
        return Text("works", style="green"), finding.target, names, time, ""
    why = Text.assemble(str(error), "\n", (_advice(error), "dim"))
    return Text("fails", style="bold red"), finding.target, names, time, why
