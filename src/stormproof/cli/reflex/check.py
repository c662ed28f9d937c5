"""The command: read, look through, show in place."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, NamedTuple

import typer
from rich.console import Console

from stormproof.cli.failures import FAILED, failures
from stormproof.errors import ConfigurationError, InvalidInput, PayloadTooLarge, translate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stormproof.reflex.inspection import Spot

_MOST_BYTES: Final = 64 << 20


class Source(NamedTuple):
    """What is looked through.

    Attributes:
        name: What it is called.
        text: What it says.
    """

    name: str
    text: str


def check(
    source: Annotated[
        str,
        typer.Argument(
            metavar="[FILE|-|TEXT]",
            help="A file; `-` for standard input; anything else is the text itself.",
        ),
    ] = "-",
    *,
    kinds: Annotated[
        str,
        typer.Option(
            "--kinds",
            metavar="KIND,KIND…",
            help="What to look for: `pii`, `secrets`, `injection`, or kinds by their names, such as"
            " `email,card,api_key,jailbreak`. By default everything.",
        ),
    ] = "pii,secrets,injection",
    show: Annotated[
        bool,
        typer.Option("--show", help="Show the values: whoever reads the terminal's log has them."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")] = False,
) -> None:
    """Find personal data, secrets and prompt injection in a text, as the gateway would.

    Every finding is shown in its place, with line and column; values are masked. Nothing is sent
    anywhere. The exit status is 1 if something was found, so it also serves as a hook: `git diff
    --cached | stormproof reflex check --kinds secrets`.
    """
    with failures(as_json=as_json):
        wanted = _wanted(kinds)
        read = _read(source)
        spots = _spots(read.text, wanted)
        if as_json:
            facts = {"source": read.name, "findings": [*_facts(read.text, spots, show=show)]}
            typer.echo(json.dumps(facts, indent=2))
        else:
            from stormproof.cli.reflex.view import shown  # noqa: PLC0415 - heavy

            Console().print(shown(read.name, read.text, spots, show=show), soft_wrap=True)
    if spots:
        raise typer.Exit(FAILED)


def _wanted(kinds: str) -> frozenset[str]:
    from stormproof.providers.settings.faults import nearest  # noqa: PLC0415 - heavy

    inspection = _inspection()
    wanted: set[str] = set()
    for kind in filter(None, (word.strip() for word in kinds.split(","))):
        if kind not in inspection.GROUPS and kind not in inspection.KINDS:
            known = nearest(kind, {*inspection.GROUPS, *inspection.KINDS})
            raise InvalidInput(reason=f"there is no kind {kind!r}{known}")
        wanted |= inspection.GROUPS.get(kind, {kind})
    if not wanted:
        raise InvalidInput(reason="--kinds names none")
    return frozenset(wanted)


def _spots(text: str, wanted: frozenset[str]) -> "Sequence[Spot]":
    found: Sequence[Spot] = _inspection().Inspector(wanted).look(text)
    return found


def _inspection() -> Any:
    try:
        from stormproof.reflex import inspection  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as error:
        raise ConfigurationError(setting="reflex", reason=error.msg) from error
    return inspection


def _read(source: str) -> Source:
    """Return what is to be looked through.

    Raises:
        StorageError: A file cannot be read.
        InvalidInput: Something looks like a path, and nothing is there.
        PayloadTooLarge: It is too long.
    """
    if source == "-":
        return Source("standard input", _text(sys.stdin.buffer.read(_MOST_BYTES + 1)))
    if not _is_there(source):
        if len(source.split()) == 1 and "/" in source and "://" not in source:
            raise InvalidInput(reason=f"there is no file {source}; a text comes through -")
        return Source("the text", source)
    try:
        with Path(source).open("rb") as file:
            return Source(source, _text(file.read(_MOST_BYTES + 1)))
    except OSError as error:
        raise translate(error) from error


def _is_there(source: str) -> bool:
    try:
        return Path(source).exists()
    except OSError:  # no file has so long a name
        return False


def _text(content: bytes) -> str:
    if len(content) > _MOST_BYTES:
        raise PayloadTooLarge(limit=_MOST_BYTES)
    return content.decode("utf-8", "replace")


def _facts(text: str, spots: "Sequence[Spot]", *, show: bool) -> "Sequence[dict[str, Any]]":
    from stormproof.cli.reflex.view import Lines  # noqa: PLC0415 - heavy

    lines = Lines(text)
    facts = []
    for spot in spots:
        line, column = lines.place(spot.start)
        told = {"kind": spot.kind, "about": spot.about, "line": line, "column": column}
        value = {"value": text[spot.start : spot.end]} if show else {}
        facts.append({**told, "start": spot.start, "end": spot.end, **value})
    return facts
