"""The command: read, look through, show in place."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, NamedTuple

import typer
from rich.console import Console

from stormproof.cli.failures import FAILED, failures
from stormproof.errors import ConfigurationError, PayloadTooLarge, ValidationError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stormproof.reflex.inspection import Spot

_PIPE: Final = Path("-")
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
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE|-",
            help="What to look through; `-`, or nothing, for standard input.",
            show_default=False,
        ),
    ] = _PIPE,
    *,
    text: Annotated[
        str | None, typer.Option("--text", metavar="TEXT", help="Look through this text instead.")
    ] = None,
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
    anywhere. The exit status is 1 if something was found, and 2 if there is nothing to look
    through, so it also serves as a hook: `git diff --cached | stormproof reflex check --kinds
    secrets`.
    """
    with failures(as_json=as_json):
        wanted = _wanted(kinds)
        read = _read(file) if text is None else _given(text, file)
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
            raise ValidationError(field="--kinds", reason=f"there is no kind {kind!r}{known}")
        wanted |= inspection.GROUPS.get(kind, {kind})
    if not wanted:
        raise ValidationError(field="--kinds", reason="names none")
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


def _given(text: str, file: Path) -> Source:
    """Return a text that stands in the command.

    Raises:
        ValidationError: So does a file.
    """
    if file != _PIPE:
        raise ValidationError(field="--text", reason="takes the place of a file: give one of them")
    return Source("the text", text)


def _read(file: Path) -> Source:
    """Return what is in a file, or in standard input.

    Raises:
        ValidationError: It cannot be read.
        PayloadTooLarge: It is too long.
    """
    if file == _PIPE:
        return Source("standard input", _text(sys.stdin.buffer.read(_MOST_BYTES + 1)))
    try:
        with file.open("rb") as content:
            return Source(str(file), _text(content.read(_MOST_BYTES + 1)))
    except OSError as error:
        reason = f"{error.strerror} (a text is given with --text): {file}"
        raise ValidationError(field="FILE", reason=reason) from error


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
