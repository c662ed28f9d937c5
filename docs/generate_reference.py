"""Writes the reference pages that are made from the code: settings and the command line.

Run ``python docs/generate_reference.py`` after changing either; a test fails while a page is stale.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import click
import typer
from pydantic.fields import FieldInfo

from stormproof.cli.main import app
from stormproof.gateway.settings import ENV_PREFIX, TABLE, Settings

PAGES = Path(__file__).parent / "reference"


def settings_page() -> str:
    """Every setting of ``stormproof serve``."""
    rows = "\n".join(_row(name, field) for name, field in Settings.model_fields.items())
    return f"""# Settings

The settings of `stormproof serve`. Each can be given as a flag (`--max-waiting 10`), in the
environment (`{ENV_PREFIX}MAX_WAITING=10`), or in the `[{TABLE}]` table of a TOML file
(`max_waiting = 10`); a flag beats the environment, which beats the file, which beats the default.
A wrong value is named with where it came from, and nothing is started.

| Setting | Default | Meaning |
|---|---|---|
{rows}
"""


def command_line_page() -> str:
    """Every command, as ``--help`` tells it."""
    root = typer.main.get_command(app)
    sections = "\n\n".join(_sections("stormproof", root))
    return f"# Command line\n\n{sections}\n"


def _row(name: str, field: FieldInfo) -> str:
    default = field.get_default()
    shown = "" if default in (None, ()) else f"`{default}`"
    return f"| `{name}` | {shown} | {field.description} |"


def _sections(path: str, command: click.Command) -> Iterator[str]:
    context = click.Context(command, info_name=path.rpartition(" ")[2])
    help_text = re.sub(r"\s+", " ", (command.help or "").strip())
    lines = [f"## `{path}`", "", help_text, ""]
    for parameter in command.params:
        record = parameter.get_help_record(context)
        if isinstance(parameter, click.Argument):
            text = getattr(parameter, "help", None) or ""
            lines.append(f"- `{parameter.make_metavar(context)}`: {text}")
        elif record:
            lines.append(f"- `{record[0]}`: {record[1]}")
    yield "\n".join(lines).strip()
    for name, child in sorted(getattr(command, "commands", {}).items()):
        yield from _sections(f"{path} {name}", child)


def main() -> None:
    """Write the pages."""
    (PAGES / "settings.md").write_text(settings_page(), "utf-8")
    (PAGES / "command_line.md").write_text(command_line_page(), "utf-8")


if __name__ == "__main__":
    main()
