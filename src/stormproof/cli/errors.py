"""``stormproof errors``: what a code means, and what to do."""

import json
import re
import typing
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from stormproof.errors import Category, FieldProblem, StormproofError, known_errors, to_wire
from stormproof.errors.fields import Field
from stormproof.errors.root import COMMON


def errors(
    code: Annotated[
        str | None, typer.Argument(metavar="CODE", help="A code, such as OUT_OF_BLOCKS.")
    ] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")] = False,
) -> None:
    """List every error, or tell what one means and what to do about it."""
    if code is None:
        _list(known_errors().values(), as_json=as_json)
    else:
        _explain(_find(code), as_json=as_json)


def _find(code: str) -> type[StormproofError]:
    known, wanted = known_errors(), code.upper().replace("-", "_")
    if wanted in known:
        return known[wanted]
    by_name = {cls.__name__.upper(): cls for cls in known.values()}
    if wanted in by_name:
        return by_name[wanted]
    close = get_close_matches(wanted, known)
    advice = f"did you mean {' or '.join(close)}?" if close else "'stormproof errors' lists all"
    raise typer.BadParameter(f"no error has the code {code!r}; {advice}", param_hint="CODE")


def _list(classes: Iterable[type[StormproofError]], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps([_facts(cls) for cls in classes], indent=2))
        return
    for category in Category:
        Console().print(_table(category, [cls for cls in classes if cls.category is category]))


def _table(category: Category, classes: Iterable[type[StormproofError]]) -> Table:
    table = Table(title=f"{category.value.capitalize()} errors", title_justify="left", box=None)
    table.add_column("Code", no_wrap=True, style="bold")
    table.add_column("Status")
    table.add_column("Retriable")
    table.add_column("Meaning")
    for cls in classes:
        retriable = "yes" if cls.retriable else "no"
        table.add_row(cls.code, str(cls.http_status), retriable, Text(_meaning(cls)))
    return table


def _explain(cls: type[StormproofError], *, as_json: bool) -> None:
    facts = {**_facts(cls), "example": to_wire(_example(cls))}
    if as_json:
        typer.echo(json.dumps(facts, indent=2))
        return
    console = Console()
    console.print(Text.assemble((cls.code, "bold"), f"  {cls.__name__}\n{facts['meaning']}\n"))
    rows = Table.grid(padding=(0, 2))
    rows.add_row("Status", str(cls.http_status))
    rows.add_row("Family", cls.category.value)
    rows.add_row("Severity", cls.severity.name)
    rows.add_row("Retriable", "yes" if cls.retriable else "no")
    rows.add_row("Fields", Text("\n".join(map(_field_line, facts["fields"])) or "none of its own"))
    rows.add_row("What to do", Text(cls.remedy))
    console.print(rows)
    console.print("\nOn the wire:")
    console.print_json(data=facts["example"])


def _facts(cls: type[StormproofError]) -> dict[str, Any]:
    return {
        "code": cls.code,
        "class": cls.__name__,
        "status": cls.http_status,
        "category": cls.category.value,
        "severity": cls.severity.name,
        "retriable": cls.retriable,
        "meaning": _meaning(cls),
        "remedy": cls.remedy,
        "fields": [_field(field) for name, field in cls.fields().items() if name not in COMMON],
    }


def _meaning(cls: type[StormproofError]) -> str:
    return (cls.__doc__ or "").partition("\n")[0].replace("``", "")


def _field(field: Field) -> dict[str, Any]:
    return {
        "name": field.name,
        "type": _type_text(field.annotation),
        "required": field.required,
        "internal": field.internal,
    }


def _type_text(annotation: Any) -> str:
    if typing.get_origin(annotation) is typing.Annotated:
        annotation = annotation.__origin__
    text = annotation.__name__ if isinstance(annotation, type) else str(annotation)
    return re.sub(r"\b\w+\.", "", text)


def _field_line(field: dict[str, Any]) -> str:
    remarks = [
        "" if field["required"] else "may be left out",
        "internal: never sent to a client" if field["internal"] else "",
    ]
    remark = ", ".join(filter(None, remarks))
    return f"{field['name']}: {field['type']}" + (f"  ({remark})" if remark else "")


def _example(cls: type[StormproofError]) -> StormproofError:
    required = [field for field in cls.fields().values() if field.required]
    return cls(**{field.name: _placeholder(field) for field in required})


def _placeholder(field: Field) -> Any:
    if field.annotation == Sequence[FieldProblem]:
        return [FieldProblem(field="messages.0.role", message="is missing", type="missing")]
    if field.annotation == Sequence[str]:
        return [f"<{field.name}>"]
    return 1 if field.annotation in {int, float} else f"<{field.name}>"
